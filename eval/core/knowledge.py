"""The knowledge base of a question set; a corpus is made into one that is kept for the next time."""

import hashlib
from pathlib import Path

from eval.core.progress import SILENT, Progress
from eval.core.question_sets import QuestionSet
from ingest.chunking import chunker_version
from ingest.pipeline import IngestOptions, ingest
from rag.factory import build_parts
from rag.pipeline import PipelineParts
from rag.protocols import Embedder
from rag.retrieval.embedder import open_embedder
from rag.retrieval.embedder_tokens import CENTRE_PATH
from rag.settings import Settings
from rag.storage.store import KnowledgeStore


def knowledge_folder(one: QuestionSet, settings: Settings, embedder: Embedder, progress: Progress = SILENT) -> Path:
    """Return the folder of a set's published knowledge base.

    Raises a ``KnowledgeError`` where there is nothing to ask.
    """
    own = settings if one.corpus is None else knowledge_of(one.corpus, settings, embedder, progress)
    store = KnowledgeStore(own.knowledge_dir)
    store.require_generation()
    store.close()
    return own.knowledge_dir


def open_parts(one: QuestionSet, settings: Settings, progress: Progress = SILENT) -> PipelineParts:
    """Return the parts that answer a set's questions from its knowledge base.

    The model server stays the desk's.  Raises a ``KnowledgeError``, or ``EmbedderMissing``.
    """
    if one.corpus is None:
        KnowledgeStore(settings.knowledge_dir).require_generation()  # told before the embedder is loaded
    embedder = open_embedder(settings)
    store = KnowledgeStore(knowledge_folder(one, settings, embedder, progress))
    return build_parts(settings, store, embedder=embedder)


def knowledge_of(
    corpus: Path,
    settings: Settings,
    embedder: Embedder,
    progress: Progress = SILENT,
    leave_out: frozenset[Path] = frozenset(),
) -> Settings:
    """Return the settings of a knowledge base that holds a corpus, which is ingested the first time.

    It is kept under ``settings.data_dir / "runs" / "knowledge"``, named by what it is made of, so the desk's own
    knowledge bases are never touched.  ``leave_out`` are absolute paths of files that do not belong to the corpus.
    Raises a ``KnowledgeError`` where nothing can be read.
    """
    key = fingerprint(corpus, embedder.model_id, settings.chunk_tokens, leave_out)
    own = settings.changed(data_dir=settings.data_dir / "runs" / "knowledge" / key, knowledge_base="default")
    store = KnowledgeStore(own.knowledge_dir)
    if store.current_generation() == 0:  # a generation appears as a whole, or not at all
        with progress.ingest() as report:
            ingest([corpus], own, embedder, IngestOptions(leave_out=leave_out), progress=report)
    store.close()
    return own


def fingerprint(corpus: Path, model_id: str, chunk_tokens: int, leave_out: frozenset[Path] = frozenset()) -> str:
    """Hash what an index depends on: the files' names and contents, the embedder, and the chunker."""
    digest = hashlib.sha256(f"{corpus.name}\n{model_id}\n{chunker_version(chunk_tokens)}\n".encode())
    digest.update(CENTRE_PATH.read_bytes())
    for file in sorted(corpus.rglob("*")) if corpus.is_dir() else [corpus]:
        if file.is_file() and file.resolve() not in leave_out:
            content = file.read_bytes()
            digest.update(f"\n{file.relative_to(corpus)}\n{len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]
