"""Files become a published generation of the knowledge base.

Rows first, vectors next, the index last; readers see nothing until all is there.  A killed run leaves the former
generation intact; the next run discards its rows, which took seconds, and reuses its vectors, which took minutes.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import partial
from itertools import chain
from pathlib import Path

from ingest.chunking import chunk_document, chunker_version
from ingest.discovery import Discovery, discover, nothing_to_ingest
from ingest.duplicates import sketch_new
from ingest.embedding import FIRST_WINDOW, PassageEmbedding
from ingest.embedding_share import EmbeddingShare, space_of
from ingest.figure_descriptions import FigureDescribing
from ingest.gate import Gate
from ingest.identity import (
    CollectionMember,
    DocumentIds,
    DocumentMatch,
    body_hash,
    missing_documents,
    moves,
)
from ingest.known_files import FileState, KnownFiles
from ingest.loaders.source import Limits, SourceFile
from ingest.lock import writer_lock
from ingest.new_details import note_details
from ingest.publish import Candidate, unchanged_publication
from ingest.reader import FileReader
from ingest.reading_ahead import ReadAhead, open_readers
from ingest.self_calibration import calibrate_itself
from ingest.summary import NONE_UNDESCRIBED, IngestProgress, IngestSummary, Publication, ReportProgress, Stage
from rag.errors import DocumentUnreadable, EmbedderMismatch, IndexDamaged, KnowledgeBaseMissing, NothingToIngest
from rag.priority import usable_cores
from rag.protocols import Embedder
from rag.retrieval.generation_index import GenerationIndex
from rag.retrieval.index_builder import IndexLimits
from rag.retrieval.lexical_index import indexed_terms
from rag.schema import Document
from rag.settings import Settings
from rag.storage.access import UNSETTLED, read_access_file, write_access_file
from rag.storage.connection import Database, storage_errors
from rag.storage.contact_details import ContactDetailTable, read_confirmed, write_confirmed
from rag.storage.embedding_jobs import EmbeddingJobs
from rag.storage.embeddings import EmbeddingTable, embedding_hash
from rag.storage.figures import FigureFolder
from rag.storage.migrations import KNOWLEDGE_MIGRATIONS
from rag.storage.sharing import KnowledgeShare
from rag.storage.store import DATABASE_NAME, GenerationChange, KnowledgeStore, StoredDocument, generation_folder
from rag.storage.writer import KnowledgeWriter, NewChunk, NewDocument

_TEXTS_AT_ONCE = 256  # documents taken from the store to be cut again
_CHUNKS_A_TRANSACTION = 512
_DATABASE_SUFFIXES = ("", "-wal", "-shm")


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """What an ingest does beyond adding what is new and changed.

    ``prune`` retires the documents under the given paths, or of the given collection, that are gone.  ``rebuild`` cuts,
    embeds and indexes all documents again, those that are not read in this run from the text that the store holds; with
    ``keep_vectors`` it embeds only what has no sound vector.  ``reread`` also reads unmodified files.
    ``force`` publishes a generation that the gate would hold back.  ``rehearsal`` publishes nothing and reports what
    would change.  ``leave_out`` are absolute paths of files that are not read.
    """

    prune: bool = False
    rebuild: bool = False
    keep_vectors: bool = False
    reread: bool = False
    force: bool = False
    rehearsal: bool = False
    leave_out: frozenset[Path] = frozenset()


_DEFAULTS = IngestOptions()


def ingest(
    paths: Sequence[Path],
    settings: Settings,
    embedder: Embedder,
    options: IngestOptions = _DEFAULTS,
    *,
    progress: ReportProgress | None = None,
    reader: FileReader | None = None,
) -> IngestSummary:
    """Bring the knowledge base in ``settings.knowledge_dir`` up to date with the files under ``paths``.

    Known documents with the same text, metadata and chunker are skipped; unmodified files are not even read, unless
    ``reread`` or ``rebuild`` is set.  A generation that answers the knowledge base's regression questions worse than
    the current one (``ingest.gate``) is built and not published, unless ``force`` is set.  ``paths`` may be empty with
    ``rebuild``.

    Files are read and passages embedded at the same time; documents are numbered and written in the order of their
    files, those with pictures that the vision model has yet to describe after all others.  ``progress`` is called in
    this thread.  ``reader`` is for callers that ingest often: it reads alone, and is left open.

    Raises ``SourceMissing``, ``NothingToIngest``, ``IngestRunning``, ``EmbedderMismatch`` (unless rebuilding),
    ``IndexDamaged`` and ``StorageFull``; whatever is raised, the former generation serves on.
    """
    started_at = time.monotonic()
    discovery = discover(paths, follow_links=settings.follow_links)
    discovery = replace(discovery, files=tuple(one for one in discovery.files if one.path not in options.leave_out))
    if not discovery.files and (paths or not options.rebuild):
        raise nothing_to_ingest(paths)
    with _open_run(settings, embedder, options, progress, reads_sources=bool(paths)) as run:
        run.read(discovery, reader)
        if run.is_empty:
            raise nothing_to_ingest(paths) if paths else KnowledgeBaseMissing(folder=settings.knowledge_dir)
        run.recut_other_documents()
        run.retire_missing(run.missing_files(discovery))
        summary = run.finish(started_at)
    _calibrate(settings, embedder, summary)
    return replace(summary, unsupported=discovery.unsupported, links_out=discovery.links_out)


def ingest_collection(
    root: str,
    members: Iterable[CollectionMember],
    settings: Settings,
    embedder: Embedder,
    options: IngestOptions = _DEFAULTS,
    *,
    progress: ReportProgress | None = None,
) -> IngestSummary:
    """Bring the knowledge base up to date with a collection: documents of a program, not of files.

    ``root`` is ``identity.collection_root``'s.  ``prune`` retires the documents of this collection that did not come;
    files and other collections are left alone.  Whatever the iterator raises ends the ingest without a new generation.
    Raises what ``ingest`` raises; ``NothingToIngest`` where no document came.
    """
    started_at = time.monotonic()
    with _open_run(settings, embedder, options, progress, reads_sources=True) as run:
        if run.read_members(root, members) == 0:
            raise NothingToIngest(path=root)
        run.recut_other_documents()
        run.retire_missing(run.missing_members(root))
        summary = run.finish(started_at)
    _calibrate(settings, embedder, summary)
    return summary


def _calibrate(settings: Settings, embedder: Embedder, summary: Publication) -> None:
    if summary.published:
        calibrate_itself(settings, embedder)


@contextmanager
def _open_run(
    settings: Settings,
    embedder: Embedder,
    options: IngestOptions,
    progress: ReportProgress | None,
    *,
    reads_sources: bool,
) -> Iterator["_Run"]:
    """Take the writer's lock and give a run of the next generation; a rebuild sets a damaged database aside."""
    folder, share = settings.knowledge_dir, KnowledgeShare.of(settings)
    with writer_lock(folder, share):
        if options.rebuild and reads_sources:
            set_aside_if_damaged(folder)
        space, former = (embedder.model_id, embedder.dimension), _current_space(folder)
        if not options.rebuild and former is not None and former != space:
            raise EmbedderMismatch(found=f"{former[0]} [{former[1]}]", expected=f"{space[0]} [{space[1]}]")
        with KnowledgeWriter(folder) as writer:
            ContactDetailTable(writer.database).restore_confirmed()
            table = EmbeddingTable(writer.database, *space)
            if options.keep_vectors:
                table.forget_damaged()
            # vectors of an embedder that never served are those of a rebuild that was killed: they are new enough
            anew = options.rebuild and not options.keep_vectors and former == space
            cores = settings.embedder_threads or usable_cores()
            helpers = _helpers(settings, embedder, cores)
            with PassageEmbedding(table, embedder, anew=anew, threads=cores, helpers=helpers) as embedding:
                run = _Run(writer, embedder, embedding, settings, options, progress or (lambda _: None))
                run.share = share  # the one that holds the lock
                yield run


