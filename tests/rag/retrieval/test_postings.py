"""BM25 in arrays against the formula applied to every passage, and changed arrays against ones made anew."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.retrieval import postings as module
from rag.retrieval.postings import Postings, PostingsBuilder, term_number

TEXTS = st.lists(st.lists(st.sampled_from(["a", "b", "c", "退货", "w203"]), max_size=12).map(" ".join), max_size=12)


def by_formula(text: str, weights: dict[str, float], mean_length: float) -> float:
    terms = text.split()
    norm = 1.2 * (0.25 + 0.75 * len(terms) / mean_length)
    counts = Counter(terms)
    return sum(weight * counts[term] * 2.2 / (counts[term] + norm) for term, weight in weights.items() if counts[term])


def numbered(weights: dict[str, float]) -> dict[int, float]:
    return {term_number(term): weight for term, weight in weights.items()}


@pytest.mark.slow
@given(TEXTS, st.floats(0.5, 20))
def test_scores_are_those_of_the_formula(texts: list[str], mean_length: float) -> None:
    weights = {"a": 1.5, "退货": 0.25, "unheard": 3.0}
    scores = Postings.build(texts, mean_length).scores(numbered(weights))
    expected = [by_formula(text, weights, mean_length) for text in texts]
    assert scores.tolist() == pytest.approx(expected, rel=2e-3, abs=1e-6)


@pytest.mark.slow
@given(TEXTS, TEXTS, st.randoms(use_true_random=False))
def test_changed_is_the_same_as_made_anew(before: list[str], added: list[str], random: object) -> None:
    keep = np.array([random.random() < 0.6 for _ in before], dtype=np.bool_)  # type: ignore[attr-defined]
    changed = Postings.build(before, 5.0).changed(keep, Postings.build(added, 5.0))
    anew = Postings.build([text for text, kept in zip(before, keep, strict=True) if kept] + added, 5.0)
    for field in ("terms", "offsets", "rows", "impacts"):
        np.testing.assert_array_equal(getattr(changed, field), getattr(anew, field))
    assert changed.count == anew.count
    np.testing.assert_array_equal(changed.fingerprints(), anew.fingerprints())


def test_batches_are_the_same_as_one() -> None:
    builder = PostingsBuilder()
    builder.add(["a b a", ""])
    builder.add([])
    builder.add(["b c"])
    assert builder.length == 5
    assert (
        builder.finish(2.0).fingerprints().tolist() == Postings.build(["a b a", "", "b c"], 2.0).fingerprints().tolist()
    )


def test_frequencies_by_hand() -> None:
    postings = Postings.build(["a a b", "a", "c"], 2.0)
    asked = np.array([term_number(term) for term in ("a", "b", "d")], dtype=np.uint64)
    assert postings.frequencies(asked).tolist() == [2, 1, 0]
    assert Postings.build([], 1.0).frequencies(asked).tolist() == [0, 0, 0]


def test_a_fingerprint_tells_other_terms_and_other_numbers_of_them() -> None:
    same, again, fewer, others = Postings.build(["a a b", "b a a", "a b", "a a c"], 3.0).fingerprints().tolist()
    assert same == again
    assert len({same, fewer, others}) == 3


def test_more_of_a_term_than_sixteen_bits_count() -> None:
    (score,) = Postings.build(["a " * 70_000], 70_000).scores({term_number("a"): 1.0}).tolist()
    assert score == pytest.approx(2.2, rel=1e-2)


def test_more_passages_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROWS_AT_MOST", 2)
    with pytest.raises(ValueError, match="more than 2 passages"):
        Postings.build(["a", "b", "c"], 1.0)


def test_a_term_s_number_is_the_same_everywhere() -> None:
    assert term_number("退货") == 4943924484087360791
    assert not math.isclose(term_number("a"), term_number("b"))
