"""The command from arguments to figures: a real knowledge base and the stand-in for a GPU."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from eval import __main__ as command
from eval.bench.load import command as load_command
from eval.bench.load import rounds
from eval.bench.load.gpu_timing import GpuTiming
from eval.bench.load.records import LINES, LoadRecord
from eval.commands import report as report_command
from eval.core.progress import Progress
from eval.core.question_sets import QuestionSet
from eval.core.runs import read_records
from rag.generation.ollama_generator import OllamaGenerator
from rag.ollama.hosts import choose_model
from rag.pipeline import PipelineParts
from rag.settings import Settings, load_settings
from rag.testing import offline_parts
from tests.eval.bench.load.conftest import Serving

pytestmark = pytest.mark.slow

TIMING = GpuTiming(slots=4, first_token_ms=2, tokens_per_second=2000, answer_tokens=40)
ASKED = [
    {"id": "a", "question": "Within how many days can I send back an item?", "answers": ["30 days"]},
    {"id": "b", "question": "How much citric acid goes into the kettle?", "answers": ["20 grams"]},
    {"id": "c", "question": "信用卡退款多久到账？", "lang": "zh", "answers": ["3–7 个工作日"]},
    {"id": "d", "question": "And the kettle?", "answers": ["20 grams"], "history": [{"role": "user", "text": "Hello"}]},
]
SHORT = ["--sessions", "3", "--duration", "0.6", "--rounds", "2", "--no-think"]


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serving: Serving) -> Iterator[None]:
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("OLLAMA_HOST", serving(TIMING))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    load_settings.cache_clear()
    parts = offline_parts(tmp_path / "offline", slots=4)

    def opened(one: QuestionSet, settings: Settings, progress: Progress) -> PipelineParts:
        own = parts.settings.changed(ollama_host=settings.ollama_host)
        gateway = parts.gateway.with_generator(OllamaGenerator(own, lambda: choose_model(own)))
        return replace(parts, settings=own, gateway=gateway)

    monkeypatch.setattr(load_command, "open_parts", opened)
    yield
    load_settings.cache_clear()


@pytest.fixture
def questions(tmp_path: Path) -> list[str]:
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps({"lang": "en", **row}) + "\n" for row in ASKED), encoding="utf-8")
    return ["--questions", str(path)]


def records(tmp_path: Path, run: str) -> list[LoadRecord]:
    lines = read_records(tmp_path / "data" / "runs" / run / "records.jsonl", LINES)
    return [line for line in lines if isinstance(line, LoadRecord)]


def test_arms_take_turns_and_are_asked_the_same(
    questions: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved_at = tmp_path / "figures.json"
    options = ["--against", "raw,top5", "--run", "one", "--json", str(saved_at)]
    assert command.main(["load", *questions, *SHORT, *options]) == 0
    found = records(tmp_path, "one")
    asked = {
        (arm, number): sorted(one.question_id for one in found if (one.arm, one.round) == (arm, number))
        for arm in ("desk", "raw", "top5")
        for number in (0, 1)
    }
    for number in (0, 1):
        assert asked["desk", number] == asked["raw", number] == asked["top5", number] != []
    assert {one.question_id for one in found} <= {"a", "b", "c"}, "what goes on from another question is left out"
    assert {one.outcome for one in found if one.arm != "desk"} == {"answered"}
    order = list(dict.fromkeys((one.arm, one.round) for one in found))
    assert [arm for arm, _ in order] == ["desk", "raw", "top5", "top5", "raw", "desk"]

    saved = json.loads(saved_at.read_text("utf-8"))
    assert saved["arms"]["desk"]["outcomes"]["lost"] == 0
    assert saved["arms"]["top5"]["prompt_tokens"] > 0
    assert saved["product_against"]["raw"]["ratio"] > 0
    assert {"embed", "search", "pack", "wait", "total"} <= saved["arms"]["desk"]["stages"].keys()
    printed = capsys.readouterr().out
    assert "A stand-in for a GPU answered, not a model" in printed
    assert "errors / lost turns" in printed


def test_an_open_loop_and_a_page_of_it_in_chinese(
    questions: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    options = ["--rate", "600", "--against", "none", "--run", "open"]
    assert command.main(["load", *questions, *SHORT, *options]) == 0
    assert "由 GPU 计时替身（不是模型）回答" in capsys.readouterr().out
    assert records(tmp_path, "open")
    page = tmp_path / "page.html"
    assert report_command.main(["open", "--html", str(page), "--language", "zh"]) == 0
    text = page.read_text("utf-8")
    assert "<svg" in text and "并发负载" in text and "看到资料" in text


def test_an_interrupted_run_tells_what_it_has(
    questions: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = rounds._block

    def interrupted_later(arm: rounds.Arm, *rest: object) -> int:
        if arm.name == "raw":
            raise KeyboardInterrupt
        return whole(arm, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(rounds, "_block", interrupted_later)
    assert command.main(["load", *questions, *SHORT, "--run", "cut"]) == 130
    assert "Interrupted" in capsys.readouterr().out
    saved = json.loads((tmp_path / "data" / "runs" / "cut" / "figures.json").read_text("utf-8"))
    assert saved["interrupted"] is True
    assert saved["arms"]["desk"]["n"] == len(records(tmp_path, "cut")) > 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--sessions", "0"], "--sessions"),
        (["--duration", "-1"], "--duration"),
        (["--rate", "0"], "--rate"),
        (["--run", "../x"], "--run"),
        (["--desks", "2"], "ANSWERDESK_DATABASE_URL"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    options: list[str], said: str, questions: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["load", *questions, *options]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error


@pytest.mark.parametrize("option", ["--kills", "--sessions"])
def test_kills_refuse_what_cannot_be_as_well(
    option: str, questions: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["load", "kills", *questions, option, "0"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"{option} must be above 0, not 0" in error


def test_an_arm_that_is_not_known_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["load", "--against", "raw,roof"])
    assert ended.value.code == 2
    assert "roof" in capsys.readouterr().err


def test_a_run_is_not_written_over(questions: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    options = ["load", *questions, *SHORT, "--against", "none", "--run", "twice"]
    assert command.main(options) == 0
    assert command.main(options) == 2
    assert "twice" in capsys.readouterr().err


def test_questions_that_never_reach_the_model_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(load_command, "own_prompts", lambda questions, parts, think: {})
    path = tmp_path / "q.jsonl"
    path.write_text('{"id": "x", "question": "Do you sell bananas?", "lang": "en", "answerable": false}\n')
    assert command.main(["load", "--questions", str(path), *SHORT]) == 2
    assert "without the model" in capsys.readouterr().err


def test_what_is_written_is_read_again() -> None:
    one = LoadRecord("desk", 0, 1, "q", 0.0, None, 5.0, 9.0, "failed", error="ModelTimedOut")
    assert LINES.validate_json(TypeAdapter(LoadRecord).dump_json(one)) == one