def _current_space(folder: Path) -> tuple[str, int] | None:
    """Return the current generation's vector space and its dimension; None where there is no generation."""
    with KnowledgeStore(folder) as store:
        current = store.current_generation()
        if current == 0:
            return None
        info = store.generation_info(current)
        return info.embedder_model, info.dimension


def _helpers(settings: Settings, embedder: Embedder, threads: int) -> EmbeddingShare | None:
    """Return the workers that embed beside this process; None where the settings want none, or no server is shared."""
    place = settings.embedding_database
    if place is None or not settings.ingest_workers:
        return None
    return EmbeddingShare(EmbeddingJobs(place, space_of(embedder)), embedder.dimension, threads)


class _Run:
    """One ingest under the lock.  The methods are called once each, in their order here."""

    share: KnowledgeShare | None = None

    def __init__(
        self,
        writer: KnowledgeWriter,
        embedder: Embedder,
        embedding: PassageEmbedding,
        settings: Settings,
        options: IngestOptions,
        progress: ReportProgress,
    ) -> None:
        self._writer = writer
        self._embedder = embedder
        self._embedding = embedding
        self._settings = settings
        self._options = options
        self._chunker_version = chunker_version(settings.chunk_tokens)
        self._progress = progress
        self._generation = writer.begin()
        self._figures = FigureFolder(writer.folder)
        self._live = writer.live_documents()
        self._ids = DocumentIds(self._live)
        self._files = KnownFiles(
            writer.database,
            self._live,
            Limits.of(settings),
            self._chunker_version,
            reread=options.reread or options.rebuild,
            vision_model=settings.vision_model,
        )
        self._describing = FigureDescribing(settings, writer.database, self._figures) if settings.vision_model else None
        self._undescribed: list[_FileDocuments] = []
        self._pictures_done = self._pictures_total = 0
        self._gate = Gate(writer, embedder, settings, force=options.force)
        self._files_done = self._files_total = 0
        self._writing = DocumentWriting(
            writer, self._generation, embedder, embedding, settings, partial(self._report, "reading")
        )
        self._failures: list[DocumentUnreadable] = []
        self._partly_read: set[Path] = set()
        self._added_bodies: dict[bytes, str] = {}
        self._added = self._changed = self._unchanged = self._retired = self._missing = self._moved = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is no document at all, stored or read now."""
        return not self._live and self._added == 0

    def read(self, discovery: Discovery, reader: FileReader | None) -> None:
        """Take every file's documents, and write those that are new or not the same as before."""
        self._files_total = len(discovery.files)
        for failure in discovery.unreadable:
            self._fail(failure)
        unchanged = {source: ids for source in discovery.files if (ids := self._files.unchanged(source))}
        to_read = [source for source in discovery.files if source not in unchanged]
        with (
            open_readers(self._settings, len(to_read), reader) as readers,
            ReadAhead(readers, to_read, self._keep_arrived_vectors, self._figures.keep) as ahead,
        ):
            for self._files_done, source in enumerate(discovery.files):
                self._report("reading")
                if source in unchanged:
                    self._keep_unchanged(unchanged[source])
                else:
                    self._take_file(source, ahead)
        self._files_done = self._files_total
        if self._undescribed and self._describing is not None:
            self._writing.flush()
            self._describe_figures(self._describing, reader)
        self._files.save()
        self._writing.flush()
        self._report("reading")

    def read_members(self, root: str, members: Iterable[CollectionMember]) -> int:
        """Take a collection's documents, write those that are new or changed, and return how many documents came.

        A document that came and cannot be read stays as it was.
        """
        documents = 0
        for member in members:
            self._files_done += 1
            self._keep_arrived_vectors()
            self._report("reading")
            failure = member.failure
            if member.document is not None:
                documents += 1
                try:
                    match = self._ids.classify_member(member.document, root)
                    self._take(match, root, member.name)
                except DocumentUnreadable as error:
                    failure = error
            if failure is not None:
                self._ids.keep_member(member.name, root)
                self._fail(failure)
        self._writing.flush()
        self._report("reading")
        return documents

    def _keep_unchanged(self, document_ids: Sequence[str]) -> None:
        """Keep the documents of an unmodified file."""
        for document_id in document_ids:
            self._ids.keep(document_id)
        self._unchanged += len(document_ids)

    def _take_file(self, source: SourceFile, ahead: ReadAhead) -> None:
        file = _FileDocuments(source)
        failures_before = len(self._failures)
        contents = ahead.next_file()
        while True:
            try:
                found = next(contents)
            except StopIteration as end:
                file.state = end.value if len(self._failures) == failures_before else None
                if file.undescribed:
                    self._undescribed.append(file)
                else:
                    self._note(file)
                return
            if isinstance(found, DocumentUnreadable):
                self._fail(found)
            else:
                self._take_or_defer(file, self._ids.classify(found, source))

    def _take_or_defer(self, file: "_FileDocuments", match: DocumentMatch) -> None:
        """Take a document of a file, later if the model has yet to describe some of its pictures."""
        if match.document.figures:
            file.illustrated = True
            if self._describing is not None and self._describing.lacks_descriptions(match.document):
                file.undescribed.append(match)
                return
        self._take_described(file, match)

    def _take_described(self, file: "_FileDocuments", match: DocumentMatch) -> None:
        if match.document.figures and self._describing is not None:
            match = match.with_text(self._describing.described(match.document))
        try:
            file.documents.append(self._take(match, str(file.source.root), file.source.document_id))
        except DocumentUnreadable as failure:
            file.state = None
            self._fail(failure)

    def _describe_figures(self, describing: FigureDescribing, reader: FileReader | None) -> None:
        """Have pictures described, and take the documents that waited for that."""
        waiting = [match for file in self._undescribed for match in file.undescribed]
        describing.ask([match.document for match in waiting], self._report_pictures, reader)
        for file in self._undescribed:
            for match in file.undescribed:
                if describing.lacks_descriptions(match.document):
                    file.state = None  # the next ingest reads it again, and asks again
                self._take_described(file, match)
            self._note(file)
        self._undescribed = []

    def _report_pictures(self, done: int, total: int) -> None:
        self._pictures_done, self._pictures_total = done, total
        self._report("describing")
        self._keep_arrived_vectors("describing")

    def _note(self, file: "_FileDocuments") -> None:
        if file.documents and file.state is None:
            self._partly_read.add(file.source.path)
        self._files.note(file.source, file.state, file.documents, illustrated=file.illustrated)

    def recut_other_documents(self) -> None:
        """Rewrite the documents outside this run's files that another chunker cut, from the stored texts."""
        others = [
            known.document_id
            for known in self._live.values()
            if not self._ids.is_assigned(known.document_id)
            and (self._options.rebuild or known.chunker_version != self._chunker_version)
        ]
        for begin in range(0, len(others), _TEXTS_AT_ONCE):
            for document in self._writer.live_texts(others[begin : begin + _TEXTS_AT_ONCE]):
                try:
                    self._writing.write(document, self._live[document.document_id])
                except DocumentUnreadable as failure:
                    self._fail(failure)  # it stays as it was cut before
        self._writing.flush()

    def missing_files(self, discovery: Discovery) -> list[str]:
        """Return the known documents under the given paths that were not found; unreadable ones are not missing."""
        return missing_documents(self._live, self._ids, discovery, self._failures)

    def missing_members(self, root: str) -> list[str]:
        """Return the known documents of a collection that did not come."""
        return self._ids.missing_members(root)

    def retire_missing(self, missing: Sequence[str]) -> None:
        """Retire missing documents that were found at another place, and with ``prune`` those that are gone."""
        prune = self._options.prune
        moved = dict(self._moves(missing))
        gone = [document_id for document_id in missing if document_id not in moved]
        self._writer.retire([*moved, *(gone if prune else ())], self._generation)
        if moved or (prune and gone):
            self._files.forget_retired()
        self._gate.expect(gone if prune else (), moved)
        self._moved = len(moved)
        self._added -= len(moved)
        self._retired, self._missing = (len(gone), 0) if prune else (0, len(gone))

    def _moves(self, missing: Sequence[str]) -> Iterator[tuple[str, str]]:
        for begin in range(0, len(missing) if self._added_bodies else 0, _TEXTS_AT_ONCE):
            yield from moves(self._writer.live_texts(missing[begin : begin + _TEXTS_AT_ONCE]), self._added_bodies)

    def finish(self, started_at: float) -> IngestSummary:
        """Embed what has no vector yet and publish, if anything is different from before, or the index is damaged."""
        is_changed = self._writing.written > 0 or self._retired > 0 or self._options.rebuild or self._generation == 1
        is_mending = not is_changed and not self._options.rehearsal and not self._is_index_there()
        if is_changed or is_mending:
            publication, embedded = self._embed_and_publish(), self._embedding.done
        else:
            publication, embedded = unchanged_publication(self._writer, self._generation - 1), 0
        helpers = self._embedding.helpers
        return IngestSummary(
            **{field.name: getattr(publication, field.name) for field in fields(publication)},
            added=self._added,
            changed=self._changed,
            unchanged=self._unchanged,
            retired=self._retired,
            moved=self._moved,
            missing=self._missing,
            failures=tuple(self._failures),
            partly_read=frozenset(self._partly_read & {Path(str(one.details["path"])) for one in self._failures}),
            embedded=embedded,
            seconds=time.monotonic() - started_at,
            undescribed=NONE_UNDESCRIBED if self._describing is None else self._describing.undescribed,
            workers={} if helpers is None else helpers.passages,
            refused_workers={} if helpers is None else helpers.refused,
            mended=is_mending and publication.published,
        )

    def _is_index_there(self) -> bool:
        """Tell whether the served generation's index opens and all its files are there; ``check`` looks closer."""
        folder = generation_folder(self._writer.folder, self._generation - 1)
        try:
            GenerationIndex.open(folder, self._embedder.model_id).require_files()
        except (IndexDamaged, EmbedderMismatch):
            return False
        return True

    def _embed_and_publish(self) -> Publication:
        self._report("embedding")
        self._embedding.begin()
        sketched = sketch_new(self._writer, self._generation, partial(self._keep_arrived_vectors, "embedding"))
        note_details(self._writer.database, self._generation, partial(self._keep_arrived_vectors, "embedding"))
        for _ in chain(self._embedding.finish(), self._embedding.sweep(self._generation)):
            self._report("embedding")
        self._report("publishing")
        space = self._embedder.model_id, self._embedder.dimension
        limits = IndexLimits.of(self._settings)
        candidate = Candidate(self._writer, self._generation, self._gate, space, limits, sketched, self.share)
        if self._options.rehearsal:
            return candidate.rehearse()
        return candidate.publish_if_good(GenerationChange(self._added, self._changed, self._retired))

    def _fail(self, failure: DocumentUnreadable) -> None:
        self._failures.append(failure)
        self._report("reading", failure)

    def _report(self, stage: Stage, failure: DocumentUnreadable | None = None) -> None:
        counts = self._files_done, self._files_total, self._embedding.done, self._embedding.found
        pictures = self._pictures_done, self._pictures_total
        self._progress(IngestProgress(stage, *counts, failure, *pictures, self._embedding.helper_count))

    def _keep_arrived_vectors(self, stage: Stage = "reading") -> None:
        for _ in self._embedding.collect():
            self._report(stage)

    def _take(self, match: DocumentMatch, root: str, relative_path: str) -> StoredDocument:
        rebuild = self._options.rebuild
        is_cut_alike = match.known is not None and match.known.chunker_version == self._chunker_version and not rebuild
        if match.kind == "unchanged" and match.known is not None and is_cut_alike:
            self._unchanged += 1
            return match.known
        origin = StoredDocument(
            document_id=match.document.document_id,
            root=root,
            relative_path=relative_path,
            path=match.document.path,
            content_hash=match.digest,
            chunker_version=self._chunker_version,
        )
        self._writing.write(match.document, origin)
        if match.kind == "added":
            self._added += 1
            self._added_bodies[body_hash(match.document)] = match.document.document_id
        elif match.kind == "changed":
            self._changed += 1
        else:
            self._unchanged += 1
        return origin


