"""Small files: whole or not at all, and read again only where they have changed."""

import os
import threading
from pathlib import Path

import pytest

from rag import files
from rag.files import read_json, write_whole


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_exchanged_as_a_whole_and_nothing_else_stays(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "规则.json"
    for content in ("[1]", b"[1, 2]", memoryview(b"{}")):
        write_whole(path, content, durable=durable)
    assert path.read_text(encoding="utf-8") == "{}"
    assert [found.name for found in path.parent.iterdir()] == ["规则.json"]


def test_a_disk_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    write_whole(path, "[1]")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "[2]", durable=True)
    assert path.read_text(encoding="utf-8") == "[1]"
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_as_long_as_names_may_be_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / f"{'条' * 83}.json"  # 254 bytes of 255
    write_whole(path, "[]")
    assert read_json(path) == []


def test_a_file_is_parsed_once_and_again_when_it_is_another(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_whole(path, '{"a": 1}')
    first = read_json(path)
    assert first == {"a": 1}
    assert read_json(path) is first
    write_whole(path, '{"a": 2}')  # as long as before, and perhaps within the same tick of the clock
    assert read_json(path) == {"a": 2}


def test_what_is_missing_and_what_is_no_json_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "none.json")
    write_whole(tmp_path / "a.json", "{")
    with pytest.raises(ValueError, match="Expecting"):
        read_json(tmp_path / "a.json")


def test_another_process_writes_beside_and_not_over_the_unfinished_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    replace = Path.replace

    def watch(self: Path, target: Path) -> Path:
        seen.append(self.name)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watch)
    write_whole(tmp_path / "a.json", "[]")
    assert seen == [f".a.json.{os.getpid()}.{threading.get_ident()}.part"]
