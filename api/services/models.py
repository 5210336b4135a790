"""What the Models page calls, for an admin; every call checks rights again.  What takes longer is a job.

``ModelRegistry`` is the program's, shared by all pages: it watches the Ollama server in the background.
``ModelWork`` is what the jobs do, step by step, reporting progress.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from api.services.guarded import GuardedService, Record
from api.services.jobs import Job, JobControl, Jobs, Watch
from api.services.quality import count_questions, runs_of_base
from eval.calibrate_model.background import CalibrationProcess, Order
from eval.calibrate_model.report import Findings, findings_of
from eval.core.runs import Run, new_run_name
from eval.train.findings import Findings as Tuned
from eval.train.findings import finished_tunings
from rag.cli.models import ListedModel, choices_for, list_models
from rag.errors import (
    AnswerCancelled,
    AnswerdeskError,
    DownloadFailed,
    IngestRunning,
    IngestStopped,
    ModelMissing,
    ModelTooLarge,
    ModelUnfit,
    OllamaRefused,
    ServingError,
    SettingsError,
)
from rag.generation.model_loading import hold_all_slots, load, unload
from rag.ollama.advice import Advice, advise, serving_of, stored_rates
from rag.ollama.client import InstalledModel, OllamaClient, pull
from rag.ollama.hardware import Machine
from rag.ollama.model_creation import ModelMaker
from rag.ollama.model_details import ModelDetails
from rag.ollama.model_files import model_source
from rag.ollama.models import find_installed
from rag.ollama.server import server_environment, status
from rag.ollama.sizing import ModelShape, context_of
from rag.ollama.templates import FORMATS
from rag.people.audit import Detail
from rag.queue.admission import Admission
from rag.settings import PROFILE_NAMES, ProfileName, Settings, store_choices, stored_choices
from rag.storage.access import User
from rag.terminal import Update
from rag.turns import Failure

_LOOK_EVERY_SECONDS = 4.0
_COMMAND = "calibrate model"
_MAKING, _SERVING, _CALIBRATING = "models making", "models serving", "models calibrating"
logger = logging.getLogger(__name__)
_WITHOUT_FORMAT = ("no_template", "installed_without_template")


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
        return runs_of_base(self.settings, base, [_COMMAND], _calibration_run)

    def questions(self, base: str) -> int:
        """Count the questions with known answers that a knowledge base keeps; 0 without any."""
        return count_questions(self.settings.changed(knowledge_base=base), "answers")

    def calibrate(self, base: str, order: Order, control: JobControl) -> str:
        """Try what is ordered; return the run's name."""
        with self.process(self.settings.changed(knowledge_base=base)) as process:
            control.on_stop(process.stop)
            process.calibrate(order, control.tell)
        return order.run

    def choose(self, run: str, control: JobControl) -> list[str]:
        """Use a run's winner from the next start on; return the variables that go before it."""
        with self.process(self.settings) as process:
            control.on_stop(process.stop)
            return process.choose(run)


def _calibration_run(run: Run, identity: Mapping[str, object], began_at: datetime) -> CalibrationRun:
    findings = findings_of(run) if (run.folder / "figures.json").is_file() else None
    return CalibrationRun(run.folder.name, str(identity.get("model", "")), began_at, findings)


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

    def look_again(self) -> None:
        """Look again after a change; a model that was remade under an old name is read again."""
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
        advice = advise(shape, serving, listing.machine, stored_rates(self.settings).get(name))
        as_loaded = row.context_tokens == context_of(shape, serving) and slots == self.settings.parallel_slots
        return replace(advice, loaded_bytes=row.memory_bytes) if as_loaded and listing.managed else advice

    def _look(self) -> ModelListing:
        try:
            rows = tuple(list_models(self.client, self.settings.model, self._details))
        except ServingError as error:
            return ModelListing(failure=Failure.of(error))
        return ModelListing(
            rows=rows,
            shapes=MappingProxyType(self._shapes(rows)),
            answers=self.admission.occupancy().running,
            managed=status(self.settings).managed,
            machine=self._machine(),
        )

    def _details(self, model: InstalledModel) -> ModelDetails:
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
    """Return a model's shape; None for one of a kind that our arithmetic does not know."""
    try:
        return ModelShape.of(name, details.metadata, details.tensors, details.quantization)
    except ModelUnfit:
        return None  # it can be used all the same


