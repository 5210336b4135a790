"""Run by ``test_engine_ingest.py``: an ingest into a vector engine that kills itself, as ``killed_ingest`` does.

``python -m tests.ingest.killed_engine_ingest MANUAL DATA_DIR URL POINT``
"""

import sys
from pathlib import Path

import ingest.pipeline
import ingest.publish
import rag.retrieval.index_builder
import rag.retrieval.pgvector_engine
from rag.settings import Settings
from rag.storage.writer import KnowledgeWriter
from rag.testing import HashEmbedder
from tests.ingest.killed_ingest import replace

POINTS = {
    "filling": (rag.retrieval.pgvector_engine.PgVectorEngine, "fill", 1),
    "copied": (rag.retrieval.pgvector_engine, "_memory_mb", 1),
    "filled": (rag.retrieval.index_builder, "write_chunk_ids", 1),
    "named": (ingest.publish, "_sync_folder", 2),
    "commit": (KnowledgeWriter, "publish", 1),
    "dropping": (ingest.publish, "drop_collections", 1),
}


def engine_settings(data_dir: Path, url: str) -> Settings:
    """Return settings by which all but a few vectors go to an engine, with each generation anew."""
    return Settings(data_dir=data_dir, chunk_tokens=32, vector_url=url, exact_search_chunks=3, index_merge_share=0.0)


def main(manual: Path, data_dir: Path, url: str, point: str) -> None:
    """Ingest until the point is reached; it must be."""
    owner, name, call = POINTS[point]
    replace(owner, name, at=call)
    options = ingest.pipeline.IngestOptions(prune=True)
    ingest.pipeline.ingest([manual], engine_settings(data_dir, url), HashEmbedder(), options)
    sys.exit("the point was not reached")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4])
