import json
import random
from pathlib import Path

import pytest

from eval.refusal.model_calibration import Judged, fit, read_all, save
from ingest.golden import GoldenQuestion
from rag.errors import SettingsError
from rag.generation.answerability import AnswerabilitySample, load_answerability_fit


def question(number: int, *, answerable: bool) -> GoldenQuestion:
    return GoldenQuestion(f"q{number}", f"question {number}", "en", answerable, (), (), ())


def judged(count: int = 120) -> list[Judged]:
    draw = random.Random(3)
    rows = []
    for number in range(count):
        answerable = number % 2 == 0
        yes = min(max(draw.gauss(0.7 if answerable else 0.3, 0.15), 0.01), 0.99)
        rows.append(
            Judged(f"q{number}", answerable, AnswerabilitySample("zh" if number % 3 else "en", draw.random(), yes))
        )
    return rows


def test_a_model_that_can_read_is_believed() -> None:
    fitted, figures = fit(judged())
    assert fitted.yes > 0
    assert 0 < fitted.refuse_below < fitted.quote_from < 1
    assert figures["auroc"] > 0.9
    assert figures["auroc_of_retrieval"] < 0.65
    assert figures["refused_answerable"] <= 0.08
    assert figures["refused_unanswerable"] > 0.5
    sure = fitted.probability(yes=0.95, retrieval=0.5, language="en")
    assert sure > fitted.quote_from > fitted.probability(yes=0.05, retrieval=0.5, language="en")


def test_both_kinds_of_questions_are_needed() -> None:
    with pytest.raises(SettingsError):
        fit([one for one in judged() if one.answerable])


def test_readings_without_a_word_are_left_out() -> None:
    silent = [Judged(f"s{number}", False, AnswerabilitySample("en", 0.5, None)) for number in range(9)]
    assert fit([*judged(), *silent])[1]["n"] == 120


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


def test_a_fit_is_written_beside_others(tmp_path: Path) -> None:
    path = tmp_path / "reading.json"
    path.write_text(json.dumps({"fits": {}}))
    fitted, figures = fit(judged())
    save("a:1b", fitted, figures, "golden", path)
    save("b:7b", fitted, figures, "golden", path)
    assert load_answerability_fit("a:1b", path) == fitted
    assert set(json.loads(path.read_text())["fitted"]) == {"a:1b", "b:7b"}
