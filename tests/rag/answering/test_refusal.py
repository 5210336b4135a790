from dataclasses import replace
from datetime import date

from rag.answering.refusal import refusal_text
from rag.schema import Evidence

PASSAGE = Evidence(1, "a.md", "a.md", "Returns", (), "x", 0, 1, 0, 1, "en")


def test_the_nearest_articles_are_named_once() -> None:
    passages = [PASSAGE, PASSAGE, *(replace(PASSAGE, title=title) for title in ("Fees", "Warranty", "Points"))]
    assert "“Returns”, “Fees”, “Warranty”." in refusal_text(passages, "en")
    assert "《Returns》、《Fees》、《Warranty》。" in refusal_text(passages, "zh")


def test_what_customers_must_not_see_and_what_has_expired_is_not_named() -> None:
    passages = [replace(PASSAGE, audience="internal"), replace(PASSAGE, expired_on=date(2026, 1, 1))]
    assert "Returns" not in refusal_text(passages, "en")


def test_without_passages() -> None:
    assert refusal_text([], "zh") == "知识库中没有这个问题的答案。请转交能进一步核实的同事处理。"
