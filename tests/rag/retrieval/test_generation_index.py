"""An index that is changed generation by generation, against the database and against one made anew."""

import errno
import json
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from rag.errors import EmbedderMismatch, IndexDamaged
from rag.retrieval.generation_index import MANIFEST_NAME, STATE_NAME, GenerationIndex, StoredPart
from rag.retrieval.generation_view import GenerationView
from rag.retrieval.index_builder import IndexLimits, build_index, next_index
from rag.schema import Language
from rag.storage.embeddings import EmbeddingTable
from rag.storage.store import KnowledgeStore
from rag.testing import HashEmbedder
from tests.rag.retrieval.knowledge import publish

EMBEDDER = HashEmbedder(16)
MODEL = EMBEDDER.model_id
NEVER = IndexLimits(exact_chunks=1000, merge_share=1.0)
TEXTS: dict[str, tuple[Language, str]] = {
    f"e{number}": ("en", f"word{number % 7} fee {number}") for number in range(30)
}
TEXTS |= {f"z{number}": ("zh", f"退货 运费 {number}") for number in range(10)}


def folder_of(folder: Path, generation: int) -> Path:
    return KnowledgeStore(folder).generation_folder(generation)


def opened(folder: Path, generation: int) -> GenerationIndex:
    return GenerationIndex.open(folder_of(folder, generation), MODEL).loaded({})


def rebuilt(folder: Path, generation: int) -> GenerationIndex:
    return build_index(KnowledgeStore(folder), generation, MODEL, 16, NEVER)


def assert_same(found: GenerationIndex, expected: GenerationIndex) -> None:
    """Both show the same chunks with the same vectors and terms, and know the same of all together."""
    for language in {*found.languages, *expected.languages}:
        one, other = found.languages[language], expected.languages.get(language)
        if other is None:
            assert one.count == 0
            continue
        assert sorted(one.chunk_ids()) == sorted(other.chunk_ids())
        np.testing.assert_allclose(one.moments.total, other.moments.total, atol=1e-5)
        np.testing.assert_allclose(one.moments.products, other.moments.products, atol=1e-5)
        assert one.moments.count == other.moments.count == other.count
    np.testing.assert_array_equal(found.weights.numbers, expected.weights.numbers)
    np.testing.assert_array_equal(found.weights.frequencies, expected.weights.frequencies)
    assert found.weights.passages == expected.weights.passages


@pytest.mark.slow
def test_changes_add_up_to_what_is_made_anew(tmp_path: Path) -> None:
    publish(tmp_path, TEXTS, EMBEDDER, limits=NEVER)
    known = dict(TEXTS)
    chance = random.Random(3)
    for step in range(6):
        gone = chance.sample(sorted(known), 2)
        changed: dict[str, tuple[Language, str]] = {
            chance.choice(sorted(known)): ("en", f"changed {step}"),
            f"new{step}": ("zh" if step % 2 else "en", f"新的 new{step}"),
        }
        generation = publish(tmp_path, changed, EMBEDDER, retire=gone, limits=NEVER)
        for name in gone:
            known.pop(name, None)
        known |= changed
        index = opened(tmp_path, generation)
        assert index.count == KnowledgeStore(tmp_path).generation_info(generation).chunk_count
        assert index.changes > 0
        assert_same(index, rebuilt(tmp_path, generation))


@pytest.mark.slow
@pytest.mark.parametrize("exact_chunks", [1000, 5])
def test_made_in_its_folder_it_is_the_same(tmp_path: Path, exact_chunks: int) -> None:
    publish(tmp_path, TEXTS, EMBEDDER, limits=NEVER)
    limits = IndexLimits(exact_chunks, merge_share=1.0)
    place = tmp_path / "place"
    place.mkdir()
    index = build_index(KnowledgeStore(tmp_path), 1, MODEL, 16, limits, place)
    assert all(isinstance(one.base, StoredPart) for one in index.languages.values())
    index.write(place)
    found, expected = GenerationIndex.open(place, MODEL).loaded({}), rebuilt(tmp_path, 1)
    assert_same(found, expected)
    for language, one in found.languages.items():
        other = expected.languages[language].base.loaded({})
        base = one.base.loaded({})
        for mine, its in zip(base.vectors.contents(), other.vectors.contents(), strict=True):
            np.testing.assert_array_equal(mine, its)
        np.testing.assert_array_equal(base.postings.fingerprints(), other.postings.fingerprints())
    assert found.mean_length == expected.mean_length


