"""Ingesting again and again: what is new, changed, the same and gone, and what each costs."""

import contextlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from ingest import pipeline
from ingest.check import check
from ingest.commands import summary_lines
from ingest.lock import writer_lock
from ingest.pipeline import IngestOptions, ingest
from rag.errors import (
    AccessUnsettled,
    DataFolderUnusable,
    EmbedderMismatch,
    IndexDamaged,
    IngestRunning,
    KnowledgeBaseMissing,
    NothingToIngest,
    SourceMissing,
)
from rag.retrieval.generation_view import GenerationView
from rag.schema import Chunk, Document
from rag.storage.access import (
    ACCESS_NAME,
    LOCAL_USER,
    Access,
    KnowledgeBases,
    User,
    access_to,
    read_access_file,
    require_access,
    write_access_file,
)
from rag.storage.store import DATABASE_NAME, KEPT_GENERATIONS
from rag.storage.writer import KnowledgeWriter
from tests.ingest.conftest import CountingEmbedder, Desk

pytestmark = pytest.mark.slow

LONG = "One two three four five six seven eight nine ten. " * 12


def test_the_first_time(desk: Desk) -> None:
    desk.write("logo.svg", "not text")
    summary = desk.ingest()
    assert (summary.added, summary.changed, summary.unchanged, summary.retired, summary.missing) == (4, 0, 0, 0, 0)
    assert (summary.documents, summary.chunks, summary.embedded) == (4, 4, 4)
    assert (summary.generation, summary.published, summary.failures) == (1, True, ())
    assert [path.name for path in summary.unsupported] == ["logo.svg"]
    assert sorted(desk.documents()) == ["q1", "q2", "returns/deadline.md", "运费.txt"]
    document = desk.store.document("returns/deadline.md", 1)
    assert (document.title, str(document.updated_on), document.path) == (
        "Deadline", "2026-08-01", str(desk.manual / "returns/deadline.md"),
    )  # fmt: skip


def test_files_that_are_to_be_left_out_are_not_read(desk: Desk) -> None:
    left_out = desk.write("README.md", "# About these documents").resolve()
    ingest(
        (desk.manual,), desk.settings, desk.embedder, IngestOptions(leave_out=frozenset({left_out})), reader=desk.reader
    )
    assert sorted(desk.documents()) == ["q1", "q2", "returns/deadline.md", "运费.txt"]


@pytest.mark.parametrize(
    "lost", ["index.json", "state.npz", "en-base.chunks.npz", "en-base.faiss", "en-base.postings.npz"]
)
def test_a_file_of_the_index_that_is_gone_is_made_anew_though_nothing_is_new(desk: Desk, lost: str) -> None:
    desk.ingest()
    (desk.store.generation_folder(1) / lost).unlink()
    summary = desk.ingest()
    assert (summary.unchanged, summary.embedded, summary.generation, summary.published) == (4, 0, 2, True)
    assert summary.mended and (desk.store.generation_folder(2) / lost).is_file()
    assert "The index was damaged, and was rebuilt from the stored documents." in summary_lines(summary, "shop", "en")
    assert not check(desk.settings.knowledge_dir).findings
    assert not desk.ingest().mended


def test_a_change_is_ingested_though_a_file_of_the_index_is_gone(desk: Desk) -> None:
    desk.ingest()
    (desk.store.generation_folder(1) / "en-base.faiss").unlink()
    desk.write("returns/deadline.md", "# Deadline\n\nReturn within 60 days.")
    summary = desk.ingest()
    assert (summary.changed, summary.generation, summary.mended) == (1, 2, False)
    assert not check(desk.settings.knowledge_dir).findings


def test_nothing_new_makes_no_generation_and_embeds_nothing(desk: Desk) -> None:
    desk.ingest()
    summary = desk.ingest()
    assert (summary.unchanged, summary.embedded, summary.generation, summary.published) == (4, 0, 1, False)
    assert (summary.documents, summary.chunks) == (4, 4)


