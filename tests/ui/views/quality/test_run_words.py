"""What the Quality page says of a run and of a measure, and which runs it puts side by side first."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest

from api.services.quality import RunInfo
from eval.background import EvaluationProgress
from eval.compare.pairs import compare_values
from rag.schema import Language
from ui.session import PageContext
from ui.views.quality.compare import _alike, _measure_row
from ui.views.quality.runs import figure_words, progress_words, run_name


def run(name: str, question_set: str = "shop", figure: float | None = 0.5, kind: str = "retrieval") -> RunInfo:
    return RunInfo(name, kind, datetime.now(UTC), 4, figure, "", False, 1, question_set, asked=1)


def test_a_set_is_named_where_it_is_not_the_knowledge_bases_own() -> None:
    context = cast(PageContext, SimpleNamespace(services=SimpleNamespace(knowledge_base="shop")))
    assert run_name(run("monday"), context) == "monday"
    assert run_name(run("monday", "golden"), context) == "monday · golden"


@pytest.mark.parametrize(("language", "words"), [("en", "1 of 4 questions"), ("zh", "1 / 4 题")])
def test_an_unfinished_run_says_how_far_it_is(language: Language, words: str) -> None:
    assert words in figure_words(run("monday", figure=None), language)


def test_questions_are_counted_from_the_first_on() -> None:
    assert progress_words(None, "en")[0] is None
    assert progress_words(EvaluationProgress(0, 4), "en") == (0.0, "0 of 4 questions")


def test_runs_of_one_set_are_compared_first() -> None:
    every = (run("new", "golden"), run("a"), run("words", "shop", kind="refusal"), run("b"))
    runs = {one.name: one for one in every}
    assert _alike("b", runs) == (["a", "new"], 1)
    assert _alike("new", runs) == (["a", "b"], 0)


def test_a_measure_of_fewer_questions_says_so() -> None:
    one = compare_values("token_f1", {"a": 0.5}, {"a": 0.75})
    assert _measure_row(one, 3, "en").cells[0].note == "on 1 question only"
    assert _measure_row(one, 1, "en").cells[0].note == ""
