"""Which files are meant by the paths that were given."""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.loaders.registry import is_supported
from ingest.loaders.source import SourceFile
from rag.errors import DocumentUnreadable, NothingToIngest, SourceMissing
from rag.storage.store import DATABASE_NAME

_OWN_DATABASES = frozenset({DATABASE_NAME, "turns.db"})


@dataclass(frozen=True, slots=True)
class Discovery:
    """``files`` in the order of their paths, each once; ``unsupported`` are left out for their kind.

    ``scope`` are the given folders and files, absolute: what is below them and was not found is gone.
    """

    files: tuple[SourceFile, ...]
    unsupported: tuple[Path, ...]
    unreadable: tuple[DocumentUnreadable, ...]
    scope: tuple[Path, ...]

    def covers(self, path: Path) -> bool:
        """Tell whether a path is one of the scope's, or below one of its folders."""
        return any(path == place or place in path.parents for place in self.scope)


def discover(paths: Sequence[Path]) -> Discovery:
    """Walk the folders and list the files.  Raises ``SourceMissing`` for a path that does not exist.

    Names that begin with a point are passed over, and so are the folders in which the product keeps its own data.
    Links are followed; a file that can be reached twice is listed under the place that is no link.  A file that is
    named itself is listed whatever its kind is: it was meant.
    """
    found: dict[Path, SourceFile] = {}
    unsupported: list[Path] = []
    unreadable: list[DocumentUnreadable] = []
    scope: list[Path] = []
    for place in places(paths):
        scope.append(place)
        is_folder = place.is_dir()
        root = place if is_folder else place.parent
        for item in _walk(place) if is_folder else [SourceFile(place, root)]:
            if isinstance(item, DocumentUnreadable):
                unreadable.append(item)
            elif is_folder and not is_supported(item.path):
                unsupported.append(item.path)
            elif reason := _why_no_file(item.path):
                unreadable.append(item.unreadable(reason))
            else:
                found.setdefault(Path(os.path.realpath(item.path)), item)
    files = tuple(sorted(found.values(), key=lambda file: file.path))
    return Discovery(files, tuple(unsupported), tuple(unreadable), tuple(scope))


def places(paths: Sequence[Path]) -> list[Path]:
    """Return the paths as absolute ones without links.  Raises ``SourceMissing`` for one that does not exist."""
    found: list[Path] = []
    for path in paths:
        try:
            found.append(path.expanduser().resolve(strict=True))
        except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
            raise SourceMissing(path=path) from error
    return found


def nothing_in(paths: Sequence[Path]) -> NothingToIngest:
    """Make the error for paths without anything readable."""
    return NothingToIngest(path=", ".join(str(path) for path in paths))


def _walk(root: Path) -> Iterator[SourceFile | DocumentUnreadable]:
    """Yield the files below a folder; links come last, so that what they point at is met at its own place first."""
    links: list[Path] = []
    visited: set[Path] = set()
    folders = [root]
    while folders or links:
        if folders:
            folder = folders.pop()
        elif (folder := links.pop(0)).is_dir():
            if _leads_back(folder):
                yield SourceFile(folder, root).unreadable("loop")
                continue
        else:
            yield SourceFile(folder, root)
            continue
        if folder.resolve() in visited:
            continue
        visited.add(folder.resolve())
        yield from _files_of(folder, root, folders, links)


def _why_no_file(path: Path) -> str:
    """Return why there is nothing to read at a path, a key of ``DocumentUnreadable.REASONS``; empty for a file.

    Reading a pipe would wait for whoever writes to it, and reading a device would never end.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return "name"
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "loop"
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return "dangling" if path.is_symlink() else "gone"
        return "permission" if error.errno == errno.EACCES else "device"
    return "" if stat.S_ISREG(mode) else "no_file"


def _leads_back(link: Path) -> bool:
    target, place = link.resolve(), link.parent.resolve()
    return target == place or target in place.parents


def _files_of(
    folder: Path, root: Path, folders: list[Path], links: list[Path]
) -> Iterator[SourceFile | DocumentUnreadable]:
    """Yield one folder's files; its folders and links are put on the lists of what is to be visited."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield SourceFile(folder, root).unreadable("permission" if error.errno == errno.EACCES else "device")
        return
    if any(entry.name in _OWN_DATABASES for entry in entries):
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_symlink():
            links.append(Path(entry.path))
        elif entry.is_dir():
            folders.append(Path(entry.path))
        else:
            yield SourceFile(Path(entry.path), root)
