"""The signals of a search, worked out by hand."""

import pytest

from rag.retrieval.candidates import DenseHit
from rag.retrieval.confidence import Signals
from rag.retrieval.lexical_index import TermWeight
from rag.retrieval.signals import read_signals
from rag.schema import Chunk, RetrievedChunk

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


def test_nothing_found_and_nothing_asked() -> None:
    assert read_signals([], {}, [], {}) == Signals()
