"""Installs Ollama: an existing one, else the official release, else a build from source.

The release is not unpacked by ``tarfile``'s own extraction: its filters came with Python 3.11.4 and let links lead
outside until 3.11.13 (CVE-2025-4517, CVE-2025-4330).  Here no file is written through a link, because links are made
after all files.
"""

import json
import os
import platform
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import zstandard

from rag.errors import DownloadFailed
from rag.ollama.hardware import gpu_memory_bytes
from rag.ollama.install import (
    OLLAMA_VERSION,
    RECORD_NAME,
    built_folder,
    cpu_variant,
    installed_folder,
    ollama_on_path,
    release_folder,
)
from rag.ollama.server import is_local, status
from rag.settings import Settings
from rag.setup.console import Console, Outcome
from rag.setup.download import Source, fetch, verify
from rag.setup.ollama_build import build_ollama

_NAME = "Ollama"
RELEASE_PAGE = f"https://github.com/ollama/ollama/releases/download/v{OLLAMA_VERSION}"
SHA256 = {
    ("0.24.0", "ollama-linux-amd64.tar.zst"): "15c5f8d66ba06e0d3b4719df8868612dbd66e14e82760929bb3552e1657cdcdb",
    ("0.24.0", "ollama-linux-arm64.tar.zst"): "6e9a3ce5f64e93312902e39c420ec336255f078a368ca25e99b339d08a6dfa4b",
    ("0.24.0", "ollama-darwin.tgz"): "e6d5e8b4bc0cb2a35ff7901c58d81ca2170403a819c4726f58798155fa682e38",
}
"""Of the archives of a version: those of its sha256sum.txt, as several public projects had pinned them by 2026-11.

A sum that is fetched from the same page as the archive would only prove that the download was whole.
"""

_ARCHIVES = {
    ("Linux", "x86_64"): "ollama-linux-amd64.tar.zst",
    ("Linux", "aarch64"): "ollama-linux-arm64.tar.zst",
    ("Darwin", "x86_64"): "ollama-darwin.tgz",
    ("Darwin", "arm64"): "ollama-darwin.tgz",
}
_GPU_FOLDERS = ("cuda", "vulkan", "rocm")

_READ_BY_ALL, _RUN_BY_ALL = 0o644, 0o755  # the process's mask takes from these


def provide_ollama(settings: Settings, console: Console) -> Outcome:
    """Make sure that there is an Ollama to talk to or to start.

    Raises ``ToolMissing``, ``DownloadFailed`` or ``BuildFailed``.
    """
    if len(settings.ollama_urls) > 1 or not is_local(settings.ollama_url):  # used as they are, also one that is down
        return Outcome(_NAME, "adopted", {"url": ", ".join(settings.ollama_urls)})
    found = status(settings)
    if found.running and not found.managed:
        return Outcome(_NAME, "adopted", {"url": found.url})
    own = ollama_on_path()
    if own is not None:
        return Outcome(_NAME, "on_path", {"path": own})
    if any(installed_folder(folder(settings)) for folder in (release_folder, built_folder)):
        return Outcome(_NAME, "here")
    try:
        install_release(settings, console)
    except DownloadFailed as error:
        why = error.reason_text(console.language)
        console.note("gave_up", who=console.words("releases"), why=why, next=console.words("source"))
    else:
        return Outcome(_NAME, "release")
    build_ollama(settings, console)
    return Outcome(_NAME, "built", {"variant": cpu_variant()})


def install_release(settings: Settings, console: Console, *, page: str = RELEASE_PAGE) -> Path:
    """Install into the cache folder of ``rag.ollama.install.release_folder`` and return that folder.

    A page out of reach is given up within seconds, and a version whose sums are not in this module is not fetched.
    One process at a time.  Raises ``DownloadFailed`` or ``ChecksumMismatch``.
    """
    archive_name = _archive_name(platform.system(), platform.machine())
    sha256 = SHA256.get((OLLAMA_VERSION, archive_name))
    if sha256 is None:
        raise DownloadFailed(what=archive_name, reason="unpinned", remedy="again")
    folder = release_folder(settings)
    archive = settings.cache_dir / "downloads" / f"{OLLAMA_VERSION}-{archive_name}"
    if archive.is_file():
        verify(archive, sha256, archive_name)  # an older version of this program kept what another sum was right for
    else:
        with console.progress("downloading", archive_name) as update:
            fetch(Source(f"{page}/{archive_name}", archive_name, sha256), archive, update=update)
    _unpack_release(archive, folder)
    archive.unlink()
    return folder


