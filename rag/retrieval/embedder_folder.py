"""Locates the embedder's files on this machine and checks that the folder is complete.

    cache_dir/embedder/multilingual-e5-small/           a sentence-transformers folder (float32)
    cache_dir/embedder/multilingual-e5-small-openvino/  the same model for CPUs (8 bits), made from it

Both take their names only when they are whole (``rag/setup/embedder.py``).  ``embedder.json`` in each says which
vector space it is: the published weights, or those that were stored in 4 bits, whose vectors differ a little.
"""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from rag.errors import EmbedderMissing
from rag.settings import Settings

NAME = "multilingual-e5-small"
MAX_TOKENS = 512
"""Longest input in tokens, with prefix and special tokens; what is longer is cut."""

QUERY_PREFIX = "query: "
PASSAGE_PREFIX = "passage: "

WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer.json"
OPENVINO_MODEL = "model-3.xml"
"""Its number goes up with every change of the graph, so that a folder of an older program counts as not whole and is
made anew.  The first gave a text's vector alone; the second gave its tokens' vectors as well; the third asks a layer's
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
