"""The quotation at the beginning of a reply, and what is concluded from it."""

from dataclasses import replace

import pytest

from rag.generation.reply_quotation import (
    conclusion,
    conclusion_opening,
    is_closed,
    is_word_for_word,
    opening_of,
    without_quoted_name,
)
from rag.schema import Language
from tests.support.passages import CHINESE_PASSAGE, RETURNS_PASSAGE


def test_a_reply_begins_with_a_quotation_where_the_best_passage_is_in_its_language() -> None:
    assert opening_of([RETURNS_PASSAGE, CHINESE_PASSAGE], "en") == 'Our documents say: "'
    assert opening_of([CHINESE_PASSAGE, RETURNS_PASSAGE], "zh") == "资料中写道：“"
    assert opening_of([CHINESE_PASSAGE, RETURNS_PASSAGE], "en") == ""
    assert opening_of([replace(CHINESE_PASSAGE, sent=()), RETURNS_PASSAGE], "en") == 'Our documents say: "'
    assert opening_of([], "en") == ""


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ('Our documents say: "You have 30 days." So you can.', "So you can."),
        ('Our documents say: "You have 30 days.” So you can.', "So you can."),
        ("资料中写道：“须在 30 天内提出。”所以可以。", "所以可以。"),
        ('You have "30 days".', ""),
    ],
)
def test_a_conclusion_stands_behind_the_closing_mark(text: str, rest: str) -> None:
    assert conclusion(text) == rest
    assert is_closed(text) is bool(rest)


def test_marks_and_blanks_are_no_difference_but_words_are() -> None:
    assert is_word_for_word("You have 30 days to send it back", [CHINESE_PASSAGE, RETURNS_PASSAGE])
    assert is_word_for_word("L4: 5 EUR", [RETURNS_PASSAGE])
    assert is_word_for_word("退货须在30天内提出", [CHINESE_PASSAGE])
    assert not is_word_for_word("You have 60 days to send it back", [RETURNS_PASSAGE])
    assert not is_word_for_word("You have 30 days to send it back", [replace(RETURNS_PASSAGE, sent=())])
    assert not is_word_for_word("...", [RETURNS_PASSAGE])


@pytest.mark.parametrize(
    ("copied", "language", "begun"),
    [
        ('Our documents say: "You have 30 days to send it back." And', "en", " So"),
        ('Our documents say: "You have 60 days to send it back."', "en", None),
        ('Our documents say: "You have 30 days to send it back', "en", None),
        ('Our documents say: ""', "en", None),
        ("You have 30 days to send it back.", "en", None),
        ("资料中写道：“退货须在 30 天内提出。”", "zh", "所以，"),
        ("资料中写道：“退货须在 60 天内提出。”", "zh", None),
    ],
)
def test_a_conclusion_is_begun_behind_a_true_quotation_alone(
    copied: str, language: Language, begun: str | None
) -> None:
    mark = "”" if language == "zh" else '"'
    quotation = copied[: copied.rfind(mark) + 1]
    assert conclusion_opening(copied, [RETURNS_PASSAGE, CHINESE_PASSAGE], language) == (
        quotation + begun if begun else ""
    )


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("资料中写道：“七天无理由退货说明”所以，可以退。", "可以退。"),
        ('Our documents say: "Faulty items" So you can send it back.', "You can send it back."),
        (
            'Our documents say: "You can send it back." So you can.',
            'Our documents say: "You can send it back." So you can.',
        ),
        ('Our documents say: "Faulty items"', 'Our documents say: "Faulty items"'),
        ('Our documents say: "Faulty items', 'Our documents say: "Faulty items'),
    ],
)
def test_a_quotation_that_is_but_a_heading_is_left_out(text: str, kept: str) -> None:
    passages = [
        replace(RETURNS_PASSAGE, text="## Faulty items\n\nYou can send it back."),
        replace(CHINESE_PASSAGE, title="七天无理由退货说明"),
    ]
    assert without_quoted_name(text, passages) == kept
