"""Vectors for the passages that have none yet."""

from collections.abc import Iterator, Sequence

from ingest.summary import IngestProgress, ReportProgress
from rag.errors import IndexDamaged
from rag.protocols import Embedder
from rag.storage.embeddings import EmbeddingTable, embedding_hash

_HELD_AT_ONCE = 20_000  # chunks in memory; they are embedded in the order of their length, which wastes least padding
_BATCH = 64  # passages a call of the embedder, and a transaction


def embed_missing(table: EmbeddingTable, generation: int, embedder: Embedder, progress: ReportProgress) -> int:
    """Embed the generation's passages that have no vector, and keep each batch at once.  Return how many there were.

    Passages of the same text are embedded once.  Raises ``IndexDamaged`` where rows and their hashes disagree.
    """
    done = 0
    while chunks := table.missing(generation, _HELD_AT_ONCE):
        texts = {embedding_hash(chunk): chunk.embedded_text for chunk in chunks}
        if table.known(texts):  # a row's hash is not that of its text: its vector would never be found
            raise IndexDamaged(reason="a passage and its hash disagree")
        total = done + len(texts)
        progress(IngestProgress("embedding", passages_done=done, passages_total=total))
        # bytes of UTF-8 go with tokens in both languages, characters do not
        for hashes in _batches(sorted(texts, key=lambda digest: len(texts[digest].encode()), reverse=True)):
            table.add(hashes, embedder.embed_passages([texts[digest] for digest in hashes]))
            done += len(hashes)
            progress(IngestProgress("embedding", passages_done=done, passages_total=total))
    return done


def _batches(hashes: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for begin in range(0, len(hashes), _BATCH):
        yield hashes[begin : begin + _BATCH]
