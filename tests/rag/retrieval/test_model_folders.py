"""Models that the settings name: where they are, what they are told apart by, and what is said where one is missing."""

import json
from pathlib import Path

import pytest

from rag.errors import SearchModelMissing, SearchModelUnusable
from rag.retrieval import model_folders
from rag.retrieval.model_folders import (
    embedding_model_folder,
    hub_model_folder,
    is_search_model,
    known_name,
    model_id_of,
    remember,
    search_model_folder,
)
from rag.settings import Settings


def a_folder(folder: Path, weights: bytes = b"weights") -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}", encoding="utf-8")
    (folder / "modules.json").write_text("[]", encoding="utf-8")
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def test_a_folder_is_taken_where_it_is_and_a_name_from_the_cache(tmp_path: Path) -> None:
    settings = Settings(cache_dir=tmp_path / "cache")
    folder = a_folder(tmp_path / "mine")
    assert embedding_model_folder(settings, str(folder)) == folder
    fetched = a_folder(hub_model_folder(settings, "BAAI/bge-m3"))
    assert embedding_model_folder(settings, "BAAI/bge-m3") == fetched
    assert fetched.is_relative_to(tmp_path / "cache")


def test_a_model_that_was_not_fetched_is_missed_in_one_sentence_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(SearchModelMissing) as caught:
        search_model_folder(Settings(cache_dir=tmp_path), "BAAI/bge-m3")
    assert caught.value.exit_code == 5
    for language in ("en", "zh"):
        assert "BAAI/bge-m3" in caught.value.text(language)
        assert "python -m rag.setup embedder" in caught.value.text(language)


@pytest.mark.parametrize(
    ("gone", "reason"),
    [(None, "no_folder"), ("model.safetensors", "no_safetensors"), ("modules.json", "no_modules"), ("*", "no_model")],
)
def test_a_folder_that_is_no_model_is_refused_with_the_reason(tmp_path: Path, gone: str | None, reason: str) -> None:
    folder = tmp_path / "mine"
    if gone is not None:
        a_folder(folder)
        for path in folder.glob(gone):
            path.unlink()
    with pytest.raises(SearchModelUnusable) as caught:
        embedding_model_folder(Settings(cache_dir=tmp_path), str(folder))
    assert caught.value.details["reason"] == reason
    assert caught.value.exit_code == 5


def test_pickled_weights_are_not_loaded(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "mine")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(SearchModelUnusable, match="safetensors"):
        search_model_folder(Settings(cache_dir=tmp_path), str(folder))


def test_an_id_is_the_name_and_the_content(tmp_path: Path) -> None:
    one, same, other = (
        a_folder(tmp_path / place / "mine", weights) for place, weights in (("a", b"1"), ("b", b"1"), ("c", b"2"))
    )
    assert model_id_of(one, str(one)) == model_id_of(same, str(same)) != model_id_of(other, str(other))
    assert model_id_of(one, "BAAI/bge-m3").startswith("bge-m3@")
    before = model_id_of(one, str(one))
    (one / "1_Pooling").mkdir()
    (one / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}), encoding="utf-8")
    assert model_id_of(one, str(one)) != before
    before = model_id_of(one, str(one))
    (one / "README.md").write_text("who made it", encoding="utf-8")
    assert model_id_of(one, str(one)) == before
    assert is_search_model(before)
    assert not is_search_model("multilingual-e5-small-4bit")


def test_large_weights_are_told_apart_by_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_folders, "_WHOLE_BYTES", 100)
    monkeypatch.setattr(model_folders, "_SAMPLE_BYTES", 4)
    weights = bytes(range(256)) * 8
    first, last = (bytes(weights[:place] + b"?" + weights[place + 1 :]) for place in (0, len(weights) - 1))
    ids = {model_id_of(a_folder(tmp_path / str(n) / "m", data), "m") for n, data in enumerate((weights, first, last))}
    assert len(ids) == 3
    assert model_id_of(a_folder(tmp_path / "again" / "m", weights), "m") in ids


def test_the_cache_knows_which_model_an_id_belongs_to(tmp_path: Path) -> None:
    settings = Settings(cache_dir=tmp_path / "cache")
    assert known_name(settings, "m@1") is None
    remember(settings, "m@1", "/models/m")
    remember(settings, "n@2", "BAAI/bge-m3")
    assert (known_name(settings, "m@1"), known_name(settings, "n@2")) == ("/models/m", "BAAI/bge-m3")


def test_a_cache_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "search-models").write_text("a file", encoding="utf-8")
    remember(Settings(cache_dir=tmp_path), "m@1", "/models/m")
    assert known_name(Settings(cache_dir=tmp_path), "m@1") is None
