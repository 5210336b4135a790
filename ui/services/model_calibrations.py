"""The calibrations on disk, and the process that makes one; pages get them through ``ModelDesk``."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from eval.calibrate_model.background import CalibrationProcess, Order
from eval.calibrate_model.report import Findings, findings_of
from eval.core.background import Evaluation, chosen_questions
from eval.core.runs import Run
from rag.errors import NoRegressionQuestions, SettingsError
from rag.settings import Settings
from ui.services.jobs import JobControl

_COMMAND = "calibrate model"


@dataclass(frozen=True, slots=True)
class CalibrationRun:
    """A calibration on disk.  ``findings`` is None while it is not finished; ``began_at`` is in local time."""

    name: str
    model: str
    began_at: datetime
    findings: Findings | None


@dataclass(frozen=True, slots=True)
class Calibrations:
    """The calibrations of a data folder.  ``process`` makes one in a process of its own."""

    settings: Settings
    process: Callable[[Settings], CalibrationProcess] = CalibrationProcess

    def runs(self, base: str) -> list[CalibrationRun]:
        """Return those that asked a knowledge base's questions, the newest first; damaged ones are left out."""
        found = []
        for identity_file in (self.settings.data_dir / "runs").glob("*/run.json"):
            run = Run(identity_file.parent)
            try:
                identity = run.identity()
                if identity.get("command") != _COMMAND or identity.get("knowledge") != base:
                    continue
                findings = findings_of(run) if (run.folder / "figures.json").is_file() else None
            except SettingsError:
                continue
            began_at = datetime.fromtimestamp(identity_file.stat().st_mtime).astimezone()
            found.append(CalibrationRun(run.folder.name, str(identity.get("model", "")), began_at, findings))
        return sorted(found, key=lambda one: (one.began_at, one.name), reverse=True)

    def questions(self, base: str) -> int:
        """Count the questions with known answers that a knowledge base keeps; 0 without any."""
        try:
            chosen = chosen_questions(self.settings.changed(knowledge_base=base), Evaluation("answers", ""))
        except NoRegressionQuestions:
            return 0
        return len(chosen.questions)

    def calibrate(self, base: str, order: Order, control: JobControl) -> str:
        """Try what is ordered; return the run's name."""
        with self.process(self.settings.changed(knowledge_base=base)) as process:
            control.when_stopped(process.stop)
            process.calibrate(order, control.tell)
        return order.run

    def choose(self, run: str, control: JobControl) -> list[str]:
        """Use a run's winner from the next start on; return the variables that go before it."""
        with self.process(self.settings) as process:
            control.when_stopped(process.stop)
            return process.choose(run)
