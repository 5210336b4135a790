"""A reply is judged by its words: what is equal is equal, numbers and words are whole, a no is no yes."""

import pytest

from eval.desk.cases import DeskCase
from eval.desk.judging import Reply, holds_facts, holds_phrase, judge, normalise


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
