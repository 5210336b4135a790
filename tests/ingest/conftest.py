"""A folder of documents, a knowledge base of its own, and one worker that reads for all tests."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ingest.loaders.source import Limits
from ingest.pipeline import IngestOptions, ingest
from ingest.reader import FileReader
from ingest.summary import IngestProgress, IngestSummary
from rag.protocols import PassageVectors
from rag.settings import Settings, load_settings
from rag.storage.store import KnowledgeStore
from rag.testing import HashEmbedder


@pytest.fixture(autouse=True)
def ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands run as they do for a user who is not root: root is told so, in a sentence before all others."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)


@pytest.fixture(scope="module")
def reader_of_figures() -> Iterator[FileReader]:
    """A worker that keeps pictures and reads no words in them, which takes seconds."""
    with FileReader(Limits(1_000_000, ocr_pages=0, figures=5)) as reader:
        yield reader


class CountingEmbedder(HashEmbedder):
    """Remembers what it was asked to embed."""

    def __init__(self, dimension: int = 64) -> None:
        super().__init__(dimension)
        self.embedded: list[str] = []

    def embed_passages(self, texts: Sequence[str]) -> PassageVectors:
        self.embedded += texts
        return super().embed_passages(texts)


@dataclass
class Desk:
    """What a test of ingestion works with."""

    manual: Path
    settings: Settings
    reader: FileReader
    embedder: CountingEmbedder = field(default_factory=CountingEmbedder)
    progress: list[IngestProgress] = field(default_factory=list)

    def write(self, name: str, content: str) -> Path:
        """Write a file of the manual."""
        path = self.manual / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def ingest(
        self,
        *paths: Path,
        prune: bool = False,
        rebuild: bool = False,
        reread: bool = False,
        force: bool = False,
        rehearsal: bool = False,
    ) -> IngestSummary:
        """Ingest the manual, or other paths; ``embedder.embedded`` then holds what this run embedded."""
        self.embedder.embedded.clear()
        return ingest(
            paths or (self.manual,),
            self.settings,
            self.embedder,
            IngestOptions(prune=prune, rebuild=rebuild, reread=reread, force=force, rehearsal=rehearsal),
            progress=self.progress.append,
            reader=self.reader,
        )

    @property
    def store(self) -> KnowledgeStore:
        """A reader of the knowledge base."""
        return KnowledgeStore(self.settings.knowledge_dir)

    def documents(self) -> dict[str, str]:
        """The texts of the current generation, by document_id."""
        store = self.store
        try:
            generation = store.require_generation()
            ids = [row.document_id for row in store.documents(generation)]
            return {document_id: store.document(document_id, generation).text for document_id in ids}
        finally:
            store.close()


@pytest.fixture(scope="session")
def file_reader() -> Iterator[FileReader]:
    """One worker for all tests: starting it takes longer than most of them."""
    with FileReader(Limits(1_000_000)) as reader:
        yield reader


@pytest.fixture
def desk(tmp_path: Path, file_reader: FileReader) -> Desk:
    """A manual of three documents, not yet ingested."""
    desk = Desk(tmp_path / "manual", Settings(data_dir=tmp_path / "data", chunk_tokens=32), file_reader)
    desk.write("returns/deadline.md", "---\nupdated: 2026-08-01\n---\n# Deadline\n\nReturn it within 7 days.")
    desk.write("运费.txt", "运费说明\n\n满 99 元免运费。")
    desk.write("faq.jsonl", '{"id": "q1", "title": "Gift?", "text": "We wrap it."}\n{"id": "q2", "text": "Yes."}')
    return desk


@pytest.fixture
def command(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The desk's folders as the command's defaults, and the fake embedder in place of the real one."""
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(desk.settings.data_dir))
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    monkeypatch.setattr("ingest.__main__.open_embedder", lambda settings: desk.embedder)
    load_settings.cache_clear()
    return desk
