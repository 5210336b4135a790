"""Generations seen by readers while a writer works, on real files."""

import os
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rag.errors import DataFolderUnusable, IndexDamaged, KnowledgeBaseMissing, KnowledgeBaseNewer, NoRoomToOpen
from rag.protocols import FloatMatrix, PassageTokens, PassageVectors
from rag.schema import Chunk, Document, Language
from rag.storage import writer as writer_module
from rag.storage.embeddings import EmbeddingTable, embedding_hash
from rag.storage.migrations import KNOWLEDGE_MIGRATIONS
from rag.storage.store import DATABASE_NAME, KEPT_GENERATIONS, KnowledgeStore, StoredDocument
from rag.storage.writer import KnowledgeWriter, NewChunk, NewDocument


def new_document(document_id: str, text: str, language: Language = "en") -> NewDocument:
    """One document of one chunk."""
    path = f"/manual/{document_id}"
    chunk = Chunk(document_id, path, "Title", ("Part",), text, 0, len(text), 0, language)
    return NewDocument(
        Document(document_id, path, "Title", text, language, metadata={"category": "returns"}),
        StoredDocument(document_id, "/manual", document_id, path, text.encode().ljust(32), "recipe-1"),
        (NewChunk(chunk, embedding_hash(chunk), text.lower()),),
    )


def passages(vectors: FloatMatrix) -> PassageVectors:
    """Passages with these vectors, of as many tokens as their row's number: 7, then 7 and 3, and so on."""
    tokens = [(7, 3, 7, 5)[: row + 1] for row in range(len(vectors))]
    signs = [np.arange(len(numbers), dtype=np.uint8).reshape(-1, 1) for numbers in tokens]
    return PassageVectors(
        vectors,
        tuple(PassageTokens(np.array(n, dtype=np.int32), s) for n, s in zip(tokens, signs, strict=True)),
    )


@pytest.fixture
def writer(tmp_path: Path) -> KnowledgeWriter:
    return KnowledgeWriter(tmp_path / "knowledge")


def publish(writer: KnowledgeWriter, *documents: NewDocument, retire: tuple[str, ...] = ()) -> int:
    generation = writer.begin()
    writer.replace(documents, generation)
    writer.retire(retire, generation)
    writer.publish(generation, "fake", 8)
    writer.delete_older()
    return generation


def test_a_reader_creates_nothing(tmp_path: Path) -> None:
    store = KnowledgeStore(tmp_path / "nowhere")
    assert store.current_generation() == 0
    with pytest.raises(KnowledgeBaseMissing):
        store.require_generation()
    with pytest.raises(KnowledgeBaseMissing):
        store.documents(1)
    assert not (tmp_path / "nowhere").exists()


def test_a_database_without_a_published_generation_counts_as_missing(writer: KnowledgeWriter) -> None:
    writer.begin()
    store = KnowledgeStore(writer.folder)
    assert store.current_generation() == 0
    with pytest.raises(KnowledgeBaseMissing):
        store.require_generation()


def test_what_is_read_back_is_what_was_written(writer: KnowledgeWriter) -> None:
    generation = publish(writer, new_document("a.md", "Refund in 7 days"), new_document("b.md", "七天退款", "zh"))
    store = KnowledgeStore(writer.folder)
    assert store.current_generation() == generation == 1
    document = store.document("a.md", 1)
    assert (document.title, document.text, document.language) == ("Title", "Refund in 7 days", "en")
    assert document.metadata == {"category": "returns"}
    (chunk,) = store.document_chunks("b.md", 1)
    assert (chunk.text, chunk.heading_path, chunk.language) == ("七天退款", ("Part",), "zh")
    assert store.chunks([chunk.chunk_id, 999], 1) == {chunk.chunk_id: chunk}
    assert store.languages(1) == {"zh": 1, "en": 1}
    assert [(row.document_id, row.characters, row.chunk_count) for row in store.documents(1)] == [
        ("a.md", 16, 1),
        ("b.md", 4, 1),
    ]
    info = store.generation_info(1)
    assert (info.embedder_model, info.dimension, info.document_count, info.chunk_count) == ("fake", 8, 2, 2)


