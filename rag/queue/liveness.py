"""Detects dead processes: each holds a file lock that the kernel releases when it dies.

So nobody has to tell a killed process from a slow one, or one process number from its next owner's.
"""

import fcntl
import os
import secrets
import weakref
from pathlib import Path

_SUFFIX = ".lock"


class Liveness:
    """One process among those that share ``folder``, which is made if need be.  Raises ``OSError``.

    ``name`` is unique, also among several of one process.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.name, descriptor = _new_lock(folder)
        self._finalizer = weakref.finalize(self, _release, descriptor, self._path(self.name), os.getpid())
        _here[self.name] = descriptor
        self._sweep()

    def is_alive(self, name: str) -> bool:
        """Tell whether the process called ``name`` lives; the file of one that does not is removed."""
        return name == self.name or not _remove_if_free(self._path(name))

    def close(self) -> None:
        """Leave."""
        self._finalizer()

    def _sweep(self) -> None:
        for path in self._folder.glob(f"*{_SUFFIX}"):
            if path.stem != self.name:
                _remove_if_free(path)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{_SUFFIX}"


_here: dict[str, int] = {}


def _close_in_child() -> None:
    """Close the copies that a fork has made: a lock is held until its last copy is closed."""
    for descriptor in _here.values():
        os.close(descriptor)
    _here.clear()


os.register_at_fork(after_in_child=_close_in_child)


def _new_lock(folder: Path) -> tuple[str, int]:
    while True:
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        path = folder / f"{name}{_SUFFIX}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists():
                return name, descriptor
        except BlockingIOError:
            pass  # somebody's sweep was quicker, and removes it
        os.close(descriptor)


def _remove_if_free(path: Path) -> bool:
    """Remove a lock file that nobody holds, and tell whether it is gone."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _release(descriptor: int, path: Path, pid: int) -> None:
    if os.getpid() == pid:
        _here.pop(path.stem, None)
        path.unlink(missing_ok=True)
        os.close(descriptor)
