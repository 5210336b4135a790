"""Fitting the refusals: numbers by hand, made-up questions, and the whole way over a small knowledge base."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.commands.calibrate_shipped import fit, judge, pooled_weights, report, search_all
from eval.core.statistics import auroc, calibration_error, fit_logistic, folds, held_out_logits, threshold_at
from ingest.golden import GoldenQuestion
from rag.retrieval.confidence import Confidence, Signals
from rag.settings import Settings
from rag.testing import HashEmbedder


def question(number: int, *, answerable: bool) -> GoldenQuestion:
    kind = "plain" if answerable else "off_topic"
    return GoldenQuestion(f"q{number}", f"question {number}", "en", answerable, (), (), (), kind)


def rows(seed: int = 0, count: int = 200) -> list[tuple[GoldenQuestion, Signals]]:
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        answerable = number % 4 != 0
        gain = random.normal(0.06 if answerable else -0.02, 0.02)
        made.append((question(number, answerable=answerable), Signals(gain=gain, coverage=float(random.uniform()))))
    return made


def test_logistic_regression_by_hand() -> None:
    # 3 of 4 are positive at x = 1, 1 of 4 at x = 0: without a penalty the odds must be 3 and 1/3
    signals = np.array([[1.0]] * 4 + [[0.0]] * 4)
    labels = np.array([True, True, True, False, True, False, False, False])
    fitted = fit_logistic(signals, labels, penalty=0.0)
    assert fitted.intercept == pytest.approx(-np.log(3))
    assert fitted.weights == pytest.approx([2 * np.log(3)])


def test_separable_and_constant_signals_stay_finite() -> None:
    signals = np.array([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
    fitted = fit_logistic(signals, np.array([False, False, True, True]))
    assert np.isfinite(fitted.weights).all()
    assert fitted.weights[1] == 0
    with pytest.raises(ValueError, match="both kinds"):
        fit_logistic(signals, np.ones(4, dtype=np.bool_))


def test_auroc_by_hand() -> None:
    labels = np.array([True, True, False, False])
    assert auroc(np.array([3.0, 1.0, 2.0, 1.0]), labels) == (2 + 0.5) / 4
    assert np.isnan(auroc(np.array([1.0]), np.array([True])))


def test_threshold_leaves_the_share_below_it() -> None:
    scores = np.arange(100, dtype=np.float64)
    assert threshold_at(scores, np.ones(100, dtype=np.bool_), 0.05) == 5
    assert (scores < 5).mean() == 0.05


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([0.9, 0.9, 0.1, 0.1])
    assert calibration_error(probabilities, np.array([True, True, False, False])) == pytest.approx(0.1)
    assert calibration_error(probabilities, np.array([True, False, False, False])) == pytest.approx(0.25)


@pytest.mark.slow
@given(st.integers(10, 60), st.integers(2, 5), st.integers(0, 9))
def test_folds_hold_out_each_row_once(count: int, parts: int, seed: int) -> None:
    labels = np.arange(count) % 3 == 0
    held = np.zeros(count, dtype=np.int64)
    for training, held_out in folds(labels, parts, seed):
        assert not (training & held_out).any()
        held += held_out
    assert (held == 1).all()


def test_held_out_scores_do_not_know_their_row() -> None:
    random = np.random.default_rng(1)
    noise = random.standard_normal((200, 20))
    labels = random.random(200) < 0.5
    assert auroc(fit_logistic(noise, labels, 1e-6).logits(noise), labels) > 0.6
    assert auroc(held_out_logits(noise, labels, 5, seed=0), labels) < 0.6


@pytest.mark.slow
def test_fit_keeps_its_promise_on_new_questions() -> None:
    names = ("gain", "coverage")
    confidence, figures = fit(rows(), names, pooled_weights([rows()], names))
    assert figures.auroc > 0.95
    assert figures.false_refusals < 0.1
    fresh = judge(rows(seed=7), confidence)
    assert fresh.false_refusals < 0.12
    assert fresh.refused_by_kind["off_topic"] == fresh.refused_unanswerable > 0.8


@pytest.mark.slow
def test_the_same_questions_give_the_same_file() -> None:
    first, _ = report(rows(), rows(5, 20), {"other": rows(3)}, date(2026, 1, 2))
    second, figures = report(rows(), rows(5, 20), {"other": rows(3)}, date(2026, 1, 2))
    assert json.dumps(first) == json.dumps(second)
    assert figures["any"].keys() == {"golden", "other"}
    fits = first["fits"]
    assert isinstance(fits, dict)
    assert all(isinstance(Confidence.from_json(entry), Confidence) for entry in fits.values())
    assert "150 answerable questions and 50 unanswerable ones" in json.dumps(first["fitted"])


@pytest.mark.slow
def test_searching_a_small_knowledge_base(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "battery.md").write_text("# Battery\n\nReplace the battery of the doorbell every two years.\n")
    (corpus / "refund.md").write_text("# Refund\n\nA refund takes seven working days to reach your card.\n")
    asked = [
        GoldenQuestion("1", "when to replace the doorbell battery", "en", True, (), (), ("battery.md",)),
        GoldenQuestion("2", "banana bread without eggs", "en", False, (), (), ()),
    ]
    found = search_all(corpus, asked, Settings(data_dir=tmp_path / "data"), HashEmbedder())
    assert [one.question_id for one, _ in found] == ["1", "2"]
    assert found[0][1].coverage > 0.5 > found[1][1].coverage
    assert found[1][1].unknown > 0.9
