"""Who else keeps the processor busy: from files as /proc has them, and for real."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rag.ollama.neighbours import Neighbours, NeighbourWatch

_MODEL_GROUP, _IDLE = 50, 5
_TICKS = os.sysconf("SC_CLK_TCK")


class Machine:
    """A /proc of our own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "self").mkdir()

    def runs(self, pid: int, name: str, seconds: float, *, group: int = 1, policy: int = 0, started: int = 7) -> None:
        fields = ["S", "1", str(group), *["0"] * 8, str(int(seconds * _TICKS)), "0", *["0"] * 6, str(started)]
        fields += ["0"] * 18 + [str(policy)]
        (self.folder / str(pid)).mkdir(exist_ok=True)
        (self.folder / str(pid) / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n", encoding="utf-8")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def _watch(machine: Machine) -> NeighbourWatch:
    return NeighbourWatch(_MODEL_GROUP, frozenset([60]), machine.folder)


def _look(watch: NeighbourWatch, machine: Machine, seconds: range, **cores: float) -> Neighbours | None:
    found = None
    for second in seconds:
        for name, share in cores.items():
            machine.runs(hash(name) % 1000 + 100, name, share * second)
        found = watch.look(float(second))
    return found


def test_a_program_that_computes_for_some_seconds_is_seen_and_named(machine: Machine) -> None:
    watch = _watch(machine)
    assert _look(watch, machine, range(4), backup=1.0, editor=0.1) is None
    assert _look(watch, machine, range(4, 6), backup=1.0, editor=0.1) == Neighbours(1.1, "backup")


def test_the_model_its_owner_and_what_gives_way_are_nobody(machine: Machine) -> None:
    watch = _watch(machine)
    for second in range(12):
        machine.runs(51, "runner", 2.0 * second, group=_MODEL_GROUP)
        machine.runs(60, "desk", 1.0 * second)
        machine.runs(61, "ingest", 1.0 * second, policy=_IDLE)
        assert watch.look(float(second)) is None


def test_a_program_that_paused_is_not_gone_at_once(machine: Machine) -> None:
    watch = _watch(machine)
    assert _look(watch, machine, range(8), scan=0.9) is not None
    for second in range(8, 18):
        assert watch.look(float(second)) is not None
    for second in range(18, 30):
        found = watch.look(float(second))
    assert found is None


def test_a_name_with_a_bracket_and_a_process_that_ended_do_not_disturb(machine: Machine) -> None:
    (machine.folder / "99").mkdir()
    watch = _watch(machine)
    assert _look(watch, machine, range(6), **{"a) (b": 1.0}) == Neighbours(1.0, "a) (b")


def test_another_process_with_the_same_number_begins_anew(machine: Machine) -> None:
    watch = _watch(machine)
    machine.runs(70, "old", 100.0)
    watch.look(0.0)
    machine.runs(70, "new", 500.0, started=8)
    assert watch.look(1.0) is None


@pytest.mark.parametrize(
    ("cores", "logical", "physical", "threads"),
    [
        (0.5, 2, 2, 1),
        (1.0, 2, 2, 1),
        (2.0, 2, 2, 1),
        (1.0, 8, 8, 7),
        (1.3, 8, 8, 6),
        (1.0, 16, 8, None),
        (9.0, 4, 4, 1),
    ],
)
def test_the_model_leaves_them_their_cores(cores: float, logical: int, physical: int, threads: int | None) -> None:
    assert Neighbours(cores, "x").threads_left(logical, physical) == threads


@pytest.mark.real
@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_busy_process_is_seen_for_real() -> None:
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
    watch = NeighbourWatch(_MODEL_GROUP)
    try:
        until = time.monotonic() + 30
        while watch.look() is None and time.monotonic() < until:
            time.sleep(1)
    finally:
        busy.kill()
        busy.wait()
    assert watch.seen is not None
    assert watch.seen.cores >= 0.5
