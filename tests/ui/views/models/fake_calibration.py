"""A fake of the calibration's process: what it orders is measured by nobody, and its figures are made up."""

import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from types import TracebackType
from typing import Self, cast

from eval.answers.asking import Record
from eval.calibrate_model.background import CalibrationProcess, CalibrationProgress, Order
from eval.calibrate_model.background_process import use_winner
from eval.calibrate_model.report import Findings
from eval.calibrate_model.results import (
    Configuration,
    ServingFigures,
    Target,
    Trial,
    Tuning,
    configurations,
    rows_of,
    winner,
)
from eval.core.runs import Run
from ingest.golden import GoldenQuestion
from rag.errors import IngestStopped
from rag.ollama.client import OllamaClient
from rag.settings import Settings
from tests.eval.calibrate_model.records import question, record


class FakeCalibration:
    """Makes the fakes; each waits at ``gate`` behind its first question, and ``begun`` tells that it is there."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()

    def process(self, settings: Settings) -> CalibrationProcess:
        """Stand in for the class."""
        return cast("CalibrationProcess", FakeProcess(settings, self))


class FakeProcess:
    """Stands in for ``CalibrationProcess``; what the winner is used with is the product's own."""

    def __init__(self, settings: Settings, fake: FakeCalibration) -> None:
        self._settings = settings
        self._fake = fake
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def stop(self) -> None:
        """End it."""
        self._stopped.set()

    def calibrate(self, order: Order, progress: Callable[[CalibrationProgress], None]) -> None:
        """Make up figures: two questions a configuration, more slots are a little slower."""
        asked = [question(0), question(1)]
        run = Run.named(order.run, self._settings)
        identity = {"command": "calibrate model", "knowledge": self._settings.knowledge_base, "model": order.model}
        run.begin(identity, asked)
        tried = configurations({"as-is": order.model}, order.slots, order.contexts)
        measured: dict[Configuration, tuple[ServingFigures, list[Record]]] = {}
        for number, one in enumerate(tried, start=1):
            self._ask(one, number, len(tried), asked, progress)
            records = [record(0, seconds=2.0 * one.slots), record(1, seconds=3.0 * one.slots, right=one.slots == 1)]
            measured[one] = (ServingFigures(490_000_000 + one.slots * 50_000_000, 80.0, 12.0, 20.0), records)
        rows = rows_of(measured, asked, Target())
        stand_in = order.model.startswith("stand-in:")
        flash = replace(tried[0], tuning=Tuning(flash_attention=False))
        trials = (Trial("flash", flash, prompt_ratio=1.02, generation_ratio=0.97, gain=-0.01),)
        found = Findings(order.model, stand_in, "", tuple(rows), winner(rows), Target(), True, order.run, trials)
        run.save_figures(asdict(found))

    def choose(self, run: str) -> list[str]:
        """Use the winner."""
        assert OllamaClient(self._settings.ollama_url).version()
        return use_winner(self._settings, run)

    def _ask(
        self,
        one: Configuration,
        number: int,
        count: int,
        asked: list[GoldenQuestion],
        progress: Callable[[CalibrationProgress], None],
    ) -> None:
        for done in range(1, len(asked) + 1):
            progress(CalibrationProgress(one.kind, one.slots, one.context_tokens, done, len(asked), number, count))
            self._fake.begun.set()
            while not self._fake.gate.wait(0.02):
                if self._stopped.is_set():
                    raise IngestStopped