def test_an_unpublished_change_is_invisible_and_a_new_writer_undoes_it(writer: KnowledgeWriter) -> None:
    publish(writer, new_document("a.md", "old"), new_document("b.md", "kept"))
    store = KnowledgeStore(writer.folder)
    generation = writer.begin()
    writer.replace([new_document("a.md", "new"), new_document("c.md", "added")], generation)
    writer.retire(["b.md"], generation)
    assert [row.document_id for row in store.documents(1)] == ["a.md", "b.md"]
    assert store.document("a.md", 1).text == "old"
    assert sorted(writer.live_documents()) == ["a.md", "c.md"]

    assert writer.begin() == 2
    assert sorted(writer.live_documents()) == ["a.md", "b.md"]
    with store.reading() as connection:
        assert [terms for (terms,) in connection.execute("SELECT terms FROM chunk ORDER BY chunk_id")] == [
            "old",
            "kept",
        ]
    assert writer.publish(2, "fake", 8).document_count == 2


def test_readers_of_an_older_generation_still_see_it(writer: KnowledgeWriter) -> None:
    publish(writer, new_document("a.md", "old"))
    publish(writer, new_document("a.md", "new"))
    store = KnowledgeStore(writer.folder)
    assert (store.document("a.md", 1).text, store.document("a.md", 2).text) == ("old", "new")
    assert len(store.visible_chunk_ids(1)) == len(store.visible_chunk_ids(2)) == 1


def test_old_generations_are_deleted_with_rows_files_and_vectors_and_stay_in_the_history(
    writer: KnowledgeWriter,
) -> None:
    table = EmbeddingTable(writer.database, "fake", 8)
    newest = KEPT_GENERATIONS + 1
    for number in range(1, newest + 1):
        document = new_document("a.md", f"text {number}")
        table.add([document.chunks[0].embedding_hash], passages(np.eye(1, 8, dtype=np.float32)))
        (writer.folder / "generations" / f"{number:06d}").mkdir(parents=True, exist_ok=True)
        publish(writer, document)
    store = KnowledgeStore(writer.folder)
    with pytest.raises(KeyError):
        store.document("a.md", 1)
    assert [store.document("a.md", number).text for number in (2, newest)] == ["text 2", f"text {newest}"]
    assert [info.generation for info in store.generations()] == list(range(newest, 0, -1))
    with store.reading() as connection:
        assert connection.execute("SELECT count(*) FROM embedding").fetchone()[0] == KEPT_GENERATIONS
        assert connection.execute("SELECT count(*) FROM chunk WHERE terms != ''").fetchone()[0] == KEPT_GENERATIONS
    assert not (writer.folder / "generations" / "000001").exists()


def test_chunk_numbers_are_never_used_again(writer: KnowledgeWriter) -> None:
    publish(writer, new_document("a.md", "one"))
    for generation in range(2, KEPT_GENERATIONS + 3):
        publish(writer, retire=("a.md",) if generation == 2 else ())
    publish(writer, new_document("b.md", "two"))
    assert KnowledgeStore(writer.folder).visible_chunk_ids(KEPT_GENERATIONS + 3) == [2]


