"""The processes of the benchmark: one measured ingest, kept to some cores, and a worker whose embedder sleeps.

``python -m eval.bench.workers.processes CORPUS WORKERS``, with the settings in its environment: waits for so many
workers, lets all of them embed something, ingests, and prints a line of JSON.  With ``--share-only`` this process
embeds nothing itself and makes no index: what the workers do is all there is.  With ``--sleeping`` its embedder, and
the workers', sleep as long as a core needs: machines that do not share this one's cores.

``python -m eval.bench.workers.processes --worker`` is ``python -m ingest.worker`` with that embedder.
"""

import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from eval.bench.ingest.child_processes import GeneratedVectors
from ingest import worker
from ingest.chunking import chunk_document
from ingest.embedding import PassageEmbedding
from ingest.embedding_share import EmbeddingShare, space_of
from ingest.loaders.registry import load
from ingest.loaders.source import Limits
from ingest.pipeline import ingest
from rag.errors import SettingsError
from rag.private_files import keep_files_private
from rag.protocols import Embedder, PassageVectors
from rag.retrieval.embedder import open_embedder
from rag.schema import Document
from rag.settings import ServerDatabase, load_settings
from rag.storage.connection import Database
from rag.storage.embedding_jobs import EmbeddingJobs
from rag.storage.embeddings import EmbeddingTable, embedding_hash
from rag.storage.migrations import KNOWLEDGE_MIGRATIONS

PASSAGES_A_SECOND = 40.0
"""Of one core; measured with the real embedder, whose vectors and tokens have the size of these."""

_COME_WITHIN_SECONDS = 120.0
_WARM_PASSAGES = 64  # for each worker: two batches


class SleepingEmbedder(GeneratedVectors):
    """Vectors drawn by chance, a batch in the time that a core needs for it."""

    def embed_passages(self, texts: Sequence[str]) -> PassageVectors:
        """Return them, not before it is time."""
        until = time.monotonic() + len(texts) / PASSAGES_A_SECOND
        found = super().embed_passages(texts)
        time.sleep(max(0.0, until - time.monotonic()))
        return found


def main(corpus: Path, workers: int, *, share_only: bool, sleeping: bool) -> dict[str, object]:
    """Ingest, and return how many passages were embedded, in how many seconds, and by whom."""
    settings = load_settings()
    embedder = SleepingEmbedder() if sleeping else open_embedder(settings)
    place = settings.embedding_database
    if place is None:
        raise SettingsError(reason="ANSWERDESK_DATABASE_URL")
    _wait_for(workers, place, embedder)
    if workers and not sleeping:
        count = _WARM_PASSAGES * workers
        _share({number.to_bytes(32, "big"): f"warm {number} " * 9 for number in range(count)}, place, embedder)
    if share_only:
        texts = _passages(corpus, embedder, settings.chunk_tokens)
        began = time.monotonic()
        by_worker = _share(texts, place, embedder)
        return {"passages": len(texts), "seconds": time.monotonic() - began, "by_worker": by_worker}
    embedder.embed_passages(["warm"] * 8)
    summary = ingest([corpus], settings, embedder)
    return {"passages": summary.embedded, "seconds": summary.seconds, "by_worker": dict(summary.workers)}


def _wait_for(workers: int, place: ServerDatabase, embedder: Embedder) -> None:
    with closing(EmbeddingJobs(place, space_of(embedder))) as jobs:
        until = time.monotonic() + _COME_WITHIN_SECONDS
        while len(jobs.workers()) != workers:
            if time.monotonic() > until:
                raise SettingsError(reason=f"{len(jobs.workers())} workers, not {workers}")
            time.sleep(0.1)


def _passages(corpus: Path, embedder: Embedder, chunk_tokens: int) -> dict[bytes, str]:
    files = sorted(path for path in corpus.rglob("*") if path.is_file())
    documents = (found for path in files for found in load(path, corpus, Limits()) if isinstance(found, Document))
    chunks = (chunk for document in documents for chunk in chunk_document(document, embedder, chunk_tokens))
    return {embedding_hash(chunk): chunk.embedded_text for chunk in chunks}


def _share(texts: Mapping[bytes, str], place: ServerDatabase, embedder: Embedder) -> dict[str, int]:
    """Let workers alone embed texts, into a table that is thrown away; return how many each did."""
    share = EmbeddingShare(EmbeddingJobs(place, space_of(embedder)), embedder.dimension, threads=0)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "vectors.db", KNOWLEDGE_MIGRATIONS, create=True)
        table = EmbeddingTable(database, embedder.model_id, embedder.dimension)
        with PassageEmbedding(table, embedder, threads=0, helpers=share) as embedding:
            embedding.offer(texts)
            for _ in embedding.finish():
                pass
        database.close()
    return dict(share.passages)


if __name__ == "__main__":
    keep_files_private()
    if "--worker" in sys.argv:
        sys.exit(worker.main([], lambda settings: SleepingEmbedder()))
    figures = main(
        Path(sys.argv[1]), int(sys.argv[2]), share_only="--share-only" in sys.argv, sleeping="--sleeping" in sys.argv
    )
    sys.stdout.write(json.dumps(figures) + "\n")
