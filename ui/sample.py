"""The sample knowledge base: ingested when there is none yet, and again when its files have changed."""

import hashlib
import sys
from pathlib import Path

from ingest.console import ProgressConsole
from ingest.pipeline import IngestOptions, ingest
from rag.retrieval.embedder import open_embedder
from rag.settings import Settings
from rag.setup.console import Console, Outcome
from rag.storage.store import KnowledgeStore

SAMPLE_FOLDER = Path(__file__).resolve().parent.parent / "data" / "knowledge"


def provide_sample(settings: Settings, console: Console, folder: Path = SAMPLE_FOLDER) -> Outcome:
    """Bring the sample into the knowledge base, unless somebody has filled that with documents of their own.

    Raises ``KnowledgeError`` or ``EmbedderMissing``.
    """
    what = console.words("sample")
    stamp = settings.data_dir / "sample" / f"{settings.knowledge_base}.sha256"
    generation = KnowledgeStore(settings.knowledge_dir).current_generation()
    if generation and not stamp.is_file():
        return Outcome(what, "own_documents")
    state = _checksum(folder)
    if generation and stamp.read_text(encoding="utf-8") == state:
        return Outcome(what, "here")
    with ProgressConsole(console.language, sys.stderr) as progress:
        summary = ingest([folder], settings, open_embedder(settings), IngestOptions(prune=True), progress=progress)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(state, encoding="utf-8")
    return Outcome(what, "ingested", {"documents": summary.documents, "passages": summary.chunks})


def _checksum(folder: Path) -> str:
    """Return a sum over the names and contents of all files."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
