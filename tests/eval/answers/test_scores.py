"""Scores against cases worked out by hand; the empty case is defined."""

import pytest

from eval.answers.runner import Record
from eval.answers.scores import score, summarise, wrong
from eval.percentiles import Percentiles
from ingest.golden import GoldenQuestion
from rag.schema import Answer, Citation, SpanTime, TextSpan
from tests.eval.cases import question, record


def answer(text: str, *, refused: bool = False, cited: tuple[str, ...] = (), unsupported: int = 0) -> Answer:
    return Answer(
        text=text,
        language="en",
        refused=refused,
        thinking="",
        citations=tuple(Citation(0, 1, document, document, "q", 0, 1) for document in cited),
        unsupported=tuple(TextSpan(0, 1) for _ in range(unsupported)),
        spans=(SpanTime("embed", 5.0), SpanTime("total", 100.0)),
        model="" if refused else "stand-in:0.5b",
        stand_in=not refused,
        generation=1,
    )


RIGHT = record("a", answer("It is 7 days.", cited=("d1",), unsupported=1), documents=("d2", "d1"))
WRONG = record("b", answer("It is 17 days.", cited=("d2",)), documents=("d2",))
FALSE_REFUSAL = record("c", answer("Not in the knowledge base.", refused=True), documents=("d1",))
BROKEN = record("d", None, error="ModelTimedOut")
TRUE_REFUSAL = record("e", answer("Not in the knowledge base.", refused=True))
INVENTED = record("f", answer("It is 7 days."))

QUESTIONS = tuple(question(name, answerable=name in "abcd") for name in "abcdef")
RECORDS = (RIGHT, WRONG, FALSE_REFUSAL, BROKEN, TRUE_REFUSAL, INVENTED)


def test_a_right_answer_holds_the_key_points_and_cites_the_document() -> None:
    found = score(QUESTIONS[0], RIGHT)
    assert found.right
    assert found.recall_at_1 == 0.0
    assert found.recall_at_5 == 1.0
    assert found.reciprocal_rank == 0.5
    assert found.gold_cited
    assert found.supported_share == 0.5
    assert found.language_match
    # "it is 7 days" against "7 days": 2 of 4 tokens are right and both wanted ones are there
    assert found.token_f1 == pytest.approx(2 * 0.5 * 1.0 / 1.5)


@pytest.mark.parametrize(
    ("index", "right", "refused"),
    [(1, False, False), (2, False, True), (3, False, False), (4, True, True), (5, False, False)],
)
def test_a_refusal_is_right_only_where_nothing_can_be_answered(index: int, right: bool, refused: bool) -> None:
    found = score(QUESTIONS[index], RECORDS[index])
    assert (found.right, found.refused) == (right, refused)


def test_the_summary_counts_by_hand() -> None:
    summary = summarise(QUESTIONS, RECORDS)
    assert summary["n"] == 6
    assert summary["accuracy"] == pytest.approx(2 / 6, abs=1e-4)
    assert summary["refusal"] == {"refused_unanswerable": 0.5, "refused_answerable": 0.25}
    answers, retrieval = summary["answers"], summary["retrieval"]
    assert isinstance(answers, dict)
    assert isinstance(retrieval, dict)
    assert answers["accuracy"] == 0.25
    assert answers["gold_cited"] == 0.5
    # evidence of a, b and c; d never got any
    assert retrieval["recall_at_5"] == 0.5
    assert summary["errors"] == ["d: ModelTimedOut"]
    assert summary["model"] == "stand-in:0.5b"
    assert summary["stand_in"] is True
    assert [item.question_id for item in wrong(QUESTIONS, RECORDS)] == ["b", "c", "d", "f"]


def test_latency_has_a_row_for_each_stage_that_happened() -> None:
    latency = summarise(QUESTIONS, RECORDS)["latency_ms"]
    assert isinstance(latency, dict)
    assert latency["embed"] == {"n": 5, "p50": 5.0, "p95": 5.0, "p99": 5.0}
    assert latency["until_evidence"]["n"] == 6
    assert "thinking" not in latency


def test_percentiles_interpolate_between_ranks() -> None:
    assert Percentiles.of([10.0, 20.0, 30.0, 40.0, 50.0]) == Percentiles(n=5, p50=30.0, p95=48.0, p99=49.6)
    assert Percentiles.of([]) == Percentiles(n=0, p50=None, p95=None, p99=None)


def test_an_empty_run_has_no_numbers() -> None:
    nobody: tuple[GoldenQuestion, ...] = ()
    nothing: tuple[Record, ...] = ()
    summary = summarise(nobody, nothing)
    assert summary["n"] == 0
    assert summary["accuracy"] is None
    assert summary["stand_in"] is False
