"""Passages are embedded once, sorted by length within windows, and what was known is left alone."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ingest import embedding as module
from ingest.embedding import FIRST_WINDOW, LARGEST_WINDOW, PassageEmbedding
from rag.protocols import PassageVectors
from rag.storage.connection import Database
from rag.storage.embeddings import EmbeddingTable
from rag.storage.migrations import KNOWLEDGE_MIGRATIONS
from rag.testing import HashEmbedder


class BatchKeeper(HashEmbedder):
    """Remembers its batches; refuses the text ``poison``."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[str]] = []

    def embed_passages(self, texts: Sequence[str]) -> PassageVectors:
        self.batches.append(list(texts))
        if "poison" in texts:
            raise RuntimeError("poison")
        return super().embed_passages(texts)


@pytest.fixture
def table(tmp_path: Path) -> Iterator[EmbeddingTable]:
    database = Database(tmp_path / "knowledge.db", KNOWLEDGE_MIGRATIONS, create=True)
    yield EmbeddingTable(database, "hash-64", 64)
    database.close()


def passages(*numbers: int) -> dict[bytes, str]:
    return {number.to_bytes(32, "big"): f"number {number} " + "long " * (number % 7) for number in numbers}


def finish(embedding: PassageEmbedding) -> int:
    return [*embedding.finish(), embedding.done][-1]


def test_each_passage_once(table: EmbeddingTable) -> None:
    embedder = BatchKeeper()
    with PassageEmbedding(table, embedder) as embedding:
        embedding.offer(passages(1, 2))
        embedding.offer(passages(2, 3))
        assert (embedding.found, finish(embedding)) == (3, 3)
        embedding.offer(passages(1, 2, 3, 4))
        assert (embedding.found, finish(embedding)) == (4, 4)
    assert sorted(text for batch in embedder.batches for text in batch) == sorted(passages(1, 2, 3, 4).values())
    assert table.known(passages(1, 2, 3, 4, 5)) == set(passages(1, 2, 3, 4))


def test_anew_replaces_what_is_known(table: EmbeddingTable) -> None:
    first, second = BatchKeeper(), BatchKeeper()
    for embedder, anew in ((first, False), (second, True)):
        with PassageEmbedding(table, embedder, anew=anew) as embedding:
            embedding.offer(passages(1, 2))
            embedding.offer(passages(2))
            assert finish(embedding) == 2
    assert len(second.batches) == 1


@pytest.mark.slow
def test_batches_are_sorted_by_length_and_depend_on_the_order_alone(table: EmbeddingTable) -> None:
    made = []
    for offers in ((300,), (100, 100, 100)):
        embedder = BatchKeeper()
        with PassageEmbedding(table, embedder, anew=True) as embedding:
            begin = 0
            for count in offers:
                embedding.offer(passages(*range(begin, begin + count)))
                begin += count
            finish(embedding)
        made.append(embedder.batches)
    assert made[0] == made[1]
    lengths = [len(text) for batch in made[0] for text in batch][:FIRST_WINDOW]
    assert lengths == sorted(lengths, reverse=True)


@pytest.mark.slow
def test_what_waits_is_bounded(table: EmbeddingTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_BATCHES_WAITING", 2)
    with PassageEmbedding(table, BatchKeeper()) as embedding:
        embedding.offer(passages(*range(FIRST_WINDOW + 2 * FIRST_WINDOW)))
        waited = list(embedding.make_room())
        assert waited == sorted(waited)
        assert len(embedding._batches) <= 2
        assert LARGEST_WINDOW >= embedding._window == 4 * FIRST_WINDOW


def test_an_embedder_that_fails_is_heard(table: EmbeddingTable) -> None:
    with PassageEmbedding(table, BatchKeeper()) as embedding:
        embedding.offer({bytes(32): "poison"})
        with pytest.raises(RuntimeError, match="poison"):
            finish(embedding)


@pytest.mark.slow
def test_which_thread_was_quicker_decides_nothing(tmp_path: Path) -> None:
    """The one that is given the longest passages is kept waiting until the others are done."""

    class Waiting(BatchKeeper):
        def __init__(self, patient: bool) -> None:
            super().__init__()
            self._others_done = threading.Semaphore(0)
            self._patient = patient

        def embed_passages(self, texts: Sequence[str]) -> PassageVectors:
            if self._patient and "first" in texts:
                assert self._others_done.acquire(timeout=60)
            found = super().embed_passages(texts)
            self._others_done.release()
            return found

    given = {bytes(32): "first " + "long " * 99} | passages(*range(1, 300))
    kept = []
    for patient, threads in ((False, 1), (True, 3)):
        database = Database(tmp_path / f"{threads}.db", KNOWLEDGE_MIGRATIONS, create=True)
        table = EmbeddingTable(database, "hash-64", 64)
        with PassageEmbedding(table, Waiting(patient), threads=threads) as embedding:
            embedding.offer(given)
            assert finish(embedding) == 300
        with database.reading() as connection:
            rows = connection.execute("SELECT content_hash, vector, token_signs FROM embedding ORDER BY rowid")
            kept.append([tuple(row) for row in rows])
        database.close()
    assert kept[0] == kept[1]
