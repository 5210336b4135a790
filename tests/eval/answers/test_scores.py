"""Scores against cases worked out by hand; the empty case is defined."""

from dataclasses import replace

import pytest

from eval.answers.asking import NO_PASSAGE, Record, TokenCounts
from eval.answers.scores import score, summarise, wrong_scores
from ingest.golden import GoldenQuestion
from rag.schema import Answer, Citation, SpanTime, TextSpan
from rag.tracing import Percentiles
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
    assert [item.question_id for item in wrong_scores(QUESTIONS, RECORDS)] == ["b", "c", "d", "f"]


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


def lost(found: tuple[str, ...], sent: str, given: Answer | None, error: str = "") -> str:
    one = replace(record("a", given, documents=found, error=error), found_documents=found, sent=sent)
    return score(QUESTIONS[0], one).lost_in


def test_the_first_step_that_went_wrong_is_blamed() -> None:
    bad, refusal = answer("17 days"), answer("no", refused=True)
    assert lost(("d2",), "", bad) == "retrieval"
    assert lost(("d2", "d3", "d4", "d5", "d6", "d1"), "7 days", bad) == "retrieval", "six documents down"
    assert lost(("d2",), "", refusal) == "retrieval", "the refusal was right about what was found"
    assert lost(("d1",), "not many days", bad) == "packing"
    assert lost(("d1",), "7 days", refusal) == "refusal"
    assert lost(("d1",), "7 days", bad) == "model"
    assert lost(("d1",), "7 days", None, "ModelTimedOut") == "error"
    assert lost(("d2",), "", answer("7 days")) == "", "right all the same"


def test_the_ceiling_is_compared_on_the_same_questions() -> None:
    own = [record(name, answer("7 days" if name == "a" else "no idea")) for name in "ab"]
    ceiling = [replace(record(name, answer("7 days")), arm="ceiling") for name in "ab"]
    missing = replace(record("c", None, error=NO_PASSAGE), arm="ceiling")
    summary = summarise(QUESTIONS[:3], [*own, *ceiling, record("c", answer("7 days")), missing])
    assert summary["accuracy"] == pytest.approx(2 / 3, abs=1e-4)
    assert summary["share_of_ceiling"] == 0.5, "of c, which has no passage, there is no ceiling"
    reached = summary["ceiling"]
    assert isinstance(reached, dict)
    assert (reached["n"], reached["accuracy"]) == (2, 1.0)
    assert "floor" not in summary
    intervals = summary["intervals"]
    assert isinstance(intervals, dict)
    assert intervals["share_of_ceiling"] == (0.0, 1.0)


def test_citations_are_counted_by_the_document_they_point_into() -> None:
    both = record("a", answer("7 days", cited=("d1", "d2")))
    none = record("b", answer("7 days", unsupported=1))
    summary = summarise(QUESTIONS[:2], [both, none])
    assert (summary["citation_precision"], summary["citation_recall"]) == (0.5, 0.5)
    assert summary["supported_sentences"] == 0.5


def test_tokens_are_those_of_questions_that_the_model_was_asked() -> None:
    asked = replace(record("a", answer("7 days")), tokens=TokenCounts(prompt=300, generated=20, evidence=100))
    summary = summarise(QUESTIONS[:2], [asked, record("b", answer("no", refused=True))])
    assert summary["tokens"] == {"prompt": 300.0, "generated": 20.0, "evidence": 100.0}
