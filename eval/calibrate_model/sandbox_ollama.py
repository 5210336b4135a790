"""An Ollama of the calibration's own: another process, port and store than the team's, which is only read.

The store begins with a link to the model's file; what is made of it stays in the run's folder until the run is done.
The very file that was measured of the winner goes to the team's Ollama, and the settings name it.
"""

import math
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from eval.calibrate_model.results import DEFAULT_TUNING, Configuration, Tuning
from eval.core.ports import free_port
from rag.cli.models import choices_for
from rag.errors import ModelMissing, ModelUnfit, SettingsError
from rag.ollama.client import OllamaClient
from rag.ollama.model_creation import ModelMaker, variant_name
from rag.ollama.model_details import ModelDetails
from rag.ollama.models import choose_among, find_installed
from rag.ollama.reconstruct import reconstruct_f16
from rag.ollama.server import ensure_running, stop
from rag.schema import Language
from rag.settings import Settings, store_choices
from rag.terminal import Update, progress
from rag.translate import translate

AS_IS = "as-is"
_WHOLE = ("F16", "BF16")
_TUNINGS_VARIABLES = ("OLLAMA_FLASH_ATTENTION", "OLLAMA_KV_CACHE_TYPE")
_TUNED_BY_US = ("OLLAMA_NUM_PARALLEL", "OLLAMA_CONTEXT_LENGTH", "OLLAMA_MODELS", "OLLAMA_HOST", *_TUNINGS_VARIABLES)


@dataclass(frozen=True, slots=True)
class Subject:
    """The model that is calibrated, as the team's Ollama has it.  ``file`` is where its weights lie."""

    name: str
    details: ModelDetails
    file: Path

    @property
    def is_whole(self) -> bool:
        """Whether other quantizations can be made of it."""
        return self.details.quantization in _WHOLE


def subject(client: OllamaClient, wanted: str) -> Subject:
    """Look at the model to calibrate.  Raises ``ModelMissing``, or ``ModelUnfit`` where its file cannot be read."""
    installed = client.models()
    found = find_installed(installed, choose_among(installed, wanted).name)
    if found is None:
        raise ModelMissing(model=wanted)
    details = client.show(found.name)
    file = Path(details.file)
    if not details.has_template:
        raise ModelUnfit(model=found.name, reason="installed_without_template")
    if not details.file or not os.access(file, os.R_OK):
        raise ModelUnfit(model=found.name, reason="blob", what=details.file or "?")
    return Subject(found.name, details, file)


def name_of_kind(one: Subject, kind: str) -> str:
    """Return the name of the model of a kind."""
    return one.name if kind == AS_IS else variant_name(one.name, kind)


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where the calibration's server lives: ``folder`` in the run's own."""

    folder: Path
    settings: Settings
    language: Language

    @property
    def store(self) -> Path:
        """Its models."""
        return self.folder / "models"

    @contextmanager
    def server(
        self, slots: int, context_tokens: int, model: str = "", tuning: Tuning = DEFAULT_TUNING
    ) -> Iterator[Settings]:
        """Run the server so; yield the settings of its clients.  It ends with the block, or with this process."""
        own = self.settings.changed(
            data_dir=self.folder / "server", ollama_host=f"127.0.0.1:{free_port()}", parallel_slots=slots,
            context_tokens=context_tokens, model=model, **asdict(tuning),
        )  # fmt: skip
        with _environment({"OLLAMA_MODELS": str(self.store)}):
            ensure_running(own, while_we_live=True)
            try:
                yield own
            finally:
                stop(own)

    def prepare(self, one: Subject, kinds: tuple[str, ...], deadline: float, *, reconstruct: bool) -> dict[str, str]:
        """Make the missing models, until the ``deadline`` (monotonic); return the model of each kind.

        Raises ``SettingsError`` where quantizations are wanted of a model that is quantized already.
        """
        made = [kind for kind in kinds if kind != AS_IS]
        if made and not one.is_whole and not reconstruct:
            reason = translate("eval_calibration.already", self.language, name=one.name, kind=one.details.quantization)
            raise SettingsError(reason=reason)
        (self.store / "blobs").mkdir(parents=True, exist_ok=True)
        link = self.store / "blobs" / one.file.name
        if not link.exists():
            link.symlink_to(one.file)
        names = {AS_IS: one.name} if AS_IS in kinds else {}
        with self.server(1, 2048) as own:
            maker = ModelMaker(OllamaClient(own.ollama_url), self.show_progress)
            if find_installed(maker.client.models(), one.name) is None:
                _copy(maker.client, one, one.name, one.file.name.removeprefix("sha256-"))
            whole = one.name if one.is_whole or not made else self._reconstructed(maker, one)
            for kind in made:
                name = name_of_kind(one, kind)
                if find_installed(maker.client.models(), name) is None:
                    if time.monotonic() >= deadline:
                        break
                    maker.quantize(whole, kind, name)
                names[kind] = name
        return {kind: names[kind] for kind in kinds if kind in names}

    def _reconstructed(self, maker: ModelMaker, one: Subject) -> str:
        name = variant_name(one.name, "f16")
        if find_installed(maker.client.models(), name) is not None:
            return name
        file = self.folder / "reconstructed-f16.gguf"
        with self.show_progress("reconstructing", one.name, in_bytes=False) as update:
            reconstruct_f16(one.file, file, update)
        try:
            sha256 = maker.send(file)
        finally:
            file.unlink()
        _copy(maker.client, one, name, sha256)
        return name

    def show_progress(self, key: str, what: str, *, in_bytes: bool = True) -> AbstractContextManager[Update]:
        """Show the progress of a long step."""
        return progress(translate(f"eval_calibration.{key}", self.language, what=what), sys.stderr, in_bytes=in_bytes)


def _copy(client: OllamaClient, one: Subject, name: str, sha256: str) -> None:
    """Make a model of a blob with the template and parameters of the subject."""
    body = {
        "model": name,
        "files": {"model.gguf": f"sha256:{sha256}"},
        "template": one.details.template,
        "parameters": dict(one.details.parameters),
    }
    for _ in client.make(body):
        pass


def install_winner(workshop: Workshop, one: Subject, name: str, home: OllamaClient) -> None:
    """Install the measured file in the team's Ollama."""
    with workshop.server(1, 2048) as own:
        file = Path(OllamaClient(own.ollama_url).show(name).file)
    sha256 = file.name.removeprefix("sha256-")
    if not home.has_blob(sha256):
        with workshop.show_progress("sending", name) as update:
            home.upload_blob(file, sha256, update)
    _copy(home, one, name, sha256)


@contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Set variables for processes started in the block; those that would overrule a configuration are removed."""
    before = dict(os.environ)
    for name in _TUNED_BY_US:
        os.environ.pop(name, None)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def choose(
    best: Configuration, one: Subject, workshop: Workshop, home: OllamaClient, *, reconstruct: bool
) -> list[str]:
    """Let the desk use a configuration from its next start on; return the variables that go before it.

    A model that ``home`` lacks is made again, which may take minutes.  Raises a ``ServingError`` or ``SettingsError``.
    """
    if best.kind != AS_IS and find_installed(home.models(), best.model) is None:
        workshop.prepare(one, (best.kind,), math.inf, reconstruct=reconstruct)
        install_winner(workshop, one, best.model, home)
    choices = choices_for(best.model, home.show(best.model), workshop.settings)
    numbers = {"parallel_slots": best.slots, "context_tokens": best.context_tokens, **asdict(best.tuning)}
    before = store_choices(workshop.settings, {**choices, **numbers})
    return [*before, *(name for name in _TUNINGS_VARIABLES if name in os.environ)]