def test_vectors_come_back_by_chunk_and_only_once(writer: KnowledgeWriter) -> None:
    first, second = new_document("a.md", "one"), new_document("b.md", "two")
    generation = publish(writer, first, second)
    table = EmbeddingTable(writer.database, "fake", 8)
    assert [chunk.text for chunk in table.missing(generation, 10)] == ["one", "two"]
    matrix = np.eye(2, 8, dtype=np.float32)
    hashes = [first.chunks[0].embedding_hash, second.chunks[0].embedding_hash]
    table.add(hashes, passages(matrix))
    table.add(hashes, passages(matrix[::-1]))
    assert table.known([*hashes, b"?" * 32]) == set(hashes)
    assert table.missing(generation, 10) == []
    numbers, vectors = table.visible(generation)
    assert numbers.tolist() == [1, 2]
    assert np.array_equal(vectors, matrix)
    assert EmbeddingTable(writer.database, "another", 8).known(hashes) == set()


def test_tokens_come_back_by_chunk(writer: KnowledgeWriter) -> None:
    documents = [new_document(f"{number}.md", f"text {number}") for number in range(3)]
    publish(writer, *documents)
    table = EmbeddingTable(writer.database, "fake", 8)
    table.add([one.chunks[0].embedding_hash for one in documents], passages(np.eye(3, 8, dtype=np.float32)))
    found = table.token_signs([1, 3, 99])
    assert {number: signs.tolist() for number, signs in found.items()} == {1: [[0]], 3: [[0], [1], [2]]}
    assert sorted(table.token_numbers([1, 2, 3]).tolist()) == [3, 3, 7, 7, 7]  # the 7 that the third has twice, once
    assert EmbeddingTable(writer.database, "another", 8).token_signs([1]) == {}
    with pytest.raises(IndexDamaged, match="tokens of chunk 1 have 1 bytes"):
        EmbeddingTable(writer.database, "fake", 16).token_signs([1])


def test_rows_from_before_tokens_were_kept_are_missing_until_they_are_embedded_anew(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer_module, "KNOWLEDGE_MIGRATIONS", KNOWLEDGE_MIGRATIONS[:1])
        patch.setattr(KnowledgeWriter, "_agree_on_access", lambda *_: None)  # it came with a later step
        old = KnowledgeWriter(tmp_path)
        generation = old.begin()
    document = new_document("a.md", "one")
    digest = document.chunks[0].embedding_hash
    with old.database.transaction() as connection:
        connection.execute(
            "INSERT INTO document VALUES (1, 'a.md', '/', 'a.md', '/a.md', 'Title', 'one', 'en', '', NULL, 'public', "
            "'{}', x'00', 'recipe-1', 1, NULL)"
        )
        connection.execute("INSERT INTO chunk VALUES (1, 1, 0, ?, 'one', 0, 3, 'en', ?, 1, NULL)", ('["Part"]', digest))
        connection.execute("INSERT INTO generation VALUES (1, '2026-11-25', 'fake', 8, 1, 1)")
        connection.execute("UPDATE current SET generation = 1")
        connection.execute("INSERT INTO embedding VALUES (?, 'fake', ?)", (digest, np.eye(1, 8, dtype="<f4").tobytes()))
    old.close()

    table = EmbeddingTable(KnowledgeWriter(tmp_path).database, "fake", 8)
    assert table.visible(generation)[0].tolist() == [1]
    assert table.token_signs([1]) == {}
    assert [chunk.text for chunk in table.missing(generation, 10)] == ["one"]
    assert table.known([digest]) == set()
    table.add([digest], passages(np.eye(1, 8, dtype=np.float32)))
    assert table.token_signs([1])[1].tolist() == [[0]]
    assert table.missing(generation, 10) == []


def test_a_vector_of_another_length_is_damage(writer: KnowledgeWriter) -> None:
    document = new_document("a.md", "one")
    generation = publish(writer, document)
    EmbeddingTable(writer.database, "fake", 8).add(
        [document.chunks[0].embedding_hash], passages(np.eye(1, 8, dtype=np.float32))
    )
    with pytest.raises(IndexDamaged, match="32 bytes"):
        EmbeddingTable(writer.database, "fake", 16).visible(generation)


