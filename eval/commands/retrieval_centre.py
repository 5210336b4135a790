"""``python -m eval.commands.retrieval_centre``: finds the mean token that is subtracted from the embedder's tokens.

It is the mean over the passages of the sample knowledge base, each counting alike, in both languages; nothing but texts
is needed.  ``rag/retrieval/token_centre.json`` is rewritten, and every knowledge base must be rebuilt after that.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from datetime import date

import numpy as np

from eval.core.question_sets import KNOWLEDGE_DIR
from ingest.pipeline import ingest
from rag.errors import AnswerdeskError
from rag.private_files import keep_files_private
from rag.protocols import FloatMatrix
from rag.retrieval.embedder_tokens import CENTRE_PATH, own_tokens
from rag.retrieval.model_folders import openvino_folder
from rag.retrieval.openvino_embedder import OpenVinoEmbedder
from rag.settings import Settings, load_settings
from rag.storage.store import KnowledgeStore
from rag.terminal import exit_code_of, fail

_DIGITS = 4


def mean_token(states: Sequence[FloatMatrix]) -> FloatMatrix:
    """Return the mean, float32 [dimension], of the passages' mean own tokens; ``states`` are [tokens, dimension]."""
    own = [rows[own_tokens(len(rows))] for rows in states]
    return np.asarray(np.mean([rows.mean(axis=0) for rows in own if len(rows)], axis=0), dtype=np.float32)


def main() -> int:
    """Compute and write it; return the exit code."""
    try:
        settings = load_settings()
        embedder = OpenVinoEmbedder(openvino_folder(settings), settings.embedder_threads)
        with tempfile.TemporaryDirectory() as temporary:
            passages = _passages(settings.changed(data_dir=temporary), embedder)
        centre = mean_token(embedder.states(passages))
    except AnswerdeskError as error:
        return fail(error)
    content = {
        "centre": [round(float(value), _DIGITS) for value in centre],
        "fitted": {
            "on": f"data/knowledge: {len(passages)} passages, no questions",
            "when": date.today().isoformat(),
            "with": "python -m eval.commands.retrieval_centre",
        },
    }
    CENTRE_PATH.write_text(json.dumps(content) + "\n", encoding="utf-8")
    return 0


def _passages(settings: Settings, embedder: OpenVinoEmbedder) -> list[str]:
    ingest([KNOWLEDGE_DIR], settings, embedder)
    store = KnowledgeStore(settings.knowledge_dir)
    generation = store.require_generation()
    chunks = store.chunks(store.visible_chunk_ids(generation), generation)
    store.close()
    return [chunk.embedded_text for chunk in chunks.values()]


if __name__ == "__main__":
    keep_files_private()
    sys.exit(exit_code_of(main))
