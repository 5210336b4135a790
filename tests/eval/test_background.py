"""An evaluation of the knowledge base's own questions, as a page begins it."""

import importlib
import json
import shlex
from pathlib import Path

import pytest

from eval import background_process
from eval.background import (
    Evaluation,
    EvaluationKind,
    EvaluationProcess,
    EvaluationProgress,
    chosen_questions,
    resume_command,
)
from eval.compare.pairs import side_by_side
from eval.compare.report_page import run_plots
from eval.core import knowledge
from eval.core.runs import Run
from ingest.pipeline import ingest
from rag.errors import IngestStopped, NoRegressionQuestions, SettingsError
from rag.retrieval.embedder import open_embedder
from rag.settings import Settings, load_settings
from rag.storage.regression import RegressionQuestion, RegressionQuestions
from rag.storage.store import KnowledgeStore
from rag.testing import SAMPLE_DOCUMENTS, HashEmbedder, offline_parts
from rag.text.language import question_language

ASKED = (
    ("How much citric acid goes into the kettle?", "kettle.md", "20 grams"),
    ("What does the return label cost from EU countries?", "returns.md", ""),
    ("信用卡退款多久到账？", "refund.md", "信用卡 3–7 个工作日到账"),
)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A published knowledge base that keeps three questions; its embedder is the tests'."""
    parts = offline_parts(tmp_path)
    questions = RegressionQuestions(KnowledgeStore(parts.settings.knowledge_dir))
    for text, document, quote in ASKED:
        language = "en" if text.isascii() else "zh"
        questions.add(RegressionQuestion(text, language, (document,), quote=quote, origin="correction"))

    def embedder(settings: Settings) -> HashEmbedder:
        return HashEmbedder()

    monkeypatch.setattr(knowledge, "open_embedder", embedder)
    monkeypatch.setattr(background_process, "open_embedder", embedder)
    return parts.settings


def _measure(settings: Settings, kind: EvaluationKind, run: str, limit: int = 0) -> list[tuple[int, int]]:
    told: list[tuple[int, int]] = []
    background_process.measure(Evaluation(kind, run, limit), settings, lambda done, total: told.append((done, total)))
    return told


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["retrieval", "refusal", "citations"])
def test_it_is_told_question_by_question_and_saved_with_figures_and_plots(
    settings: Settings, kind: EvaluationKind
) -> None:
    told = _measure(settings, kind, "one")
    assert told[0] == (0, 3)
    assert told[-3:] == [(1, 3), (2, 3), (3, 3)]
    run = Run.named("one", settings)
    assert run.identity()["command"] == kind
    assert run.identity()["knowledge"] == "default"
    assert run.figures()["n"]
    assert "<svg" in run_plots(run, "zh")


@pytest.mark.slow
def test_answers_ask_only_questions_whose_answer_is_known(settings: Settings) -> None:
    assert [one.question for one in chosen_questions(settings, Evaluation("answers", "a")).questions] == [
        ASKED[0][0],
        ASKED[2][0],
    ]
    assert len(chosen_questions(settings, Evaluation("retrieval", "a", limit=2)).questions) == 2


@pytest.mark.parametrize("kind", ["answers", "retrieval", "refusal", "citations"])
def test_without_questions_nothing_is_begun(tmp_path: Path, kind: EvaluationKind) -> None:
    settings = offline_parts(tmp_path).settings
    with pytest.raises(NoRegressionQuestions):
        chosen_questions(settings, Evaluation(kind, "a"))
    assert not (settings.data_dir / "runs").exists()


@pytest.mark.slow
def test_two_runs_are_shown_side_by_side(settings: Settings) -> None:
    _measure(settings, "retrieval", "one")
    _measure(settings, "retrieval", "two")
    second = Run.named("two", settings)
    records = second.folder / "records.jsonl"
    lines = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    lines[1]["documents"] = ["lock.md"]  # as if a later version had lost the document
    records.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    found = side_by_side(Run.named("one", settings), second)
    assert [one.outcome for one in found] == ["loss", "tie", "tie"]
    assert found[0].question.question == ASKED[1][0]
    assert (found[0].first.right, found[0].second.right) == (True, False)
    assert found[0].second.documents == ("lock.md",)
    assert found[0].wanted == "returns.md"