def test_a_changed_document_is_replaced_and_only_its_new_passages_are_embedded(desk: Desk) -> None:
    desk.write("long.md", f"# Long\n\n{LONG}\n\n## Part\n\n{LONG}")
    desk.ingest()
    desk.write("long.md", f"# Long\n\n{LONG}\n\n## Part\n\n{LONG}\n\n## New\n\nAlpha beta gamma.")
    summary = desk.ingest()
    assert (summary.added, summary.changed, summary.unchanged, summary.generation) == (0, 1, 4, 2)
    assert 1 <= summary.embedded <= 2
    assert any("Alpha beta gamma" in text for text in desk.embedder.embedded)
    assert "Alpha" in desk.documents()["long.md"]
    assert "Alpha" not in desk.store.document("long.md", 1).text  # a reader of the former generation goes on


@pytest.mark.parametrize("line", ["title: Other", "updated: 2026-09-01", "audience: internal", "category: fees"])
def test_metadata_counts_as_content(desk: Desk, line: str) -> None:
    desk.ingest()
    desk.write("returns/deadline.md", f"---\n{line}\n---\n# Deadline\n\nReturn it within 7 days.")
    summary = desk.ingest()
    assert (summary.changed, summary.unchanged) == (1, 3)
    assert summary.embedded == (1 if line.startswith("title") else 0)


def test_another_chunk_size_cuts_all_documents_again(desk: Desk, tmp_path: Path) -> None:
    desk.write("long.md", LONG)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/far.md").write_text(LONG.upper())
    few = desk.ingest(desk.manual, tmp_path / "other").chunks
    desk.settings = desk.settings.model_copy(update={"chunk_tokens": 64})
    summary = desk.ingest()  # far.md is not among the paths: it is cut from the store's text
    assert (summary.changed, summary.unchanged, summary.published) == (0, 5, True)
    assert summary.chunks < few
    store = desk.store
    assert max(len(chunk.text) for chunk in store.document_chunks("far.md", 2)) > 40 * 5
    assert desk.ingest().published is False


def test_what_is_gone_is_told_and_retired_only_when_asked_and_only_below_the_paths(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/far.md").write_text("far away")
    desk.ingest(desk.manual, tmp_path / "other")
    (desk.manual / "运费.txt").unlink()
    (tmp_path / "other/far.md").unlink()
    desk.write("faq.jsonl", '{"id": "q1", "title": "Gift?", "text": "We wrap it."}')
    summary = desk.ingest()
    assert (summary.missing, summary.retired, summary.published) == (2, 0, False)
    summary = desk.ingest(prune=True)
    assert (summary.missing, summary.retired, summary.documents, summary.generation) == (0, 2, 3, 2)
    assert sorted(desk.documents()) == ["far.md", "q1", "returns/deadline.md"]


def test_a_subfolder_prunes_its_own(desk: Desk) -> None:
    desk.write("returns/other.md", "Other.")
    desk.ingest()
    (desk.manual / "returns/other.md").unlink()
    (desk.manual / "运费.txt").unlink()
    assert desk.ingest(desk.manual / "returns", prune=True).retired == 1
    assert sorted(desk.documents()) == ["q1", "q2", "returns/deadline.md", "运费.txt"]


def test_a_broken_file_is_told_and_keeps_its_former_content(desk: Desk) -> None:
    desk.ingest()
    (desk.manual / "returns/deadline.md").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99))
    desk.write("faq.jsonl", '{"id": "q1", "title": "Gift?", "text": "We wrap it."}\n{"id": "q2", "te')
    desk.write("broken.pdf", "%PDF-1.4 nothing")
    desk.write("new.md", "New.")
    desk.progress.clear()
    summary = desk.ingest(prune=True)
    assert [(Path(str(f.details["path"])).name, f.details["reason"]) for f in summary.failures] == [
        ("broken.pdf", "malformed"), ("faq.jsonl", "row"), ("deadline.md", "malformed"),
    ]  # fmt: skip
    assert (summary.added, summary.unchanged, summary.retired, summary.missing) == (1, 2, 0, 0)
    assert sorted(desk.documents()) == ["new.md", "q1", "q2", "returns/deadline.md", "运费.txt"]
    assert [p.failure for p in desk.progress if p.failure is not None] == list(summary.failures)


