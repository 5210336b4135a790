"""Keeps the product's files private to its user: customers' words, documents, users and their sessions.

Each program calls ``keep_files_private`` before anything else.  What it starts (Ollama, readers of files, ingests)
inherits the mask, and SQLite gives its -wal and -shm files the rights of the database.
"""

import os
import shlex
import stat
import sys
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from rag.errors import SettingsError, printable
from rag.settings import KEPT_NAME, load_settings
from rag.terminal import terminal_language
from rag.translate import translate

NO_RIGHTS_FOR_OTHERS = 0o077
"""The file mode creation mask: new folders get 0700, new files 0600."""

_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_OWN_ENTRIES = (
    "knowledge", "uploads", "runs", "serving", "sample", "benchmarks", "large-*", "turns.db*", "people.db*",
    "requests.db*", "erasure.key", KEPT_NAME, f".{KEPT_NAME}.*.part", f"{KEPT_NAME.removesuffix('.json')}.*.part",
)  # fmt: skip
"""The product's entries in its data folder, as patterns of names."""


def keep_files_private() -> None:
    """Make this process and its children write for their own user alone, and close open folders.

    What was open, or cannot be closed, is reported on standard error.  Settings that cannot be used are left to the
    command, which says so.
    """
    os.umask(NO_RIGHTS_FOR_OTHERS)
    try:
        settings = load_settings()
    except SettingsError:
        return
    told: dict[str, list[Path]] = {}
    for key, path in (*close_data_folder(settings.data_dir), *close_cache_folder(settings.cache_dir)):
        told.setdefault(key, []).append(path)
    for key, paths in told.items():
        sys.stderr.write(f"{_sentence(key, paths)}\n")


def _sentence(key: str, paths: Sequence[Path]) -> str:
    names = [printable(str(path)) for path in paths]
    return translate(f"files.{key}", terminal_language(), folder=", ".join(names), arguments=shlex.join(names))


def close_data_folder(folder: Path) -> Iterator[tuple[str, Path]]:
    """Take all rights on an existing data folder from other users; yield notes about it.

    A folder that holds anything but the product's own entries (somebody named the home folder, or /tmp) keeps its
    rights, and so does one of another user; there only the product's entries are closed.  What is no folder is left
    alone.
    """
    folder = folder.resolve()  # a link that somebody named is followed; links inside are not
    if not folder.is_dir() or not _mode(folder) & NO_RIGHTS_FOR_OTHERS:
        return
    entries = sorted(folder.iterdir()) if os.access(folder, os.R_OK) else []
    own = [entry for entry in entries if any(fnmatchcase(entry.name, pattern) for pattern in _OWN_ENTRIES)]
    was_open = [entry for entry in own if _mode(entry) & NO_RIGHTS_FOR_OTHERS]
    closed = [entry for entry in was_open if _take(entry, NO_RIGHTS_FOR_OTHERS)]
    if len(own) == len(entries) and _take(folder, NO_RIGHTS_FOR_OTHERS):
        yield "narrowed", folder
        return
    for entry in closed:
        yield "narrowed", entry
    still_open = [entry for entry in was_open if entry not in closed]
    if still_open and len(own) == len(entries):
        yield "readable", folder
        return
    for entry in still_open:
        yield "readable", entry


def close_cache_folder(folder: Path) -> Iterator[tuple[str, Path]]:
    """Take the right to write to an existing cache folder from other users; yield notes about it.

    It holds no customer's words, and users may share it to read.  What is no folder (a device) is left alone.
    """
    folder = folder.resolve()
    if folder.is_dir() and _mode(folder) & _WRITABLE_BY_OTHERS:
        yield ("write_ended" if _take(folder, _WRITABLE_BY_OTHERS) else "writable"), folder


def _mode(path: Path) -> int:
    """Return the rights on a file or folder; none where it is missing or something else: a link, a device, a pipe."""
    try:
        found = path.lstat().st_mode
    except OSError:
        return 0
    return stat.S_IMODE(found) if stat.S_ISDIR(found) or stat.S_ISREG(found) else 0


def _take(path: Path, rights: int) -> bool:
    """Take rights from other users; return False where it is not ours to do so."""
    mode = _mode(path)
    if path.lstat().st_uid != os.geteuid() or mode & stat.S_ISVTX:
        return False
    try:
        path.chmod(mode & ~rights)
    except OSError:  # a file system without rights, or mounted read-only
        return False
    return _mode(path) == mode & ~rights
