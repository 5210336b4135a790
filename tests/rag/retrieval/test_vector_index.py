"""The FAISS index against numbers worked out by hand, and files that are not what they should be."""

from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import IndexDamaged
from rag.protocols import FloatMatrix
from rag.retrieval.vector_index import FaissVectorIndex, Selection, VectorIndexBuilder, clusters_for
from rag.schema import Hit

IDS = np.array([10, 20, 30])
VECTORS = np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)


def query(*values: float) -> FloatMatrix:
    return np.array([values], dtype=np.float32)


def test_cosines_by_hand() -> None:
    hits = FaissVectorIndex.build(IDS, VECTORS).search(query(0.8, 0.6), limit=3)
    assert [hit.chunk_id for hit in hits] == [30, 10, 20]
    assert [hit.score for hit in hits] == pytest.approx([0.96, 0.8, 0.6])


def test_no_more_than_there_are_and_none_from_an_empty_index() -> None:
    assert len(FaissVectorIndex.build(IDS, VECTORS).search(query(1, 0), limit=50)) == 3
    assert FaissVectorIndex.build(IDS, VECTORS).search(query(1, 0), limit=0) == []
    empty = FaissVectorIndex.build(np.empty(0, np.int64), np.empty((0, 2), np.float32))
    assert empty.search(query(1, 0), limit=5) == []
    assert [len(part) for part in empty.contents()] == [0, 0]


def test_cosines_of_chosen_chunks_in_the_order_that_was_asked_for() -> None:
    index = FaissVectorIndex.build(np.array([30, 10, 20]), VECTORS)
    assert index.cosines(query(0.8, 0.6), [20, 30]) == pytest.approx([0.96, 0.8])
    assert index.cosines(query(0.8, 0.6), []) == []
    with pytest.raises(IndexDamaged, match="chunk 15 has no vector"):
        index.cosines(query(0.8, 0.6), [20, 15])


def test_contents_come_back() -> None:
    chunk_ids, vectors = FaissVectorIndex.build(IDS, VECTORS).contents()
    np.testing.assert_array_equal(chunk_ids, IDS)
    np.testing.assert_array_equal(vectors, VECTORS)


