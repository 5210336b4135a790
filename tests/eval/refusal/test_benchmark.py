"""Figures by hand, and against scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.refusal.benchmark import Judgement, as_unanswerable, figures, reliability
from tests.eval.cases import question


def judged(probability: float, *, answerable: bool, refused: bool | None = None, kind: str = "") -> Judgement:
    is_refused = probability < 0.5 if refused is None else refused
    return Judgement("q", kind, answerable, probability, is_refused, probability, None, 10.0)


BY_HAND = [
    judged(0.95, answerable=True),
    judged(0.65, answerable=True),
    judged(0.35, answerable=True),
    judged(0.65, answerable=False, kind="near_miss"),
    judged(0.15, answerable=False, kind="near_miss"),
    judged(0.05, answerable=False),
]


def test_figures_by_hand() -> None:
    found = figures(BY_HAND)
    assert (found["n"], found["n_unanswerable"]) == (6, 3)
    # of 9 pairs the answerable one is above in 3 + 2.5 + 2
    assert found["auroc"] == pytest.approx(7.5 / 9, abs=1e-4)
    assert found["refused_unanswerable"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["refused_answerable"] == pytest.approx(1 / 3, abs=1e-4)
    # .95: 1 right of 1; .65: 1 of 2; .35: 1 of 1; .15 and .05: none
    assert found["ece"] == pytest.approx((0.05 + 2 * 0.15 + 0.65 + 0.15 + 0.05) / 6, abs=1e-4)
    assert found["by_kind"] == {"": {"n": 1, "refused": 1.0}, "near_miss": {"n": 2, "refused": 0.5}}
    assert found["own_fit"] is None, "too few to fit and judge anything"


def test_one_kind_of_questions_has_no_auroc() -> None:
    only = figures([judged(0.9, answerable=True)])
    assert (only["auroc"], only["refused_unanswerable"], only["refused_answerable"]) == (None, None, 0.0)
    assert figures([])["ece"] is None


def test_bins_of_the_reliability_say_what_was_said_and_what_was_true() -> None:
    assert reliability([judged(1.0, answerable=True), judged(0.9, answerable=False)]) == [
        {"n": 2, "said": 0.95, "true": 0.5}
    ]


@pytest.mark.slow
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=40))
def test_auroc_agrees_with_scikit_learn(rows: list[tuple[float, bool]]) -> None:
    from sklearn.metrics import roc_auc_score  # takes a second to import, which the other tests need not wait for

    labels = [answerable for _, answerable in rows]
    found = figures([judged(probability, answerable=answerable) for probability, answerable in rows])["auroc"]
    if len(set(labels)) == 1:
        assert found is None
    else:
        theirs = roc_auc_score(labels, [probability for probability, _ in rows])
        assert found == pytest.approx(theirs, abs=1e-4)


@pytest.mark.slow
def test_a_fit_on_the_sets_own_questions_mends_probabilities_that_say_too_much() -> None:
    random = np.random.default_rng(0)
    rows = []
    for true in random.uniform(0.05, 0.95, 400):
        said = 1 / (1 + math.exp(-4 * math.log(true / (1 - true))))  # far too sure of itself
        rows.append(judged(said, answerable=bool(random.uniform() < true)))
    found = figures(rows)
    own = found["own_fit"]
    assert isinstance(own, dict)
    assert own["slope"] == pytest.approx(0.25, abs=0.05)
    assert own["refused_answerable"] == pytest.approx(0.04, abs=0.02)
    assert own["refused_unanswerable"] > 2 * own["refused_answerable"]
    assert own["ece"] < 0.06 < float(str(found["ece"]))


def test_questions_of_another_product_have_no_answer_here() -> None:
    (other,) = as_unanswerable([question("a")])
    assert (other.question_id, other.answerable, other.relevant, other.kind) == ("other-a", False, (), "other")
    assert other.question == "question a"
