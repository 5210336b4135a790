"""When the sample knowledge base is ingested, and when it is not."""

import io
from pathlib import Path

import pytest

from ingest.pipeline import ingest
from rag.settings import Settings
from rag.setup.console import Console, Outcome
from rag.storage.store import KnowledgeStore
from rag.testing import HashEmbedder
from ui import sample
from ui.sample import SAMPLE_FOLDER, provide_sample


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "returns.md").write_text("# Returns\n\nYou have 30 days to return an order.\n", encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def embedders(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """Use the fake embedder, and note how often it was asked for."""
    opened: list[Settings] = []

    def open_fake(settings: Settings) -> HashEmbedder:
        opened.append(settings)
        return HashEmbedder()

    monkeypatch.setattr(sample, "open_embedder", open_fake)
    return opened


def provide(settings: Settings, folder: Path) -> Outcome:
    return provide_sample(settings, Console("en", io.StringIO()), folder)


def paths(settings: Settings) -> list[str]:
    store = KnowledgeStore(settings.knowledge_dir)
    try:
        return [row.document_id for row in store.documents(store.require_generation())]
    finally:
        store.close()


@pytest.mark.slow
def test_an_empty_machine_gets_it_once(settings: Settings, articles: Path, embedders: list[Settings]) -> None:
    first = provide(settings, articles)
    assert (first.way, first.details) == ("ingested", {"documents": 1, "passages": 1})
    assert provide(settings, articles).way == "here"
    assert len(embedders) == 1, "a second start needs no embedder"


@pytest.mark.slow
def test_a_changed_sample_is_ingested_again(settings: Settings, articles: Path) -> None:
    provide(settings, articles)
    (articles / "returns.md").rename(articles / "sending-back.md")
    assert provide(settings, articles).way == "ingested"
    assert paths(settings) == ["sending-back.md"]


@pytest.mark.slow
def test_documents_of_ones_own_are_left_alone(settings: Settings, articles: Path, tmp_path: Path) -> None:
    ingest([articles], settings, HashEmbedder())
    (tmp_path / "sample").mkdir()
    (tmp_path / "sample" / "other.md").write_text("# Other\n\nNot wanted here.\n", encoding="utf-8")
    assert provide(settings, tmp_path / "sample").way == "own_documents"
    assert paths(settings) == ["returns.md"]


@pytest.mark.slow
def test_each_knowledge_base_gets_it(settings: Settings, articles: Path) -> None:
    provide(settings, articles)
    other = settings.model_copy(update={"knowledge_base": "another"})
    assert provide(other, articles).way == "ingested"


def test_the_shipped_sample_is_there() -> None:
    assert (SAMPLE_FOLDER / "en").is_dir()
    assert (SAMPLE_FOLDER / "zh").is_dir()