@dataclass(slots=True)
class _FileDocuments:
    """A file's documents, and those that wait for descriptions of their pictures."""

    source: SourceFile
    state: FileState | None = None
    illustrated: bool = False
    documents: list[StoredDocument] = field(default_factory=list)
    undescribed: list[DocumentMatch] = field(default_factory=list)


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
        """How many documents are in the store, without those that wait for their transaction."""

    def write(self, document: Document, origin: StoredDocument) -> None:
        """Cut a document and write it, with others in one transaction.

        Raises ``DocumentUnreadable`` where cutting takes too long; then nothing of it is written.
        """
        chunks = chunk_document(document, self._embedder, self._chunk_tokens, timeout_seconds=self._timeout_seconds)
        new_chunks = tuple(NewChunk(chunk, embedding_hash(chunk), indexed_terms(chunk)) for chunk in chunks)
        self._waiting.append(
            NewDocument(document, replace(origin, chunker_version=chunker_version(self._chunk_tokens)), new_chunks)
        )
        self._waiting_chunks += len(new_chunks)
        # the first ones soon: the embedder has nothing to do yet
        if self._waiting_chunks >= (_CHUNKS_A_TRANSACTION if self.written else FIRST_WINDOW):
            self.flush()

    def flush(self) -> None:
        """Write the waiting documents, and have their passages embedded."""
        if not self._waiting:
            return
        self._writer.replace(self._waiting, self._generation)
        self.written += len(self._waiting)
        passages = [new for document in self._waiting for new in document.chunks]
        self._waiting, self._waiting_chunks = [], 0
        self._embedding.offer({new.embedding_hash: new.chunk.embedded_text for new in passages})
        for _ in self._embedding.make_room():
            self._report()


def set_aside_if_damaged(folder: Path) -> bool:
    """Rename a damaged database to ``knowledge.db.damaged``, so that a new one is made from the files.

    ``access.json`` says who may read the new one, ``confirmed.json`` which addresses are confirmed; without these files
    no one may read it, and none is confirmed.  The caller holds the writer's lock.  Return whether it was damaged.
    """
    database = Database(folder / DATABASE_NAME, KNOWLEDGE_MIGRATIONS)
    if not database.exists():
        return False
    try:
        sound = database.value("PRAGMA quick_check(1)") == "ok"
    except IndexDamaged:
        sound = False
    finally:
        database.close()
    if not sound:
        if read_access_file(folder) is None:
            write_access_file(folder, UNSETTLED)  # before the new database: killed in between, no one may read either
        if read_confirmed(folder) is None:
            write_confirmed(folder, ())  # likewise: all is marked as new
        with storage_errors(folder):
            for suffix in _DATABASE_SUFFIXES:
                path = folder / f"{DATABASE_NAME}{suffix}"
                if path.exists():
                    path.replace(folder / f"{DATABASE_NAME}.damaged{suffix}")
    return not sound
