"""Files that nobody has written to are not read again, and every doubt leads to reading."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ingest import known_files
from ingest.difference import difference
from ingest.known_files import FileState, reader_version
from ingest.loaders.source import Limits, SourceFile
from ingest.publish import rollback
from ingest.reader import FileReader, KeepFigure
from rag.storage.store import StoredDocument
from tests.ingest.conftest import Desk

pytestmark = pytest.mark.slow


@pytest.fixture
def read_names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read, in their order; every file counts as written long ago."""
    monkeypatch.setattr(known_files, "_SETTLED_NS", -(10**18))
    names: list[str] = []
    original = FileReader.read

    def read(self: FileReader, source: SourceFile, keep_figure: KeepFigure | None = None) -> object:
        names.append(source.path.name)
        return original(self, source, keep_figure)

    monkeypatch.setattr(FileReader, "read", read)
    return names


def names_read_by(desk: Desk, read_names: list[str], *, reread: bool = False) -> list[str]:
    read_names.clear()
    desk.ingest(reread=reread)
    return sorted(read_names)


ALL = ["deadline.md", "faq.jsonl", "运费.txt"]


def test_what_is_unchanged_is_not_read(desk: Desk, read_names: list[str]) -> None:
    assert names_read_by(desk, read_names) == ALL
    summary = desk.ingest()
    assert (summary.unchanged, summary.added, summary.missing, summary.published) == (4, 0, 0, False)
    assert names_read_by(desk, read_names) == []
    assert names_read_by(desk, read_names, reread=True) == ALL


def test_a_change_of_the_same_size_and_time_is_seen(desk: Desk, read_names: list[str]) -> None:
    desk.ingest()
    path = desk.manual / "运费.txt"
    times = path.stat()
    path.write_text(path.read_text().replace("99", "88"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (times.st_size, times.st_mtime_ns)
    assert names_read_by(desk, read_names) == ["运费.txt"]
    assert "88" in desk.documents()["运费.txt"]


def test_a_file_that_took_the_place_of_another_is_seen(desk: Desk, read_names: list[str]) -> None:
    other = desk.write("other.tmp", "运费说明\n\n满 77 元免运费。")
    desk.ingest()
    other.replace(desk.manual / "运费.txt")
    assert names_read_by(desk, read_names) == ["运费.txt"]


def test_a_file_written_a_moment_ago_is_read_once_more(desk: Desk, read_names: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(known_files, "_SETTLED_NS", 3_600_000_000_000)
        desk.ingest()
        assert names_read_by(desk, read_names) == ALL
    assert names_read_by(desk, read_names) == ALL
    assert names_read_by(desk, read_names) == []


def test_what_failed_is_tried_again(desk: Desk, read_names: list[str]) -> None:
    desk.write("faq.jsonl", '{"id": "q1", "text": "We wrap it."}\n{"id": "q2", "te')
    assert len(desk.ingest().failures) == 1
    assert names_read_by(desk, read_names) == ["faq.jsonl"]
    assert len(desk.ingest().failures) == 1


def test_a_rollback_and_another_way_of_cutting_or_reading_lead_to_reading(desk: Desk, read_names: list[str]) -> None:
    desk.ingest()
    desk.write("运费.txt", "运费说明\n\n满 88 元免运费。")
    desk.ingest()
    rollback(desk.settings.knowledge_dir)
    assert "99" in desk.documents()["运费.txt"]
    assert names_read_by(desk, read_names) == ["运费.txt"]
    assert "88" in desk.documents()["运费.txt"]
    desk.settings = desk.settings.changed(chunk_tokens=64)
    assert names_read_by(desk, read_names) == ALL
    desk.settings = desk.settings.changed(ocr_limit_pages=1)
    assert names_read_by(desk, read_names) == ALL
    assert names_read_by(desk, read_names) == []


def test_a_file_through_another_folder_is_read(desk: Desk, read_names: list[str]) -> None:
    desk.ingest()
    read_names.clear()
    assert desk.ingest(desk.manual / "returns").unchanged == 1
    assert read_names == ["deadline.md"]


def test_a_difference_reads_no_more_than_an_ingest(desk: Desk, read_names: list[str]) -> None:
    desk.ingest()
    desk.write("运费.txt", "运费说明\n\n满 88 元免运费。")
    read_names.clear()
    found = difference([desk.manual], desk.settings, reader=desk.reader)
    assert (found.changed, found.unchanged, found.missing, read_names) == (("运费.txt",), 3, (), ["运费.txt"])
    difference([desk.manual], desk.settings, reader=desk.reader, reread=True)
    assert len(read_names) == 4


def test_a_retired_document_comes_back_with_its_file(desk: Desk, read_names: list[str]) -> None:
    desk.ingest()
    path = desk.manual / "运费.txt"
    hidden = path.rename(desk.manual.parent / "away.txt")
    desk.ingest(prune=True)
    hidden.rename(path)
    assert desk.ingest().added == 1
    assert "运费.txt" in desk.documents()
    hidden = path.rename(desk.manual.parent / "away.txt")
    desk.ingest(prune=True)
    assert desk.store.rows("SELECT path FROM source_file WHERE path = ?", (str(path),)) == []


def test_a_fingerprint_changes_with_everything_it_stands_for(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("a")
    state = FileState.of(path)
    assert state is not None
    known = StoredDocument("a.md", str(tmp_path), "a.md", str(path), b"1" * 32, "1/128")
    source, reading = SourceFile(path, tmp_path), reader_version(Limits())
    same = state.fingerprint(source, reading, [known])
    assert same == state.fingerprint(source, reading, [known])
    others = [
        state.fingerprint(SourceFile(path, tmp_path.parent), reading, [known]),
        state.fingerprint(source, reader_version(Limits(passwords=("x",))), [known]),
        state.fingerprint(source, reading, []),
        state.fingerprint(source, reading, [replace(known, content_hash=b"2" * 32)]),
        state.fingerprint(source, reading, [replace(known, document_id="b.md")]),
        FileState(1, 1, 1, 1, is_settled=True).fingerprint(source, reading, [known]),
    ]
    assert len({same, *others}) == len(others) + 1


def test_a_file_that_is_gone_has_no_state(tmp_path: Path) -> None:
    assert FileState.of(tmp_path / "nowhere") is None
