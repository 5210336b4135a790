"""Samples the current load of the machine and the model."""

from collections.abc import Callable
from dataclasses import dataclass

import psutil

from rag.errors import ServingError
from rag.ollama.client import LoadedModel
from rag.ollama.hosts import loaded_models
from rag.ollama.neighbours import Neighbours
from rag.ollama.state import read_living_state
from rag.queue.admission import Admission, Occupancy
from rag.settings import Settings


@dataclass(frozen=True, slots=True)
class GpuState:
    """One GPU.  ``busy_percent`` in [0, 100]."""

    name: str
    busy_percent: int
    used_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class MachineState:
    """``cpu_percent`` is of all cores together, in [0, 100], since the look before; ``models`` None: no server.

    Beside ``neighbours`` the model has so many ``threads``; None: as many as without them.
    """

    occupancy: Occupancy
    cpu_percent: float
    cores: int
    used_bytes: int
    total_bytes: int
    desk_bytes: int
    models: tuple[LoadedModel, ...] | None
    gpus: tuple[GpuState, ...]
    neighbours: Neighbours | None = None
    threads: int | None = None


def machine_look(settings: Settings) -> Callable[[], MachineState]:
    """Return what looks at the machine once; it asks the model server, so it takes up to seconds."""
    admission = Admission.of(settings)
    desk = psutil.Process()
    psutil.cpu_percent()  # from here on it is counted

    def look() -> MachineState:
        memory = psutil.virtual_memory()
        server = read_living_state(settings)
        return MachineState(
            occupancy=admission.occupancy(),
            cpu_percent=psutil.cpu_percent(),
            cores=psutil.cpu_count() or 1,
            used_bytes=memory.total - memory.available,
            total_bytes=memory.total,
            desk_bytes=desk.memory_info().rss,
            models=_loaded(settings),
            gpus=gpus(),
            neighbours=server.neighbours if server is not None else None,
            threads=server.threads if server is not None else None,
        )

    return look


def gpus() -> tuple[GpuState, ...]:
    """Return the NVIDIA GPUs; none where there is no driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(pynvml.nvmlDeviceGetCount())]
        return tuple(_gpu(handle) for handle in handles)
    except pynvml.NVMLError:
        return ()  # a card that is being reset or has fallen off the bus tells nothing
    finally:
        pynvml.nvmlShutdown()


def _gpu(handle: object) -> GpuState:
    import pynvml

    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    name = pynvml.nvmlDeviceGetName(handle)
    busy = int(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    return GpuState(str(name), busy, int(memory.used), int(memory.total))


def _loaded(settings: Settings) -> tuple[LoadedModel, ...] | None:
    try:
        return tuple(loaded_models(settings))
    except ServingError:
        return None
