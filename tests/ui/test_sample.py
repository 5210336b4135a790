"""When the sample knowledge base is ingested, and when it is not."""

import io
import json
from pathlib import Path
from unittest.mock import Mock

import pytest

from api.services.quality import QualityRegistry, RunInfo
from eval.compare.pairs import compare_runs
from ingest.pipeline import ingest
from rag.settings import Settings
from rag.setup.console import Console, Outcome
from rag.storage.store import KnowledgeStore
from rag.testing import HashEmbedder
from tests.support.postgres_server import PostgresServer
from tests.support.shared_site import open_site
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


@pytest.fixture
def questions(articles: Path) -> Path:
    """Put questions beside the articles: two that can be answered, and one that cannot."""
    rows = [
        {"id": "a", "question": "How many days to return an order?", "lang": "en", "relevant": ["returns.md"]},
        {"id": "b", "question": "return an order", "lang": "en", "relevant": ["returns.md"]},
        {"id": "c", "question": "Who won the cup final?", "lang": "en", "answerable": False, "relevant": []},
    ]
    folder = articles.parent / "golden"
    folder.mkdir()
    (folder / "en.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return folder


def _of_first_day(settings: Settings) -> dict[str, RunInfo]:
    runs = Mock(spec=QualityRegistry, settings=settings)
    return {run.name: run for run in QualityRegistry.runs(runs, settings.knowledge_base)}


@pytest.mark.slow
def test_the_first_day_has_runs_that_were_measured_here(settings: Settings, articles: Path, questions: Path) -> None:
    provide(settings, articles)
    assert sample.needs_first_runs(settings, articles)
    outcome = sample.measure_first_runs(settings, Console("en", io.StringIO()), articles)
    assert outcome.details == {"found": 2, "judged": 3}
    found = _of_first_day(settings)
    assert {name: (run.kind, run.n) for name, run in found.items()} == {
        "default-1-sample-5-candidates": ("retrieval", 2),
        "default-1-sample-search": ("retrieval", 2),
        "default-1-sample-refusal": ("refusal", 3),
    }
    assert found["default-1-sample-search"].figure == 1.0, "one document, which both questions find"
    compared = compare_runs("default-1-sample-5-candidates", "default-1-sample-search", settings)
    assert compared.measures[0].n == 2
    assert not sample.needs_first_runs(settings, articles), "once"


@pytest.mark.slow
def test_what_an_interrupted_start_asked_is_not_asked_again(
    settings: Settings, articles: Path, questions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provide(settings, articles)
    console = Console("en", io.StringIO())
    monkeypatch.setattr("eval.refusal.benchmark.measure_refusal", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        sample.measure_first_runs(settings, console, articles)
    records = settings.data_dir / "runs" / "default-1-sample-search" / "records.jsonl"
    before = records.read_text(encoding="utf-8")
    monkeypatch.undo()
    monkeypatch.setattr(sample, "open_embedder", lambda settings: HashEmbedder())
    assert sample.needs_first_runs(settings, articles)
    sample.measure_first_runs(settings, console, articles)
    assert records.read_text(encoding="utf-8") == before


@pytest.mark.slow
def test_a_changed_sample_brings_its_own_questions_and_is_measured_anew(
    settings: Settings, articles: Path, questions: Path
) -> None:
    provide(settings, articles)
    sample.measure_first_runs(settings, Console("en", io.StringIO()), articles)
    (articles / "returns.md").rename(articles / "sending-back.md")
    text = (questions / "en.jsonl").read_text(encoding="utf-8")
    (questions / "en.jsonl").write_text(text.replace("returns.md", "sending-back.md"), encoding="utf-8")
    assert provide(settings, articles).way == "ingested"
    assert paths(settings) == ["sending-back.md"], "the gate holds nothing back"
    assert sample.needs_first_runs(settings, articles)


def test_documents_of_ones_own_are_not_measured(settings: Settings, articles: Path, questions: Path) -> None:
    assert not sample.needs_first_runs(settings, articles)


@pytest.mark.real
def test_a_desk_that_joins_others_leaves_their_knowledge_base_alone(
    postgres_server: PostgresServer, tmp_path: Path, articles: Path
) -> None:
    with open_site(postgres_server, tmp_path) as site:
        site.here.ingest(site.manual)
        assert provide(site.there.settings, articles).way == "own_documents"
        assert paths(site.there.settings) == ["deadline.md", "gifts.md"]
