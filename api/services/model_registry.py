"""The models of the program's Ollama, shared by all pages: watched in the background, changed by jobs."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from api.services.guarded import Record
from api.services.jobs import Job, JobControl, Jobs, Work
from api.services.watch import Watch
from eval.background import Evaluation, chosen_questions
from eval.calibrate_model.background import CalibrationProcess, Order
from eval.calibrate_model.report import Findings, findings_of
from eval.core.runs import Run
from rag.cli.models import ListedModel, listed
from rag.errors import ModelUnfit, NoRegressionQuestions, ServingError, SettingsError
from rag.ollama.advice import Advice, advise, serving_of
from rag.ollama.client import InstalledModel, OllamaClient
from rag.ollama.hardware import Machine
from rag.ollama.model_details import ModelDetails
from rag.ollama.rates import kept_rates
from rag.ollama.server import server_environment, status
from rag.ollama.sizing import ModelShape, context_of
from rag.queue.admission import Admission
from rag.settings import Settings
from rag.turns import Failure

_LOOK_EVERY_SECONDS = 4.0
_FORMER_JOBS = 64


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


@dataclass(frozen=True, slots=True)
class ModelListing:
    """What the model server holds.  ``looked`` is False until it was first asked, ``failure`` is why it did not answer.

    ``answers`` are being written now, in all programs.  ``managed`` tells whether the server was started by us: then
    its slots are the settings'.  ``shapes`` are by the model's name; some models do not tell theirs.
    """

    rows: tuple[ListedModel, ...] = ()
    shapes: Mapping[str, ModelShape] = field(default_factory=dict)
    answers: int = 0
    managed: bool = False
    machine: Machine | None = None
    failure: Failure | None = None
    looked: bool = True

    def row(self, name: str) -> ListedModel | None:
        """Return the model of this name; None where it is not installed (any more)."""
        return next((row for row in self.rows if row.name == name), None)

    @property
    def loaded(self) -> tuple[str, ...]:
        """The models in memory."""
        return tuple(row.name for row in self.rows if row.memory_bytes)


class ModelRegistry:
    """The models of one Ollama; pages get a ``ModelService`` over them, and never this."""

    def __init__(
        self,
        settings: Settings,
        jobs: Jobs,
        *,
        record: Record = lambda *_: None,
        admission: Admission | None = None,
        machine: Callable[[], Machine] = Machine.here,
        calibrations: Calibrations | None = None,
    ) -> None:
        self.settings = settings
        self.jobs = jobs
        self.record = record
        self.calibrations = calibrations or Calibrations(settings)
        self.client = OllamaClient(settings.ollama_url)
        self.admission = admission or Admission.of(settings)
        self.listing: Watch[ModelListing] = Watch(self._look, ModelListing(looked=False), _LOOK_EVERY_SECONDS)
        self._machine = machine
        self._lock = threading.Lock()
        self._known: dict[InstalledModel, tuple[ModelDetails, ModelShape | None]] = {}
        self._former: OrderedDict[int, Job] = OrderedDict()

    def start(self, lane: str, kind: str, work: Work, who: str) -> Job:
        """Begin a job as ``Jobs.start`` does; what became of the lane's former ones can still be asked."""
        with self._lock:
            former = self.jobs.latest(lane)
            job = self.jobs.start(lane, kind, work, who)
            if former is not None:
                self._former[former.job_id] = former
            while len(self._former) > _FORMER_JOBS:
                self._former.popitem(last=False)
        return job

    def job(self, lanes: Collection[str], number: int) -> Job | None:
        """Return a job of these lanes; None where it is of another lane, or forgotten."""
        latest = (self.jobs.latest(lane) for lane in lanes)
        found = next((one for one in latest if one is not None and one.job_id == number), None)
        with self._lock:
            return found or self._former.get(number)

    def look_again(self) -> None:
        """See what has just been changed; a model that was made anew under an old name is asked about anew."""
        with self._lock:
            self._known.clear()
        self.listing.look_now()

    def advice(self, name: str, slots: int, context_tokens: int) -> Advice | None:
        """Return what a model would take with so many slots and tokens; None where its shape is not known."""
        listing = self.listing()
        shape, row = listing.shapes.get(name), listing.row(name)
        if shape is None or row is None or listing.machine is None:
            return None
        serving = serving_of(listing.machine, context_tokens, slots, server_environment(self.settings))
        advice = advise(shape, serving, listing.machine, kept_rates(self.settings).get(name))
        as_loaded = row.context_tokens == context_of(shape, serving) and slots == self.settings.parallel_slots
        return replace(advice, loaded_bytes=row.memory_bytes) if as_loaded and listing.managed else advice

    def _look(self) -> ModelListing:
        try:
            rows = tuple(listed(self.client, self.settings.model, self._shown))
        except ServingError as error:
            return ModelListing(failure=Failure.of(error))
        return ModelListing(
            rows=rows,
            shapes=MappingProxyType(self._shapes(rows)),
            answers=self.admission.occupancy().running,
            managed=status(self.settings).managed,
            machine=self._machine(),
        )

    def _shown(self, model: InstalledModel) -> ModelDetails:
        """Return a model's details; Ollama reads the whole header of its file for them, so it is asked once."""
        with self._lock:
            known = self._known.get(model)
        if known is None:
            details = self.client.show(model.name)
            known = details, _shape(model.name, details)
            with self._lock:
                self._known[model] = known
        return known[0]

    def _shapes(self, rows: tuple[ListedModel, ...]) -> dict[str, ModelShape]:
        installed = {row.name for row in rows}
        with self._lock:
            found = {model.name: shape for model, (_, shape) in self._known.items()}
        return {name: shape for name, shape in found.items() if shape is not None and name in installed}


def _shape(name: str, details: ModelDetails) -> ModelShape | None:
    """Return what a model is made of; None for one of a kind that our arithmetic does not know."""
    try:
        return ModelShape.of(name, details.metadata, details.tensors, details.quantization)
    except ModelUnfit:
        return None  # it can be used all the same
