"""Unpacks an archive into one folder, and never outside it.

Not by ``tarfile``'s own extraction: its filters came with Python 3.11.4 and let links lead outside until 3.11.13
(CVE-2025-4517, CVE-2025-4330).  Here no file is written through a link, because links are made after all files.
"""

import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

_READ_BY_ALL, _RUN_BY_ALL = 0o644, 0o755  # the process's mask takes from these


def unpack(tar: tarfile.TarFile, folder: Path, wanted: Callable[[str], bool] = lambda name: True) -> None:
    """Write the wanted members below ``folder``, which is empty; ``tar`` may be a stream.

    Files, folders, and links to wanted members; of the rights, whether a file can be run.  Raises ``tarfile.TarError``
    for anything else: a name or a link that leads outside or through a link, a device, a name that comes twice.
    """
    try:
        _unpack(tar, folder, wanted)
    except (FileExistsError, NotADirectoryError) as error:
        raise tarfile.TarError(f"{error.filename}: there twice") from error


def _unpack(tar: tarfile.TarFile, folder: Path, wanted: Callable[[str], bool]) -> None:
    links: dict[PurePosixPath, PurePosixPath] = {}
    for member in tar:
        if not wanted(member.name):
            continue
        name = _inside(PurePosixPath(member.name), member)
        if member.isdir():
            (folder / name).mkdir(parents=True, exist_ok=True)
        elif member.isreg():
            _write(tar, member, folder / name)
        elif member.islnk():
            _copy(folder / _inside(PurePosixPath(member.linkname), member), folder / name, member)
        elif member.issym() and name not in links:
            links[name] = _inside(name.parent / member.linkname, member)
        else:
            raise tarfile.TarError(f"{member.name}: neither file, folder nor link, or there twice")
    for name, target in links.items():
        if not links.keys().isdisjoint([*name.parents, *target.parents]):
            raise tarfile.TarError(f"{name}: a link through a link")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(os.path.relpath(target, name.parent))


def _inside(path: PurePosixPath, member: tarfile.TarInfo) -> PurePosixPath:
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
    """Copy what a hard link names, which stands before it in the archive."""
    if not source.is_file():
        raise tarfile.TarError(f"{member.name}: a link to what is not there")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(exist_ok=False)
    shutil.copy2(source, path)