StepName = Literal["downloading", "checking", "sending", "making", "waiting", "loading", "unloading", "deleting"]


@dataclass(frozen=True, slots=True)
class Step:
    """What a job is at: ``what`` is a model's or a file's name.  Bytes are 0 where nobody counts them.

    ``answers`` are those that are waited for.
    """

    name: StepName
    what: str
    done_bytes: int = 0
    total_bytes: int = 0
    answers: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a model's job.  ``variables`` of the environment go before what was chosen.

    ``speaks`` is False for a model without a chat format.
    """

    name: str
    size_bytes: int = 0
    quantization: str = ""
    variables: tuple[str, ...] = ()
    speaks: bool = True


class ModelWork:
    """The work of one job, for the ``user`` who began it.  Every method raises ``IngestStopped`` when it is stopped."""

    def __init__(self, registry: ModelRegistry, user: User, control: JobControl) -> None:
        self._registry = registry
        self._client = registry.client
        self._user = user
        self._control = control

    def pull(self, name: str) -> Outcome:
        """Get a model from Ollama's registry."""
        with self._translate_errors():
            with self._show_step("downloading", name) as update:
                pull(self._client, name, update, remedy="other_way")
            return self._record_outcome(name, "pulled")

    def import_files(self, path: Path, name: str, kind: str, template: str) -> Outcome:
        """Make a model of a GGUF file or a safetensors folder."""
        with self._translate_errors():
            self._maker().import_files(model_source(path, template), name, kind)
            return self._record_outcome(name, "imported")

    def quantize(self, name: str, kind: str, new_name: str) -> Outcome:
        """Make a smaller model of one."""
        with self._translate_errors():
            return self._record_outcome(self._maker().quantize(name, kind, new_name), "quantized", source=name)

    def load(self, name: str) -> Outcome:
        """Bring a model into memory; where it pushes another one out, that one's answers come first."""
        with self._translate_errors():
            if any(one.name != name for one in self._client.loaded()):
                with self._wait_for_answers(name):
                    return self._load(name)
            return self._load(name)

    def unload(self, name: str) -> Outcome:
        """Take a model out of memory, after the answers that are being written."""
        with self._translate_errors(), self._wait_for_answers(name):
            self._tell("unloading", name)
            unload(self._client, name)
            self._registry.look_again()
            return Outcome(name)

    def delete(self, name: str) -> Outcome:
        """Delete a model; one in memory after the answers that are being written."""
        with self._translate_errors():
            if any(one.name == name for one in self._client.loaded()):
                with self._wait_for_answers(name):
                    unload(self._client, name)
                    return self._delete(name)
            return self._delete(name)

    def use(self, name: str) -> Outcome:
        """Keep a model as the one that answers from the desk's next start on."""
        with self._translate_errors():
            settings = self._registry.settings
            variables = store_choices(settings, choices_for(name, self._client.show(name), settings))
            return self._record_outcome(name, "chosen", variables=tuple(variables))

    def _load(self, name: str) -> Outcome:
        self._tell("loading", name)
        load(self._client, name, self._registry.settings)
        self._registry.look_again()
        return Outcome(name)

    def _delete(self, name: str) -> Outcome:
        self._tell("deleting", name)
        found = find_installed(self._client.models(), name)
        self._client.delete(name)
        self._record(name, "deleted", found.size_bytes if found else 0)
        self._registry.look_again()
        return Outcome(name)

    def _record_outcome(self, name: str, action: str, *, source: str = "", variables: tuple[str, ...] = ()) -> Outcome:
        """Record the action, and return the model's outcome."""
        found = find_installed(self._client.models(), name)
        if found is None:
            raise ModelMissing(model=name)
        self._record(found.name, action, found.size_bytes, source)
        self._registry.look_again()
        speaks = self._client.show(found.name).has_template
        return Outcome(found.name, found.size_bytes, found.quantization, variables, speaks)

    def _record(self, name: str, action: str, size_bytes: int, source: str = "") -> None:
        details: dict[str, Detail] = {"action": action, "bytes": size_bytes}
        self._registry.record(self._user, "model", name, details | ({"source": source} if source else {}))

    def _maker(self) -> ModelMaker:
        def show_step(key: str, what: str) -> AbstractContextManager[Update]:
            return self._show_step(_STEPS[key], what)

        return ModelMaker(self._client, show_step)

    @contextmanager
    def _show_step(self, name: StepName, what: str) -> Iterator[Update]:
        self._tell(name, what)
        yield lambda done, total: self._control.tell(Step(name, what, done, total))

    @contextmanager
    def _wait_for_answers(self, name: str) -> Iterator[None]:
        cancelled = threading.Event()
        self._control.on_stop(cancelled.set)
        with hold_all_slots(
            self._registry.admission,
            lambda answers: self._control.tell(Step("waiting", name, answers=answers)),
            cancelled,
            self._registry.settings.cache_dir / "admission" / "models.lock",
        ):
            yield

    def _tell(self, name: StepName, what: str) -> None:
        self._control.tell(Step(name, what))

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Translate a terminal's errors for the page."""
        try:
            yield
        except AnswerCancelled as error:
            raise IngestStopped from error
        except AnswerdeskError as error:
            told = _page_error(error)
            if told is error:
                raise
            raise told from error


