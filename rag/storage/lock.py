"""One writer a knowledge base: a lock file that says who holds it."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rag.errors import IngestRunning
from rag.storage.connection import storage_errors

LOCK_NAME = "ingest.lock"


@contextmanager
def file_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of the knowledge base in ``folder``, which is made if need be.

    Raises ``IngestRunning`` with the holder's process number when somebody else has it.  The lock is the kernel's: it
    ends with its process, however that ends, so a file left behind locks nobody out.  It is never deleted, or two
    processes could hold locks on two files of one name.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            raise IngestRunning(holder=f"pid {holder}" if holder else "pid ?") from error
        with storage_errors(folder):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        yield
    finally:
        os.close(descriptor)  # and with it the lock
