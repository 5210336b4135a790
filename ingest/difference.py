"""A preview of an ingest: reads the files, writes nothing, needs no embedder."""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.chunking import chunker_version
from ingest.discovery import Discovery, discover, nothing_to_ingest
from ingest.figure_descriptions import known_descriptions, with_descriptions
from ingest.identity import CollectionMember, DocumentIds, DocumentMatch, body_hash, missing_documents, moves
from ingest.known_files import KnownFiles
from ingest.loaders.source import Limits, SourceFile
from ingest.new_details import keys_of, new_details_of
from ingest.reader import FileReader, drop_figure
from ingest.summary import IngestProgress, ReportProgress
from rag.errors import DocumentUnreadable, NothingToIngest
from rag.schema import Document
from rag.settings import Settings
from rag.storage.contact_details import NewDetail
from rag.storage.store import KnowledgeStore

_TO_BE_DESCRIBED = "..."  # a letter less than any description


@dataclass(frozen=True, slots=True)
class Difference:
    """Documents by id, in alphabetical order; ``moved`` has the old and the new id of each.

    ``missing`` ones would be retired by an ingest with ``prune``; ``failures`` could not be read and would stay.
    ``links_out`` are left out, for they lead out of the folders.  ``new_details`` are the unconfirmed addresses in
    added and changed documents.
    """

    generation: int
    added: tuple[str, ...]
    changed: tuple[str, ...]
    moved: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]
    unchanged: int
    failures: tuple[DocumentUnreadable, ...]
    links_out: tuple[Path, ...] = ()
    new_details: tuple[NewDetail, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether an ingest would publish nothing, with ``prune`` or without."""
        return not (self.added or self.changed or self.moved or self.missing)


def difference(
    paths: Sequence[Path],
    settings: Settings,
    *,
    reread: bool = False,
    progress: ReportProgress | None = None,
    reader: FileReader | None = None,
) -> Difference:
    """Compare the files under ``paths`` with the current generation.

    Raises ``SourceMissing``, ``NothingToIngest`` and ``IndexDamaged``.  Where there is no knowledge base yet, all is
    added.  Unmodified files are read only with ``reread``.  ``reader`` is for callers that compare
    often; it is left open.
    """
    discovery = discover(paths, follow_links=settings.follow_links)
    if not discovery.files:
        raise nothing_to_ingest(paths)
    opened = FileReader.of(settings) if reader is None else nullcontext(reader)
    with opened as files, KnowledgeStore(settings.knowledge_dir) as store:
        comparison = _Comparison(store, settings, reread=reread)
        for number, source in enumerate(discovery.files):
            if progress is not None:
                progress(IngestProgress("reading", files_done=number, files_total=len(discovery.files)))
            for found in [] if comparison.leave(source) else files.read(source, drop_figure):
                comparison.take(found, source)
        return comparison.result(discovery)


def collection_difference(
    root: str, members: Iterable[CollectionMember], settings: Settings, *, progress: ReportProgress | None = None
) -> Difference:
    """Compare a collection with the current generation, as ``ingest_collection`` would take it.

    Raises ``NothingToIngest`` where no document came, ``IndexDamaged``, and what the iterator raises.
    """
    with KnowledgeStore(settings.knowledge_dir) as store:
        comparison = _Comparison(store, settings, reread=False)
        documents = 0
        for number, member in enumerate(members, start=1):
            if progress is not None:
                progress(IngestProgress("reading", files_done=number))
            documents += member.document is not None
            comparison.take_member(member, root)
        if documents == 0:
            raise NothingToIngest(path=root)
        return comparison.collection_result(root)


class _Comparison:
    """Sorts documents into added, changed and unchanged, as an ingest would."""

    def __init__(self, store: KnowledgeStore, settings: Settings, *, reread: bool) -> None:
        self._store = store
        self._generation = store.current_generation()
        self._known = store.origins(self._generation)
        self._ids = DocumentIds(self._known)
        limits, version = Limits.of(settings), chunker_version(settings.chunk_tokens)
        self._vision_model = settings.vision_model
        self._files = KnownFiles(
            store,
            self._known,
            limits,
            version,
            reread=reread or self._generation == 0,
            vision_model=settings.vision_model,
        )
        self._bodies: dict[bytes, str] = {}
        self._added: set[str] = set()
        self._changed: list[str] = []
        self._unchanged = 0
        self._failures: list[DocumentUnreadable] = []
        self._details: dict[str, list[str]] = {}

    def leave(self, source: SourceFile) -> bool:
        """Tell whether a file is unmodified and need not be read."""
        document_ids = self._files.unchanged(source)
        for document_id in document_ids:
            self._ids.keep(document_id)
        self._unchanged += len(document_ids)
        return bool(document_ids)

    def take(self, found: Document | DocumentUnreadable, source: SourceFile) -> None:
        """Compare one document with the one of its id."""
        if isinstance(found, DocumentUnreadable):
            self._failures.append(found)
            return
        match = self._ids.classify(found, source)
        self._sort(match.with_text(self._described(match.document)) if found.figures and self._vision_model else match)

    def _described(self, document: Document) -> Document:
        """Return a document with the known descriptions of its pictures, and a mark for each of the others."""
        known = known_descriptions(self._store, self._vision_model, document) if self._generation else {}
        return with_descriptions(document, {figure.digest: _TO_BE_DESCRIBED for figure in document.figures} | known)

    def take_member(self, member: CollectionMember, root: str) -> None:
        """Compare one document of a collection with the one of its id."""
        if member.document is not None:
            self._sort(self._ids.classify_member(member.document, root))
        if member.failure is not None:
            self._ids.keep_member(member.name, root)
            self._failures.append(member.failure)

    def _sort(self, match: DocumentMatch) -> None:
        if match.kind in ("added", "changed"):
            for detail in keys_of(f"{match.document.title}\n\n{match.document.text}", with_orders=self._generation > 0):
                self._details.setdefault(detail, []).append(match.document.document_id)
        if match.kind == "added":
            self._added.add(match.document.document_id)
            self._bodies[body_hash(match.document)] = match.document.document_id
        elif match.kind == "changed":
            self._changed.append(match.document.document_id)
        else:
            self._unchanged += 1

    def result(self, discovery: Discovery) -> Difference:
        """Return the result once every file was taken."""
        failures = (*discovery.unreadable, *self._failures)
        missing = missing_documents(self._known, self._ids, discovery, failures)
        return replace(self._result(missing), failures=failures, links_out=discovery.links_out)

    def collection_result(self, root: str) -> Difference:
        """Return the result once every document of the collection was taken."""
        return self._result(self._ids.missing_members(root))

    def _result(self, missing: Sequence[str]) -> Difference:
        texts = (self._store.document(document_id, self._generation) for document_id in missing)
        moved = tuple(moves(texts, self._bodies))
        old, new = ({pair[side] for pair in moved} for side in (0, 1))
        return Difference(
            generation=self._generation,
            added=tuple(sorted(self._added - new)),
            changed=tuple(sorted(self._changed)),
            moved=moved,
            missing=tuple(sorted(set(missing) - old)),
            unchanged=self._unchanged,
            failures=tuple(self._failures),
            new_details=new_details_of(self._details, self._store) if self._generation else (),
        )
