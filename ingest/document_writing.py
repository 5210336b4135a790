"""New and changed documents on their way into the store: cut, written many at a time, and their passages embedded."""

from collections.abc import Callable
from dataclasses import replace

from ingest.chunking import chunk_document, recipe
from ingest.embedding import FIRST_WINDOW, PassageEmbedding
from rag.protocols import Embedder
from rag.retrieval.lexical_index import indexed_terms
from rag.schema import Document
from rag.settings import Settings
from rag.storage.embeddings import embedding_hash
from rag.storage.store import StoredDocument
from rag.storage.writer import KnowledgeWriter, NewChunk, NewDocument

_CHUNKS_A_TRANSACTION = 512


class DocumentWriting:
    """Writes documents of one generation.  ``report`` is called whenever it waits for the embedder."""

    def __init__(
        self,
        writer: KnowledgeWriter,
        generation: int,
        embedder: Embedder,
        embedding: PassageEmbedding,
        settings: Settings,
        report: Callable[[], None],
    ) -> None:
        self._writer = writer
        self._generation = generation
        self._embedder = embedder
        self._embedding = embedding
        self._chunk_tokens = settings.chunk_tokens
        self._timeout_seconds = settings.cutting_timeout_seconds
        self._report = report
        self._waiting: list[NewDocument] = []
        self._waiting_chunks = 0
        self.written = 0
        """How many documents are in the store, those that wait for their transaction left out."""

    def write(self, document: Document, origin: StoredDocument) -> None:
        """Cut a document and write it, with others in one transaction.

        Raises ``DocumentUnreadable`` where cutting takes too long; then nothing of it is written.
        """
        chunks = chunk_document(document, self._embedder, self._chunk_tokens, timeout_seconds=self._timeout_seconds)
        new_chunks = tuple(NewChunk(chunk, embedding_hash(chunk), indexed_terms(chunk)) for chunk in chunks)
        self._waiting.append(NewDocument(document, replace(origin, recipe=recipe(self._chunk_tokens)), new_chunks))
        self._waiting_chunks += len(new_chunks)
        # the first ones soon: the embedder has nothing to do yet
        if self._waiting_chunks >= (_CHUNKS_A_TRANSACTION if self.written else FIRST_WINDOW):
            self.flush()

    def flush(self) -> None:
        """Write what waits, and let its passages be embedded."""
        if not self._waiting:
            return
        self._writer.replace(self._waiting, self._generation)
        self.written += len(self._waiting)
        passages = [new for document in self._waiting for new in document.chunks]
        self._waiting, self._waiting_chunks = [], 0
        self._embedding.offer({new.embedding_hash: new.chunk.embedded_text for new in passages})
        for _ in self._embedding.make_room():
            self._report()