@pytest.mark.slow
def test_runs_of_two_kinds_have_nothing_to_compare(settings: Settings) -> None:
    _measure(settings, "retrieval", "one")
    _measure(settings, "refusal", "two")
    _measure(settings, "citations", "three")
    for pair in (("one", "two"), ("one", "three")):
        with pytest.raises(SettingsError):
            side_by_side(*(Run.named(name, settings) for name in pair))


def test_one_that_was_stopped_before_it_began_starts_nothing(settings: Settings) -> None:
    with EvaluationProcess(settings) as process:
        process.stop()
        with pytest.raises(IngestStopped):
            process.measure(Evaluation("retrieval", "one"), lambda progress: None)


@pytest.mark.real
def test_its_errors_come_back_from_its_process(tmp_path: Path) -> None:
    settings = offline_parts(tmp_path).settings  # it keeps no questions
    told: list[EvaluationProgress] = []
    with EvaluationProcess(settings) as process, pytest.raises(NoRegressionQuestions):
        process.measure(Evaluation("retrieval", "one"), told.append)
    assert told == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "command"),
    [
        ("retrieval", "python -m eval retrieval --kb default --limit 2 --run one"),
        ("refusal", "python -m eval refusal --kb default --limit 2 --run one"),
        ("citations", ""),
    ],
)
def test_the_command_that_resumes_a_run_measures_the_same(
    settings: Settings, kind: EvaluationKind, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _measure(settings, kind, "one", limit=2)
    run = Run.named("one", settings)
    assert resume_command(run, settings) == command
    if not command:
        return
    (run.folder / "figures.json").unlink()
    before = (run.folder / "records.jsonl").read_bytes()
    module = importlib.import_module(f"eval.commands.{kind}")
    if kind == "retrieval":
        monkeypatch.setattr(module, "open_embedder", lambda settings: HashEmbedder())
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("ANSWERDESK_REFUSAL_THRESHOLD", str(settings.refusal_threshold))
    load_settings.cache_clear()
    assert module.main(shlex.split(command)[4:]) == 0
    load_settings.cache_clear()
    assert run.figures()["n"] == 2
    assert (run.folder / "records.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("identity", "command"),
    [
        (
            {"arms": ["own", "floor"], "context": "top5", "think": False, "model": "tiny:1b"},
            "python -m eval answers --kb shop --arms own,floor --context top5 --no-think "
            "--model tiny:1b --limit 0 --run a",
        ),
        (
            {"arms": ["own"], "context": "own", "think": None},
            "python -m eval answers --kb shop --arms own --limit 0 --run a",
        ),
        ({"set": "golden"}, ""),
    ],
)
def test_a_run_of_answers_is_resumed_with_its_own_options(
    tmp_path: Path, identity: dict[str, object], command: str
) -> None:
    settings = Settings(data_dir=tmp_path)
    Run.named("a", settings).begin({"command": "answers", "set": "shop", "knowledge": "shop"} | identity, ())
    assert resume_command(Run.named("a", settings), settings) == command


@pytest.mark.real
def test_it_measures_in_a_process_of_its_own_and_can_be_stopped(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    manual = tmp_path / "manual"
    manual.mkdir()
    for one in SAMPLE_DOCUMENTS:
        (manual / one.document_id).write_text(f"# {one.title}\n\n{one.text}\n", encoding="utf-8")
    ingest([manual], settings, open_embedder(settings))
    questions = RegressionQuestions(KnowledgeStore(settings.knowledge_dir))
    for text, document, quote in ASKED:
        questions.add(RegressionQuestion(text, question_language(text), (document,), quote=quote, origin="correction"))
    told: list[EvaluationProgress] = []
    with EvaluationProcess(settings) as process:
        process.measure(Evaluation("retrieval", "one"), told.append)
    assert [(one.done, one.total) for one in told] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert Run.named("one", settings).figures()["recall_at_5"] == 1.0
    with EvaluationProcess(settings) as process, pytest.raises(IngestStopped):
        process.measure(Evaluation("retrieval", "two"), lambda progress: process.stop())
    assert not (Run.named("two", settings).folder / "figures.json").exists()
