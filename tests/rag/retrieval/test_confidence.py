"""The probability that the answer is there, and the file that holds its numbers."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.retrieval.confidence import ANY_EMBEDDER, CONFIDENCE_PATH, Confidence, Signals, load_confidence


def test_probability_by_hand() -> None:
    confidence = Confidence(-1.0, {"coverage": 2.0, "foreign": 1.0}, 0.5)
    assert confidence.probability(Signals(coverage=0.5)) == 0.5
    assert confidence.probability(Signals(coverage=0.5, foreign=1.0)) == pytest.approx(1 / (1 + math.exp(-1)))


@given(st.floats(-1e4, 1e4), st.floats(-1, 1))
def test_always_a_probability(weight: float, gain: float) -> None:
    assert 0 <= Confidence(0.0, {"gain": weight}, 0.5).probability(Signals(gain=gain)) <= 1


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_unknown_words_never_make_it_surer(less: float, more: float) -> None:
    low, high = sorted([less, more])
    for model_id in ("multilingual-e5-small", "hash-64"):
        confidence = load_confidence(model_id)
        assert confidence.probability(Signals(unknown=low)) >= confidence.probability(Signals(unknown=high))


@pytest.mark.parametrize(("weights", "threshold"), [({"magic": 1.0}, 0.5), ({"gain": 1.0}, 1.5)])
def test_numbers_that_make_no_sense(weights: dict[str, float], threshold: float) -> None:
    with pytest.raises(ValueError, match="unknown signals"):
        Confidence(0.0, weights, threshold)


def test_the_fit_goes_by_the_embedder(tmp_path: Path) -> None:
    def entry(threshold: float) -> dict[str, object]:
        return {"intercept": 0, "weights": {"coverage": 1}, "threshold": threshold}

    path = tmp_path / "confidence.json"
    path.write_text(json.dumps({"fits": {"multilingual-e5-small": entry(0.2), ANY_EMBEDDER: entry(0.3)}}))
    assert load_confidence("multilingual-e5-small", path).threshold == 0.2
    assert load_confidence("multilingual-e5-small-4bit", path).threshold == 0.2
    assert load_confidence("hash-64", path).threshold == 0.3


def test_the_shipped_file_says_how_it_was_made() -> None:
    content = json.loads(CONFIDENCE_PATH.read_text(encoding="utf-8"))
    assert set(content["fits"]) == {"multilingual-e5-small", ANY_EMBEDDER}
    assert content["fitted"].keys() == {"how", "on", "when", "with"}
    for sets in content["figures"].values():
        assert sets["golden"]["false_refusals"] <= 0.06
