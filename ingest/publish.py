"""A generation becomes the current one, or an earlier one does again: index files first, then the pointer in one step.

A kill at any point leaves either the former generation or the new one, never half of it.  A rollback publishes the
earlier generation under a new number, so readers see numbers that only rise, and it can be undone.
"""

import contextlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.changes import changes_between
from ingest.duplicates import new_duplicates
from ingest.gate import Gate
from ingest.lock import publication, writer_lock
from ingest.new_details import confirm_first, new_details, note_details
from ingest.summary import GateReport, Publication
from rag.errors import GenerationGone, IndexDamaged, StorageFull, VectorEngineError
from rag.retrieval.index_builder import IndexLimits, drop_unused_collections, next_index
from rag.settings import load_settings
from rag.storage.connection import storage_errors
from rag.storage.embeddings import EmbeddingTable
from rag.storage.sharing import KnowledgeShare
from rag.storage.store import (
    KEPT_GENERATIONS,
    GenerationChange,
    GenerationInfo,
    KnowledgeStore,
    generation_folder,
    visible_counts,
)
from rag.storage.writer import KnowledgeWriter


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

        Where it stays shut, the generation is undone: its rows would count in the word frequencies of searches in the
        current one, and its vectors are kept by their texts anyway.
        """
        report = self._judge()
        if report is not None and not (report.passed or report.forced):
            self.writer.begin()
            return unchanged_publication(self.writer, self.generation - 1, report)
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
        """Report what publishing the generation would change, and undo it.

        The vectors of its passages stay, so that publishing it afterwards takes seconds.
        """
        writer, generation = self.writer, self.generation
        report = self._judge()
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

    def _judge(self) -> GateReport | None:
        write_index(self.writer, self.generation, self.space, self.limits)
        return self.gate.judge(self.generation)


def unchanged_publication(writer: KnowledgeWriter, generation: int, report: GateReport | None = None) -> Publication:
    """Report that the generation still serves."""
    with KnowledgeStore(writer.folder) as store:
        info = store.generation_info(generation)
    return Publication(generation, info.document_count, info.chunk_count, report)


def write_index(writer: KnowledgeWriter, generation: int, space: tuple[str, int], limits: IndexLimits) -> None:
    """Write the index of a generation that no reader has yet, whole and on the disk.

    ``space`` is the embedder's name for its vector space, and the dimension.

    Raises ``StorageFull`` where there is no room, and ``VectorEngineError`` where an engine does not take its vectors;
    what was written of the index is removed then.  The folder stays whatever happens later: the pointer may have moved.
    The next writer knows if it has not.

    Only what came and went is read and written, until that is too much of the whole (``limits``).
    """
    folder = generation_folder(writer.folder, generation)
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    former = generation_folder(writer.folder, generation - 1)
    try:
        with storage_errors(writer.folder):
            unfinished.mkdir(parents=True)
            next_index(writer.database, generation, former, *space, limits, unfinished).write(unfinished)
            _sync_folder(unfinished)
            unfinished.rename(folder)
            _sync_folder(folder.parent)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def tidy_up(writer: KnowledgeWriter, space: tuple[str, int]) -> None:
    """Delete old generations, and the vectors of other embedders than ``space``'s.

    The generation is published, so a disk too full even for this is no failure; the next ingest tries again.
    """
    with contextlib.suppress(StorageFull):
        writer.delete_older()
        EmbeddingTable(writer.database, *space).forget_others()


def drop_collections(writer: KnowledgeWriter, limits: IndexLimits) -> None:
    """Delete an engine's collections of generations that are gone."""
    with contextlib.suppress(VectorEngineError, IndexDamaged):
        drop_unused_collections(writer.folder, limits.engine)


def _sync_folder(folder: Path) -> None:
    """Flush a folder's names to the disk; otherwise a power cut may undo a rename."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def history(folder: Path) -> list[GenerationInfo]:
    """Return every published generation, the newest first.  Raises ``KnowledgeBaseMissing``."""
    with KnowledgeStore(folder) as store:
        store.require_generation()
        return store.generations()


def oldest_restorable(generations: Sequence[GenerationInfo]) -> int:
    """Return the number of the oldest generation that ``rollback`` can bring back; the newest comes first."""
    newest = generations[0]
    kept = newest.generation - KEPT_GENERATIONS + 1
    same_space = [
        info.generation
        for info in generations
        if info.generation >= kept
        and (info.embedder_model, info.dimension) == (newest.embedder_model, newest.dimension)
    ]
    return min(same_space)


def require_restorable(generations: Sequence[GenerationInfo], target: int) -> None:
    """Raise ``GenerationGone`` unless ``target`` is before the newest of a ``history`` and still kept."""
    if not oldest_restorable(generations) <= target < generations[0].generation:
        raise GenerationGone(generation=target)


def rollback(folder: Path, target: int | None = None, share: KnowledgeShare | None = None) -> GenerationInfo:
    """Publish the content of generation ``target``, or of the one before the current; no text is embedded again.

    With ``share`` all desks go back.  Raises ``KnowledgeBaseMissing``, ``GenerationGone``, ``IngestRunning``,
    ``StorageFull`` and ``DatabaseUnavailable``; whatever is raised, the current generation serves on.
    """
    history(folder)  # or the lock would make a folder for a knowledge base that is none
    with writer_lock(folder, share):
        generations = history(folder)  # who held the lock before may have published
        with KnowledgeWriter(folder) as writer:
            generation = writer.begin()
            earlier = generation - 2 if target is None else target
            require_restorable(generations, earlier)
            back, gone = writer.restore(earlier, generation)
            note_details(writer.database, generation)
            space, limits = (generations[0].embedder_model, generations[0].dimension), IndexLimits.of(load_settings())
            write_index(writer, generation, space, limits)
            change = GenerationChange(added=back, retired=gone, restored=earlier)
            with publication(writer, share) as publisher:
                info = publisher.publish(generation, *space, change)
                tidy_up(publisher, space)
            drop_collections(writer, limits)
            return info