def test_chunks_without_a_vector_are_in_no_half_of_the_index(tmp_path: Path) -> None:
    publish(tmp_path, TEXTS, EMBEDDER, limits=NEVER)
    store = KnowledgeStore(tmp_path)
    with store.transaction() as connection:
        connection.execute("DELETE FROM embedding WHERE rowid <= 5")
    index = rebuilt(tmp_path, 1)
    assert index.count == len(TEXTS) - 5
    assert all(one.base.loaded({}).postings.count == one.base.count for one in index.languages.values())


@pytest.mark.slow
def test_a_changed_index_finds_what_one_made_anew_finds(tmp_path: Path) -> None:
    publish(tmp_path, TEXTS, EMBEDDER, limits=NEVER)
    generation = publish(tmp_path, {"e3": ("en", "word3 is free now")}, EMBEDDER, retire=["e5", "z1"], limits=NEVER)
    view = GenerationView.open(KnowledgeStore(tmp_path), generation, MODEL)
    query = EMBEDDER.embed_queries(["word3 free"]).vectors
    chunk_ids, vectors = EmbeddingTable(KnowledgeStore(tmp_path), MODEL, 16).visible(generation)
    english = set(opened(tmp_path, generation).languages["en"].chunk_ids().tolist())
    cosines = {int(n): float(v @ query[0]) for n, v in zip(chunk_ids, vectors, strict=True) if int(n) in english}
    hits = view.vectors["en"].search(query, 100)
    assert {hit.chunk_id: hit.score for hit in hits} == pytest.approx(cosines, abs=1e-5)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert view.vectors["en"].cosines(query, list(cosines)) == pytest.approx(list(cosines.values()), abs=1e-5)
    assert {hit.chunk_id for hit in view.lexical.search("word3 fee free", 100)} == english
    assert view.lexical.search("word3 free", 1)[0].chunk_id == max(english)


@pytest.mark.slow
def test_the_base_is_one_file_for_many_generations(tmp_path: Path) -> None:
    publish(tmp_path, TEXTS, EMBEDDER, limits=NEVER)
    publish(tmp_path, {"e3": ("en", "other")}, EMBEDDER, limits=NEVER)
    publish(tmp_path, {"z3": ("zh", "别的")}, EMBEDDER, limits=NEVER)
    for name in ("en-base.faiss", "zh-base.postings.npz"):
        assert (folder_of(tmp_path, 1) / name).samefile(folder_of(tmp_path, 3) / name)
    assert (folder_of(tmp_path, 2) / "en-fresh.faiss").samefile(folder_of(tmp_path, 3) / "en-fresh.faiss")
    shutil.rmtree(folder_of(tmp_path, 1))
    assert opened(tmp_path, 3).count == 40


@pytest.mark.slow
def test_without_hard_links_the_base_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    publish(tmp_path, TEXTS, EMBEDDER, limits=NEVER)
    publish(tmp_path, {"e3": ("en", "other")}, EMBEDDER, limits=NEVER)
    assert not (folder_of(tmp_path, 1) / "en-base.faiss").samefile(folder_of(tmp_path, 2) / "en-base.faiss")
    assert_same(opened(tmp_path, 2), rebuilt(tmp_path, 2))


@pytest.mark.slow
def test_a_new_base_when_too_much_has_changed(tmp_path: Path) -> None:
    limits = IndexLimits(exact_chunks=1000, merge_share=0.1)
    publish(tmp_path, TEXTS, EMBEDDER, limits=limits)
    for number in range(2):
        publish(tmp_path, {f"e{number}": ("en", "other")}, EMBEDDER, limits=limits)
    assert opened(tmp_path, 3).changes == 4  # of 40: two came, two went
    publish(tmp_path, {"more": ("en", "more")}, EMBEDDER, limits=limits)
    assert opened(tmp_path, 4).changes == 0
    assert opened(tmp_path, 4).base_count == 41


@pytest.mark.slow
def test_a_fresh_part_stays_small_enough_to_be_compared_one_by_one(tmp_path: Path) -> None:
    limits = IndexLimits(exact_chunks=3, merge_share=1.0)
    publish(tmp_path, TEXTS, EMBEDDER, limits=limits)
    assert opened(tmp_path, 1).languages["en"].base.loaded({}).vectors.probes > 0
    publish(tmp_path, {f"new{number}": ("en", f"n{number}") for number in range(3)}, EMBEDDER, limits=limits)
    assert opened(tmp_path, 2).changes == 3
    publish(tmp_path, {"new3": ("en", "n3")}, EMBEDDER, limits=limits)
    assert opened(tmp_path, 3).changes == 0


