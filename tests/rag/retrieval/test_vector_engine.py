"""What every engine for vectors does: the same cases over one in memory, and real ones (marked ``real``)."""

from collections.abc import Iterator

import numpy as np
import pytest

from rag.errors import IndexDamaged, VectorEngineUnavailable, VectorsMissing
from rag.protocols import FloatMatrix
from rag.retrieval.vector_engine import (
    Batch,
    ChunkIds,
    CircuitBreaker,
    EngineVectorIndex,
    VectorEngine,
    collection_name,
    engine_of,
)
from rag.retrieval.vector_index import FaissVectorIndex, Selection, VectorIndex
from rag.settings import Settings
from tests.support.vector_engines import MemoryEngine, crowd, opened

pytestmark = pytest.mark.slow

ENGINES = ["memory", *(pytest.param(name, marks=pytest.mark.real) for name in ("pgvector", "milvus"))]
COUNT, DIMENSION, LIMIT = 12_000, 32, 50
IDS = np.arange(COUNT) * 3 + 5
VECTORS = crowd(COUNT)
QUERIES = crowd(60, seed=1)
NAME = collection_name("0123456789ab", "00" * 32)
RECALL = 0.98


def batches(ids: ChunkIds = IDS, vectors: FloatMatrix = VECTORS) -> Iterator[Batch]:
    for begin in range(0, len(ids), 1024):
        yield ids[begin : begin + 1024], vectors[begin : begin + 1024]


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[VectorEngine]:
    with opened(request) as engine:
        yield engine


@pytest.fixture(scope="module")
def filled(engine: VectorEngine) -> VectorEngine:
    engine.fill(NAME, DIMENSION, COUNT, batches())
    return engine


@pytest.fixture(scope="module")
def index(filled: VectorEngine) -> EngineVectorIndex:
    return EngineVectorIndex(filled, NAME, IDS, vectors_of)


def vectors_of(ascending: object) -> FloatMatrix:
    rows = np.searchsorted(IDS, np.asarray(ascending))
    return VECTORS[rows[(rows < COUNT)]]


def exactly(query: FloatMatrix, kept: np.ndarray | None = None) -> dict[int, float]:
    cosines = VECTORS @ query
    rows = np.arange(COUNT) if kept is None else np.flatnonzero(kept)
    best = rows[np.argsort(-cosines[rows])[:LIMIT]]
    return dict(zip(IDS[best].tolist(), cosines[best].tolist(), strict=True))


def recall(index: VectorIndex, kept: np.ndarray | None = None) -> float:
    among = None if kept is None else Selection(kept)
    shares = []
    for query in QUERIES:
        expected = exactly(query, kept)
        hits = index.search(query[None], LIMIT, among)
        assert len(hits) == len(expected), "never fewer than there are"
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert all(
            hit.score == pytest.approx(expected[hit.chunk_id], abs=1e-6) for hit in hits if hit.chunk_id in expected
        )
        if kept is not None:
            assert kept[np.searchsorted(IDS, [hit.chunk_id for hit in hits])].all(), "only what may be found"
        shares.append(len(expected.keys() & {hit.chunk_id for hit in hits}) / len(expected))
    return float(np.mean(shares))


def test_the_candidates_are_those_of_comparing_everything(index: EngineVectorIndex) -> None:
    assert recall(FaissVectorIndex.build(IDS, VECTORS)) == 1.0
    assert recall(index) >= RECALL


@pytest.mark.parametrize("share", [0.0005, 0.02, 0.3, 0.6, 0.97])
def test_only_what_may_be_found_is_found_and_as_much_as_there_is(index: EngineVectorIndex, share: float) -> None:
    kept = np.random.default_rng(2).random(COUNT) < share
    kept[7] = True
    assert recall(index, kept) >= RECALL


