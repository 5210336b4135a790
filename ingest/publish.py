"""A generation becomes the current one: index files first, whole and on the disk, then the pointer in one step."""

import contextlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.changes import changes_between
from ingest.duplicates import new_duplicates
from ingest.gate import Gate
from ingest.gate_report import GateReport
from ingest.lock import publication
from ingest.new_details import confirm_first, new_details
from ingest.summary import Publication
from rag.errors import IndexDamaged, StorageFull, VectorEngineError
from rag.retrieval.index_builder import IndexLimits, drop_unused_collections, next_index
from rag.settings import load_settings
from rag.storage.connection import storage_errors
from rag.storage.embeddings import EmbeddingTable
from rag.storage.sharing import KnowledgeShare
from rag.storage.store import GenerationChange, GenerationInfo, KnowledgeStore, generation_folder, visible_counts
from rag.storage.writer import KnowledgeWriter


def publish(
    writer: KnowledgeWriter,
    generation: int,
    change: GenerationChange,
    space: tuple[str, int],
    share: KnowledgeShare | None = None,
) -> GenerationInfo:
    """Write the generation's index beside those of the former ones, then let readers have it.

    A kill at any point leaves either the former generation or this one, never half of it.  ``space`` is that of
    ``write_index``; with ``share`` all desks have it.  Raises ``StorageFull`` and what ``publication`` raises.
    """
    write_index(writer, generation, space)
    with publication(writer, share) as publisher:
        info = publisher.publish(generation, *space, change)
        tidy_up(publisher, space)
    drop_collections(writer, IndexLimits.of(load_settings()))
    return info


@dataclass(frozen=True, slots=True)
class Candidate:
    """A generation whose rows are written, for the gate to judge.

    ``space`` and ``limits`` are those of ``write_index``; ``sketched`` are its new documents, for their duplicates.
    With ``share`` all desks have it once it is published.
    """

    writer: KnowledgeWriter
    generation: int
    gate: Gate
    space: tuple[str, int]
    limits: IndexLimits
    sketched: Sequence[int]
    share: KnowledgeShare | None = None

    def publish_if_good(self, change: GenerationChange) -> Publication:
        """Publish the generation if the gate lets it pass.

        Where it stays shut, the generation is undone: its rows would count in the word frequencies of those who search
        the current one, and its vectors are kept by their texts anyway.
        """
        report = self._judged()
        if report is not None and not (report.passed or report.forced):
            self.writer.begin()
            return as_before(self.writer, self.generation - 1, report)
        if report is not None:
            change = replace(change, lost=len(report.lost), forced=report.forced)
        with publication(self.writer, self.share) as publisher:
            info = publisher.publish(self.generation, *self.space, change)
            # nothing counts as new before: a kill in between marks nothing
            confirm_first(publisher.database, self.generation)
            if self.share is None:
                self.gate.settle(self.generation)
            tidy_up(publisher, self.space)
        drop_collections(self.writer, self.limits)
        if self.share is not None:
            self.gate.settle(self.generation)
        return Publication(
            self.generation,
            info.document_count,
            info.chunk_count,
            report,
            published=True,
            duplicates=new_duplicates(self.writer, self.generation, self.sketched),
            new_details=new_details(self.writer.database, self.generation),
        )

    def rehearse(self) -> Publication:
        """Do all that publishing does but the last step: say what the generation would hold, and undo it.

        The vectors of its passages stay, so that publishing it afterwards takes seconds.
        """
        writer, generation = self.writer, self.generation
        report = self._judged()
        with writer.database.reading() as connection:
            documents, chunks = visible_counts(connection, generation)
        rehearsed = Publication(
            generation - 1,
            documents,
            chunks,
            report,
            changes=changes_between(writer.database, generation - 1, generation),
            duplicates=new_duplicates(writer, generation, self.sketched),
            new_details=new_details(writer.database, generation),
        )
        writer.begin()
        return rehearsed

    def _judged(self) -> GateReport | None:
        write_index(self.writer, self.generation, self.space, self.limits)
        return self.gate.judge(self.generation)


def as_before(writer: KnowledgeWriter, generation: int, report: GateReport | None = None) -> Publication:
    """Say that the generation serves on, and what it holds."""
    with KnowledgeStore(writer.folder) as store:
        info = store.generation_info(generation)
    return Publication(generation, info.document_count, info.chunk_count, report)


def write_index(
    writer: KnowledgeWriter,
    generation: int,
    space: tuple[str, int],
    limits: IndexLimits | None = None,
) -> None:
    """Write the index of a generation that no reader has yet, whole and on the disk.

    ``space`` is the embedder's name for its vector space, and the dimension; ``limits`` None are the settings' own.

    Raises ``StorageFull`` where there is no room, and ``VectorEngineError`` where an engine does not take its vectors;
    what was written of the index is removed then.  The folder stays whatever happens later: the pointer may have moved.
    The next writer knows if it has not.

    Only what came and went is read and written, until that is too much of the whole (``limits``).
    """
    folder = generation_folder(writer.folder, generation)
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    former = generation_folder(writer.folder, generation - 1)
    chosen = limits or IndexLimits.of(load_settings())
    try:
        with storage_errors(writer.folder):
            unfinished.mkdir(parents=True)
            next_index(writer.database, generation, former, *space, chosen, unfinished).write(unfinished)
            _sync_folder(unfinished)
            unfinished.rename(folder)
            _sync_folder(folder.parent)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def tidy_up(writer: KnowledgeWriter, space: tuple[str, int]) -> None:
    """Delete what no reader can need any more: old generations, and the vectors of other embedders than ``space``'s.

    The generation is published, so a disk that is too full even for this is no failure; the next ingest tries again.
    """
    with contextlib.suppress(StorageFull):
        writer.delete_older()
        EmbeddingTable(writer.database, *space).forget_others()


def drop_collections(writer: KnowledgeWriter, limits: IndexLimits) -> None:
    """Delete what an engine has of generations that are gone, as ``tidy_up`` does here."""
    with contextlib.suppress(VectorEngineError, IndexDamaged):
        drop_unused_collections(writer.folder, limits.engine)


def _sync_folder(folder: Path) -> None:
    """Let the names in a folder reach the disk; without that a power cut may undo a rename."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
