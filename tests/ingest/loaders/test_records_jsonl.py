"""JSONL: a document a row; a bad row costs itself only."""

import json
from pathlib import Path

from rag.errors import DocumentUnreadable
from rag.schema import Document
from tests.ingest.loaders.loading import load_all, load_one, reason


def test_rows_become_documents_and_bad_ones_are_named(tmp_path: Path) -> None:
    rows = [
        json.dumps(
            {"id": "q1", "title": "能退吗？", "text": "可以退。", "source": "https://x.example", "meta": {"a": 1}}
        ),
        "{not json",
        json.dumps({"id": 7, "text": "Seven.", "updated": "2026-01-02", "hot": True, "list": [1]}),
        json.dumps({"title": "no id", "text": "x"}),
        json.dumps({"question": "能修吗？", "answer": "能。"}),
        json.dumps({"id": "q1", "text": "again"}),
        json.dumps({"id": "q3", "text": "  "}),
        json.dumps(["q4"]),
        "[" * 100_000,
        "",
    ]
    found = load_all(tmp_path, "faq.jsonl", "\n".join(rows))
    first, second, titled, asked = [item for item in found if isinstance(item, Document)]
    assert (first.document_id, first.title, first.text, first.source) == (
        "q1",
        "能退吗？",
        "可以退。",
        "https://x.example",
    )
    assert first.metadata == {"meta.a": "1", "format": "jsonl"}
    assert (second.document_id, second.title, str(second.updated_on)) == ("7", "", "2026-01-02")
    assert second.metadata == {"hot": "true", "format": "jsonl"}
    assert (titled.document_id, titled.title, titled.text) == ("faq.jsonl!/no id", "no id", "x")
    assert (asked.document_id, asked.title, asked.text) == ("faq.jsonl!/能修吗？", "能修吗？", "能。")
    failures = [item.details for item in found if isinstance(item, DocumentUnreadable)]
    assert [(failure["reason"], failure["where"]) for failure in failures] == [
        ("row", "line 2"), ("duplicate", "line 6"), ("empty", "line 7"), ("row", "line 8"),
        ("row", "line 9"),
    ]  # fmt: skip
    assert failures[0]["path"] == str(tmp_path / "faq.jsonl")


def test_control_characters_and_halves_of_pairs_do_not_get_through(tmp_path: Path) -> None:
    row = json.dumps({"id": "a\x00", "text": "x\ud800y\x07z"})
    document = load_one(tmp_path, "a.jsonl", row)
    assert (document.document_id, document.text) == ("a", "xyz")


def test_an_empty_file(tmp_path: Path) -> None:
    assert reason(tmp_path, "a.jsonl", "\n\n") == "empty"
    assert reason(tmp_path, "b.jsonl", b"") == "empty"
