"""The command from arguments to figures: a real knowledge base, hashed words for an embedder, a scripted reader."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from eval.__main__ import main
from eval.commands import refusal as command
from eval.core.progress import Progress
from eval.core.question_sets import QuestionSet
from rag.generation.answerability import AnswerabilityFit
from rag.pipeline import PipelineParts
from rag.protocols import GenerationFinished, GenerationPart, Message
from rag.settings import Settings, load_settings
from rag.testing import ScriptedGenerator, offline_parts

pytestmark = pytest.mark.slow

YES_ONLY = AnswerabilityFit(0.0, 1.0, 0.0, 0.0, refuse_below=0.5)


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    rows = [
        {"id": "a", "question": "What does the return label cost?", "relevant": ["returns.md"], "answers": ["free"]},
        {"id": "b", "question": "Is there a banana in the kettle?", "answerable": False, "meta": {"kind": "near_miss"}},
    ]
    path = tmp_path / "asked.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The questions that the reader was asked; it says yes where the passages speak of labels."""
    asked: list[str] = []

    def script(messages: Sequence[Message]) -> Sequence[GenerationPart | Exception]:
        asked.append(messages[-1].content)
        yes = 0.9 if "label cost" in messages[-1].content else 0.1
        return [GenerationFinished(first_token=(("yes", yes), ("no", 1 - yes)))]

    parts = replace(
        offline_parts(tmp_path / "offline", generator=ScriptedGenerator(script)),
        reading_fit=lambda model: YES_ONLY if model == "scripted" else None,
    )

    def opened(one: QuestionSet, settings: Settings, progress: Progress) -> PipelineParts:
        return parts

    monkeypatch.setattr(command, "open_parts", opened)
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    load_settings.cache_clear()
    yield asked
    load_settings.cache_clear()


def test_by_the_search_alone_no_model_is_asked(questions: Path, asked: list[str], tmp_path: Path) -> None:
    written = tmp_path / "figures.json"
    assert main(["refusal", "--questions", str(questions), "--json", str(written)]) == 0
    saved = json.loads(written.read_text("utf-8"))
    assert {"auroc", "refused_unanswerable", "refused_answerable", "ece"} <= saved.keys()
    assert (saved["n"], saved["by"], saved["model"]) == (2, "retrieval", "")
    assert asked == []


def test_the_reader_is_asked_once_and_a_run_goes_on(
    questions: Path, asked: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "figures.json"
    options = ["refusal", "--questions", str(questions), "--reader", "--run", "monday", "--json", str(written)]
    assert main(options) == 0
    saved = json.loads(written.read_text("utf-8"))
    assert (saved["auroc"], saved["refused_unanswerable"], saved["refused_answerable"]) == (1.0, 1.0, 0.0)
    assert (saved["model"], saved["stand_in"]) == ("scripted", True)
    assert "not DeepSeek-R1's figures" in capsys.readouterr().out
    assert main(options) == 0
    assert len(asked) == 2
    assert main([*options, "--limit", "1"]) == 2


def test_another_products_questions_are_added(questions: Path, asked: list[str], tmp_path: Path) -> None:
    written = tmp_path / "figures.json"
    other = tmp_path / "other.jsonl"
    other.write_text('{"id": "a", "question": "How do I file a patent?", "answers": ["at the office"]}\n')
    options = ["--questions", str(questions), "--other", str(other), "--json", str(written)]
    assert main(["refusal", *options]) == 0
    saved = json.loads(written.read_text("utf-8"))
    assert (saved["n"], saved["n_unanswerable"], saved["by_kind"]["other"]["n"]) == (3, 2, 1)


def test_a_model_without_a_fit_is_one_sentence(
    questions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = replace(offline_parts(tmp_path / "offline"), reading_fit=lambda model: None)
    monkeypatch.setattr(command, "open_parts", lambda one, settings, progress: parts)
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert main(["refusal", "--questions", str(questions), "--reader"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "calibrate refusal" in said


def test_questions_that_all_have_answers_are_told_apart_by_nothing(
    asked: list[str], questions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    questions.write_text('{"id": "a", "question": "What does the return label cost?"}\n', encoding="utf-8")
    assert main(["refusal", "--questions", str(questions)]) == 0
    assert "--other FILE" in capsys.readouterr().out