@pytest.mark.parametrize(
    "name", [MANIFEST_NAME, STATE_NAME, "en-base.faiss", "en-base.chunks.npz", "zh-base.postings.npz"]
)
def test_missing_and_broken_files_are_damage_and_the_next_generation_mends_them(tmp_path: Path, name: str) -> None:
    publish(tmp_path, TEXTS, EMBEDDER, limits=NEVER)
    path = folder_of(tmp_path, 1) / name
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(IndexDamaged):
        opened(tmp_path, 1)
    path.unlink()
    with pytest.raises(IndexDamaged, match=name):
        opened(tmp_path, 1)


@pytest.mark.slow
def test_a_damaged_former_generation_is_made_anew(tmp_path: Path) -> None:
    publish(tmp_path, TEXTS, EMBEDDER, limits=NEVER)
    (folder_of(tmp_path, 1) / STATE_NAME).write_bytes(b"half")
    publish(tmp_path, {"e3": ("en", "other")}, EMBEDDER, limits=NEVER)
    assert opened(tmp_path, 2).changes == 0
    assert_same(opened(tmp_path, 2), rebuilt(tmp_path, 2))


@pytest.mark.slow
def test_rows_that_the_former_generation_lacks_are_not_forgotten(tmp_path: Path) -> None:
    publish(tmp_path, TEXTS, EMBEDDER, limits=NEVER)
    publish(tmp_path, {"e3": ("en", "other")}, EMBEDDER, limits=NEVER)
    shutil.copytree(folder_of(tmp_path, 1), tmp_path / "first")
    shutil.rmtree(folder_of(tmp_path, 2))
    (tmp_path / "first").rename(folder_of(tmp_path, 2))
    publish(tmp_path, {"e4": ("en", "another")}, EMBEDDER, limits=NEVER)
    index = next_index(KnowledgeStore(tmp_path), 3, folder_of(tmp_path, 2), MODEL, 16, NEVER)
    assert_same(index, rebuilt(tmp_path, 3))


def test_another_model_is_refused(tmp_path: Path) -> None:
    publish(tmp_path, TEXTS, EMBEDDER)
    with pytest.raises(EmbedderMismatch) as caught:
        GenerationIndex.open(folder_of(tmp_path, 1), "e5")
    assert caught.value.details == {"found": MODEL, "expected": "e5"}


def test_a_manifest_that_counts_otherwise_is_damage(tmp_path: Path) -> None:
    publish(tmp_path, TEXTS, EMBEDDER)
    path = folder_of(tmp_path, 1) / MANIFEST_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | {"count": 41}))
    with pytest.raises(IndexDamaged, match="40 chunks, not 41"):
        opened(tmp_path, 1)


@pytest.mark.slow
def test_a_view_takes_over_what_the_former_one_has(tmp_path: Path) -> None:
    publish(tmp_path, TEXTS, EMBEDDER, limits=NEVER)
    store = KnowledgeStore(tmp_path)
    first = GenerationView.open(store, 1, MODEL)
    publish(tmp_path, {"e3": ("en", "other")}, EMBEDDER, limits=NEVER)
    for path in folder_of(tmp_path, 2).glob("*-base.[fp]*"):
        path.unlink()  # whoever reads these again fails
    second = GenerationView.open(store, 2, MODEL, first)
    assert set(first.parts.values()) < set(second.parts.values())
    assert second.lexical.search("other", 1)[0].chunk_id == 41
    with pytest.raises(IndexDamaged):
        GenerationView.open(store, 2, MODEL)


@pytest.mark.slow
def test_an_index_from_before_there_were_parts_is_made_when_it_is_opened(tmp_path: Path) -> None:
    publish(tmp_path, TEXTS, EMBEDDER)
    for path in folder_of(tmp_path, 1).iterdir():
        path.unlink()
    (folder_of(tmp_path, 1) / "vectors.json").write_text("{}")
    store = KnowledgeStore(tmp_path)
    view = GenerationView.open(store, 1, MODEL)
    assert len(view.lexical.search("fee", 100)) == 30
    with pytest.raises(EmbedderMismatch):
        GenerationView.open(store, 1, "another")
    publish(tmp_path, {"e3": ("en", "other")}, EMBEDDER)
    assert opened(tmp_path, 2).count == 40
