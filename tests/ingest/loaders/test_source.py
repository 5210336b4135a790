"""The file that is read is the one that discovery saw, whatever is put in its place meanwhile."""

import os
from pathlib import Path

import pytest

from ingest.discovery import discover
from ingest.loaders.source import Limits, SourceFile, open_file, read_file
from rag.errors import DocumentUnreadable

LIMITS = Limits(100)


def seen(manual: Path) -> SourceFile:
    (source,) = discover([manual]).files
    return source


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def reason(source: SourceFile) -> str:
    with pytest.raises(DocumentUnreadable) as found:
        os.close(open_file(source, LIMITS))
    return str(found.value.details["reason"])


@pytest.fixture
def manual(tmp_path: Path) -> Path:
    (tmp_path / "manual/a").mkdir(parents=True)
    (tmp_path / "manual/a/x.md").write_text("ours")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/x.md").write_text("secret")
    return tmp_path / "manual"


def test_a_file_that_was_replaced_by_a_link_is_not_opened(manual: Path) -> None:
    source = seen(manual)
    (manual / "a/x.md").unlink()
    (manual / "a/x.md").symlink_to("../../elsewhere/x.md")
    assert reason(source) == "replaced"


def test_nor_is_one_below_a_folder_that_was_replaced(manual: Path) -> None:
    source = seen(manual)
    (manual / "a").rename(manual / "b")
    (manual / "a").symlink_to("../elsewhere")
    assert (manual / "a/x.md").read_text() == "secret"
    assert reason(source) == "replaced"


def test_a_link_to_a_file_of_the_folder_is_read_under_its_own_name(manual: Path) -> None:
    (manual / "link").symlink_to("a")
    (manual / "a/x.md").rename(manual / "a/y.txt")
    (manual / "z.md").symlink_to("link/y.txt")
    source = seen(manual)
    assert source.document_id == "a/y.txt"
    descriptor = open_file(source, LIMITS)
    assert [read_file(source, descriptor, LIMITS) for _ in range(2)] == [b"ours", b"ours"], "from its beginning"
    os.close(descriptor)


def test_the_limit_holds_for_what_is_open(manual: Path) -> None:
    source = seen(manual)
    (manual / "a/x.md").write_text("x" * 101)
    assert reason(source) == "too_large"
    (manual / "a/x.md").write_text("x" * 100)
    descriptor = open_file(source, LIMITS)
    with (manual / "a/x.md").open("a") as file:
        file.write("x")
    with pytest.raises(DocumentUnreadable) as found:
        read_file(source, descriptor, LIMITS)
    os.close(descriptor)
    assert found.value.details["reason"] == "too_large"


def test_no_descriptor_is_left_open(manual: Path) -> None:
    before = descriptors()
    source = seen(manual)
    os.close(open_file(source, LIMITS))
    (manual / "a/x.md").write_text("x" * 101)
    reason(source)
    (manual / "a/x.md").unlink()
    assert reason(source) == "gone"
    os.mkfifo(manual / "a/x.md")
    assert reason(source) == "unsupported"
    assert descriptors() == before
