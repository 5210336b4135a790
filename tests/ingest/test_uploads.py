"""Uploads: names that are safe, states that can be taken back."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.discovery import discover
from ingest.uploads import Upload, Uploads, safe_name
from rag.errors import UploadUnusable


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "uploads")


def test_a_file_waits_until_it_is_published(uploads: Uploads) -> None:
    assert uploads.waiting() == ()
    path = uploads.keep("退货.md", b"# One")
    assert path.read_bytes() == b"# One"
    assert uploads.waiting() == (Upload("退货.md", 5, replaces=False),)
    assert uploads.paths() == (path,)
    uploads.settle(["退货.md"])
    assert uploads.waiting() == ()
    assert path.is_file()
    assert Uploads(uploads.folder).waiting() == ()


def test_taking_back_brings_the_published_state_again(uploads: Uploads) -> None:
    uploads.keep("a.md", b"one")
    uploads.settle(["a.md"])
    uploads.keep("a.md", b"two")
    uploads.keep("a.md", b"three")
    uploads.keep("b.md", b"new")
    assert [upload.replaces for upload in uploads.waiting()] == [True, False]
    uploads.discard(["a.md", "b.md", "never.md"])
    assert uploads.waiting() == ()
    assert (uploads.folder / "a.md").read_bytes() == b"one"
    assert not (uploads.folder / "b.md").exists()


def test_the_own_bookkeeping_is_never_read_as_a_document(uploads: Uploads) -> None:
    uploads.keep("a.md", b"one")
    uploads.settle(["a.md"])
    uploads.keep("a.md", b"two")
    assert [file.path.name for file in discover([uploads.folder]).files] == ["a.md"]


def test_a_damaged_list_means_that_nothing_waits(uploads: Uploads) -> None:
    uploads.keep("a.md", b"one")
    (uploads.folder / ".waiting.json").write_text("[1")
    assert uploads.waiting() == ()
    assert (uploads.folder / "a.md").is_file()


@pytest.mark.parametrize("name", ["", "...", "  ", "/", "._.", "a." + "x" * 300])
def test_names_of_which_nothing_is_left_are_refused(name: str) -> None:
    with pytest.raises(UploadUnusable):
        safe_name(name)


@pytest.mark.slow
@given(st.text(max_size=300))
def test_any_name_stays_in_its_folder(name: str) -> None:
    try:
        safe = safe_name(name)
    except UploadUnusable:
        return
    folder = Path("/uploads")
    assert (folder / safe).resolve().parent == folder
    assert not safe.startswith(".")
    assert 0 < len(safe.encode()) <= 200
    assert safe_name(safe) == safe


def test_a_name_that_turns_its_direction_round_is_shown_as_it_is() -> None:
    assert safe_name("invoice\u202efdp.m\u200bd") == "invoicefdp.md"
    assert safe_name("👩\u200d🔧 repairs.md") == "👩\u200d🔧 repairs.md"
