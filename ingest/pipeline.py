"""Files become a published generation of the knowledge base.

Rows first, vectors next, the index last: what is written stays invisible until all of it is there.  A run that is
killed leaves the former generation whole; the next one throws its rows away, which took seconds, and finds its vectors
again, which took minutes.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ingest.chunking import chunk_document, recipe
from ingest.discovery import Discovery, discover
from ingest.embedding import embed_missing
from ingest.identity import DocumentIds, body_hash, content_hash, missing_documents, moves
from ingest.loaders.source import SourceFile
from ingest.lock import writer_lock
from ingest.publish import publish, tidy_up
from ingest.reader import FileReader
from ingest.recovery import set_aside_if_damaged
from ingest.summary import IngestProgress, IngestSummary, ReportProgress
from rag.errors import DocumentUnreadable, EmbedderMismatch, KnowledgeBaseMissing, NothingToIngest
from rag.protocols import Embedder
from rag.retrieval.lexical_index import indexed_terms
from rag.schema import Document
from rag.settings import Settings
from rag.storage.embeddings import EmbeddingTable, embedding_hash
from rag.storage.store import GenerationChange, KnowledgeStore, LiveDocument
from rag.storage.writer import KnowledgeWriter, NewChunk, NewDocument

_CHUNKS_A_TRANSACTION = 512
_TEXTS_AT_ONCE = 256  # documents taken from the store to be cut again


def ingest(
    paths: Sequence[Path],
    settings: Settings,
    embedder: Embedder,
    *,
    prune: bool = False,
    rebuild: bool = False,
    keep_vectors: bool = False,
    progress: ReportProgress | None = None,
    reader: FileReader | None = None,
) -> IngestSummary:
    """Bring the knowledge base in ``settings.knowledge_dir`` up to date with the files under ``paths``.

    Documents that are known and the same in text, metadata and way of cutting are skipped.  ``prune`` retires those
    that lay under ``paths`` and are gone.  ``rebuild`` cuts, embeds and indexes every document anew, those outside
    ``paths`` from the text that the store holds; ``paths`` may then be empty.  With ``keep_vectors`` it embeds only
    what has no sound vector.

    ``progress`` is called in this thread.  ``reader`` is for callers that ingest often; it is left open.

    Raises ``SourceMissing``, ``NothingToIngest``, ``IngestRunning``, ``EmbedderMismatch`` (unless rebuilding),
    ``IndexDamaged`` and ``StorageFull``; whatever is raised, the former generation serves on.
    """
    started_at = time.monotonic()
    discovery = discover(paths)
    if not discovery.files and (paths or not rebuild):
        raise nothing_in(paths)
    folder = settings.knowledge_dir
    with writer_lock(folder):
        if rebuild and paths:
            set_aside_if_damaged(folder)
        _require_same_embedder(KnowledgeStore(folder), embedder, rebuild=rebuild)
        writer = KnowledgeWriter(folder)
        try:
            if rebuild:
                writer.rebuild_postings()
            run = _Run(
                writer,
                embedder,
                settings.chunk_tokens,
                progress or _say_nothing,
                rebuild=rebuild,
                keep_vectors=keep_vectors,
            )
            if reader is not None:
                run.read(discovery, reader)
            else:
                with FileReader.of(settings) as own_reader:
                    run.read(discovery, own_reader)
            if run.nothing_known:
                raise nothing_in(paths) if paths else KnowledgeBaseMissing(folder=folder)
            run.cut_the_others_again()
            run.retire_missing(discovery, prune=prune)
            return run.finish(discovery, started_at)
        finally:
            writer.close()


def nothing_in(paths: Sequence[Path]) -> NothingToIngest:
    """Make the error for paths without anything readable."""
    return NothingToIngest(path=", ".join(str(path) for path in paths))


def _say_nothing(progress: IngestProgress) -> None:
    del progress


def _require_same_embedder(store: KnowledgeStore, embedder: Embedder, *, rebuild: bool) -> None:
    try:
        current = store.current_generation()
        if current == 0 or rebuild:
            return
        found = store.generation_info(current)
    finally:
        store.close()
    if (found.embedder_model, found.dimension) != (embedder.model_id, embedder.dimension):
        raise EmbedderMismatch(
            found=f"{found.embedder_model} [{found.dimension}]", expected=f"{embedder.model_id} [{embedder.dimension}]"
        )


class _Run:
    """One ingest under the lock.  The methods are called once each, in their order here."""

    def __init__(
        self,
        writer: KnowledgeWriter,
        embedder: Embedder,
        chunk_tokens: int,
        progress: ReportProgress,
        *,
        rebuild: bool,
        keep_vectors: bool,
    ) -> None:
        self._writer = writer
        self._embedder = embedder
        self._chunk_tokens = chunk_tokens
        self._recipe = recipe(chunk_tokens)
        self._progress = progress
        self._rebuild = rebuild
        self._keep_vectors = keep_vectors
        self._generation = writer.begin()
        self._live = writer.live_documents()
        self._ids = DocumentIds(self._live)
        self._waiting: list[NewDocument] = []
        self._failures: list[DocumentUnreadable] = []
        self._added_bodies: dict[bytes, str] = {}
        self._added = self._changed = self._unchanged = self._written = self._retired = self._missing = self._moved = 0

    @property
    def nothing_known(self) -> bool:
        """Whether there is no document at all, neither from before nor read now."""
        return not self._live and self._added == 0

    def read(self, discovery: Discovery, reader: FileReader) -> None:
        """Read every file and write the documents that are new or not the same as before."""
        total = len(discovery.files)
        for failure in discovery.unreadable:
            self._fail(failure, 0, total)
        for number, source in enumerate(discovery.files):
            self._progress(IngestProgress("reading", files_done=number, files_total=total))
            for found in reader.read(source.path, source.root):
                if isinstance(found, DocumentUnreadable):
                    self._fail(found, number, total)
                else:
                    self._take(found, source)
        self._flush()
        self._progress(IngestProgress("reading", files_done=total, files_total=total))

    def cut_the_others_again(self) -> None:
        """Write the documents outside this run's files anew that were cut in another way, from the store's texts."""
        others = [
            known.document_id
            for known in self._live.values()
            if not self._ids.was_given(known.document_id) and (self._rebuild or known.recipe != self._recipe)
        ]
        for begin in range(0, len(others), _TEXTS_AT_ONCE):
            for document in self._writer.live_texts(others[begin : begin + _TEXTS_AT_ONCE]):
                self._write(document, self._live[document.document_id])
        self._flush()

    def retire_missing(self, discovery: Discovery, *, prune: bool) -> None:
        """Retire documents under the given paths that were found at another place; others that are gone if asked to.

        What could not be read is not gone: it stays as it was.
        """
        missing = missing_documents(self._live, self._ids, discovery, self._failures)
        moved = {old for old, _ in self._moves(missing)}
        gone = [document_id for document_id in missing if document_id not in moved]
        self._writer.retire([*moved, *(gone if prune else ())], self._generation)
        self._moved = len(moved)
        self._added -= len(moved)
        self._retired, self._missing = (len(gone), 0) if prune else (0, len(gone))

    def _moves(self, missing: Sequence[str]) -> Iterator[tuple[str, str]]:
        for begin in range(0, len(missing) if self._added_bodies else 0, _TEXTS_AT_ONCE):
            yield from moves(self._writer.live_texts(missing[begin : begin + _TEXTS_AT_ONCE]), self._added_bodies)

    def finish(self, discovery: Discovery, started_at: float) -> IngestSummary:
        """Embed what has no vector yet and publish, if anything is different from before."""
        store = KnowledgeStore(self._writer.folder)
        published = self._written > 0 or self._retired > 0 or self._rebuild or self._generation == 1
        embedded = self._embed_and_publish() if published else 0
        try:
            current = store.generation_info(store.require_generation())
        finally:
            store.close()
        return IngestSummary(
            added=self._added,
            changed=self._changed,
            unchanged=self._unchanged,
            retired=self._retired,
            moved=self._moved,
            missing=self._missing,
            failures=tuple(self._failures),
            unsupported=discovery.unsupported,
            documents=current.document_count,
            chunks=current.chunk_count,
            embedded=embedded,
            seconds=time.monotonic() - started_at,
            generation=current.generation,
            published=published,
        )

    def _embed_and_publish(self) -> int:
        table = EmbeddingTable(self._writer.database, self._embedder.model_id, self._embedder.dimension)
        if self._rebuild:
            table.forget_damaged() if self._keep_vectors else table.forget()
        embedded = embed_missing(table, self._generation, self._embedder, self._progress)
        self._progress(IngestProgress("publishing"))
        publish(
            self._writer,
            table,
            self._generation,
            GenerationChange(self._added, self._changed, self._retired),
            model_id=self._embedder.model_id,
            dimension=self._embedder.dimension,
        )
        tidy_up(self._writer, table)
        return embedded

    def _fail(self, failure: DocumentUnreadable, files_done: int, files_total: int) -> None:
        self._failures.append(failure)
        self._progress(IngestProgress("reading", files_done=files_done, files_total=files_total, failure=failure))

    def _take(self, read: Document, source: SourceFile) -> None:
        document = replace(read, document_id=self._ids.give(read, source))
        digest = content_hash(document)
        known = self._live.get(document.document_id)
        if known is None:
            self._added += 1
            self._added_bodies[body_hash(document)] = document.document_id
        elif known.content_hash != digest:
            self._changed += 1
        else:
            self._unchanged += 1
            if known.recipe == self._recipe and not self._rebuild:
                return
        origin = LiveDocument(
            document_id=document.document_id,
            root=str(source.root),
            relative_path=source.document_id,
            path=document.path,
            content_hash=digest,
            recipe=self._recipe,
        )
        self._write(document, origin)

    def _write(self, document: Document, origin: LiveDocument) -> None:
        chunks = chunk_document(document, self._embedder, self._chunk_tokens)
        new_chunks = tuple(NewChunk(chunk, embedding_hash(chunk), indexed_terms(chunk)) for chunk in chunks)
        self._waiting.append(NewDocument(document, replace(origin, recipe=self._recipe), new_chunks))
        if sum(len(waiting.chunks) for waiting in self._waiting) >= _CHUNKS_A_TRANSACTION:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.replace(self._waiting, self._generation)
            self._written += len(self._waiting)
            self._waiting = []
