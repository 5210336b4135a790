"""What the jobs of the Models page do, step by step, telling how far they are."""

import logging
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rag.cli.models import choices_for
from rag.errors import (
    AnswerCancelled,
    AnswerdeskError,
    DownloadFailed,
    IngestStopped,
    ModelMissing,
    ModelTooLarge,
    ModelUnfit,
    OllamaRefused,
)
from rag.generation.model_loading import load, unload, without_answers
from rag.ollama.model_creation import ModelMaker
from rag.ollama.model_files import model_source
from rag.ollama.model_pull import pull
from rag.ollama.models import find_installed
from rag.people.audit import Detail
from rag.progress import Update
from rag.settings import keep_choices
from rag.storage.access import User
from ui.services.jobs import JobControl
from ui.services.model_registry import ModelRegistry

logger = logging.getLogger(__name__)

StepName = Literal["downloading", "checking", "sending", "making", "waiting", "loading", "unloading", "deleting"]
_WITHOUT_FORMAT = ("no_template", "installed_without_template")


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
    """What became of a model.  ``variables`` of the environment go before what was chosen.

    ``speaks`` is False for a model without a chat format.
    """

    name: str
    size_bytes: int = 0
    quantization: str = ""
    variables: tuple[str, ...] = ()
    speaks: bool = True


class ModelWork:
    """The work of one job, for the ``user`` who began it.  Every method raises ``IngestStopped`` when it is stopped."""

    def __init__(self, shelf: ModelRegistry, user: User, control: JobControl) -> None:
        self._shelf = shelf
        self._client = shelf.client
        self._user = user
        self._control = control

    def pull(self, name: str) -> Outcome:
        """Get a model from Ollama's registry."""
        with self._told():
            with self._shown("downloading", name) as update:
                pull(self._client, name, update, remedy="other_way")
            return self._finished(name, "pulled")

    def import_files(self, path: Path, name: str, kind: str, template: str) -> Outcome:
        """Make a model of a GGUF file or a safetensors folder."""
        with self._told():
            self._maker().import_files(model_source(path, template), name, kind)
            return self._finished(name, "imported")

    def quantize(self, name: str, kind: str, new_name: str) -> Outcome:
        """Make a smaller model of one."""
        with self._told():
            return self._finished(self._maker().quantize(name, kind, new_name), "quantized", source=name)

    def load(self, name: str) -> Outcome:
        """Bring a model into memory; where it pushes another one out, that one's answers come first."""
        with self._told():
            if any(one.name != name for one in self._client.loaded()):
                with self._without_answers(name):
                    return self._load(name)
            return self._load(name)

    def unload(self, name: str) -> Outcome:
        """Take a model out of memory, after the answers that are being written."""
        with self._told(), self._without_answers(name):
            self._tell("unloading", name)
            unload(self._client, name)
            self._shelf.look_again()
            return Outcome(name)

    def delete(self, name: str) -> Outcome:
        """Delete a model; one in memory after the answers that are being written."""
        with self._told():
            if any(one.name == name for one in self._client.loaded()):
                with self._without_answers(name):
                    unload(self._client, name)
                    return self._delete(name)
            return self._delete(name)

    def use(self, name: str) -> Outcome:
        """Keep a model as the one that answers from the desk's next start on."""
        with self._told():
            settings = self._shelf.settings
            variables = keep_choices(settings, choices_for(name, self._client.show(name), settings))
            return self._finished(name, "chosen", variables=tuple(variables))

    def _load(self, name: str) -> Outcome:
        self._tell("loading", name)
        load(self._client, name, self._shelf.settings)
        self._shelf.look_again()
        return Outcome(name)

    def _delete(self, name: str) -> Outcome:
        self._tell("deleting", name)
        found = find_installed(self._client.models(), name)
        self._client.delete(name)
        self._record(name, "deleted", found.size_bytes if found else 0)
        self._shelf.look_again()
        return Outcome(name)

    def _finished(self, name: str, action: str, *, source: str = "", variables: tuple[str, ...] = ()) -> Outcome:
        """Take down what was done, and return how the model turned out."""
        found = find_installed(self._client.models(), name)
        if found is None:
            raise ModelMissing(model=name)
        self._record(found.name, action, found.size_bytes, source)
        self._shelf.look_again()
        speaks = self._client.show(found.name).has_template
        return Outcome(found.name, found.size_bytes, found.quantization, variables, speaks)

    def _record(self, name: str, action: str, size_bytes: int, source: str = "") -> None:
        details: dict[str, Detail] = {"action": action, "bytes": size_bytes}
        self._shelf.record(self._user, "model", name, details | ({"source": source} if source else {}))

    def _maker(self) -> ModelMaker:
        def shown(key: str, what: str) -> AbstractContextManager[Update]:
            return self._shown(_STEPS[key], what)

        return ModelMaker(self._client, shown)

    @contextmanager
    def _shown(self, name: StepName, what: str) -> Iterator[Update]:
        self._tell(name, what)
        yield lambda done, total: self._control.tell(Step(name, what, done, total))

    @contextmanager
    def _without_answers(self, name: str) -> Iterator[None]:
        cancelled = threading.Event()
        self._control.when_stopped(cancelled.set)
        with without_answers(
            self._shelf.admission,
            lambda answers: self._control.tell(Step("waiting", name, answers=answers)),
            cancelled,
            self._shelf.settings.cache_dir / "admission" / "models.lock",
        ):
            yield

    def _tell(self, name: StepName, what: str) -> None:
        self._control.tell(Step(name, what))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say in the page's words what a terminal is told in its own."""
        try:
            yield
        except AnswerCancelled as error:
            raise IngestStopped from error
        except AnswerdeskError as error:
            told = _for_the_page(error)
            if told is error:
                raise
            raise told from error


_STEPS: dict[str, StepName] = {"checking": "checking", "sending": "sending", "making": "making"}
"""The keys of ``ModelMaker``'s progress."""


def _for_the_page(error: AnswerdeskError) -> AnswerdeskError:
    """Return the error to show to an admin, who has a page and no terminal."""
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
