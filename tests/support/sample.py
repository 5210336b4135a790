"""The sample knowledge base as the real embedder makes it, ingested once for all processes of a run."""

import pickle
import shutil
from pathlib import Path

from filelock import FileLock

from eval.core.question_sets import KNOWLEDGE_DIR
from ingest.pipeline import IngestOptions, ingest
from ingest.summary import IngestSummary
from rag.retrieval.embedder import open_embedder
from rag.settings import Settings


def copy_sample(shared: Path, data_dir: Path) -> IngestSummary:
    """Copy the sample into an empty data folder, and return what the ingest said.

    Who comes first ingests it into ``shared``, and the others wait.
    """
    made, told = shared / "sample", shared / "sample.summary"
    with FileLock(shared / "sample.lock"):
        if not told.is_file():
            shutil.rmtree(made, ignore_errors=True)
            settings = Settings(data_dir=made)
            summary = ingest([KNOWLEDGE_DIR], settings, open_embedder(settings), IngestOptions(prune=True))
            told.write_bytes(pickle.dumps(summary))
    shutil.copytree(made, data_dir, dirs_exist_ok=True)
    summary = pickle.loads(told.read_bytes())
    assert isinstance(summary, IngestSummary)
    return summary
