"""The benchmark of large knowledge bases, the whole way on a tiny one."""

import json
from pathlib import Path

import pytest

from eval import __main__ as command
from eval.bench.large import command as large_command
from eval.bench.large.benchmark import measure
from eval.core.question_sets import KNOWLEDGE_DIR
from ingest.golden import GoldenQuestion
from rag.protocols import Embedder
from rag.settings import Settings, load_settings
from rag.testing import HashEmbedder

GOLDEN = [
    GoldenQuestion("1", "how long may I return a lamp?", "en", True, (), (), ()),
    GoldenQuestion("2", "退货要多久", "zh", True, (), (), ()),
]


def open_fake(settings: Settings) -> Embedder:
    """A fake embedder, by a name that another process can import."""
    del settings
    return HashEmbedder(32)


@pytest.mark.real
@pytest.mark.nightly
def test_a_tiny_one(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", exact_search_chunks=200)
    place = tmp_path / "generated"
    corpus = KNOWLEDGE_DIR / "en" / "services"
    seen: list[str] = []
    figures = measure(
        settings,
        place,
        open_fake,
        corpus,
        GOLDEN,
        chunks=600,
        seed=0,
        progress=lambda stage, done, total: seen.append(stage),
    )
    assert figures["chunks"] == 600
    assert list(dict.fromkeys(seen)) == ["writing", "indexing", "searching", "changing"]
    recalls = figures["recall_at_10"]
    assert isinstance(recalls, dict)
    assert recalls
    assert all(value >= 0.9 for value in recalls.values())
    changed = figures["changed_until_answered_seconds"]
    assert isinstance(changed, list)
    assert len(changed) == 5
    disk = figures["disk_megabytes"]
    assert isinstance(disk, dict)
    assert min(disk["database"], disk["index"]) > 0
    assert (settings.data_dir / "benchmarks" / "knowledge" / "large-sample").is_dir()


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path))
    load_settings.cache_clear()
    return tmp_path


def test_the_command_prints_saves_and_cleans_up(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    places: list[Path] = []

    def measured(settings: Settings, place: Path, *_: object, **named: object) -> dict[str, object]:
        (place / "big").write_text("gigabytes")
        places.append(place)
        return {"chunks": named["chunks"], "recall_at_10": {"en": 0.99}}

    monkeypatch.setattr(large_command, "measure", measured)
    assert command.main(["large", "--chunks", "50", "--json", str(data_dir / "figures.json")]) == 0
    assert json.loads((data_dir / "figures.json").read_text()) == {"chunks": 50, "recall_at_10": {"en": 0.99}}
    assert "recall_at_10.en" in capsys.readouterr().out
    assert places
    assert not places[0].exists()


@pytest.mark.parametrize("wrong", [["--chunks", "0"], ["--chunks", "many"], ["--speed"]])
def test_wrong_options(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(["large", *wrong])
    assert caught.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_questions_that_are_not_there(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["large", "--questions", str(data_dir / "none.jsonl")]) == 2
    assert "none.jsonl" in capsys.readouterr().err
    assert not list(data_dir.glob("large-*"))