def test_progress_goes_forward_and_ends_at_the_end(desk: Desk) -> None:
    for number in range(100):
        desk.write(f"many/{number}.md", f"Document number {number}.")
    desk.ingest()
    stages = [progress.stage for progress in desk.progress]
    assert stages == sorted(stages, key=["reading", "embedding", "publishing"].index)
    reading = [progress for progress in desk.progress if progress.stage == "reading"]
    assert [progress.files_done for progress in reading] == list(range(104))
    assert {progress.files_total for progress in reading} == {103}
    embedding = [
        (progress.passages_done, progress.passages_total) for progress in desk.progress if progress.stage == "embedding"
    ]
    assert embedding == [(done, 104) for done in (0, 32, 64, 96, 104)]


def test_the_same_passage_is_embedded_once(desk: Desk) -> None:
    desk.write("a/same.md", "# Same\n\nThe very same words.")
    desk.write("b/same.md", "# Same\n\nThe very same words.")
    summary = desk.ingest()
    assert (summary.chunks, summary.embedded) == (6, 5)


def test_the_same_files_through_another_folder_are_the_same_documents(desk: Desk) -> None:
    desk.ingest()
    assert desk.ingest(desk.manual / "returns").unchanged == 1
    assert desk.ingest(desk.manual.parent).documents == 4


def test_a_moved_manual_replaces_its_documents(desk: Desk) -> None:
    desk.ingest()
    moved = desk.manual.rename(desk.manual.with_name("handbook"))
    summary = desk.ingest(moved)
    assert (summary.changed, summary.added, summary.documents, summary.embedded) == (4, 0, 4, 0)


def test_a_rebuild_embeds_and_indexes_everything_from_the_store(desk: Desk) -> None:
    desk.ingest()
    shutil.rmtree(desk.store.generation_folder(1))
    shutil.rmtree(desk.manual)
    summary = ingest([], desk.settings, desk.embedder, IngestOptions(rebuild=True), reader=desk.reader)
    assert (summary.documents, summary.embedded, summary.generation) == (4, 4, 2)
    assert desk.store.generation_folder(2).is_dir()


def test_another_embedder_is_refused_until_a_rebuild(desk: Desk) -> None:
    desk.ingest()
    desk.embedder = CountingEmbedder(32)
    with pytest.raises(EmbedderMismatch, match=r"hash-64.*hash-32"):
        desk.ingest()
    assert desk.store.generation_info(1).embedder_model == "hash-64"
    summary = desk.ingest(rebuild=True)
    assert (summary.unchanged, summary.embedded, summary.generation) == (4, 4, 2)
    assert desk.store.generation_info(2).embedder_model == "hash-32"
    with desk.store.reading() as connection:
        assert [row[0] for row in connection.execute("SELECT DISTINCT model_id FROM embedding")] == ["hash-32"]
    assert desk.ingest().published is False


def test_a_damaged_database_is_refused_and_mended_by_a_rebuild(desk: Desk) -> None:
    desk.ingest()
    path = desk.settings.knowledge_dir / DATABASE_NAME
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(IndexDamaged):
        desk.ingest()
    assert desk.ingest(rebuild=True).documents == 4
    assert path.with_name(f"{DATABASE_NAME}.damaged").exists()


def test_a_rebuild_moves_no_sound_database_that_cannot_be_opened_away(desk: Desk) -> None:
    desk.ingest()
    path = desk.settings.knowledge_dir / DATABASE_NAME
    desk.store.close()
    sound = path.read_bytes()
    path.with_name(f"{DATABASE_NAME}-wal").unlink(missing_ok=True)
    path.with_name(f"{DATABASE_NAME}-wal").mkdir()  # where SQLite cannot make its file
    with pytest.raises(DataFolderUnusable, match="cannot be opened"):
        desk.ingest(rebuild=True)
    assert path.read_bytes() == sound
    assert not path.with_name(f"{DATABASE_NAME}.damaged").exists()
    path.with_name(f"{DATABASE_NAME}-wal").rmdir()
    assert desk.ingest(rebuild=True).generation == 2


