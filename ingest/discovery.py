"""Finds the files below the paths of an ingest."""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.loaders.registry import is_supported
from ingest.loaders.source import SourceFile
from rag.errors import DocumentUnreadable, NothingToIngest, SourceMissing
from rag.storage.store import DATABASE_NAME

_OWN_DATABASES = frozenset({DATABASE_NAME, "turns.db"})


@dataclass(frozen=True, slots=True)
class Discovery:
    """``files`` in the order of their paths, each once.

    ``unsupported`` files are left out for their kind, ``links_out`` because they lead out of the given paths.
    ``scope`` holds the given folders and files, absolute: a known document below them that was not found is gone.
    """

    files: tuple[SourceFile, ...]
    unsupported: tuple[Path, ...]
    unreadable: tuple[DocumentUnreadable, ...]
    scope: tuple[Path, ...]
    links_out: tuple[Path, ...] = ()

    def covers(self, path: Path) -> bool:
        """Tell whether a path is in the scope, or below one of its folders."""
        return _is_below(path, self.scope)


def discover(paths: Sequence[Path], *, follow_links: bool = False) -> Discovery:
    """Walk the folders and list the files.  Raises ``SourceMissing`` for a path that does not exist.

    Hidden names and the product's own data folders are skipped.  Links are followed only to places below the given
    paths, unless ``follow_links`` is set: otherwise anyone who can write into a folder could choose which files of this
    machine are read.  Hard links cannot be detected.  A file that is reached twice is listed under the place that is no
    link.  A file given by name is listed whatever its kind.
    """
    found: dict[Path, SourceFile] = {}
    links_out: list[Path] = []
    unsupported: list[Path] = []
    unreadable: list[DocumentUnreadable] = []
    scope = places(paths)
    for place in scope:
        is_folder = place.is_dir()
        root = place if is_folder else place.parent
        for item in _walk(place, None if follow_links else scope) if is_folder else [SourceFile(place, root)]:
            if isinstance(item, DocumentUnreadable):
                unreadable.append(item)
                continue
            lies_at = Path(os.path.realpath(item.path))
            if not (follow_links or _is_below(lies_at, scope)):  # whether it or a folder on the way is the link
                links_out.append(item.path)
            elif is_folder and not is_supported(item.path):
                unsupported.append(item.path)
            elif reason := _unreadable_reason(item.path):
                unreadable.append(item.unreadable(reason))
            else:
                found.setdefault(lies_at, replace(item, place=lies_at))
    files = tuple(sorted(found.values(), key=lambda file: file.path))
    return Discovery(files, tuple(unsupported), tuple(unreadable), tuple(scope), tuple(links_out))


def places(paths: Sequence[Path]) -> list[Path]:
    """Resolve the paths, links included.  Raises ``SourceMissing`` for one that does not exist."""
    found: list[Path] = []
    for path in paths:
        try:
            found.append(path.expanduser().resolve(strict=True))
        except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
            raise SourceMissing(path=path) from error
    return found


def nothing_to_ingest(paths: Sequence[Path]) -> NothingToIngest:
    """Make the error for paths without anything readable."""
    return NothingToIngest(path=", ".join(str(path) for path in paths))


def _is_below(path: Path, places: Sequence[Path]) -> bool:
    return any(path == place or place in path.parents for place in places)


def _walk(root: Path, within: Sequence[Path] | None) -> Iterator[SourceFile | DocumentUnreadable]:
    """Yield the files below a folder; links come last, so that their targets are found at their own places first.

    A link that leads out of all of ``within`` is yielded itself, even where it points to a folder.
    """
    links: list[Path] = []
    visited: set[Path] = set()
    folders = [root]
    while folders or links:
        if folders:
            folder = folders.pop()
        else:
            folder = links.pop(0)
            leads_out = within is not None and not _is_below(Path(os.path.realpath(folder)), within)
            if leads_out or not folder.is_dir():
                yield SourceFile(folder, root)
                continue
            if _is_circular(folder):
                yield SourceFile(folder, root).unreadable("loop")
                continue
        if folder.resolve() in visited:
            continue
        visited.add(folder.resolve())
        yield from _files_of(folder, root, folders, links)


def _unreadable_reason(path: Path) -> str:
    """Return the reason for ``DocumentUnreadable`` if a path is no readable file, else an empty string.

    Reading a pipe would wait for its writer, and reading a device would never end.
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


def _is_circular(link: Path) -> bool:
    target, place = link.resolve(), link.parent.resolve()
    return target == place or target in place.parents


def _files_of(
    folder: Path, root: Path, folders: list[Path], links: list[Path]
) -> Iterator[SourceFile | DocumentUnreadable]:
    """Yield one folder's files; its folders and links are added to the lists of places to visit."""
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
