"""Which process goes first, for real."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rag.priority import MODEL_NICE, gives_way, set_priority

_TOLD = """
import os
from pathlib import Path
from rag.priority import {call}
{call}({argument})
group = Path("/proc/self/autogroup")
print(os.nice(0), group.read_text().split()[-1] if group.exists() else "none", os.sched_getscheduler(0))
"""
_BATCH = """
import os, signal, sys, time
from pathlib import Path
from rag.priority import run_as_batch_work

signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background ignores it

def main():
    print(os.nice(0), os.sched_getscheduler(0), os.getpid() == os.getsid(0), flush=True)
    try:
        time.sleep(float(sys.argv[1]))
    except KeyboardInterrupt:
        return 130
    return 3

sys.exit(run_as_batch_work(main))
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="autogroups and SCHED_BATCH are Linux's")

_PATIENCE_SECONDS = 120
"""Batch work waits for everybody else: beside busy programs it hears a signal late."""


def _told(call: str, argument: str) -> list[str]:
    code = _TOLD.format(call=call, argument=argument)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, start_new_session=True
    )
    return done.stdout.split()


@linux
@pytest.mark.real
def test_a_session_of_its_own_goes_behind() -> None:
    level, of_session, _ = _told("set_priority", "7")
    assert int(level) >= 7
    assert of_session in ("7", "none")


@linux
@pytest.mark.real
def test_a_level_for_a_block_ends_with_it() -> None:
    code = (
        "import os; from rag.priority import at_priority\n"
        "with at_priority(5): print(os.getpriority(os.PRIO_PROCESS, 0))\n"
        "print(os.getpriority(os.PRIO_PROCESS, 0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    inside, behind = done.stdout.split()
    assert inside == "5"
    assert behind == "0" or os.geteuid() != 0  # only root may go back


@linux
@pytest.mark.real
def test_a_process_at_a_level_of_its_own_leaves_its_session_at_its_own() -> None:
    if not Path("/proc/self/autogroup").exists():
        pytest.skip("this kernel has no autogroups")
    code = (
        "import os; from pathlib import Path; from rag.priority import at_priority\n"
        "os.nice(3)\n"
        "with at_priority(5): pass\n"
        "print(Path('/proc/self/autogroup').read_text())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, start_new_session=True
    )
    assert done.stdout.split()[2] == "0" or os.geteuid() != 0


@linux
@pytest.mark.real
def test_batch_work_gives_way_without_standing_still() -> None:
    level, of_session, policy = _told("become_batch_work", "")
    assert (level, policy) == ("5", str(os.SCHED_BATCH))
    assert of_session in ("5", "none")
    assert gives_way(os.SCHED_BATCH, 10)
    assert gives_way(os.SCHED_IDLE, 0)
    assert not gives_way(os.SCHED_BATCH, 0)
    assert not gives_way(os.SCHED_OTHER, 10)  # its session has half of a core all the same


def test_what_the_kernel_refuses_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr("rag.priority.os.setpriority", refused)
    monkeypatch.setattr("rag.priority.os.open", refused)
    set_priority(MODEL_NICE)


@contextmanager
def _batch_work(seconds: float) -> "Iterator[subprocess.Popen[str]]":
    with subprocess.Popen([sys.executable, "-c", _BATCH, str(seconds)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().split() == ["5", str(os.SCHED_BATCH), "True"]
            yield process
        finally:
            process.kill()


def _child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()[0])


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@linux
@pytest.mark.real
def test_a_command_done_as_batch_work_has_its_own_exit_code() -> None:
    with _batch_work(0) as process:
        assert process.wait(timeout=_PATIENCE_SECONDS) == 3


@linux
@pytest.mark.real
def test_ctrl_c_reaches_batch_work() -> None:
    with _batch_work(60) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=_PATIENCE_SECONDS) == 130


@linux
@pytest.mark.real
def test_batch_work_ends_with_its_command_however_that_ends() -> None:
    with _batch_work(60) as process:
        child = _child_of(process.pid)
        process.kill()
        process.wait(timeout=_PATIENCE_SECONDS)
        until = time.monotonic() + _PATIENCE_SECONDS
        while _is_alive(child) and time.monotonic() < until:
            time.sleep(0.02)
        assert not _is_alive(child)


@linux
@pytest.mark.real
def test_batch_work_killed_is_told_as_a_shell_does() -> None:
    with _batch_work(60) as process:
        os.kill(_child_of(process.pid), signal.SIGKILL)
        assert process.wait(timeout=_PATIENCE_SECONDS) == 128 + signal.SIGKILL


@linux
@pytest.mark.real
def test_a_stopped_command_stops_its_work_and_goes_on_with_it() -> None:
    with _batch_work(60) as process:
        child = _child_of(process.pid)

        def state() -> str:
            return Path(f"/proc/{child}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]

        def reaches(wanted: str) -> bool:
            until = time.monotonic() + _PATIENCE_SECONDS
            while state() != wanted and time.monotonic() < until:
                time.sleep(0.02)
            return state() == wanted

        process.send_signal(signal.SIGTSTP)
        assert reaches("T")
        process.send_signal(signal.SIGCONT)
        assert reaches("S")
        process.kill()
        process.wait(timeout=_PATIENCE_SECONDS)
