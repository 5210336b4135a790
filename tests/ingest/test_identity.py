"""Ids that stay, whichever way a document is found again; hashes that change with whatever a reader sees."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from ingest.identity import DocumentIds, content_hash
from ingest.loaders.source import SourceFile
from rag.schema import Document
from rag.storage.store import StoredDocument


def found(root: Path, name: str, row: str | None = None) -> tuple[Document, SourceFile]:
    """A document as its loader gives it, and its file, which is there."""
    source = SourceFile(root / name, root)
    source.path.parent.mkdir(parents=True, exist_ok=True)
    source.path.write_text("x")
    kind = "markdown" if row is None else "jsonl"
    return Document(row or name, str(source.path), "T", "text", "en", metadata={"format": kind}), source


def live(document: Document, document_id: str, root: Path) -> StoredDocument:
    return StoredDocument(document_id, str(root), document.document_id, document.path, b"?" * 32, "1/128")


def test_two_roots_with_the_same_names(tmp_path: Path) -> None:
    ids = DocumentIds({})
    assert ids.give(*found(tmp_path / "a/docs", "x/y.md")) == "x/y.md"
    assert ids.give(*found(tmp_path / "b/docs", "x/y.md")) == "docs/x/y.md"
    assert ids.give(*found(tmp_path / "c/docs", "x/y.md")) == "c/docs/x/y.md"
    assert ids.is_assigned("docs/x/y.md")
    assert not ids.is_assigned("y.md")


def test_rows_with_the_same_id_in_two_files(tmp_path: Path) -> None:
    ids = DocumentIds({})
    assert ids.give(*found(tmp_path, "en/faq.jsonl", "1")) == "1"
    assert ids.give(*found(tmp_path, "zh/faq.jsonl", "1")) == "faq.jsonl/1"
    assert ids.give(*found(tmp_path, "de/faq.jsonl", "1")) == "de/faq.jsonl/1"
    assert ids.give(*found(tmp_path, "1")) == f"{tmp_path.name}/1"


def test_a_row_that_calls_itself_like_another_file(tmp_path: Path) -> None:
    ids = DocumentIds({})
    document, source = found(tmp_path, "a.jsonl", "x")
    for name in ("x", "a.jsonl/x"):
        ids.give(*found(tmp_path / "other", "b.jsonl", name))
    assert ids.give(document, source) == f"{tmp_path.name}/a.jsonl/x"


def test_a_known_file_keeps_its_id_through_another_root(tmp_path: Path) -> None:
    document, _ = found(tmp_path, "zh/x.md")
    known = {"zh/x.md": live(document, "zh/x.md", tmp_path)}
    assert DocumentIds(known).give(*found(tmp_path / "zh", "x.md")) == "zh/x.md"
    assert DocumentIds(known).give(*found(tmp_path.parent, f"{tmp_path.name}/zh/x.md")) == "zh/x.md"


def test_rows_keep_their_ids_too(tmp_path: Path) -> None:
    row, _ = found(tmp_path, "en/faq.jsonl", "1")
    known = {"faq.jsonl/1": live(row, "faq.jsonl/1", tmp_path)}
    ids = DocumentIds(known)
    assert ids.give(*found(tmp_path / "en", "faq.jsonl", "1")) == "faq.jsonl/1"
    assert ids.give(*found(tmp_path / "en", "faq.jsonl", "2")) == "2"


def test_an_id_is_kept_for_its_file_while_that_is_there_and_follows_it_when_it_moves(tmp_path: Path) -> None:
    document, source = found(tmp_path / "old", "x.md")
    known = {"x.md": live(document, "x.md", tmp_path / "old")}
    assert DocumentIds(known).give(*found(tmp_path / "new", "x.md")) == "new/x.md"
    source.path.unlink()
    assert DocumentIds(known).give(*found(tmp_path / "new", "x.md")) == "x.md"


@pytest.mark.parametrize(
    "change",
    [
        {"title": "U"}, {"text": "other"}, {"language": "zh"}, {"source": "s"}, {"updated_on": date(2026, 1, 1)},
        {"audience": "internal"}, {"metadata": {"category": "fees"}}, {"path": "/b.md"}, {"document_id": "b.md"},
    ],
)  # fmt: skip
def test_every_field_counts(change: dict[str, object]) -> None:
    document = Document("a.md", "/a.md", "T", "text", "en")
    changed = replace(document, **change)  # type: ignore[arg-type]
    assert content_hash(changed) != content_hash(document)
    assert len(content_hash(changed)) == 32


def test_the_order_of_metadata_does_not_count() -> None:
    one = Document("a.md", "/a.md", "T", "text", "en", metadata={"a": "1", "b": "2"})
    assert content_hash(one) == content_hash(replace(one, metadata={"b": "2", "a": "1"}))
