"""Answers to desk cases are judged by their words, and cases that the documents do not decide are told."""

from collections import Counter
from dataclasses import replace

import pytest

from eval.core.question_sets import DESK_CASES, KNOWLEDGE_DIR
from eval.desk.cases import DeskCase, load_cases
from eval.desk.judging import DERIVED, Reply, check_cases, holds_facts, holds_phrase, judge, normalise

DOCUMENTS = {"/kb/a.md": "Returned goods: within **30 days**, with a receipt.", "/kb/b.md": "Dogs are welcome."}
CASE = DeskCase(
    "c", "en", "mail", ("How long may I return it?",), True, (("30 days",),), ("15 days",), ("a.md",), "within 30 days"
)


def _case(**fields: object) -> DeskCase:
    given: dict[str, object] = {
        "case_id": "c",
        "language": "en",
        "kind": "howto",
        "turns": ("How long?",),
        "answerable": True,
        "must_contain_any": (("30 days", "a month"), ("receipt",)),
        "must_not_contain": ("15 days",),
        "gold_docs": ("en/returns.md",),
    }
    return DeskCase(**(given | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("phrase", "text", "is_there"),
    [
        ("30 days", "It is kept for 30 days.", True),
        ("30 days", "130 days", False),
        ("5", "up to 5.", True),
        ("5", "5.5", False),
        ("5", "0.5", False),
        ("5", "15", False),
        ("65536", "65,536 bytes", True),
        ("2,304 TiB", "2304TiB", True),
        ("15天", "１５ 天", True),
        ("managed", "**managed** by us", True),
        ("view", "reviewed", False),
        ("only one", "only ones", False),
        ("T-1", "T–1 and later", True),
        ("don't", "we don’t", True),
        ("保留", "数据不保留", False),
        ("保留", "尚未保留", False),
        ("保留", "会保留", True),
        ("不支持", "这个不 支持", True),
        ("不能", "能不能复制？", False),
        ("不能", "不能复制", True),
        ("  ", "anything", False),
    ],
)
def test_a_phrase_is_found_whole_and_not_denied(phrase: str, text: str, *, is_there: bool) -> None:
    assert holds_phrase(normalise(text), phrase) is is_there


def test_an_answer_is_right_with_every_fact_and_nothing_forbidden() -> None:
    assert judge(_case(), Reply("Within 30 days, with the receipt.")).right
    lacking = judge(_case(), Reply("Within a month."))
    assert (lacking.right, lacking.lacking, lacking.forbidden) == (False, (("receipt",),), ())
    forbidden = judge(_case(), Reply("30 days, or 15 days; bring the receipt."))
    assert (forbidden.right, forbidden.forbidden) == (False, ("15 days",))
    assert not judge(_case(), Reply("Within 30 days, with the receipt.", refused=True)).right


@pytest.mark.parametrize("gap", ["The price is not stated in the documents.", "其余部分文档中没有说明。", "价格查不到"])
def test_half_an_answer_is_right_where_it_says_what_is_missing(gap: str) -> None:
    half = _case(answerable="partly")
    said = "30 days, with the receipt. "
    assert not judge(half, Reply(said)).right
    assert judge(half, Reply(said + gap)).right
    assert judge(half, Reply(said, partial=True)).right
    assert not judge(half, Reply(gap)).right, "the half that is there must be answered"


def test_what_has_no_answer_must_be_refused_and_not_talked_about() -> None:
    near = _case(kind="unanswerable_near", answerable=False, must_contain_any=(), must_not_contain=(), gold_docs=())
    assert judge(near, Reply("", refused=True)).right
    talked = judge(near, Reply("The documents do not mention it."))
    assert (talked.right, talked.names_gap, talked.cites_gold) == (False, True, None)


def test_a_false_premise_may_be_corrected_or_refused() -> None:
    false = _case(kind="false_premise", answerable=False)
    assert judge(false, Reply("No: 30 days, with the receipt.")).right
    assert judge(false, Reply("", refused=True)).right
    assert not judge(false, Reply("Yes, that is so.")).right


def test_a_citation_counts_whatever_stands_before_the_document() -> None:
    for cited, hit in (("/data/kb/en/returns.md", True), ("./en/returns.md", True), ("zen/returns.md", False)):
        assert judge(_case(), Reply("yes", cited=(cited,))).cites_gold is hit
    assert judge(_case(), Reply("", refused=True, cited=("en/returns.md",))).cites_gold is None


def test_facts_are_looked_for_in_any_text() -> None:
    assert holds_facts(_case(), "| a month | receipt |")
    assert not holds_facts(_case(), "a month")


def _keys(case: DeskCase) -> list[str]:
    return [one.key for one in check_cases([case], DOCUMENTS)]


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"gold_docs": ("a.md", "c.md")}, "no_document"),
        ({"gold_quote": "within 20 days", "must_contain_any": (("20 days",),)}, "no_quote"),
        ({"must_contain_any": (("30 days",), ("label", "form"))}, "not_quoted"),
        ({"must_not_contain": ("30 days",)}, "forbidden_quoted"),
        ({"turns": ("Is it 30 days?",)}, "echo"),
        ({"absent": ("dogs? (are )?welcome",)}, "not_absent"),
    ],
)
def test_what_the_documents_do_not_decide_is_told(change: dict[str, object], key: str) -> None:
    assert _keys(CASE) == []
    assert _keys(replace(CASE, **change)) == [key]  # type: ignore[arg-type]


def test_facts_that_are_worked_out_need_not_be_quoted() -> None:
    assert _keys(replace(CASE, must_contain_any=(("a month",),))) == ["not_quoted"]
    assert _keys(replace(CASE, must_contain_any=(("a month",),), note=f"{DERIVED} 30 days")) == []


@pytest.mark.slow
def test_the_shipped_cases_are_decided_by_the_shipped_documents() -> None:
    cases = load_cases(DESK_CASES)
    files = [one for one in KNOWLEDGE_DIR.rglob("*") if one.suffix in (".md", ".txt", ".jsonl", ".html")]
    documents = {one.relative_to(KNOWLEDGE_DIR).as_posix(): one.read_text(encoding="utf-8") for one in files}
    assert check_cases(cases, documents) == []
    assert Counter(case.language for case in cases) == {"en": 12, "zh": 12}
    assert {case.answerable for case in cases} == {True, False, "partly"}
    assert len({case.kind for case in cases}) == 17


def test_of_the_shipped_cases_the_quotes_are_right_and_a_refusal_only_where_there_is_no_answer() -> None:
    for case in load_cases(DESK_CASES):
        gap = " 其余没有说明。 The rest is not stated."
        said = " ".join((case.gold_quote, *case.more_quotes)) + (gap if case.answerable == "partly" else "")
        facts = ". ".join(group[0] for group in case.must_contain_any)
        assert judge(case, Reply(f"{said} {facts}", refused=not case.has_facts, cited=case.gold_docs)).right
        assert judge(case, Reply("", refused=True)).right is (case.answerable is False)
