"""What is known of a sentence before it is ranked."""

import json
from collections.abc import Sequence

import numpy as np
import pytest

from rag.evidence.selection import (
    FEATURES,
    WEIGHTS_PATH,
    SentenceFacts,
    centred,
    probabilities,
    sentence_features,
    shipped_weights,
)
from rag.retrieval.late_interaction import Likeness

TEXTS = ["Postage", "Who pays for it?", "We list:", "| parcel | 5 |", "Nothing else."]
SHARES = np.array([[0.1, 0.0], [0.4, 0.1], [0.0, 0.3], [0.2, 0.6], [0.0, 0.0]])
FACTS = SentenceFacts(
    TEXTS,
    np.array([0, 0, 1, 1, 1]),
    np.array([3, 3, 0, 0, 0]),
    ["en"] * 5,
    [frozenset({0}), frozenset({0, 1}), frozenset({2}), frozenset({2, 3}), frozenset({4})],
)


def likeness(shares: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Likeness:
    return Likeness(shares.sum(axis=1), shares)


def column(name: str, facts: SentenceFacts = FACTS, parts: Sequence[Likeness] = ()) -> list[float]:
    found = sentence_features(facts, likeness(SHARES), parts, np.array([0.0, 0.0, 0.0, 1.0, 0.0]))
    return list(found[:, FEATURES.index(name)].round(6).tolist())


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("figure", [0, 0, 0, 1, 0]),
        ("row", [0, 0, 0, 1, 0]),
        ("question", [0, 1, 0, 0, 0]),
        ("introduction", [0, 0, 1, 0, 0]),
        ("expected_value", [0, 0, 0, 1, 0]),
        ("passage_place", np.log1p([3, 3, 0, 0, 0]).round(6).tolist()),
        ("sentence_place", np.log1p([0, 1, 0, 1, 2]).round(6).tolist()),
    ],
)
def test_what_a_sentence_is_and_where_it_stands(name: str, values: list[float]) -> None:
    assert column(name) == values


def test_a_passage_has_the_likeness_of_its_best_sentence() -> None:
    alone = column("likeness")
    assert column("passage_likeness") == [alone[1]] * 2 + [alone[3]] * 3


def test_what_a_sentence_needs_and_what_stands_beside_it_answer_with_it() -> None:
    together = np.array([0.1, 0.5, 0.3, 0.8, 0.0])
    beside = np.array([0.5, 0.5, 0.8, 0.8, 0.8])  # not across passages
    for name, values in (("needs_likeness", together), ("neighbours_likeness", beside)):
        np.testing.assert_allclose(column(name), (values - values.mean()) / values.std(), atol=1e-4)


def test_likeness_is_to_the_whole_and_to_the_part_that_a_sentence_matches_best() -> None:
    first, second = likeness(SHARES[:, :1]), likeness(SHARES[:, 1:])
    whole, of_first, of_both = (
        column("likeness"),
        column("likeness", parts=[first]),
        column("likeness", parts=[first, second]),
    )
    of_second = column("likeness", parts=[second])
    assert of_both == [max(pair) for pair in zip(of_first, of_second, strict=True)]
    assert of_first[1] > whole[1]
    assert of_first[3] < whole[3] < of_second[3]


def test_each_language_is_compared_with_itself() -> None:
    facts = SentenceFacts(TEXTS, FACTS.passages, FACTS.places, ["en", "en", "zh", "zh", "zh"], FACTS.needs)
    own, other = column("likeness", facts)[:2], column("likeness", facts)[2:]
    assert sum(own) == pytest.approx(0, abs=1e-5)
    assert sum(other) == pytest.approx(0, abs=1e-5)


def test_no_sentences_have_no_features() -> None:
    nothing = np.empty(0, dtype=np.int64)
    none = SentenceFacts([], nothing, nothing, [], [])
    assert sentence_features(none, likeness(np.empty((0, 2))), (), np.empty(0)).shape == (0, len(FEATURES))
    assert centred(np.empty(0)).shape == probabilities(np.empty(0)).shape == (0,)


def test_probabilities_add_up_to_one() -> None:
    found = probabilities(np.array([1000.0, 1000.0 + np.log(3)]))
    np.testing.assert_allclose(found, [0.25, 0.75])


def test_the_shipped_weights_are_those_of_the_features_and_better_than_likeness_alone() -> None:
    content = json.loads(WEIGHTS_PATH.read_text("utf-8"))
    assert tuple(content["weights"]) == FEATURES
    assert shipped_weights().shape == (len(FEATURES),)
    for figures in content["figures"].values():
        assert figures["by_weights"] > figures["by_likeness"]
