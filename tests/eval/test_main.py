"""The command from arguments to figures: a real knowledge base, a scripted model."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from eval import __main__ as command
from eval.commands import answers as answers_command
from eval.core import knowledge
from eval.core.progress import Progress
from eval.core.question_sets import QuestionSet
from rag.errors import OllamaUnavailable
from rag.pipeline import PipelineParts
from rag.protocols import GeneratedText, GenerationPart, Message
from rag.settings import Settings
from rag.testing import ScriptedGenerator, offline_parts

pytestmark = pytest.mark.usefixtures("own_data_folder")

ASKED = (
    ("q0", "Within how many days can I send back an item?", "30 days", "returns.md"),
    ("q1", "What does the return label cost from EU countries?", "EUR 4.95", "returns.md"),
    ("q2", "How much citric acid goes into the kettle?", "20 grams", "kettle.md"),
    ("q3", "信用卡退款多久到账？", "3–7 个工作日", "refund.md"),
)


class Model:
    """Gives the passage's sentences back; a question with the words of ``dies_at`` finds the model server gone."""

    def __init__(self, dies_at: str = "") -> None:
        self.dies_at = dies_at
        self.asked: list[str] = []

    def __call__(self, messages: Sequence[Message]) -> Sequence[GenerationPart | Exception]:
        content = messages[-1].content
        question = content.rpartition("\n\n")[0].rpartition(": ")[2].rpartition("：")[2]
        self.asked.append(question)
        if self.dies_at and self.dies_at in question:
            return [OllamaUnavailable(host="127.0.0.1")]
        if not content.startswith(("Documents:", "资料：")):
            return [GeneratedText("I do not know." if question.isascii() else "我不知道。")]
        lines = content.partition("[1] ")[2].splitlines()[1:]
        return [GeneratedText(next(line for line in lines if line.strip()))]


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    rows: list[dict[str, object]] = [
        {
            "id": key,
            "question": asked,
            "lang": "en" if asked.isascii() else "zh",
            "answers": [answer],
            "relevant": [document],
        }
        for key, asked, answer, document in ASKED
    ]
    rows.append({"id": "q4", "question": "Do you sell bananas?", "lang": "en", "answerable": False})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def parts(tmp_path: Path) -> PipelineParts:
    return offline_parts(tmp_path / "offline")


def use(monkeypatch: pytest.MonkeyPatch, parts: PipelineParts, model: Model) -> Model:
    def opened(one: QuestionSet, settings: Settings, progress: Progress) -> PipelineParts:
        return replace(parts, gateway=parts.gateway.with_generator(ScriptedGenerator(model)))

    monkeypatch.setattr(answers_command, "open_parts", opened)
    return model


