"""Locates the files of embedders and rerankers on this machine, and tells models apart by their content.

The built-in embedder:

    cache_dir/embedder/multilingual-e5-small/           a sentence-transformers folder (float32)
    cache_dir/embedder/multilingual-e5-small-openvino/  the same model for CPUs (8 bits), made from it

Both get their names only when they are complete (``rag/setup/embedder.py``).  ``embedder.json`` in each names its
vector space: the published weights, or those stored in 4 bits, whose vectors differ a little.

A model that the settings name is a folder, or has a name on the hub, ``owner/name``, which ``python -m rag.setup
embedder`` has put here:

    cache_dir/search-models/<owner>--<name>/   a folder as sentence-transformers saves it, weights in safetensors
    cache_dir/search-models/known.json         {model_id: name} of the models that were loaded on this machine

The second lets a generation that was embedded with another model be searched with that one.
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from rag.errors import EmbedderMissing, SearchModelMissing, SearchModelUnusable
from rag.files import read_json, write_whole
from rag.settings import Settings

NAME = "multilingual-e5-small"
MAX_TOKENS = 512
"""Longest input in tokens, with prefix and special tokens; what is longer is cut."""

QUERY_PREFIX = "query: "
PASSAGE_PREFIX = "passage: "

WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer.json"
OPENVINO_MODEL = "model-3.xml"
"""Its number increases with every change of the graph, so that a folder of an older program counts as incomplete and
is rebuilt.  The first gave a text's vector alone; the second gave its tokens' vectors as well; the third asks a layer's
query, key and value in one multiplication, with the same result."""

INPUT_IDS, ATTENTION_MASK = "input_ids", "attention_mask"
EMBEDDING, TOKEN_VECTORS = "embedding", "token_vectors"
"""The graph's inputs and outputs."""

_IDENTITY = "embedder.json"


@dataclass(frozen=True, slots=True)
class Identity:
    """The vector space of a folder: ``model_id`` names it, ``dimension`` is the length of a vector."""

    model_id: str
    dimension: int


def reference_folder(settings: Settings) -> Path:
    """Return where the sentence-transformers folder is, or is to be."""
    return settings.cache_dir / "embedder" / NAME


def openvino_folder(settings: Settings) -> Path:
    """Return where the OpenVINO model is, or is to be."""
    return settings.cache_dir / "embedder" / f"{NAME}-openvino"


def write_identity(folder: Path, identity: Identity) -> None:
    """Write ``embedder.json``, the last file of a folder to be written."""
    (folder / _IDENTITY).write_bytes(TypeAdapter(Identity).dump_json(identity, indent=1) + b"\n")


def is_whole(folder: Path) -> bool:
    """Whether the folder is there with all that it needs."""
    weights = OPENVINO_MODEL if (folder / OPENVINO_MODEL).is_file() else WEIGHTS
    return all((folder / name).is_file() for name in (weights, TOKENIZER, _IDENTITY))


def read_identity(folder: Path) -> Identity:
    """Return the folder's vector space.  Raises ``EmbedderMissing`` when the folder is not there or not whole."""
    if not is_whole(folder):
        raise EmbedderMissing(folder=folder)
    try:
        return TypeAdapter(Identity).validate_json((folder / _IDENTITY).read_bytes())
    except (OSError, ValidationError) as error:
        raise EmbedderMissing(folder=folder) from error


MODULES = "modules.json"
CONFIGURATION = "config.json"

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_KNOWN = "known.json"

_HASHED_SUFFIXES = (".json", ".model", ".safetensors", ".txt")
_WHOLE_BYTES = 2**25
_SAMPLES, _SAMPLE_BYTES = 64, 2**16
_ID_DIGITS = 12
_MARK = "@"


def search_model_folder(settings: Settings, name: str) -> Path:
    """Return where a model's folder is.

    Raises ``SearchModelMissing`` where a model of the hub is not on this machine, and ``SearchModelUnusable`` where
    the name is neither a folder nor a name on the hub, or its weights are not in safetensors.
    """
    given = Path(name).expanduser()
    if given.is_dir():
        folder = given.resolve()
    elif not is_hub_name(name):
        raise SearchModelUnusable(name=name, reason="no_folder")
    else:
        folder = hub_model_folder(settings, name)
        if not folder.is_dir():
            raise SearchModelMissing(name=name)
    if not (folder / CONFIGURATION).is_file() and not (folder / MODULES).is_file():
        raise SearchModelUnusable(name=name, reason="no_model")
    if next(folder.rglob("*.safetensors"), None) is None:
        raise SearchModelUnusable(name=name, reason="no_safetensors")
    return folder


def embedding_model_folder(settings: Settings, name: str) -> Path:
    """Return an embedding model's folder, which must name its pooling.  Raises as ``search_model_folder`` does."""
    folder = search_model_folder(settings, name)
    if not (folder / MODULES).is_file():
        raise SearchModelUnusable(name=name, reason="no_modules")
    return folder


def is_hub_name(name: str) -> bool:
    """Whether this may be the name of a model on the hub."""
    return _HUB_NAME.fullmatch(name) is not None and not Path(name).expanduser().is_dir()


def hub_model_folder(settings: Settings, name: str) -> Path:
    """Return where a model of the hub is, or is to be."""
    return settings.cache_dir / "search-models" / name.replace("/", "--")


def model_id_of(folder: Path, name: str) -> str:
    """Return the name of an embedding model's vector space: the model's name, and a digest of its folder."""
    return f"{Path(name).name}{_MARK}{_digest(folder)}"


def is_search_model(model_id: str) -> bool:
    """Whether a vector space is that of a model the settings name, and not the built-in one's."""
    return _MARK in model_id


def remember(settings: Settings, model_id: str, name: str) -> None:
    """Note which model an id belongs to.  On a cache that cannot be written, nothing is noted."""
    known = _known_models(settings)
    if known.get(model_id) == name:
        return
    path = settings.cache_dir / "search-models" / _KNOWN
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps({**known, model_id: name}, ensure_ascii=False, indent=1) + "\n")


def known_name(settings: Settings, model_id: str) -> str | None:
    """Return the name of the model that an id belongs to; None if it was never loaded on this machine."""
    return _known_models(settings).get(model_id)


def _known_models(settings: Settings) -> dict[str, str]:
    try:
        found = read_json(settings.cache_dir / "search-models" / _KNOWN)
    except (OSError, ValueError):
        return {}
    return {str(model_id): str(name) for model_id, name in found.items()} if isinstance(found, dict) else {}


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    paths = (path for path in folder.rglob("*") if path.suffix in _HASHED_SUFFIXES and path.is_file())
    for path in sorted(paths):
        digest.update(f"{path.relative_to(folder).as_posix()}\n{path.stat().st_size}\n".encode())
        for piece in _pieces(path):
            digest.update(piece)
    return digest.hexdigest()[:_ID_DIGITS]


def _pieces(path: Path) -> Iterator[bytes]:
    """Yield a file; of a large one only samples, because a model that was trained further differs everywhere."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= _WHOLE_BYTES:
            yield file.read()
            return
        for sample in range(_SAMPLES):
            file.seek((size - _SAMPLE_BYTES) * sample // (_SAMPLES - 1))
            yield file.read(_SAMPLE_BYTES)
