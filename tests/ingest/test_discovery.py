"""Which files are found below the paths that were given."""

import os
import socket
from pathlib import Path

import pytest

from ingest.discovery import Discovery, discover
from rag.errors import SourceMissing


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")


def ids(discovery: Discovery) -> list[str]:
    return [file.document_id for file in discovery.files]


def test_files_come_in_order_and_other_kinds_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, "b.md", "a/z.TXT", "a/b.pdf", "logo.svg", ".git/x.md", "a/.hidden.md", "Makefile")
    discovery = discover([tmp_path])
    assert ids(discovery) == ["a/b.pdf", "a/z.TXT", "b.md"]
    assert [path.name for path in discovery.unsupported] == ["Makefile", "logo.svg"]
    assert discovery.unreadable == ()


def test_a_file_that_is_named_is_meant_whatever_its_kind(tmp_path: Path) -> None:
    write(tmp_path, "a.mp4", "b.md")
    discovery = discover([tmp_path / "a.mp4"])
    assert ids(discovery) == ["a.mp4"]
    assert discovery.covers(tmp_path / "a.mp4")
    assert not discovery.covers(tmp_path / "b.md")


def test_a_file_that_is_reached_twice_is_listed_once(tmp_path: Path) -> None:
    write(tmp_path, "a/b/c.md")
    assert ids(discover([tmp_path, tmp_path / "a", tmp_path / "a/b/c.md", tmp_path / "a/../a"])) == ["a/b/c.md"]


def test_links_are_followed_but_never_round_and_round(tmp_path: Path) -> None:
    manual, elsewhere = tmp_path / "manual", tmp_path / "elsewhere"
    write(manual, "z/real.md")
    write(elsewhere, "far.md")
    (manual / "a-link.md").symlink_to(manual / "z/real.md")
    (manual / "b-folder").symlink_to(manual / "z")
    (manual / "c-out").symlink_to(elsewhere)
    (manual / "z/up").symlink_to(manual)
    (manual / "broken.md").symlink_to(manual / "nowhere.md")
    discovery = discover([manual], follow_links=True)
    assert ids(discovery) == ["c-out/far.md", "z/real.md"]
    assert discovery.links_out == ()
    assert [(failure.details["path"], failure.details["reason"]) for failure in discovery.unreadable] == [
        (str(manual / "broken.md"), "dangling"),
        (str(manual / "z/up"), "loop"),
    ]


def test_links_that_lead_out_are_left_out_and_named(tmp_path: Path) -> None:
    manual, elsewhere = tmp_path / "manual", tmp_path / "elsewhere"
    write(manual, "real.md")
    write(elsewhere, "credentials.txt", "deep/keys.md")
    (manual / "inside.md").symlink_to(manual / "real.md")
    (manual / "notes.txt").symlink_to("../elsewhere/credentials.txt")
    (manual / "folder").symlink_to(elsewhere)
    (manual / "nothing.md").symlink_to(elsewhere / "nothing.md")
    discovery = discover([manual])
    assert ids(discovery) == ["real.md"]
    assert [path.name for path in discovery.links_out] == ["folder", "notes.txt", "nothing.md"]
    assert (discovery.unreadable, discovery.unsupported) == ((), ())
    both = discover([manual, elsewhere])
    assert sorted(file.path.name for file in both.files) == ["credentials.txt", "keys.md", "real.md"]
    assert [path.name for path in both.links_out] == [], "they lead to what was given, too"
    assert discover([manual / "notes.txt"]).files, "a link that is named itself is meant"


def test_a_folder_that_becomes_a_link_while_it_is_listed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manual, elsewhere = tmp_path / "manual", tmp_path / "elsewhere"
    write(manual, "a/x.md")
    write(elsewhere, "x.md")
    original = os.scandir

    def swap(folder: Path) -> object:
        if Path(folder).name == "a":
            (manual / "a/x.md").unlink()
            (manual / "a").rmdir()
            (manual / "a").symlink_to(elsewhere)
        return original(folder)

    monkeypatch.setattr("os.scandir", swap)
    discovery = discover([manual])
    assert (discovery.files, discovery.links_out) == ((), (manual / "a/x.md",))


def test_a_folder_that_cannot_be_listed_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise PermissionError(13, "refused")

    monkeypatch.setattr("os.scandir", refuse)
    (failure,) = discover([tmp_path]).unreadable
    assert failure.details["reason"] == "permission"


def test_a_path_that_does_not_exist(tmp_path: Path) -> None:
    (tmp_path / "round").symlink_to(tmp_path / "round")
    for name in ("nowhere", "round"):
        with pytest.raises(SourceMissing, match=name):
            discover([tmp_path, tmp_path / name])


def test_the_scope_is_what_was_given(tmp_path: Path) -> None:
    write(tmp_path, "a/x.md", "ab/y.md")
    discovery = discover([tmp_path / "a"])
    assert discovery.covers(tmp_path / "a/gone.md")
    assert not discovery.covers(tmp_path / "ab/y.md")


def test_what_is_no_file_is_said_and_never_opened(tmp_path: Path) -> None:
    write(tmp_path, "good.md")
    (tmp_path / "broken.md").symlink_to("nowhere.md")
    (tmp_path / "loop-a.md").symlink_to("loop-b.md")
    (tmp_path / "loop-b.md").symlink_to("loop-a.md")
    (tmp_path / "endless.txt").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.md")
    os.mkfifo(tmp_path / "pipe.unknown")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "socket.md"))  # the absolute path may be too long for a socket
    (tmp_path / os.fsdecode("退货.md".encode("gbk"))).write_text("x")
    assert discover([tmp_path]).links_out == (tmp_path / "endless.txt",)
    discovery = discover([tmp_path], follow_links=True)
    assert ids(discovery) == ["good.md"]
    assert [path.name for path in discovery.unsupported] == ["pipe.unknown"]
    reasons = {Path(str(one.details["path"])).name: one.details["reason"] for one in discovery.unreadable}
    assert reasons.pop(os.fsdecode("退货.md".encode("gbk"))) == "name"
    assert reasons == {
        "broken.md": "dangling",
        "loop-a.md": "loop",
        "loop-b.md": "loop",
        "endless.txt": "no_file",
        "pipe.md": "no_file",
        "socket.md": "no_file",
    }
    assert [one.details["reason"] for one in discover([tmp_path / "pipe.md"]).unreadable] == ["no_file"]
