"""Set-up fetches the models that the settings name, once, and keeps them whole or not at all."""

import io
from pathlib import Path

import pytest

from rag.errors import DownloadFailed, SearchModelUnusable
from rag.retrieval.embedder import open_embedder
from rag.retrieval.model_folders import hub_model_folder
from rag.settings import Settings
from rag.setup import embedder
from rag.setup.console import Console, Outcome
from rag.setup.embedder import provide_embedding_model, provide_reranker
from rag.setup.steps import provide
from tests.support.search_models import save_embedding_model, save_reranker

NAME = "somebody/tiny"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache", embedding_model=NAME, reranker=NAME)


@pytest.fixture
def console() -> Console:
    return Console("en", io.StringIO())


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands in for the hub: what it has under a name is loaded as if it had come from there."""
    save = embedder._save
    folder = tmp_path / "hub"
    monkeypatch.setattr(embedder, "_save", lambda name, *rest: save(str(folder / name), *rest))
    return folder


@pytest.mark.slow
def test_an_embedding_model_is_fetched_once_and_serves_without_the_hub(
    settings: Settings, console: Console, hub: Path
) -> None:
    save_embedding_model(hub / NAME, pooling="cls")
    fetched = provide_embedding_model(settings, console)
    assert (fetched.what, fetched.way) == ("Embedding model somebody/tiny", "embedding_model_fetched")
    assert "million parameters" in console.words(fetched.way, **fetched.details)
    assert fetched.details["dimension"] == 32
    (hub / NAME).rename(hub / "gone")
    assert provide_embedding_model(settings, console) == Outcome(fetched.what, "here")
    ours = open_embedder(settings)
    assert ours.model_id.startswith("tiny@")
    theirs = open_embedder(settings.changed(embedding_model=str(hub / "gone")))
    assert (ours.embed_queries(["kettle"]).vectors == theirs.embed_queries(["kettle"]).vectors).all()


@pytest.mark.slow
def test_pickled_weights_of_the_hub_are_kept_as_safetensors(settings: Settings, console: Console, hub: Path) -> None:
    import torch
    from safetensors.torch import load_file

    folder = save_embedding_model(hub / NAME)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    provide_embedding_model(settings, console)
    kept = hub_model_folder(settings, NAME)
    assert list(kept.rglob("*.safetensors"))
    assert not list(kept.rglob("*.bin"))


@pytest.mark.slow
def test_a_reranker_is_fetched_once(settings: Settings, console: Console, hub: Path) -> None:
    save_reranker(hub / NAME, "refund")
    assert provide_reranker(settings, console) == Outcome("Reranker somebody/tiny", "fetched")
    assert provide_reranker(settings, console) == Outcome("Reranker somebody/tiny", "here")


def test_what_cannot_be_had_leaves_nothing_behind(
    settings: Settings, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(name: str, folder: Path, kind: str) -> None:
        (folder / "config.json").write_text("{}", encoding="utf-8")
        raise OSError("no such model")

    monkeypatch.setattr(embedder, "_save", fails)
    with pytest.raises(DownloadFailed, match=r"somebody/tiny could not be downloaded.*name a folder"):
        provide_embedding_model(settings, console)
    assert list((settings.cache_dir / "search-models").iterdir()) == []


def test_a_folder_is_only_looked_at(settings: Settings, console: Console, tmp_path: Path) -> None:
    with pytest.raises(SearchModelUnusable, match="no such folder"):
        provide_reranker(settings.changed(reranker=str(tmp_path / "gone")), console)


def test_the_embedder_s_step_brings_what_the_settings_name(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedder, "provide_embedder", lambda settings, console: Outcome("Embedder", "here"))
    for name in ("provide_embedding_model", "provide_reranker"):
        monkeypatch.setattr(embedder, name, lambda settings, console, name=name: Outcome(name, "here"))

    def lines(chosen: Settings) -> list[str]:
        out = io.StringIO()
        provide(chosen, Console("en", out), ["embedder"])
        return [line.partition(":")[0] for line in out.getvalue().splitlines()]

    assert lines(settings) == ["Embedder", "provide_embedding_model", "provide_reranker"]
    assert lines(settings.changed(embedding_model="", reranker="")) == ["Embedder"]
