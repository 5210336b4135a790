"""What the machine is busy with, as rows of words and numbers."""

from rag.schema import Language
from rag.telemetry.machine import GpuState, MachineState
from rag.translate import translate
from ui.formats import format_duration


def machine_rows(machine: MachineState, language: Language) -> list[dict[str, str]]:
    """Return the rows of the table: what, and its value."""
    occupancy = machine.occupancy
    average = occupancy.average_seconds
    rows = [
        (
            translate("ui.machine_slots", language),
            translate("ui.machine_slots_value", language, running=occupancy.running, slots=occupancy.slots),
        ),
        (translate("ui.figure_queue", language), str(occupancy.waiting)),
        (
            translate("ui.machine_average", language),
            "–" if average is None else format_duration(average * 1000, language),
        ),
        (
            translate("ui.machine_cpu", language, cores=machine.cores),
            translate("ui.machine_percent", language, count=f"{machine.cpu_percent:.0f}"),
        ),
        (translate("ui.machine_memory", language), _of(machine.used_bytes, machine.total_bytes, language)),
        (
            translate("ui.machine_desk", language),
            translate("ui.machine_gigabytes", language, count=_gigabytes(machine.desk_bytes)),
        ),
        *_model_rows(machine, language),
        *[_gpu_row(gpu, language) for gpu in machine.gpus],
    ]
    if not machine.gpus:
        rows.append((translate("ui.machine_no_gpu", language), "–"))
    names = (translate("ui.machine_what", language), translate("ui.machine_value", language))
    return [dict(zip(names, row, strict=True)) for row in rows]


def _model_rows(machine: MachineState, language: Language) -> list[tuple[str, str]]:
    if not machine.models:
        return [(translate("ui.machine_no_server" if machine.models is None else "ui.machine_no_model", language), "–")]
    return [
        (
            translate("ui.machine_model", language, model=model.name),
            translate(
                "ui.machine_model_value", language, all=_gigabytes(model.memory_bytes), gpu=_gigabytes(model.gpu_bytes)
            ),
        )
        for model in machine.models
    ]


def _gpu_row(gpu: GpuState, language: Language) -> tuple[str, str]:
    used, total = _gigabytes(gpu.used_bytes), _gigabytes(gpu.total_bytes)
    value = translate("ui.machine_gpu_value", language, busy=gpu.busy_percent, used=used, total=total)
    return translate("ui.machine_gpu", language, name=gpu.name), value


def _of(used: int, total: int, language: Language) -> str:
    return translate("ui.machine_of", language, used=_gigabytes(used), total=_gigabytes(total))


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f}"
