"""Run by ``test_full_disk.py`` in a mount namespace of its own: ingests on a real disk of 16 MB that is nearly full.

``unshare --map-root-user --mount python -m tests.ingest.full_disk FOLDER FREE_KILOBYTES`` prints what happened as JSON.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from ingest.pipeline import ingest
from rag.errors import StorageFull
from rag.retrieval.generation_index import GenerationIndex
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.testing import HashEmbedder

DISK_MEGABYTES = 16


def write(manual: Path, documents: int) -> None:
    """Write documents of some kilobytes in all."""
    manual.mkdir(exist_ok=True)
    for number in range(documents):
        words = " ".join(f"word{number}x{position}" for position in range(60))
        (manual / f"{number}.md").write_text(f"# Number {number}\n\n{words}")


def fill(disk: Path, free_kilobytes: int) -> Path:
    """Leave no more room than that on the disk."""
    filler = disk / ("filler" if not (disk / "filler").exists() else "more")
    room = os.statvfs(disk)
    filler.write_bytes(bytes(max(0, room.f_bavail * room.f_frsize - free_kilobytes * 1024)))
    return filler


def read_anew(store: KnowledgeStore) -> str:
    """Open the database when nobody has it open; return what is said, or what is current."""
    store.close()
    fill(store.folder, 0)
    try:
        return str(KnowledgeStore(store.folder).require_generation())
    except StorageFull as error:
        return error.text("en")


def main(folder: Path, free_kilobytes: int) -> None:
    """Fill the disk, ingest, look at what is left, make room, and ingest again."""
    disk, manual = folder / "disk", folder / "manual"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "tmpfs", disk], check=True)
    settings = Settings(data_dir=disk / "data")
    embedder = HashEmbedder(256)
    write(manual, 3)
    ingest([manual], settings, embedder)
    store = KnowledgeStore(settings.knowledge_dir)  # a desk that is open already
    store.require_generation()
    filler = fill(disk, free_kilobytes)
    write(manual, 250)
    try:
        ingest([manual], settings, embedder)
        outcome = "published"
    except StorageFull as error:
        outcome = error.text("en")
    generation = store.require_generation()
    GenerationIndex.open(store.generation_folder(generation), embedder.model_id).loaded({})
    report: dict[str, object] = {
        "outcome": outcome,
        "generation": generation,
        "documents": len(store.documents(generation)),
        "readable": store.document("2.md", generation).title,
        "folders": sorted(path.name for path in store.generation_folder(0).parent.iterdir()),
    }
    if free_kilobytes == 0:
        report["a new reader"] = read_anew(store)
    filler.unlink()
    report["afterwards"] = ingest([manual], settings, embedder).documents
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
