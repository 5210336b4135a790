"""A calibration in a process of its own, with which a page can try a model, watch it, stop it, and use the winner.

    with CalibrationProcess(settings) as process:
        process.calibrate(Order("monday", "r1:7b-f16", (1, 2), (4096,), limit=24, minutes=60), progress=print)

The questions are the regression questions that the knowledge base keeps and whose answer is known.  A stopped run is
resumed by an order of the same name, or by ``python -m eval calibrate model --kb NAME --run RUN``.  The process is
``python -m eval.calibrate_model.background``.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter

from eval.background import Evaluation, chosen_questions
from eval.calibrate_model.calibration import CalibrationOptions, measure_and_save, open_calibration
from eval.calibrate_model.report import findings_of
from eval.calibrate_model.results import Configuration
from eval.calibrate_model.sandbox_ollama import Workshop, choose, subject
from eval.core.runs import Run
from ingest.worker_process import Tell, WorkerProcess, serve_parent
from rag.errors import SettingsError
from rag.ollama.client import OllamaClient
from rag.settings import Settings
from rag.terminal import terminal_language

_SECONDS_A_MINUTE = 60


@dataclass(frozen=True, slots=True)
class Order:
    """A calibration to run: its name, the model, what to try, how many questions (0: all), and the most minutes."""

    run: str
    model: str
    slots: tuple[int, ...]
    contexts: tuple[int, ...]
    limit: int
    minutes: float


@dataclass(frozen=True, slots=True)
class CalibrationProgress:
    """``done`` of ``total`` questions were asked of one configuration, which is the ``number``-th of ``count``."""

    kind: str
    slots: int
    context_tokens: int
    done: int
    total: int
    number: int
    count: int


ORDERS = TypeAdapter(Order)


PROGRESSES = TypeAdapter(CalibrationProgress)


class CalibrationProcess(WorkerProcess):
    """One process for one calibration, or for using its winner."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("eval.calibrate_model.background", settings)

    def calibrate(self, order: Order, progress: Callable[[CalibrationProgress], None]) -> None:
        """Try, and save the run with its figures; ``progress`` is called in this thread.

        Raises what ends a run (no model server, no question), and ``IngestStopped`` where it was stopped.
        """
        job = {"order": ORDERS.dump_python(order, mode="json")}
        self.run(job, lambda value: progress(PROGRESSES.validate_python(value)))

    def choose(self, run: str) -> list[str]:
        """Let the desk use a finished run's winner from its next start on; return the variables that go before it.

        Raises ``SettingsError`` where the run has no winner.
        """
        found: list[str] = self.run({"choose": run}, lambda value: None)
        return found


def work(settings: Settings, given: Any, tell: Tell) -> object:  # noqa: ANN401 - JSON
    """Do what is ordered."""
    if "choose" in given:
        return use_winner(settings, str(given["choose"]))
    calibrate(
        settings,
        ORDERS.validate_python(given["order"]),
        lambda progress: tell(PROGRESSES.dump_python(progress, mode="json")),
    )
    return None


def calibrate(settings: Settings, order: Order, tell: Callable[[CalibrationProgress], None]) -> None:
    """Try the configurations of an order and save the run.  Raises as the command does."""
    settings = settings.changed(model=order.model)
    one = chosen_questions(settings, Evaluation("answers", order.run, order.limit))
    numbers: dict[Configuration, int] = {}

    def report(configuration: Configuration, done: int, total: int) -> None:
        if not done:
            return  # a page counts questions that were asked
        number = numbers.setdefault(configuration, len(numbers) + 1)
        kind, slots, tokens = configuration.kind, configuration.slots, configuration.context_tokens
        tell(CalibrationProgress(kind, slots, tokens, done, total, number, run.count))

    deadline = time.monotonic() + order.minutes * _SECONDS_A_MINUTE
    options = CalibrationOptions(slots=order.slots, contexts=order.contexts)
    run = open_calibration(options, settings, one, Run.named(order.run, settings), deadline)
    measure_and_save(replace(run, report=report))


def use_winner(settings: Settings, name: str) -> list[str]:
    """Let the desk use the winner of a finished run; return the variables that go before it.

    Raises ``SettingsError`` where the run is not finished or has no winner.
    """
    run = Run.find(name, settings)
    findings = findings_of(run)
    if findings.best is None:
        raise SettingsError(reason=name)
    home = OllamaClient(settings.ollama_url)
    workshop = Workshop(run.folder / "workshop", settings, terminal_language())
    # a run of a quantized model was begun with the leave to reconstruct, where it tried other quantizations
    return choose(findings.best.configuration, subject(home, findings.model), workshop, home, reconstruct=True)


if __name__ == "__main__":
    serve_parent(work)