def reader(*scopes: str) -> User:
    return User("lin", "lead", frozenset(scopes))


def test_a_rebuild_of_a_damaged_database_keeps_who_may_read(desk: Desk) -> None:
    desk.ingest()
    KnowledgeWriter(desk.settings.knowledge_dir).set_access(Access("hr", "internal"))
    (desk.settings.knowledge_dir / DATABASE_NAME).write_bytes(b"no database" * 1000)
    desk.ingest(rebuild=True)
    assert access_to(desk.store) == Access("hr", "internal")
    bases = KnowledgeBases(desk.settings.knowledge_folder)
    assert [bases.permits(reader(scope), "default") for scope in ("default", "hr")] == [False, True]


def test_where_nobody_knows_who_may_read_only_an_unlimited_admin_does(desk: Desk) -> None:
    desk.ingest()
    KnowledgeWriter(desk.settings.knowledge_dir).set_access(Access("hr"))
    (desk.settings.knowledge_dir / ACCESS_NAME).unlink()  # as a version left it that did not write the file
    assert access_to(desk.store) == Access("hr")
    (desk.settings.knowledge_dir / DATABASE_NAME).write_bytes(b"no database" * 1000)
    desk.ingest(rebuild=True)
    bases = KnowledgeBases(desk.settings.knowledge_folder)
    for user in (reader("default", "hr"), User("mei", "agent"), User("ann", "admin", frozenset({"hr", "default"}))):
        with pytest.raises(AccessUnsettled, match="--scope"):
            bases.require(user, "default")
        assert bases.names_for(user) == ()
    bases.require(LOCAL_USER, "default")
    with pytest.raises(AccessUnsettled):
        require_access(access_to(desk.store), "default", ["default", "hr"])
    desk.ingest()  # the next one does not settle it
    assert not access_to(desk.store).settled
    KnowledgeWriter(desk.settings.knowledge_dir).set_access(Access("hr"))
    assert bases.names_for(reader("hr")) == ("default",)


def test_an_ingest_writes_the_file_of_a_knowledge_base_from_before(desk: Desk) -> None:
    desk.ingest()
    KnowledgeWriter(desk.settings.knowledge_dir).set_access(Access("hr"))
    (desk.settings.knowledge_dir / ACCESS_NAME).unlink()
    desk.ingest()
    assert read_access_file(desk.settings.knowledge_dir) == Access("hr")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"scope": null}', '{"scope": "hr", "audience": "all"}'])
def test_a_file_that_says_nothing_lets_nobody_read(content: str, desk: Desk) -> None:
    desk.ingest()
    (desk.settings.knowledge_dir / ACCESS_NAME).write_text(content, "utf-8")
    assert not access_to(desk.store).settled


def test_file_and_database_that_differ_let_nobody_read(desk: Desk) -> None:
    desk.ingest()
    write_access_file(
        desk.settings.knowledge_dir, Access("hr")
    )  # a kill in the midst of set_access, or a restored database
    assert not access_to(desk.store).settled
    assert not KnowledgeBases(desk.settings.knowledge_folder).permits(reader("default", "hr"), "default")