@pytest.mark.slow
def test_it_prints_figures_and_says_stand_in(
    questions: Path,
    parts: PipelineParts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    use(monkeypatch, parts, Model())
    figures = tmp_path / "figures.json"
    assert command.main(["--questions", str(questions), "--json", str(figures)]) == 0
    printed = capsys.readouterr().out
    assert "not DeepSeek-R1's figures" in printed
    assert "until_evidence" in printed
    saved = json.loads(figures.read_text("utf-8"))
    assert (saved["n"], saved["answers"]["n"], saved["stand_in"], saved["generation"]) == (5, 4, True, 1)
    assert "ceiling" not in saved


@pytest.mark.slow
def test_answers_has_the_names_of_the_contract_with_ceiling_and_floor(
    questions: Path, parts: PipelineParts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, parts, Model())
    figures = tmp_path / "figures.json"
    assert command.main(["answers", "--questions", str(questions), "--json", str(figures)]) == 0
    saved = json.loads(figures.read_text("utf-8"))
    names = "n accuracy token_f1 rouge_l supported_sentences citation_precision citation_recall language_match"
    assert set(names.split()) | {"tokens", "latency_ms", "model", "stand_in", "ceiling", "floor"} <= saved.keys()
    assert saved["n"] == 4, "questions without an answer are the refusals' business"
    assert saved["ceiling"]["accuracy"] == 0.5, (
        "this model repeats a document's first line; two answers are further down"
    )
    assert saved["floor"]["accuracy"] == 0.0
    assert {"prompt", "generated"} <= saved["tokens"].keys()
    assert saved["floor"]["tokens"]["evidence"] == 0
    assert {"p50", "p95", "p99"} <= saved["latency_ms"]["total"].keys()
    assert sum(saved["lost_in"].values()) == round(4 * (1 - saved["accuracy"]))


@pytest.mark.slow
def test_more_is_sent_as_whole_passages(
    questions: Path, parts: PipelineParts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = {}
    parts = replace(parts, settings=parts.settings.changed(prompt_evidence_tokens=60))
    for context in ("own", "top5"):
        use(monkeypatch, parts, Model())
        figures = tmp_path / f"{context}.json"
        options = ["--arms", "own", "--context", context, "--run", context, "--json", str(figures)]
        assert command.main(["answers", "--questions", str(questions), *options]) == 0
        saved = json.loads(figures.read_text("utf-8"))
        assert (saved["context"], "floor" in saved) == (context, False)
        tokens[context] = saved["tokens"]["evidence"]
    assert 0 < tokens["own"] <= tokens["top5"]


@pytest.mark.slow
def test_it_speaks_chinese(
    questions: Path, parts: PipelineParts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    use(monkeypatch, parts, Model())
    assert command.main(["--questions", str(questions)]) == 0
    assert "不是 DeepSeek-R1 的数据" in capsys.readouterr().out


@pytest.mark.slow
def test_a_limit_draws_the_same_questions_for_the_same_seed(
    questions: Path, parts: PipelineParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["--questions", str(questions), "--limit", "2", "--seed", "5"]
    first = use(monkeypatch, parts, Model())
    assert command.main([*arguments, "--run", "a"]) == 0
    second = use(monkeypatch, parts, Model())
    assert command.main([*arguments, "--run", "b"]) == 0
    assert len(first.asked) == 2
    assert first.asked == second.asked


@pytest.mark.slow
def test_a_run_that_broke_is_resumed_by_its_name(
    questions: Path, parts: PipelineParts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--questions", str(questions), "--run", "monday"]
    use(monkeypatch, parts, Model(dies_at="citric"))
    assert command.main(arguments) == 4
    assert "Traceback" not in capsys.readouterr().err
    healed = use(monkeypatch, parts, Model())
    assert command.main(arguments) == 0
    assert healed.asked == [ASKED[2][1], ASKED[3][1], "Do you sell bananas?"]


@pytest.mark.slow
def test_a_name_is_not_reused_for_another_measurement(
    questions: Path, parts: PipelineParts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, parts, Model())
    assert command.main(["--questions", str(questions), "--run", "monday"]) == 0
    assert command.main(["--questions", str(questions), "--run", "monday", "--no-think"]) == 2
    said = capsys.readouterr().err
    assert "monday" in said
    assert "think" in said


@pytest.mark.slow
@pytest.mark.parametrize("name", ["../elsewhere", "a/b", ""])
def test_a_run_stays_in_its_folder(
    name: str, questions: Path, parts: PipelineParts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, parts, Model())
    code = command.main(["--questions", str(questions), f"--run={name}"])
    assert code == (2 if name else 0)
    assert not (tmp_path / "data" / "elsewhere").exists()


def test_no_knowledge_base_is_one_sentence(
    questions: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(knowledge, "open_embedder", lambda settings: None)
    assert command.main(["--questions", str(questions)]) == 3
    captured = capsys.readouterr().err
    assert captured.count("\n") == 1
    assert "python -m ingest" in captured


def test_questions_that_are_not_there_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--questions", "/nowhere/at-all.jsonl"]) == 2
    assert "at-all.jsonl" in capsys.readouterr().err


def test_an_arm_that_is_not_known_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["answers", "--arms", "own,roof"])
    assert ended.value.code == 2
    assert "roof" in capsys.readouterr().err


LIMITED = ("", "answers", "retrieval", "refusal", "desk", "code", "chunk-size", "train", "attacks", "calibrate refusal")


@pytest.mark.parametrize("name", LIMITED)
@pytest.mark.parametrize("given", ["0", "-3"])
def test_a_limit_below_one_is_refused(name: str, given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main([*name.split(), "--limit", given])
    assert "at least 1" in capsys.readouterr().err
