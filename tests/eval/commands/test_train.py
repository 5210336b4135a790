"""What the command refuses before anything long begins."""

import importlib.util
from pathlib import Path

import pytest

from eval import __main__ as command
from rag.settings import load_settings


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path))
    load_settings.cache_clear()


def test_the_new_model_needs_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["train"]) == 2
    assert "--as NAME" in capsys.readouterr().err


def test_each_file_of_questions_needs_its_documents(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["train", "--as", "m", "--questions", str(tmp_path / "q.jsonl")]) == 2
    assert "1 file, 0 folders" in capsys.readouterr().err


def test_without_the_extra_the_command_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert command.main(["train", "--as", "m"]) == 2
    assert "answerdesk[train]" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--held-out", "1"], ["--epochs", "0"], ["--rank", "x"]])
def test_options_out_of_range_are_usage_errors(options: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(["train", "--as", "m", *options])