def _archive_name(system: str, machine: str) -> str:
    name = _ARCHIVES.get((system, machine))
    if name is None:
        raise DownloadFailed(what="Ollama", reason="unsupported", remedy="again")
    return name


def _unpack_release(archive: Path, folder: Path) -> None:
    """Unpack beside the folder and rename.  Libraries for a GPU that is not there, gigabytes of them, are left out."""
    partial = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with_gpu = gpu_memory_bytes() > 0
    with _open_tar(archive) as tar:
        unpack(tar, partial, lambda member: with_gpu or not _is_for_gpu(member))
    binary = next((name for name in ("bin/ollama", "ollama") if (partial / name).is_file()), None)
    if binary is None:
        archive.unlink()
        raise DownloadFailed(what=archive.name, reason="broken", remedy="again")
    record = {"binary": binary, "version": OLLAMA_VERSION, "release": True}
    (partial / RECORD_NAME).write_text(json.dumps(record, indent=1), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def _is_for_gpu(member: str) -> bool:
    return any(part.startswith(_GPU_FOLDERS) for part in Path(member).parts)


@contextmanager
def _open_tar(archive: Path) -> Iterator[tarfile.TarFile]:
    """Open an archive that gzip or Zstandard has compressed, to be read once.  Raises ``DownloadFailed`` if broken."""
    try:
        with archive.open("rb") as file:
            if archive.suffix == ".zst":
                with tarfile.open(fileobj=zstandard.ZstdDecompressor().stream_reader(file), mode="r|") as tar:
                    yield tar
            else:
                with tarfile.open(fileobj=file, mode="r|gz") as tar:
                    yield tar
    except (tarfile.TarError, zstandard.ZstdError, EOFError) as error:
        archive.unlink()
        raise DownloadFailed(what=archive.name, reason="broken", remedy="again") from error


def unpack(tar: tarfile.TarFile, folder: Path, wanted: Callable[[str], bool] = lambda name: True) -> None:
    """Write the wanted members below ``folder``, which is empty; ``tar`` may be a stream.

    Files, folders, and links to wanted members; of the rights, whether a file can be run.  Raises ``tarfile.TarError``
    for anything else: a name or a link that leads outside or through a link, a device, a name that comes twice.
    """
    try:
        _write_members(tar, folder, wanted)
    except (FileExistsError, NotADirectoryError) as error:
        raise tarfile.TarError(f"{error.filename}: there twice") from error


def _write_members(tar: tarfile.TarFile, folder: Path, wanted: Callable[[str], bool]) -> None:
    links: dict[PurePosixPath, PurePosixPath] = {}
    for member in tar:
        if not wanted(member.name):
            continue
        name = _inner_path(PurePosixPath(member.name), member)
        if member.isdir():
            (folder / name).mkdir(parents=True, exist_ok=True)
        elif member.isreg():
            _write(tar, member, folder / name)
        elif member.islnk():
            _copy(folder / _inner_path(PurePosixPath(member.linkname), member), folder / name, member)
        elif member.issym() and name not in links:
            links[name] = _inner_path(name.parent / member.linkname, member)
        else:
            raise tarfile.TarError(f"{member.name}: neither file, folder nor link, or there twice")
    for name, target in links.items():
        if not links.keys().isdisjoint([*name.parents, *target.parents]):
            raise tarfile.TarError(f"{name}: a link through a link")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(os.path.relpath(target, name.parent))


def _inner_path(path: PurePosixPath, member: tarfile.TarInfo) -> PurePosixPath:
    """Return a path below the archive's root without its ``..``, which no link precedes."""
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            if not parts:
                raise tarfile.TarError(f"{member.name}: leads outside")
            parts.pop()
        else:
            parts.append(part)
    if path.is_absolute() or (not parts and not member.isdir()) or "\0" in str(path):
        raise tarfile.TarError(f"{member.name}: no name of a member")
    return PurePosixPath(*parts)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    content = tar.extractfile(member)
    assert content is not None  # it is a regular file
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = _RUN_BY_ALL if member.mode & 0o100 else _READ_BY_ALL
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with content, os.fdopen(os.open(path, flags, mode), "wb") as file:
        shutil.copyfileobj(content, file)


def _copy(source: Path, path: Path, member: tarfile.TarInfo) -> None:
    """Copy the file of a hard link, which precedes it in the archive."""
    if not source.is_file():
        raise tarfile.TarError(f"{member.name}: a link to what is not there")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(exist_ok=False)
    shutil.copy2(source, path)
