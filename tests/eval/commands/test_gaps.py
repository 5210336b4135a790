"""``python -m eval gaps`` from arguments to words, with the embedder of the tests."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from eval import __main__ as command
from eval.commands import gaps as gaps_command
from rag.settings import Settings, load_settings
from rag.testing import HashEmbedder, offline_parts
from tests.eval.gaps.turns import AskedTurns

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AskedTurns]:
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("COLUMNS", "200")
    load_settings.cache_clear()

    def embedder(settings: Settings) -> HashEmbedder:
        return HashEmbedder()

    monkeypatch.setattr(gaps_command, "open_embedder", embedder)
    yield AskedTurns(tmp_path / "turns.db")
    load_settings.cache_clear()


def test_topics_are_printed_and_written(asked: AskedTurns, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    offline_parts(tmp_path)
    asked.refused("Do you sell [bold]gift cards[/bold]?")
    asked.failed("What?", "OllamaUnavailable")
    assert command.main(["gaps", "--json", str(tmp_path / "gaps.json")]) == 0
    printed = capsys.readouterr().out
    assert "Do you sell [bold]gift cards[/bold]?" in printed
    assert "1 of 2 questions went badly" in printed
    assert "1 question failed because the model server was away" in printed
    assert json.loads((tmp_path / "gaps.json").read_text(encoding="utf-8"))["unmet"] == 1


def test_a_draft_is_printed_alone(asked: AskedTurns, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    offline_parts(tmp_path)
    asked.refused("几点关门？")
    assert command.main(["gaps", "--draft", "1", "--language", "zh"]) == 0
    assert capsys.readouterr().out.startswith('---\ntitle: "几点关门？"\nlanguage: zh\n---\n')


def test_nothing_went_badly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    offline_parts(tmp_path)
    assert command.main(["gaps"]) == 0
    assert "No question was refused" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("language", "arguments", "code", "said"),
    [
        ("C.UTF-8", ["--draft", "3"], 2, "there is no topic no. 3; there are 0"),
        ("zh_CN.UTF-8", ["--draft", "0"], 2, "没有第 0 个主题，共有 0 个"),
        ("C.UTF-8", ["--since", "soon"], 2, "--since: soon is not a time like"),
        ("zh_CN.UTF-8", ["--kb", "nowhere"], 3, "知识库"),
    ],
)
def test_bad_input_is_one_clear_sentence(
    language: str,
    arguments: list[str],
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LC_ALL", language)
    offline_parts(tmp_path)
    assert command.main(["gaps", *arguments]) == code
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.count("\n") == 1
    assert "Traceback" not in printed.err + printed.out
