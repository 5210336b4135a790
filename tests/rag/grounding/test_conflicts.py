"""Versions of one rule that differ in a figure, a date or a "not"."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from ingest.loaders.registry import load
from ingest.loaders.source import Limits
from rag.grounding.conflicts import find_conflicts, newest_first
from rag.schema import Document, Evidence, Language

KNOWLEDGE = Path(__file__).parents[3] / "data" / "knowledge"
OLD, NEW = date(2025, 1, 1), date(2026, 1, 1)


def passage(
    number: int, text: str, title: str = "Returns", updated_on: date | None = None, language: Language = "en"
) -> Evidence:
    name = f"{number}.md"
    return Evidence(number, name, name, title, (), text, 0, len(text), 0, len(text), language, updated_on)


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("en", "You can return it within 30 days of delivery.", "You can return it within 14 days of delivery."),
        ("en", "The offer ends on 3 May 2026 for all members.", "The offer ends on 3 June 2026 for all members."),
        ("en", "Opened bottles can be returned to us.", "Opened bottles cannot be returned to us."),
        ("zh", "每个安全组最多可以包含100条规则。", "每个安全组最多可以包含200条规则。"),
        ("zh", "已拆封的滤芯可以退货换新。", "已拆封的滤芯不可以退货换新。"),
    ],
)
def test_the_same_but_for_a_figure_a_date_or_a_denial(language: Language, one: str, other: str) -> None:
    (conflict,) = find_conflicts([passage(1, one, language=language), passage(2, other, language=language)])
    assert (conflict.number, conflict.quote, conflict.other_number, conflict.other_quote) == (1, one, 2, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("The tank holds 300 ml of water.", "Drift R2 set-up"), ("The tank holds 500 ml of water.", "Drift R3")),
        (("The parcel arrives in 2 days.", "Delivery to Norway"), ("The parcel arrives in 5 days.", "About Malta")),
        (("You have 30 days.", "Returns"), ("The warranty lasts 24 months.", "Returns")),
        (("It costs EUR 5 a month.", "Fees"), ("It costs EUR 5 a month, VAT included.", "Fees")),
        (("# Fees in 2025 for islands", "Fees"), ("# Fees in 2026 for islands", "Fees")),
        (("Can the opened bottle be returned?", "Fees"), ("The opened bottle cannot be returned.", "Fees")),
    ],
)  # fmt: skip
def test_other_products_places_and_rules_are_no_versions(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert find_conflicts([passage(1, *one), passage(2, *other)]) == ()


def test_two_rules_of_the_past_are_no_conflict_but_stand_in_their_order() -> None:
    older, newer = (
        passage(1, "You have 30 days to return it.", updated_on=OLD),
        passage(2, "You have 14 days to return it.", updated_on=NEW),
    )
    ended = [replace(one, expired_on=NEW) for one in (older, newer)]
    assert find_conflicts(ended) == ()
    assert [one.document_id for one in newest_first(ended)] == ["2.md", "1.md"]
    assert find_conflicts([ended[0], newer])


def test_what_one_document_says_twice_is_no_conflict_and_languages_are_not_compared() -> None:
    first, second = passage(1, "You have 30 days to return it."), passage(2, "You have 14 days to return it.")
    assert find_conflicts([first, replace(second, document_id=first.document_id)]) == ()
    assert find_conflicts([first, replace(second, language="zh")]) == ()


def test_the_newer_is_named_first_and_moves_before_the_older() -> None:
    older = passage(1, "You have 14 days to return it.", updated_on=OLD)
    between = passage(2, "Send it to the warehouse.", title="Addresses")
    newer = passage(3, "You have 30 days to return it.", updated_on=NEW)
    (conflict,) = find_conflicts([older, between, newer])
    assert (conflict.document_id, conflict.other_document_id) == ("3.md", "1.md")
    ordered = newest_first([older, between, newer])
    assert [one.document_id for one in ordered] == ["3.md", "1.md", "2.md"]
    assert [one.number for one in ordered] == [1, 2, 3]
    assert newest_first(ordered) == ordered


def test_an_expired_one_is_the_older_whatever_its_date_and_equal_dates_move_nothing() -> None:
    expired = replace(passage(1, "You have 14 days to return it.", updated_on=NEW), expired_on=OLD)
    holds = passage(2, "You have 30 days to return it.", updated_on=OLD)
    assert [one.document_id for one in newest_first([expired, holds])] == ["2.md", "1.md"]
    same = [replace(expired, expired_on=None, updated_on=None), replace(holds, updated_on=None)]
    assert [one.document_id for one in newest_first(same)] == ["1.md", "2.md"]


@pytest.mark.parametrize(
    ("new", "old", "figures"),
    [
        ("en/loyalty/points.md", "en/loyalty/points-2025.md", ("24 months", "12 months")),
        ("en/delivery/delivery-fees.md", "en/delivery/delivery-fees-2025.md", ("EUR 5.50", "EUR 6.50")),
    ],
)
def test_versions_of_real_articles(new: str, old: str, figures: tuple[str, str]) -> None:
    passages = []
    for number, name in enumerate((old, new), start=1):
        article = next(iter(load(KNOWLEDGE / name, KNOWLEDGE, Limits(1_000_000))))
        assert isinstance(article, Document)
        passages.append(replace(passage(number, article.text, article.title, article.updated_on), document_id=name))
    conflicts = find_conflicts(passages)
    assert {(one.document_id, one.other_document_id) for one in conflicts} == {(new, old)}
    assert any(figures[0] in one.quote and figures[1] in one.other_quote for one in conflicts)
    assert [one.document_id for one in newest_first(passages)] == [new, old]


def test_passages_that_were_compared_before_are_named_by_their_places_of_now() -> None:
    one, other = "The parcel arrives within 3 days of dispatch.", "The parcel arrives within 5 days of dispatch."
    (before,) = find_conflicts([passage(1, one), passage(2, other)])
    (now,) = find_conflicts([passage(4, one), passage(9, other)])
    assert (before.number, before.other_number, now.number, now.other_number) == (1, 2, 4, 9)
    (turned,) = find_conflicts([passage(1, other), passage(2, one)])
    assert (turned.quote, turned.other_quote) == (other, one)
