"""The process of a calibration (``background.py``): takes an order from its parent and reports its progress."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from eval.background import Evaluation, chosen_questions
from eval.calibrate_model.background import ORDERS, PROGRESSES, CalibrationProgress, Order
from eval.calibrate_model.calibration import CalibrationOptions, measure_and_save, open_calibration
from eval.calibrate_model.report import findings_of
from eval.calibrate_model.results import Configuration
from eval.calibrate_model.sandbox_ollama import Workshop, choose, subject
from eval.core.runs import Run
from ingest.worker_process import Tell, serve_parent
from rag.errors import SettingsError
from rag.ollama.client import OllamaClient
from rag.settings import Settings
from rag.terminal import terminal_language

_SECONDS_A_MINUTE = 60


def work(settings: Settings, given: Any, tell: Tell) -> object:  # noqa: ANN401 - JSON
    """Run the order."""
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
