"""A knowledge base's own level: by hand, and the whole way from questions to what the retriever then says."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from eval.__main__ import main
from eval.commands import calibrate_refusal as calibrate_reader
from eval.core.progress import Progress
from eval.core.question_sets import QuestionSet
from eval.refusal.calibration import (
    AnswerabilityRecord,
    SearchedQuestion,
    calibrate_search,
    fit_answerability,
    read_all,
)
from ingest.golden import GoldenQuestion
from rag.errors import SettingsError
from rag.generation.answerability import AnswerabilitySample
from rag.pipeline import PipelineParts
from rag.retrieval.confidence import OwnCalibration
from rag.retrieval.retriever import Retriever
from rag.settings import Settings, load_settings
from rag.storage.calibration import read_calibration, save_calibration
from rag.testing import HashEmbedder, offline_parts
from rag.tracing import Trace


def found(answerable: int, unanswerable: int) -> list[SearchedQuestion]:
    draw = random.Random(2)
    return [
        SearchedQuestion(
            number < answerable, min(max(draw.gauss(0.9 if number < answerable else 0.7, 0.05), 0.01), 0.99)
        )
        for number in range(answerable + unanswerable)
    ]


def test_with_both_kinds_the_probabilities_become_probabilities() -> None:
    calibration, figures = calibrate_search(found(100, 60))
    assert calibration.slope > 1
    assert calibration.probability(0.95) > 0.9 > 0.2 > calibration.probability(0.65)
    assert figures["refused_answerable"] <= 0.08
    assert figures["refused_unanswerable"] > 0.8
    assert figures["ece"] < 0.1


def test_answerable_questions_alone_give_the_threshold() -> None:
    calibration, figures = calibrate_search(found(50, 0))
    assert (calibration.slope, calibration.intercept) == (1.0, 0.0)
    below = sum(one.probability < calibration.threshold for one in found(50, 0))
    assert below == 2, "4 % of 50"
    assert figures == {"n": 50, "n_unanswerable": 0}


def test_too_few_questions_are_said() -> None:
    with pytest.raises(SettingsError, match="at least 20"):
        calibrate_search(found(19, 30))


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PipelineParts:
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    load_settings.cache_clear()
    made = offline_parts(tmp_path / "offline")
    free = made.settings.changed(refusal_threshold=None)
    return replace(made, retriever=Retriever(made.store, HashEmbedder(), free))


@pytest.mark.slow
def test_the_retriever_takes_the_knowledge_bases_own(parts: PipelineParts) -> None:
    def ask() -> tuple[float, float, bool]:
        retrieval = parts.retriever.retrieve("What does the return label cost?", "en", Trace())
        return retrieval.answerable_probability, retrieval.base_probability, retrieval.answerable

    shipped, _, _ = ask()
    save_calibration(parts.store.folder, {"search": {"slope": 1.0, "intercept": -8.0, "threshold": 0.5}})
    assert ask() == (OwnCalibration(1.0, -8.0, 0.5).probability(shipped), shipped, False)
    save_calibration(parts.store.folder, {"search": {"slope": 1.0, "intercept": 8.0, "threshold": 0.5}})
    assert ask()[2], "seen with the next question"


@pytest.mark.slow
def test_the_command_keeps_it_beside_the_knowledge_base(
    parts: PipelineParts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def opened(one: QuestionSet, settings: Settings, progress: Progress) -> PipelineParts:
        return parts

    monkeypatch.setattr(calibrate_reader, "open_parts", opened)
    questions = tmp_path / "mine.jsonl"
    rows = [{"id": f"q{number}", "question": f"What does label {number} cost?"} for number in range(25)]
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    command = ["calibrate", "refusal", "--questions", str(questions), "--search"]
    assert main([*command, "--dry-run"]) == 0
    assert read_calibration(parts.store.folder) == {}
    assert main(command) == 0
    assert read_calibration(parts.store.folder)["made"]["on"] == "mine"
    assert 0 < float(str(read_calibration(parts.store.folder)["search"]["threshold"])) < 1
    assert "calibration.json" in capsys.readouterr().out


def question(number: int, *, answerable: bool) -> GoldenQuestion:
    return GoldenQuestion(f"q{number}", f"question {number}", "en", answerable, (), (), ())


def judged(count: int = 120) -> list[AnswerabilityRecord]:
    draw = random.Random(3)
    rows = []
    for number in range(count):
        answerable = number % 2 == 0
        yes = min(max(draw.gauss(0.7 if answerable else 0.3, 0.15), 0.01), 0.99)
        rows.append(
            AnswerabilityRecord(
                f"q{number}", answerable, AnswerabilitySample("zh" if number % 3 else "en", draw.random(), yes)
            )
        )
    return rows


def test_a_model_that_can_read_is_believed() -> None:
    fitted, figures = fit_answerability(judged())
    assert fitted.yes > 0
    assert 0 < fitted.refuse_below < 1
    assert figures["auroc"] > 0.9
    assert figures["auroc_of_retrieval"] < 0.65
    assert figures["refused_answerable"] <= 0.08
    assert figures["refused_unanswerable"] > 0.5
    sure = fitted.probability(yes=0.95, retrieval=0.5, language="en")
    assert sure > fitted.refuse_below > fitted.probability(yes=0.05, retrieval=0.5, language="en")


def test_both_kinds_of_questions_are_needed() -> None:
    with pytest.raises(SettingsError):
        fit_answerability([one for one in judged() if one.answerable])


def test_readings_without_a_word_are_left_out() -> None:
    silent = [AnswerabilityRecord(f"s{number}", False, AnswerabilitySample("en", 0.5, None)) for number in range(9)]
    assert fit_answerability([*judged(), *silent])[1]["n"] == 120


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    questions = [question(number, answerable=number > 1) for number in range(4)]
    path = tmp_path / "run" / "readings.jsonl"
    asked: list[str] = []

    def read(question: GoldenQuestion) -> AnswerabilitySample:
        if len(asked) == 2:
            raise KeyboardInterrupt
        asked.append(question.question)
        return AnswerabilitySample("en", 0.5, 0.25)

    with pytest.raises(KeyboardInterrupt):
        read_all(read, questions, path)
    with path.open("a") as file:
        file.write('{"question_id": "q2", "answ')
    asked.clear()
    rows = read_all(read, questions, path)
    assert asked == ["question 2", "question 3"]
    assert [(row.question_id, row.answerable) for row in rows] == [
        ("q0", False),
        ("q1", False),
        ("q2", True),
        ("q3", True),
    ]
