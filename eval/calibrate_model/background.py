"""A calibration in a process of its own, with which a page can try a model, watch it, stop it, and use the winner.

    with CalibrationProcess(settings) as process:
        process.calibrate(Order("monday", "r1:7b-f16", (1, 2), (4096,), limit=24, minutes=60), progress=print)

The questions are the regression questions that the knowledge base keeps and whose answer is known.  A stopped run is
resumed by an order of the same name, or by ``python -m eval calibrate model --kb NAME --run RUN``.  The process is
``background_process.py``; the desk imports this module, and so without the libraries of the indexes.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import TypeAdapter

from ingest.worker_process import WorkerProcess
from rag.settings import Settings


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
        super().__init__("eval.calibrate_model.background_process", settings)

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
