"""The FAISS index against numbers worked out by hand, and files that are not what they should be."""

import json
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import EmbedderMismatch, IndexDamaged
from rag.protocols import FloatMatrix
from rag.retrieval.vector_index import INDEX_NAME, MANIFEST_NAME, FaissVectorIndex
from rag.schema import Hit

MODEL = "hash-2"
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
    manifest = FaissVectorIndex.build(IDS, VECTORS).write(tmp_path, MODEL)
    assert (manifest.dimension, manifest.count, manifest.metric) == (2, 3, "inner_product")
    assert FaissVectorIndex.read(tmp_path, MODEL).search(query(0, 1), limit=1) == [Hit(20, 1.0)]


def test_another_model_is_refused(tmp_path: Path) -> None:
    FaissVectorIndex.build(IDS, VECTORS).write(tmp_path, MODEL)
    with pytest.raises(EmbedderMismatch) as caught:
        FaissVectorIndex.read(tmp_path, "e5")
    assert caught.value.details == {"found": MODEL, "expected": "e5"}


@pytest.mark.parametrize("name", [INDEX_NAME, MANIFEST_NAME])
def test_missing_and_broken_files(tmp_path: Path, name: str) -> None:
    FaissVectorIndex.build(IDS, VECTORS).write(tmp_path, MODEL)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(IndexDamaged):
        FaissVectorIndex.read(tmp_path, MODEL)
    (tmp_path / name).unlink()
    with pytest.raises(IndexDamaged, match=name):
        FaissVectorIndex.read(tmp_path, MODEL)


def _replace_index(folder: Path, content: bytes) -> None:
    import hashlib

    manifest = json.loads((folder / MANIFEST_NAME).read_text())
    manifest["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / MANIFEST_NAME).write_text(json.dumps(manifest))
    (folder / INDEX_NAME).write_bytes(content)


def test_files_whose_sum_is_right_and_whose_content_is_not(tmp_path: Path) -> None:
    FaissVectorIndex.build(IDS, VECTORS).write(tmp_path, MODEL)
    _replace_index(tmp_path, b"\x80\x04pickle")
    with pytest.raises(IndexDamaged, match="not a FAISS index"):
        FaissVectorIndex.read(tmp_path, MODEL)
    _replace_index(tmp_path, faiss.serialize_index(faiss.IndexFlatIP(2)).tobytes())
    with pytest.raises(IndexDamaged, match="IndexFlat"):
        FaissVectorIndex.read(tmp_path, MODEL)
    _replace_index(tmp_path, faiss.serialize_index(faiss.IndexIDMap(faiss.IndexFlatIP(2))).tobytes())
    with pytest.raises(IndexDamaged, match="0 vectors"):
        FaissVectorIndex.read(tmp_path, MODEL)


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
