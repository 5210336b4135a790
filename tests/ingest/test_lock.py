"""One writer a knowledge base, whatever became of the one before."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.lock import writer_lock
from rag.errors import IngestRunning
from rag.storage.writer import LOCK_NAME

_HOLD = """
import sys
from pathlib import Path
from ingest.lock import writer_lock
with writer_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_second_writer_is_told_who_the_first_is(tmp_path: Path) -> None:
    with writer_lock(tmp_path / "new"):
        assert (tmp_path / "new" / LOCK_NAME).read_text() == f"{os.getpid()}\n"
        with pytest.raises(IngestRunning, match=f"pid {os.getpid()}"), writer_lock(tmp_path / "new"):
            pass
    with writer_lock(tmp_path / "new"):
        pass


@pytest.mark.slow
def test_a_lock_ends_with_its_process_even_if_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(IngestRunning, match=f"pid {holder.pid}"), writer_lock(tmp_path):
            pass
        holder.kill()
        holder.wait()
        with writer_lock(tmp_path):
            assert (tmp_path / LOCK_NAME).read_text() == f"{os.getpid()}\n"


def test_a_file_left_behind_locks_nobody_out(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).write_text("999999999999\n")
    with writer_lock(tmp_path):
        assert (tmp_path / LOCK_NAME).read_text() == f"{os.getpid()}\n"