@pytest.mark.parametrize(
    ("chunk_ids", "vectors", "words"),
    [
        (np.array([1, 2]), VECTORS, "do not fit"),
        (np.array([1, 1, 2]), VECTORS, "there twice"),
        (IDS, VECTORS * 2, "of length 1"),
        (IDS, VECTORS * np.nan, "of length 1"),
    ],
)
def test_what_cannot_be_indexed(chunk_ids: np.ndarray, vectors: FloatMatrix, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        FaissVectorIndex.build(chunk_ids, vectors)


def test_query_of_another_shape() -> None:
    with pytest.raises(ValueError, match=r"\[1, 2\]"):
        FaissVectorIndex.build(IDS, VECTORS).search(query(1, 0, 0), limit=1)


def test_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "vectors.faiss"
    FaissVectorIndex.build(IDS, VECTORS).write(path)
    assert FaissVectorIndex.read(path, IDS, 0).search(query(0, 1), limit=1) == [Hit(20, 1.0)]


def test_files_that_hold_something_else(tmp_path: Path) -> None:
    path = tmp_path / "vectors.faiss"
    path.write_bytes(b"\x80\x04pickle")
    with pytest.raises(IndexDamaged, match="not a FAISS index"):
        FaissVectorIndex.read(path, IDS, 0)
    faiss.write_index(faiss.IndexIDMap(faiss.IndexFlatIP(2)), str(path))
    with pytest.raises(IndexDamaged, match="IndexIDMap"):
        FaissVectorIndex.read(path, IDS, 0)
    FaissVectorIndex.build(IDS, VECTORS).write(path)
    with pytest.raises(IndexDamaged, match="IndexFlatIP"):
        FaissVectorIndex.read(path, IDS, 16)
    with pytest.raises(IndexDamaged, match="3 vectors for 2 chunks"):
        FaissVectorIndex.read(path, IDS[:2], 0)


def test_an_error_of_the_disk_comes_through(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        FaissVectorIndex.build(IDS, VECTORS).write(tmp_path / "nowhere" / "vectors.faiss")
    with pytest.raises(OSError, match="No space left"):
        FaissVectorIndex.build(IDS, VECTORS).write(Path("/dev/full"))


def test_only_among_those_selected() -> None:
    index = FaissVectorIndex.build(IDS, VECTORS)
    hits = index.search(query(0.8, 0.6), 3, Selection(np.array([True, True, False])))
    assert [hit.chunk_id for hit in hits] == [10, 20]


@pytest.fixture(scope="module")
def crowd() -> FloatMatrix:
    """6,000 vectors around 60 places."""
    random = np.random.default_rng(1)
    places = random.standard_normal((60, 16))
    rows = places[random.integers(0, 60, 6000)] + 0.5 * random.standard_normal((6000, 16))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


@pytest.fixture(scope="module")
def clustered(crowd: FloatMatrix) -> FaissVectorIndex:
    builder = VectorIndexBuilder(16, crowd[::2], len(crowd))
    for begin in range(0, len(crowd), 1000):
        builder.add(np.arange(begin, begin + 1000) + 5, crowd[begin : begin + 1000])
    return builder.finish()


@pytest.mark.slow
def test_clusters_find_what_one_by_one_finds(clustered: FaissVectorIndex, crowd: FloatMatrix) -> None:
    exact = FaissVectorIndex.build(np.arange(len(crowd)) + 5, crowd)
    assert 0 < clustered.probes < clusters_for(len(crowd))
    found = 0
    for row in crowd[:100]:
        expected = {hit.chunk_id: hit.score for hit in exact.search(row[None], 10)}
        hits = clustered.search(row[None], 10)
        assert all(expected.get(hit.chunk_id, hit.score) == pytest.approx(hit.score, abs=1e-5) for hit in hits)
        found += len(expected.keys() & {hit.chunk_id for hit in hits})
    assert found / 1000 >= 0.98


@pytest.mark.slow
def test_room_that_was_made_changes_nothing(clustered: FaissVectorIndex, crowd: FloatMatrix) -> None:
    builder = VectorIndexBuilder(16, crowd[::2], len(crowd))
    builder.make_room(crowd[begin : begin + 700] for begin in range(0, len(crowd), 700))
    for begin in range(0, len(crowd), 1000):
        builder.add(np.arange(begin, begin + 1000) + 5, crowd[begin : begin + 1000])
    roomy = builder.finish()
    assert roomy.probes == clustered.probes
    np.testing.assert_array_equal(roomy.contents()[1], crowd)
    for row in crowd[:20]:
        assert roomy.search(row[None], 20) == clustered.search(row[None], 20)


def test_an_index_that_compares_one_by_one_needs_no_room() -> None:
    builder = VectorIndexBuilder(2)
    builder.make_room([VECTORS])
    builder.add(IDS, VECTORS)
    assert len(builder.finish()) == 3


@pytest.mark.slow
def test_clusters_keep_vectors_as_they_are(clustered: FaissVectorIndex, crowd: FloatMatrix, tmp_path: Path) -> None:
    path = tmp_path / "clustered.faiss"
    clustered.write(path)
    read = FaissVectorIndex.read(path, clustered.chunk_ids, clustered.probes)
    np.testing.assert_array_equal(read.contents()[1], crowd)
    np.testing.assert_array_equal(read.vectors([17, 5]), crowd[[12, 0]])
    assert read.cosines(crowd[:1], [5]) == pytest.approx([1.0])
    assert read.search(crowd[:1], 20) == clustered.search(crowd[:1], 20)


def test_the_retired_do_not_come_out_of_clusters(clustered: FaissVectorIndex, crowd: FloatMatrix) -> None:
    first = {hit.chunk_id for hit in clustered.search(crowd[:1], 10)}
    kept = ~np.isin(clustered.chunk_ids, list(first))
    assert not first & {hit.chunk_id for hit in clustered.search(crowd[:1], 10, Selection(kept))}


@pytest.mark.slow
@given(st.integers(1, 40), st.integers(2, 8), st.integers(0, 2**32 - 1))
def test_same_as_comparing_one_by_one(count: int, dimension: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((count, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    chunk_ids = random.permutation(1000)[:count]
    hits = FaissVectorIndex.build(chunk_ids, vectors).search(vectors[:1], limit=count)
    cosines = dict(zip(chunk_ids.tolist(), (vectors @ vectors[0]).tolist(), strict=True))
    assert {hit.chunk_id for hit in hits} == set(cosines)
    assert [hit.score for hit in hits] == pytest.approx(sorted(cosines.values(), reverse=True), abs=1e-5)
    assert all(-1 <= hit.score <= 1 for hit in hits)
