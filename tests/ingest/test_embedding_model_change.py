"""Another embedding model: the old generation serves with the old model until one of the new model is published."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ingest import __main__ as command
from ingest.check import check
from ingest.pipeline import IngestOptions, ingest
from ingest.summary import IngestProgress
from rag.errors import EmbedderMismatch
from rag.retrieval.embedder import SearchModels, chosen_model_id, open_embedder
from rag.retrieval.late_interaction import SentenceSimilarity
from rag.retrieval.retriever import Retriever
from rag.schema import Retrieval
from rag.settings import Settings
from rag.storage.calibration import read_calibration, save_calibration
from rag.storage.store import KnowledgeStore
from rag.testing import HashEmbedder
from rag.tracing import Trace
from tests.support.search_models import save_embedding_model

pytestmark = pytest.mark.slow

REBUILD = IngestOptions(rebuild=True)
QUESTION = "How long is the warranty of the kettle?"

Choose = Callable[[str], Settings]


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    for name in ("kettle", "lamp", "parcel"):
        text = (
            f"# The {name}\n\nThe warranty of the {name} is 2 years.\n\nA refund of the {name} is sent within days.\n"
        )
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def choose(tmp_path: Path) -> Choose:
    """Return the settings of one machine with another model."""
    return lambda model: Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache", embedding_model=model)


class Desk:
    """What a running desk keeps: a retriever over a store, and the search models of its settings."""

    def __init__(self, settings: Settings) -> None:
        self.models = SearchModels(settings)
        store = KnowledgeStore(settings.knowledge_dir)
        first = self.models.of_knowledge_base(store)
        self._retriever = Retriever(store, first, settings, other_embedder=self.models.of)
        self._sentences = SentenceSimilarity(store, first, other_embedder=self.models.of)

    def ask(self) -> Retrieval:
        return self._retriever.retrieve(QUESTION, "en", Trace())

    def sentence_scores(self, found: Retrieval) -> bool:
        chunk = found.chunks[0].chunk
        return self._sentences.likeness(found, [(chunk.document_id, chunk.start, chunk.end)]) is not None


def test_the_old_generation_serves_until_the_new_model_s_is_published(
    tmp_path: Path, documents: Path, choose: Choose
) -> None:
    old = choose(str(save_embedding_model(tmp_path / "old")))
    new = choose(str(save_embedding_model(tmp_path / "new", pooling="cls", hidden=48, seed=1)))
    assert ingest([documents], old, open_embedder(old)).generation == 1
    running = Desk(old)
    before = running.ask()
    assert (before.generation, before.chunks[0].late is not None) == (1, True)

    started_anew = Desk(new)  # the setting is changed, and nothing is embedded with it yet
    assert started_anew.ask().chunks == before.chunks
    with pytest.raises(EmbedderMismatch, match=r"old@.* \[32\].*new@.* \[48\].*--rebuild"):
        ingest([documents], new, open_embedder(new))
    assert started_anew.ask().generation == 1

    assert ingest([], new, open_embedder(new), REBUILD).generation == 2
    for desk in (running, started_anew):
        after = desk.ask()
        assert after.generation == 2
        assert after.tokens is not None
        assert after.tokens.vectors.shape[1] == 48
        assert desk.sentence_scores(after)
        assert desk.ask().chunks == after.chunks
        desk.sentence_scores(before)  # a question that was searched before asks for its sentences only now
    with KnowledgeStore(new.knowledge_dir) as store:
        assert (store.generation_info(2).embedder_model, store.generation_info(2).dimension) == (
            chosen_model_id(new),
            48,
        )


def test_without_the_old_model_the_start_says_what_to_do(tmp_path: Path, documents: Path, choose: Choose) -> None:
    folder = save_embedding_model(tmp_path / "old")
    old = choose(str(folder))
    ingest([documents], old, open_embedder(old))
    folder.rename(tmp_path / "gone")
    new = choose(str(save_embedding_model(tmp_path / "new", seed=1)))
    with pytest.raises(EmbedderMismatch) as caught:
        Desk(new)
    assert all("python -m ingest --rebuild" in caught.value.text(language) for language in ("en", "zh"))
    # a folder whose weights are others now is not the old model either
    save_embedding_model(folder, seed=2)
    with pytest.raises(EmbedderMismatch):
        Desk(new)


def test_without_vectors_of_tokens_the_other_scores_rank(
    tmp_path: Path, documents: Path, choose: Choose, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import PreTrainedTokenizerFast

    monkeypatch.setattr(PreTrainedTokenizerFast, "is_fast", property(lambda self: False))
    settings = choose(str(save_embedding_model(tmp_path / "model")))
    assert ingest([documents], settings, open_embedder(settings)).generation == 1
    assert ingest([documents], settings, open_embedder(settings)).published is False  # nothing counts as missing
    desk = Desk(settings)
    found = desk.ask()
    assert found.chunks[0].chunk.title == "The kettle"
    assert {one.late for one in found.chunks} == {None}
    assert not desk.sentence_scores(found)
    assert check(settings.knowledge_dir).findings == ()


def test_a_calibration_of_another_model_s_search_says_nothing(tmp_path: Path, documents: Path, choose: Choose) -> None:
    settings = choose(str(save_embedding_model(tmp_path / "model")))
    embedder = open_embedder(settings)
    ingest([documents], settings, embedder)
    shipped = Desk(settings).ask().threshold
    never = {"slope": 1.0, "intercept": 0.0, "threshold": 1.0}
    save_calibration(settings.knowledge_dir, {"search": never, "automatic": {"threshold": 1.0}})  # the built-in one's
    assert Desk(settings).ask().threshold == shipped < 1
    assert Desk(settings).ask().answerable
    save_calibration(settings.knowledge_dir, {"search": {**never, "embedder": embedder.model_id, "threshold": 0.25}})
    assert Desk(settings).ask().threshold == 0.25


def test_a_larger_knowledge_base_finds_its_threshold_for_the_model(tmp_path: Path, choose: Choose) -> None:
    settings = choose(str(save_embedding_model(tmp_path / "model")))
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(24):
        (folder / f"{number}.md").write_text(f"# Kettle {number}\n\nThe kettle is sent within {number} days.\n")
    embedder = open_embedder(settings)
    ingest([folder], settings, embedder)
    found = read_calibration(settings.knowledge_dir)["automatic"]
    assert found["embedder"] == embedder.model_id
    assert Desk(settings).ask().threshold == found["threshold"]


def test_a_rebuild_that_was_killed_goes_on_where_it_was(tmp_path: Path, documents: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    chunks = ingest([documents], settings, HashEmbedder(32)).chunks

    def kill(progress: IngestProgress) -> None:
        if progress.stage == "publishing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest([], settings, HashEmbedder(64), REBUILD, progress=kill)
    with KnowledgeStore(settings.knowledge_dir) as store:
        assert store.generation_info(store.require_generation()).dimension == 32
    summary = ingest([], settings, HashEmbedder(64), REBUILD)
    assert (summary.generation, summary.embedded) == (2, 0)
    assert ingest([], settings, HashEmbedder(64), REBUILD).embedded == chunks  # what serves is embedded anew when asked


def test_a_model_that_is_not_there_is_one_sentence_and_an_exit_code(
    documents: Path, choose: Choose, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "load_settings", lambda: choose("BAAI/bge-m3"))
    assert command.main([str(documents)]) == 5
    (said,) = capsys.readouterr().err.splitlines()
    assert "BAAI/bge-m3" in said
    assert "python -m rag.setup embedder" in said


@pytest.mark.real
def test_from_the_built_in_embedder_to_a_model_and_back(tmp_path: Path, documents: Path, choose: Choose) -> None:
    built_in = choose("")
    built_in.cache_dir.mkdir()
    (built_in.cache_dir / "embedder").symlink_to(Settings().cache_dir / "embedder")
    model = choose(str(save_embedding_model(tmp_path / "model")))
    ingest([documents], built_in, open_embedder(built_in))
    before = Desk(model).ask()
    assert (before.generation, before.chunks[0].chunk.title) == (1, "The kettle")
    assert Desk(built_in).ask().chunks == before.chunks
    running = Desk(built_in)
    assert ingest([], model, open_embedder(model), REBUILD).generation == 2
    for desk in (running, Desk(model), Desk(built_in)):  # the last one was told to go back, and no ingest has yet
        assert desk.ask().generation == 2
    assert ingest([], built_in, open_embedder(built_in), REBUILD).generation == 3
    assert running.ask().chunks[0].late == pytest.approx(before.chunks[0].late, abs=0.02)
