"""Answers are measured by a function: typed options, progress by call, nothing printed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from eval.answers.measurement import AnswersOptions, measure_answers
from eval.core import knowledge
from eval.core.knowledge import open_parts
from eval.core.progress import Progress, question_counter
from eval.core.question_sets import QuestionSet
from eval.core.runs import Run
from ingest.golden import GoldenQuestion
from ingest.summary import IngestProgress
from rag.protocols import GeneratedText, GenerationPart, Message
from rag.settings import Settings
from rag.testing import HashEmbedder, ScriptedGenerator, offline_parts

QUESTIONS = QuestionSet(
    "kettle",
    None,
    (
        GoldenQuestion(
            "q0", "How much citric acid goes into the kettle?", "en", True, ("20 grams",), (), ("kettle.md",)
        ),
        GoldenQuestion("q1", "信用卡退款多久到账？", "zh", True, ("3–7 个工作日",), (), ("refund.md",)),
    ),
)


def _first_line(messages: Sequence[Message]) -> Sequence[GenerationPart]:
    return [GeneratedText(messages[-1].content.partition("[1] ")[2].splitlines()[1])]


@pytest.mark.slow
def test_each_arm_of_each_question_is_counted_and_nothing_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = offline_parts(tmp_path, generator=ScriptedGenerator(_first_line))
    reported: list[tuple[str, int, int]] = []
    options = AnswersOptions(think=False, arms=("own", "ceiling"))
    progress = Progress(lambda name, done, total: reported.append((name, done, total)))
    result = measure_answers(QUESTIONS, parts, Run(tmp_path / "run"), options, progress)
    assert reported == [("kettle", done, 4) for done in range(5)]
    assert {record.arm for record in result.records} == {"own", "ceiling"}
    assert (result.summary["n"], "ceiling" in result.summary, "floor" in result.summary) == (2, True, False)
    assert Run(tmp_path / "run").identity()["think"] is False
    assert capsys.readouterr() == ("", "")


@pytest.mark.slow
def test_a_corpus_is_ingested_once_and_only_the_progress_hears_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(knowledge, "open_embedder", lambda settings: HashEmbedder())
    corpus = tmp_path / "kettle.md"
    corpus.write_text("# Kettle\n\nUse 20 grams of citric acid.\n", encoding="utf-8")
    ingests: list[list[IngestProgress]] = []

    @contextmanager
    def ingest() -> Iterator[Callable[[IngestProgress], None]]:
        ingests.append([])
        yield ingests[-1].append

    settings = Settings(data_dir=tmp_path / "data")
    for _ in range(2):
        open_parts(replace(QUESTIONS, corpus=corpus), settings, Progress(ingest=ingest)).store.close()
    assert len(ingests) == 1
    assert ingests[0]
    assert capsys.readouterr() == ("", "")


def test_a_set_begins_at_none_of_its_questions() -> None:
    reported: list[tuple[str, int, int]] = []
    advance = question_counter(Progress(lambda *values: reported.append(values)), "a", 2)
    advance(None)
    advance(None)
    assert reported == [("a", 0, 2), ("a", 1, 2), ("a", 2, 2)]
