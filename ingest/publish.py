"""A generation becomes the current one: index files first, whole and on the disk, then the pointer in one step."""

import contextlib
import os
import shutil
from pathlib import Path

from rag.errors import StorageFull
from rag.retrieval.vector_index import FaissVectorIndex
from rag.storage.connection import storage_errors
from rag.storage.embeddings import EmbeddingTable
from rag.storage.store import GenerationChange, GenerationInfo, generation_folder
from rag.storage.writer import KnowledgeWriter


def publish(
    writer: KnowledgeWriter,
    table: EmbeddingTable,
    generation: int,
    change: GenerationChange,
    *,
    model_id: str,
    dimension: int,
) -> GenerationInfo:
    """Write the generation's index beside those of the former ones, then let readers have it.

    A kill at any point leaves either the former generation or this one, never half of it.  Raises ``StorageFull``
    where there is no room; what was written of the index is removed then.
    """
    folder = generation_folder(writer.folder, generation)
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    chunk_ids, vectors = table.visible(generation)
    index = FaissVectorIndex.build(chunk_ids, vectors)
    try:
        with storage_errors(writer.folder):
            unfinished.mkdir(parents=True)
            index.write(unfinished, model_id)
            _sync_folder(unfinished)
            unfinished.rename(folder)
            _sync_folder(folder.parent)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    # From here on the folder stays whatever happens: the pointer may have moved.  The next writer knows if it has not.
    return writer.publish(generation, model_id, dimension, change)


def tidy_up(writer: KnowledgeWriter, table: EmbeddingTable) -> None:
    """Delete what no reader can need any more: old generations, and the vectors of other embedders.

    The generation is published, so a disk that is too full even for this is no failure; the next ingest tries again.
    """
    with contextlib.suppress(StorageFull):
        writer.delete_older()
        table.forget_others()


def _sync_folder(folder: Path) -> None:
    """Let the names in a folder reach the disk; without that a power cut may undo a rename."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