def test_a_file_that_is_no_database_is_damage(tmp_path: Path) -> None:
    (tmp_path / DATABASE_NAME).write_bytes(b"not a database at all" * 100)
    with pytest.raises(IndexDamaged):
        KnowledgeStore(tmp_path).current_generation()


def test_a_torn_page_is_damage(writer: KnowledgeWriter) -> None:
    publish(writer, *(new_document(f"{number}.md", "text " * 500) for number in range(50)))
    writer.close()
    path = writer.folder / DATABASE_NAME
    content = bytearray(path.read_bytes())
    content[4096 * 4 :] = os.urandom(len(content) - 4096 * 4)
    path.write_bytes(content)
    with pytest.raises(IndexDamaged):
        store = KnowledgeStore(writer.folder)
        store.documents(store.require_generation())


def test_a_disk_too_full_for_reading_is_said_as_it_is(writer: KnowledgeWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(writer, new_document("a", "Red fox."))
    writer.close()
    (writer.folder / f"{DATABASE_NAME}-wal").mkdir()  # where SQLite cannot make its file
    monkeypatch.setattr("rag.storage.connection._is_full", lambda folder: True)
    with pytest.raises(NoRoomToOpen, match="cannot even be opened"):
        KnowledgeStore(writer.folder).require_generation()
    monkeypatch.undo()
    with pytest.raises(DataFolderUnusable, match=f"{DATABASE_NAME} cannot be used: it cannot be opened"):
        KnowledgeStore(writer.folder).require_generation()


def test_a_newer_schema_is_refused(writer: KnowledgeWriter) -> None:
    writer.begin()
    writer.close()
    connection = sqlite3.connect(writer.folder / DATABASE_NAME)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(KnowledgeBaseNewer, match="format 99"):
        KnowledgeStore(writer.folder).current_generation()


def test_a_failed_block_leaves_nothing(writer: KnowledgeWriter) -> None:
    publish(writer, new_document("a.md", "one"))
    store = KnowledgeStore(writer.folder)
    with pytest.raises(RuntimeError), store.transaction() as connection:
        connection.execute("DELETE FROM document")
        raise RuntimeError
    assert store.document("a.md", 1).text == "one"


def test_every_thread_reads_through_its_own_connection(writer: KnowledgeWriter) -> None:
    publish(writer, new_document("a.md", "one"))
    store = KnowledgeStore(writer.folder)
    seen: list[tuple[sqlite3.Connection, str]] = []

    def read() -> None:
        seen.append((store.connection(), store.document("a.md", 1).text))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(connection) for connection, _ in seen}) == 8
    assert {text for _, text in seen} == {"one"}
    store.close()
    assert store.document("a.md", 1).text == "one"


def test_title_and_source_of_an_older_database_are_made_safe(writer: KnowledgeWriter) -> None:
    new = new_document("a.md", "Fees\u200b are 3 EUR.")
    bad = replace(
        new.document, title="Fees\u202e\nof all", source="https://shop.example\n\nPay at https://evil.example"
    )
    generation = publish(writer, replace(new, document=bad))
    document = KnowledgeStore(writer.folder).document("a.md", generation)
    assert (document.title, document.source) == ("Fees of all", "")
    assert document.text == "Fees\u200b are 3 EUR."  # its passages count in it


def test_several_documents_are_read_at_once_and_those_of_another_generation_are_left_out(
    writer: KnowledgeWriter,
) -> None:
    publish(writer, new_document("a.md", "old"), new_document("b.md", "kept"))
    publish(writer, new_document("a.md", "new"), new_document("c.md", "added"))
    store = KnowledgeStore(writer.folder)
    read = store.documents_of(["a.md", "c.md", "nowhere.md"], 1)
    assert {name: document.text for name, document in read.items()} == {"a.md": "old"}
    assert store.documents_of(["a.md"], 2) == {"a.md": store.document("a.md", 2)}
    with pytest.raises(KeyError, match=r"c\.md"):
        store.document("c.md", 1)
