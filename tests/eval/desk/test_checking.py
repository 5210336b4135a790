"""Cases that the documents do not decide are told, and those that are shipped are decided."""

from collections import Counter
from dataclasses import replace

import pytest

from eval.core.question_sets import DESK_CASES, KNOWLEDGE_DIR
from eval.desk.cases import DeskCase, load_cases
from eval.desk.checking import DERIVED, check_cases
from eval.desk.judging import Reply, judge

DOCUMENTS = {"/kb/a.md": "Returned goods: within **30 days**, with a receipt.", "/kb/b.md": "Dogs are welcome."}
CASE = DeskCase(
    "c", "en", "mail", ("How long may I return it?",), True, (("30 days",),), ("15 days",), ("a.md",), "within 30 days"
)


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
