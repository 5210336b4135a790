"""Run by ``test_shared_ingest.py``: an ingest of a shared knowledge base that kills itself, as ``killed_ingest`` does.

``python -m tests.ingest.killed_publication MANUAL DATA_DIR POINT CALL``: at that call of a point it is over.  Where the
settings name a bucket, the points are those of a publication that puts its pieces there.
"""

import sys
from pathlib import Path

import rag.storage.sharing
from ingest.pipeline import IngestOptions, ingest
from rag.settings import Settings
from rag.storage.bucket import Bucket
from rag.storage.shared_pieces import BucketPieces, RowPieces, SharedKnowledge
from rag.storage.sharing import KnowledgeShare
from rag.storage.writer import KnowledgeWriter
from rag.testing import HashEmbedder
from tests.ingest.killed_ingest import replace

POINTS = {
    "locked": (KnowledgeShare, "_take_over"),
    "copied": (KnowledgeWriter, "publish"),
    "sealed": (rag.storage.sharing, "_cut_file"),
    "putting": (RowPieces, "put"),
    "moving": (SharedKnowledge, "move"),
    "moved": (SharedKnowledge, "collect"),
    "collected": (KnowledgeShare, "_settle_on"),
    "placed": (rag.storage.sharing, "write_whole"),
    "noted": (KnowledgeWriter, "delete_older"),
}
POINTS_WITH_A_BUCKET = POINTS | {
    "putting": (BucketPieces, "put"),
    "sending": (Bucket, "put"),  # rows say what is coming
    "sent": (Bucket, "_object_arguments"),  # so many objects are there, of which no row says so yet
    "deleting": (Bucket, "delete"),  # rows say what is doomed
}


def main(manual: Path, data_dir: Path, point: str, call: int) -> None:
    """Ingest until the point is reached; it must be."""
    settings = Settings(data_dir=data_dir, chunk_tokens=32)
    replace(*(POINTS_WITH_A_BUCKET if settings.blob_url else POINTS)[point], at=call)
    ingest([manual], settings, HashEmbedder(), IngestOptions(prune=True))
    sys.exit("the point was not reached")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
