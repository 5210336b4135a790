"""What the machine is busy with, as rows of words and numbers."""

from rag.schema import Language
from rag.telemetry.machine import GpuState, MachineState
from ui.formats import format_duration
from ui.i18n import word


def machine_rows(machine: MachineState, language: Language) -> list[dict[str, str]]:
    """Return the rows of the table: what, and its value."""
    occupancy = machine.occupancy
    average = occupancy.average_seconds
    rows = [
        (
            word("machine_slots", language),
            word("machine_slots_value", language, running=occupancy.running, slots=occupancy.slots),
        ),
        (word("figure_queue", language), str(occupancy.waiting)),
        (
            word("machine_average", language),
            "–" if average is None else format_duration(average * 1000, language),
        ),
        (
            word("machine_cpu", language, cores=machine.cores),
            word("machine_percent", language, count=f"{machine.cpu_percent:.0f}"),
        ),
        (word("machine_memory", language), _of(machine.used_bytes, machine.total_bytes, language)),
        (word("machine_desk", language), word("machine_gigabytes", language, count=_gigabytes(machine.desk_bytes))),
        *_model_rows(machine, language),
        *[_gpu_row(gpu, language) for gpu in machine.gpus],
    ]
    if not machine.gpus:
        rows.append((word("machine_no_gpu", language), "–"))
    names = (word("machine_what", language), word("machine_value", language))
    return [dict(zip(names, row, strict=True)) for row in rows]


def _model_rows(machine: MachineState, language: Language) -> list[tuple[str, str]]:
    if not machine.models:
        return [(word("machine_no_server" if machine.models is None else "machine_no_model", language), "–")]
    return [
        (
            word("machine_model", language, model=model.name),
            word("machine_model_value", language, all=_gigabytes(model.memory_bytes), gpu=_gigabytes(model.gpu_bytes)),
        )
        for model in machine.models
    ]


def _gpu_row(gpu: GpuState, language: Language) -> tuple[str, str]:
    used, total = _gigabytes(gpu.used_bytes), _gigabytes(gpu.total_bytes)
    value = word("machine_gpu_value", language, busy=gpu.busy_percent, used=used, total=total)
    return word("machine_gpu", language, name=gpu.name), value


def _of(used: int, total: int, language: Language) -> str:
    return word("machine_of", language, used=_gigabytes(used), total=_gigabytes(total))


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f}"