_STEPS: dict[str, StepName] = {"checking": "checking", "sending": "sending", "making": "making"}
"""The keys of ``ModelMaker``'s progress."""


def _page_error(error: AnswerdeskError) -> AnswerdeskError:
    """Return the error for an admin with a page and no terminal."""
    if isinstance(error, ModelUnfit) and error.details["reason"] in _WITHOUT_FORMAT:
        return ModelUnfit(model=str(error.details["model"]), reason="no_format")
    if isinstance(error, DownloadFailed) and not error.has_reason(str(error.details["reason"])):
        logger.warning("the registry refused: %s", error.details["reason"])
        return DownloadFailed(what=error.details["what"], reason="refused", remedy="other_way")
    if isinstance(error, OllamaRefused):
        from rag.generation.oom_fallback import is_out_of_memory  # brings the client for chats

        said = str(error.details["reason"])
        logger.warning("the model server refused: %s", said)
        if is_out_of_memory(said):
            return ModelTooLarge(model="", tried="")
    return error


@dataclass(frozen=True, slots=True)
class ProfileChoice:
    """A choice as it is in force and as it will be from the desk's next start on."""

    now: str
    next_start: str


class ModelService(GuardedService[ModelRegistry]):
    """The models, for the user of ``who``.  Every method raises ``NotPermitted`` unless they are an admin.

    Calibrations ask the questions of a knowledge base, so they raise ``AccessDenied`` where it is not
    theirs.  Methods that begin a job raise ``IngestRunning`` beside one in the same job slot: one slot makes models,
    one moves them in and out of memory, one calibrates.
    """

    # looking

    def listing(self) -> ModelListing:
        """Return what the model server held when it was last looked at, seconds ago."""
        self._permitted("admin", reads=False)
        return self.registry.listing()

    def settings(self) -> Settings:
        """Return the settings that are in force."""
        self._permitted("admin", reads=False)
        return self.registry.settings

    def advice(self, name: str, slots: int, context_tokens: int) -> Advice | None:
        """Return what a model would take with so many slots and tokens; None where its shape is not known."""
        self._permitted("admin", reads=False)
        return self.registry.advice(name, slots, context_tokens)

    def next_model(self) -> str:
        """Return the model that was chosen for the next start; empty where none was.  Raises ``SettingsError``."""
        self._permitted("admin", reads=False)
        return str(stored_choices(self.registry.settings.data_dir).get("model", ""))

    # making

    def pull(self, name: str) -> Job:
        """Begin to get a model from the registry.  Raises ``ModelUnfit`` without a name."""
        user, name = self._permitted("admin", reads=False), name.strip()
        if not name:
            raise ModelUnfit(model=name, reason="name")
        return self._begin(_MAKING, "pull", user, lambda work: work.pull(name))

    def import_files(self, path: str, name: str, kind: str, template: str) -> Job:
        """Begin to make a model of a file or folder on this machine.

        ``kind`` is a quantization or empty, ``template`` one of ``FORMATS`` or empty.  Raises ``ModelUnfit``.
        """
        user, file = self._permitted("admin", reads=False), Path(path.strip()).expanduser()
        if not file.is_absolute():
            raise ModelUnfit(model=path.strip(), reason="not_absolute")
        if template and template not in FORMATS:
            raise ModelUnfit(model=path.strip(), reason="no_format")
        return self._begin(_MAKING, "import", user, lambda work: work.import_files(file, name.strip(), kind, template))

    def quantize(self, name: str, kind: str, new_name: str = "") -> Job:
        """Begin to make a smaller model of one; an empty ``new_name`` names it after its source."""
        user = self._permitted("admin", reads=False)
        return self._begin(_MAKING, "quantize", user, lambda work: work.quantize(name, kind.strip(), new_name.strip()))

    def making(self) -> Job | None:
        """Return the last job that made a model, or tried to."""
        self._permitted("admin", reads=False)
        return self.registry.jobs.latest(_MAKING)

    def stop_making(self) -> None:
        """Stop it at its next step; what was downloaded is kept by Ollama for the next try."""
        self._permitted("admin", reads=False)
        self.registry.jobs.stop(_MAKING)

    # serving

    def load(self, name: str) -> Job:
        """Begin to bring a model into memory."""
        return self._begin(_SERVING, "load", self._permitted("admin", reads=False), lambda work: work.load(name))

    def unload(self, name: str) -> Job:
        """Begin to take a model out of memory, after the answers that are being written."""
        return self._begin(_SERVING, "unload", self._permitted("admin", reads=False), lambda work: work.unload(name))

    def delete(self, name: str, typed: str) -> Job:
        """Begin to delete a model whose name was ``typed``.  Raises ``ModelUnfit`` and ``ModelMissing``."""
        user = self._permitted("admin", reads=False)
        if typed.strip() != name:
            raise ModelUnfit(model=name, reason="not_typed")
        if self.registry.listing().row(name) is None:
            raise ModelMissing(model=name)
        making = self.registry.jobs.latest(_MAKING)
        if making is not None and making.running:
            raise IngestRunning(holder=making.who)  # it may be what something is being made of
        return self._begin(_SERVING, "delete", user, lambda work: work.delete(name))

    def use(self, name: str) -> Job:
        """Begin to choose a model for the desk's next start: whether it can answer is asked of the server first."""
        return self._begin(_SERVING, "use", self._permitted("admin", reads=False), lambda work: work.use(name))

    def serving(self) -> Job | None:
        """Return the last job that moved a model."""
        self._permitted("admin", reads=False)
        return self.registry.jobs.latest(_SERVING)

    def stop_serving(self) -> None:
        """Give up waiting for answers; what has begun to be loaded is loaded."""
        self._permitted("admin", reads=False)
        self.registry.jobs.stop(_SERVING)

    def job(self, number: int) -> Job | None:
        """Return the job of this number that made or moved a model; None where there is none, or it is forgotten."""
        self._permitted("admin", reads=False)
        return self.registry.jobs.find(_MAKING, number) or self.registry.jobs.find(_SERVING, number)

    def stop_job(self, number: int) -> None:
        """Stop the job of this number, where it runs."""
        for job, stop in ((self.making(), self.stop_making), (self.serving(), self.stop_serving)):
            if job is not None and job.job_id == number:
                stop()

    # calibrating

    def questions(self) -> int:
        """Count the questions that a calibration can ask; 0 without any."""
        self._permitted("admin")
        return self.registry.calibrations.questions(self.name)

    def calibrations(self) -> list[CalibrationRun]:
        """Return the calibrations with this knowledge base's questions, the newest first."""
        self._permitted("admin")
        return self.registry.calibrations.runs(self.name)

    def tunings(self) -> list[Tuned]:
        """Return what ``python -m eval train`` found, the newest first."""
        self._permitted("admin")
        return finished_tunings(self.registry.settings)

    def calibrate(
        self, model: str, slots: tuple[int, ...], contexts: tuple[int, ...], *, limit: int, minutes: float
    ) -> Job:
        """Begin to try a model; the job's result is the run's name.  ``limit`` 0 asks all questions.

        Raises ``ModelMissing``, and ``SettingsError`` without slots, contexts or time.
        """
        user = self._permitted("admin")
        if self.registry.listing().row(model) is None:
            raise ModelMissing(model=model)
        if not slots or not contexts or minutes <= 0 or min(*slots, *contexts) < 1:
            raise SettingsError(reason=f"{slots} {contexts} {minutes}")
        order = Order(new_run_name(self.registry.settings), model, slots, contexts, limit, minutes)
        calibrations = self.registry.calibrations
        return self.registry.jobs.start(
            _CALIBRATING, "calibrate", lambda control: calibrations.calibrate(self.name, order, control), user.name
        )

    def choose_winner(self, run: str) -> Job:
        """Begin to use a calibration's winner; the job's result are the variables that go before it.

        Raises ``SettingsError`` where there is no such run, or none that has a winner.
        """
        user = self._permitted("admin")
        found = next((one.findings for one in self.calibrations() if one.name == run), None)
        if found is None or found.best is None:
            raise SettingsError(reason=run)
        best = found.best.configuration

        def work(control: JobControl) -> list[str]:
            variables = self.registry.calibrations.choose(run, control)
            details: dict[str, Detail] = {"action": "chosen", "slots": best.slots, "context": best.context_tokens}
            self.registry.record(user, "model", best.model, details)
            self.registry.look_again()
            return variables

        return self.registry.jobs.start(_CALIBRATING, "choose", work, user.name)

    def calibrating(self) -> Job | None:
        """Return the last calibration that was begun here, or the choice of its winner."""
        self._permitted("admin", reads=False)
        return self.registry.jobs.latest(_CALIBRATING)

    def stop_calibrating(self) -> None:
        """Stop it; what was asked so far is kept."""
        self._permitted("admin", reads=False)
        self.registry.jobs.stop(_CALIBRATING)

    # profiles

    def profile(self) -> ProfileChoice:
        """Return the profile that is in force, and the one that was chosen.  Raises ``SettingsError``."""
        self._permitted("admin", reads=False)
        now = self.registry.settings.profile
        return ProfileChoice(now, str(stored_choices(self.registry.settings.data_dir).get("profile", now)))

    def choose_profile(self, name: ProfileName) -> list[str]:
        """Keep a profile for the next start; return the variables that go before it.  Raises ``SettingsError``."""
        user = self._permitted("admin", reads=False)
        variables = store_choices(self.registry.settings, {"profile": name})
        self.registry.record(user, "setting", "profile", {"profile": name})
        return variables

    def profiles(self) -> tuple[ProfileName, ...]:
        """Return the profiles that there are."""
        self._permitted("admin", reads=False)
        return PROFILE_NAMES

    def _begin(self, job_slot: str, kind: str, user: User, call: Callable[[ModelWork], Outcome]) -> Job:
        def work(control: JobControl) -> Outcome:
            return call(ModelWork(self.registry, user, control))

        return self.registry.jobs.start(job_slot, kind, work, user.name, by_number=True)
