"""Opens the file that is to be read, in the process that may; the reading process gets the descriptor and no path.

Discovery decides which file is meant.  Whoever can write into its folder can put a link in its place before it is
opened, so every folder on the way is opened by itself, without following links.
"""

import errno
import os
import stat
from pathlib import Path

from ingest.loaders.source import Limits, SourceFile

_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY  # a pipe would wait for whoever writes to it


def open_file(source: SourceFile, limits: Limits) -> int:
    """Return a descriptor of the file, for reading; the caller closes it.

    Raises ``DocumentUnreadable`` where it is no file, too large, out of reach, or not where discovery saw it any more.
    """
    try:
        descriptor = _open_without_links(source.place or Path(os.path.realpath(source.path)))
    except OSError as error:
        was_replaced = source.place is not None and error.errno in (errno.ELOOP, errno.ENOTDIR)
        raise source.unreadable("replaced" if was_replaced else _reason(error)) from error
    try:
        _check(source, descriptor, limits)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_file(source: SourceFile, descriptor: int, limits: Limits) -> bytes:
    """Return what an open file holds, from its beginning; the descriptor stays open.

    Raises ``DocumentUnreadable`` where it is empty, larger than allowed, or the disk fails.
    """
    try:
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            file.seek(0)
            raw = file.read(limits.document_bytes + 1)
    except OSError as error:
        raise source.unreadable(_reason(error)) from error
    if len(raw) > limits.document_bytes:  # it grew meanwhile, or has no size, like files under /proc
        raise source.unreadable("too_large")
    if not raw:
        raise source.unreadable("empty")
    return raw


def _open_without_links(path: Path) -> int:
    """Open an absolute path; a link anywhere in it is an error, ELOOP or ENOTDIR."""
    folder = os.open(path.anchor, os.O_PATH | os.O_DIRECTORY)
    try:
        for name in path.parts[1:-1]:
            inner = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(path.name, _READ | os.O_NOFOLLOW, dir_fd=folder)
    finally:
        os.close(folder)


def _check(source: SourceFile, descriptor: int, limits: Limits) -> None:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise source.unreadable("unsupported")
    if status.st_size > limits.document_bytes:
        raise source.unreadable("too_large", f"{status.st_size / 1e6:.0f} MB")


def _reason(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "permission"
    if isinstance(error, FileNotFoundError):
        return "gone"
    return "loop" if error.errno == errno.ELOOP else "device"
