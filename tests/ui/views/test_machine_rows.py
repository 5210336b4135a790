"""What the Performance page says of the machine."""

from rag.ollama.neighbours import Neighbours
from rag.queue.admission import Occupancy
from rag.telemetry.machine import MachineState
from ui.views.performance.page import machine_rows


def _said(neighbours: Neighbours | None, threads: int | None) -> list[str]:
    occupancy = Occupancy(running=0, waiting=0, slots=1, average_seconds=None)
    machine = MachineState(occupancy, 3.0, 2, 1 << 30, 4 << 30, 1 << 29, (), (), neighbours, threads)
    return [value for row in machine_rows(machine, "en") for value in row.values() if "clamscan" in value]


def test_who_takes_the_processor_is_named_with_what_it_means() -> None:
    assert _said(None, None) == []
    assert _said(Neighbours(1.0, "clamscan"), 1) == [
        "clamscan and others keep the processor busy (cores: 1); the model runs with fewer threads (1) and is slower"
    ]
    assert _said(Neighbours(1.0, "clamscan"), None) == [
        "clamscan and others want the processor as well (cores: 1); the model goes before them"
    ]
