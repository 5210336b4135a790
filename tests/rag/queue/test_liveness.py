"""A process is there as long as it holds its lock, and the kernel sees to that."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rag.queue.queue_tables import Liveness
from tests.rag.command import CHECKOUT

HOLD = """
import sys, time
from pathlib import Path
from rag.queue.queue_tables import Liveness
here = Liveness(Path(sys.argv[1]))
print(here.name, flush=True)
time.sleep(60)
"""


def test_several_of_one_process_are_told_apart(tmp_path: Path) -> None:
    first, second = Liveness(tmp_path), Liveness(tmp_path)
    assert first.name != second.name
    assert first.is_alive(first.name)
    assert first.is_alive(second.name)
    second.close()
    assert not first.is_alive(second.name)
    second.close()  # a second time, and an unknown name, do no harm
    assert not first.is_alive("nobody")
    assert first.is_alive(first.name)


def test_files_of_the_dead_are_swept_and_those_of_the_living_stay(tmp_path: Path) -> None:
    alive = Liveness(tmp_path)
    (tmp_path / "1-dead.lock").touch()
    other = Liveness(tmp_path)
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted([alive.name, other.name])


@pytest.mark.real
def test_a_killed_process_is_gone_at_once(tmp_path: Path) -> None:
    here = Liveness(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        assert here.is_alive(name)
        process.kill()
        process.wait()
        assert not here.is_alive(name)


@pytest.mark.real
def test_a_forked_child_keeps_nobody_alive_and_buries_nobody(tmp_path: Path) -> None:
    here, other = Liveness(tmp_path), Liveness(tmp_path)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # waits for the end of its input, then leaves without cleaning up what it inherited
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    os.close(reading)
    try:
        assert here.is_alive(other.name)
        other.close()
        assert not here.is_alive(other.name)
    finally:
        os.close(writing)
        os.waitpid(child, 0)
    assert here.is_alive(here.name)