def test_what_may_be_found_may_be_far_away(index: EngineVectorIndex) -> None:
    """An engine that leaves out after its search finds none of these."""
    order = np.argsort(VECTORS @ QUERIES[0])
    kept = np.zeros(COUNT, np.bool_)
    kept[order[: COUNT // 2]] = True
    hits = index.search(QUERIES[:1], LIMIT, Selection(kept))
    expected = exactly(QUERIES[0], kept)
    assert len(hits) == LIMIT
    assert len(expected.keys() & {hit.chunk_id for hit in hits}) >= RECALL * LIMIT


def test_nothing_is_found_where_nothing_may_be(index: EngineVectorIndex) -> None:
    assert index.search(QUERIES[:1], LIMIT, Selection(np.zeros(COUNT, np.bool_))) == []
    assert index.search(QUERIES[:1], 0) == []


def test_vectors_come_from_the_database(index: EngineVectorIndex) -> None:
    chunk_ids = IDS[[40, 3, 3, 900]]
    np.testing.assert_array_equal(index.vectors(chunk_ids), VECTORS[[40, 3, 3, 900]])
    assert index.cosines(QUERIES[:1], chunk_ids.tolist()) == pytest.approx(VECTORS[[40, 3, 3, 900]] @ QUERIES[0])
    assert index.holds([5, 6]).tolist() == [True, False]
    with pytest.raises(IndexDamaged):
        index.vectors([6])


def test_a_collection_that_is_whole_stays_and_one_that_is_not_is_made_anew(filled: VectorEngine) -> None:
    filled.fill(NAME, DIMENSION, COUNT, iter(()))
    assert filled.count(NAME) == COUNT
    name = collection_name("0123456789ab", "11" * 32)
    filled.fill(name, DIMENSION, 100, [(IDS[:100], VECTORS[:100])])
    filled.fill(name, DIMENSION, 200, [(IDS[:200], VECTORS[:200])])
    assert filled.count(name) == 200
    other = collection_name("ba9876543210", "11" * 32)
    filled.fill(other, DIMENSION, 10, [(IDS[:10], VECTORS[:10])])
    assert sorted(filled.collections("0123456789ab")) == sorted([NAME, name])
    filled.drop(name)
    filled.drop(name)
    assert filled.count(name) is None
    assert filled.collections("0123456789ab") == [NAME]
    assert filled.collections("ba9876543210") == [other]


def test_what_is_put_in_is_found_at_once(filled: VectorEngine) -> None:
    for number in range(5):
        name = collection_name("0123456789ab", f"{number:02d}" * 32)
        vectors = crowd(300, seed=number + 10)
        filled.fill(name, DIMENSION, 300, batches(IDS[:300], vectors))
        assert filled.nearest(name, vectors[7:8], 1).tolist() == [IDS[7]]
        if name != NAME:
            filled.drop(name)


def test_what_is_gone_or_foreign_is_said(filled: VectorEngine) -> None:
    gone = EngineVectorIndex(filled, collection_name("0123456789ab", "22" * 32), IDS, vectors_of)
    with pytest.raises(VectorsMissing):
        gone.search(QUERIES[:1], LIMIT)
    with pytest.raises(VectorsMissing, match="0 of 12000"):
        gone.verify()
    others = EngineVectorIndex(filled, NAME, IDS[::2].copy(), vectors_of)
    with pytest.raises(VectorsMissing, match="other passages"):
        others.search(QUERIES[:1], LIMIT)
    lost = EngineVectorIndex(filled, collection_name("0123456789ab", "33" * 32), IDS, vectors_of)
    filled.fill(collection_name("0123456789ab", "33" * 32), DIMENSION, 3, [(IDS[:3], VECTORS[:3])])
    with pytest.raises(VectorsMissing, match="3 of the 61 nearest"):
        lost.search(QUERIES[:1], LIMIT)
    filled.drop(collection_name("0123456789ab", "33" * 32))


def test_a_name_from_a_manifest_is_a_name_and_no_statement(filled: VectorEngine) -> None:
    if isinstance(filled, MemoryEngine):
        return
    for name in ("vectors_0123456789ab_00; DROP TABLE x", "", "pg_class"):
        with pytest.raises(VectorsMissing, match="no name"):
            filled.count(name)


def test_an_engine_that_failed_keeps_nobody_waiting() -> None:
    rest = CircuitBreaker("here")
    with pytest.raises(VectorEngineUnavailable, match="slow"), rest.guard():
        raise VectorEngineUnavailable(server="here", reason="slow")
    with pytest.raises(VectorEngineUnavailable, match="slow"), rest.guard():
        raise AssertionError("it is not asked again at once")


def test_without_the_setting_there_is_none() -> None:
    assert engine_of(Settings()) is None
