"""What is told about files that nobody can read."""

import errno
import os
from pathlib import Path

import pytest

from ingest.loaders.registry import is_supported, load
from ingest.loaders.source import Limits
from rag.errors import DocumentUnreadable
from tests.ingest.loaders.loading import reason


def told(path: Path, root: Path, limit: int = 1000) -> str:
    (found,) = load(path, root, Limits(limit))
    assert isinstance(found, DocumentUnreadable)
    return str(found.details["reason"])


@pytest.mark.parametrize("name", ["a.exe", "a.mp4", "a", "a.key", ".md"])
def test_other_kinds_are_unsupported(tmp_path: Path, name: str) -> None:
    assert not is_supported(Path(name))
    assert reason(tmp_path, name, "x") == "unsupported"


def test_endings_may_be_in_capitals() -> None:
    assert is_supported(Path("LIESMICH.MD"))


def test_too_large_gone_a_pipe_and_a_link_to_itself(tmp_path: Path) -> None:
    large = tmp_path / "large.txt"
    large.write_text("x" * 1001)
    pipe = tmp_path / "pipe.txt"
    os.mkfifo(pipe)
    loop = tmp_path / "loop.txt"
    loop.symlink_to(loop)
    assert told(large, tmp_path) == "too_large"
    assert told(tmp_path / "gone.txt", tmp_path) == "gone"
    assert told(pipe, tmp_path) == "unsupported"
    assert told(loop, tmp_path) == "loop"


@pytest.mark.parametrize(
    ("number", "said"), [(errno.EACCES, "permission"), (errno.EIO, "device"), (errno.ENOENT, "gone")]
)
def test_what_the_file_system_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text("x")

    def refuse(*_: object) -> None:
        raise OSError(number, "refused")

    monkeypatch.setattr("os.open", refuse)
    assert told(path, tmp_path) == said
