"""Back to an earlier generation, as a new one: whoever reads sees numbers that only rise, and can come back again."""

from pathlib import Path

from ingest.lock import writer_lock
from ingest.new_details import note_details
from ingest.publish import publish
from rag.errors import GenerationGone
from rag.storage.sharing import KnowledgeShare
from rag.storage.store import GenerationChange, GenerationInfo, KnowledgeStore
from rag.storage.writer import KEPT_GENERATIONS, KnowledgeWriter


def history(folder: Path) -> list[GenerationInfo]:
    """Return every generation that was published, the newest first.  Raises ``KnowledgeBaseMissing``."""
    with KnowledgeStore(folder) as store:
        store.require_generation()
        return store.generations()


def oldest_restorable(generations: list[GenerationInfo]) -> int:
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


def rollback(folder: Path, target: int | None = None, share: KnowledgeShare | None = None) -> GenerationInfo:
    """Publish what generation ``target``, or else the one before the current, held; no text is embedded anew.

    With ``share`` all desks go back.  Raises ``KnowledgeBaseMissing``, ``GenerationGone``, ``IngestRunning``,
    ``StorageFull`` and ``DatabaseUnavailable``; whatever is raised, the current generation serves on.
    """
    history(folder)  # or the lock would make a folder for a knowledge base that is none
    with writer_lock(folder, share):
        generations = history(folder)  # who held the lock before may have published
        with KnowledgeWriter(folder) as writer:
            generation = writer.begin()
            earlier = generation - 2 if target is None else target
            oldest = oldest_restorable(generations)
            if not oldest <= earlier < generation - 1:
                raise GenerationGone(generation=earlier, oldest=oldest, newest=generation - 2)
            back, gone = writer.restore(earlier, generation)
            note_details(writer.database, generation)
            space = generations[0]
            change = GenerationChange(added=back, retired=gone, restored=earlier)
            return publish(writer, generation, change, (space.embedder_model, space.dimension), share)
