"""The signals of a search, and the probability that they stand for."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.retrieval.confidence import ANY_EMBEDDER, CONFIDENCE_PATH, Confidence, Signals, load_confidence, read_signals
from rag.retrieval.lexical_index import TermWeight
from rag.retrieval.ranking import DenseHit
from rag.schema import Chunk, RetrievedChunk


def test_probability_by_hand() -> None:
    confidence = Confidence(-1.0, {"coverage": 2.0, "foreign": 1.0}, 0.5)
    assert confidence.probability(Signals(coverage=0.5)) == 0.5
    assert confidence.probability(Signals(coverage=0.5, foreign=1.0)) == pytest.approx(1 / (1 + math.exp(-1)))


@given(st.floats(-1e4, 1e4), st.floats(-1, 1))
def test_always_a_probability(weight: float, gain: float) -> None:
    assert 0 <= Confidence(0.0, {"gain": weight}, 0.5).probability(Signals(gain=gain)) <= 1


@pytest.mark.slow
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


WEIGHTS = {"fee": TermWeight(9, 1.0), "w203": TermWeight(1, 3.0), "dyson": TermWeight(0, 4.0)}


def chunk(text: str, late: float | None = None) -> RetrievedChunk:
    return RetrievedChunk(Chunk("d", "d.md", "", (), text, 0, len(text), 0, "en"), 0.0, late=late)


def test_by_hand() -> None:
    dense = [DenseHit(1, 0.9, 3.5, 0.05, "zh", True), DenseHit(2, 0.8, 2.0, 0.0, "en", False)]
    signals = read_signals(dense, {2: 2.0, 3: 4.0}, [chunk("the fee", 0.6), chunk("error W-203", 0.7)], WEIGHTS)
    assert signals == Signals(
        late=0.7,
        gain=0.05,
        coverage=pytest.approx(4 / 8),
        unknown=pytest.approx(4 / 8),
        codes=1.0,
        bm25_ratio=pytest.approx(4 / 8),
        lead=pytest.approx(0.6 - 0.7),
        chinese=1.0,
        foreign=1.0,
    )


def test_a_code_that_is_not_there() -> None:
    assert read_signals([], {}, [chunk("the fee")], WEIGHTS).codes == 0.0
    assert read_signals([], {}, [chunk("the fee")], {"fee": TermWeight(1, 1.0)}).codes == 1.0
    assert read_signals([], {}, [chunk("the fee")], {"6": TermWeight(0, 5.0)}).codes == 1.0, "I tried 6 times"
    assert read_signals([], {}, [chunk("the fee")], {"60": TermWeight(0, 5.0)}).codes == 0.0


def test_nothing_found_and_nothing_asked() -> None:
    assert read_signals([], {}, [], {}) == Signals()
