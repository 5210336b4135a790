"""The command from arguments to figures, over a pipeline that answers everything alike."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from eval import __main__ as command
from rag.errors import KnowledgeBaseMissing, OllamaUnavailable
from rag.schema import Answer, AnswerDelta, Completed, Event, Retrieved
from rag.settings import Settings, load_settings

ANSWER = Answer("7 days", "en", False, "", (), (), (), "stand-in:0.5b", True, 3)


class OneAnswer:
    """Answers "7 days"; the question numbers in ``dies_at`` find the model server gone."""

    generation = 3

    def __init__(self, dies_at: str = "") -> None:
        self.dies_at = dies_at
        self.asked: list[str] = []

    def start_model(self) -> str:
        return "stand-in:0.5b"

    def stream(self, question: str, *, think: bool | None = None) -> Iterator[Event]:
        self.asked.append(question)
        if question == self.dies_at:
            raise OllamaUnavailable(host="127.0.0.1")
        yield Retrieved((), True, 0.9, 3)
        yield AnswerDelta("7 days")
        yield Completed(ANSWER)


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    rows = [
        {"id": f"q{number}", "question": f"question {number}", "lang": "en", "answers": ["7 days"], "relevant": ["d1"]}
        for number in range(4)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def use(monkeypatch: pytest.MonkeyPatch, pipeline: OneAnswer) -> OneAnswer:
    monkeypatch.setattr(command, "build_pipeline", lambda settings: pipeline)
    return pipeline


def test_it_prints_figures_and_says_stand_in(
    questions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, OneAnswer())
    figures = tmp_path / "figures.json"
    assert command.main(["--questions", str(questions), "--json", str(figures)]) == 0
    printed = capsys.readouterr().out
    assert "not DeepSeek-R1's figures" in printed
    assert "until_evidence" in printed
    saved = json.loads(figures.read_text("utf-8"))
    assert (saved["n"], saved["accuracy"], saved["stand_in"], saved["generation"]) == (4, 1.0, True, 3)


def test_it_speaks_chinese(
    questions: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    use(monkeypatch, OneAnswer())
    assert command.main(["--questions", str(questions)]) == 0
    assert "不是 DeepSeek-R1 的数据" in capsys.readouterr().out


def test_a_limit_draws_the_same_questions_for_the_same_seed(questions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["--questions", str(questions), "--limit", "2", "--seed", "5"]
    first, second = use(monkeypatch, OneAnswer()), OneAnswer()
    assert command.main([*arguments, "--run", "a"]) == 0
    use(monkeypatch, second)
    assert command.main([*arguments, "--run", "b"]) == 0
    assert len(first.asked) == 2
    assert first.asked == second.asked


def test_a_run_that_broke_is_resumed_by_its_name(
    questions: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--questions", str(questions), "--run", "monday"]
    use(monkeypatch, OneAnswer(dies_at="question 2"))
    assert command.main(arguments) == 4
    assert "Traceback" not in capsys.readouterr().err
    healed = use(monkeypatch, OneAnswer())
    assert command.main(arguments) == 0
    assert healed.asked == ["question 2", "question 3"]


def test_a_name_is_not_reused_for_another_measurement(
    questions: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, OneAnswer())
    assert command.main(["--questions", str(questions), "--run", "monday"]) == 0
    assert command.main(["--questions", str(questions), "--run", "monday", "--no-think"]) == 2
    assert "monday" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", ""])
def test_a_run_stays_in_its_folder(name: str, questions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, OneAnswer())
    code = command.main(["--questions", str(questions), f"--run={name}"])
    assert code == (2 if name else 0)
    assert not (tmp_path / "data" / "elsewhere").exists()


def test_no_knowledge_base_is_one_sentence(
    questions: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(settings: Settings) -> OneAnswer:
        raise KnowledgeBaseMissing(folder=settings.knowledge_dir)

    monkeypatch.setattr(command, "build_pipeline", refuse)
    assert command.main(["--questions", str(questions)]) == 3
    captured = capsys.readouterr().err
    assert captured.count("\n") == 1
    assert "python -m ingest" in captured


def test_questions_that_are_not_there_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--questions", "/nowhere/at-all.jsonl"]) == 2
    assert "at-all.jsonl" in capsys.readouterr().err
