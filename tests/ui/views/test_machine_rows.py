"""What the Performance page says of the machine."""

from dataclasses import replace
from pathlib import Path

import pytest

from rag.ollama.neighbours import Neighbours
from rag.performance import MachineState, PerformanceReports
from rag.queue.admission import Occupancy
from rag.storage.turn_times import TurnTimesTable
from rag.translate import translate
from tests.ui.test_app import Harness
from tests.ui.views.test_made_up_day import open_performance
from ui.views.performance import machine_rows

MACHINE = MachineState(
    occupancy=Occupancy(running=0, waiting=0, slots=1, average_seconds=None),
    cpu_percent=3.0,
    cores=2,
    used_bytes=1 << 30,
    total_bytes=4 << 30,
    desk_bytes=1 << 29,
    models=(),
    gpus=(),
)


def _said(neighbours: Neighbours | None, threads: int | None) -> list[str]:
    machine = replace(MACHINE, neighbours=neighbours, threads=threads)
    return [value for row in machine_rows(machine, "en") for value in row.values() if "clamscan" in value]


def test_who_takes_the_processor_is_named_with_what_it_means() -> None:
    assert _said(None, None) == []
    assert _said(Neighbours(1.0, "clamscan"), 1) == [
        "clamscan and others keep the processor busy (cores: 1); the model runs with fewer threads (1) and is slower"
    ]
    assert _said(Neighbours(1.0, "clamscan"), None) == [
        "clamscan and others want the processor as well (cores: 1); the model goes before them"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("seen_at", [0, 1, 2], ids=["seen before", "seen while the page is drawn", "not seen yet"])
def test_a_page_that_is_drawn_before_the_first_look_does_not_keep_waiting(tmp_path: Path, seen_at: int) -> None:
    looks = iter([None] * seen_at)
    harness = Harness(tmp_path)
    times = TurnTimesTable(tmp_path / "turns.db")
    harness.services = replace(harness.services, reports=PerformanceReports(times, lambda: next(looks, MACHINE)))
    test = open_performance(harness, "en")
    looking = [one.value for one in test.caption if one.value == translate("ui.machine_looking", "en")]
    assert len(looking) == (seen_at == 2)
    assert len(test.table) == (seen_at < 2)
    harness.turns.close()