@pytest.mark.parametrize("point", ["rename", "write_access_file", "set_access"])
def test_a_rebuild_that_ends_halfway_never_opens_the_knowledge_base(
    point: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.ingest()
    folder = desk.settings.knowledge_dir
    KnowledgeWriter(folder).set_access(Access("hr"))
    if point != "set_access":
        (folder / ACCESS_NAME).unlink()
    (folder / DATABASE_NAME).write_bytes(b"no database" * 1000)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as ending, pytest.raises(KeyboardInterrupt):
        if point == "rename":  # of the file's first part, and of the database behind it
            ending.setattr(Path, "replace", die)
        elif point == "write_access_file":
            ending.setattr("rag.storage.connection._prepare", die)
        else:
            ending.setattr(KnowledgeWriter, "set_access", die)
        desk.ingest(rebuild=True)
    bases = KnowledgeBases(desk.settings.knowledge_folder)
    with contextlib.suppress(IndexDamaged):
        assert not bases.permits(reader("default"), "default")
    desk.ingest(rebuild=True)
    assert not bases.permits(reader("default"), "default")
    assert bases.permits(reader("hr"), "default") is (point == "set_access")


def test_the_index_that_is_published_finds_its_passages(desk: Desk) -> None:
    desk.ingest()
    vectors = GenerationView.open(desk.store, 1, desk.embedder.model_id).vectors["en"]
    (hit, *_) = vectors.search(desk.embedder.embed_queries(["Return it within 7 days"]).vectors, 4)
    assert desk.store.chunks([hit.chunk_id], 1)[hit.chunk_id].document_id == "returns/deadline.md"


def test_only_the_newest_generations_are_kept(desk: Desk) -> None:
    for number in range(KEPT_GENERATIONS + 2):
        desk.write("changing.md", f"Number {number}.")
        desk.ingest()
    kept = sorted(path.name for path in desk.store.generation_folder(0).parent.iterdir())
    assert kept == [f"{number:06d}" for number in range(3, KEPT_GENERATIONS + 3)]


def test_two_at_once(desk: Desk) -> None:
    with writer_lock(desk.settings.knowledge_dir), pytest.raises(IngestRunning, match="pid"):
        desk.ingest()


def test_nothing_to_ingest(desk: Desk, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(NothingToIngest, match="empty"):
        desk.ingest(empty)
    with pytest.raises(SourceMissing, match="nowhere"):
        desk.ingest(tmp_path / "nowhere")
    assert not desk.settings.knowledge_dir.exists()
    (empty / "a.md").write_text(" ")
    with pytest.raises(NothingToIngest):
        desk.ingest(empty)
    assert [progress.failure.details["reason"] for progress in desk.progress if progress.failure] == ["empty"]
    with pytest.raises(KnowledgeBaseMissing):
        ingest([], desk.settings, desk.embedder, IngestOptions(rebuild=True), reader=desk.reader)


def test_an_empty_folder_does_not_prune_what_was_there(desk: Desk) -> None:
    desk.ingest()
    shutil.rmtree(desk.manual)
    desk.manual.mkdir()
    with pytest.raises(NothingToIngest):
        desk.ingest(prune=True)
    assert len(desk.documents()) == 4


def test_a_moved_file_takes_its_document_along(desk: Desk) -> None:
    desk.ingest()
    (desk.manual / "archive").mkdir()
    (desk.manual / "returns/deadline.md").rename(desk.manual / "archive/deadline.md")
    summary = desk.ingest()
    assert (summary.moved, summary.added, summary.missing, summary.retired) == (1, 0, 0, 0)
    assert (summary.embedded, desk.embedder.embedded) == (0, [])
    assert sorted(desk.documents()) == ["archive/deadline.md", "q1", "q2", "运费.txt"]


def test_a_copy_is_no_move(desk: Desk) -> None:
    desk.ingest()
    desk.write("copy.md", (desk.manual / "returns/deadline.md").read_text())
    summary = desk.ingest()
    assert (summary.moved, summary.added, summary.documents) == (0, 1, 5)


def test_a_document_that_takes_too_long_to_cut_is_left_out_and_the_others_go_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.write("slow.txt", LONG)
    cut = pipeline.chunk_document

    def slow(document: Document, *arguments: Any, **options: Any) -> tuple[Chunk, ...]:
        options["timeout_seconds"] = 1e-9 if document.path.endswith("slow.txt") else options["timeout_seconds"]
        return cut(document, *arguments, **options)

    monkeypatch.setattr(pipeline, "chunk_document", slow)
    summary = desk.ingest()
    assert [failure.details["reason"] for failure in summary.failures] == ["cut_too_slow"]
    assert (summary.added, summary.documents) == (4, 4)
    monkeypatch.undo()
    assert desk.ingest().added == 1  # it is tried again
