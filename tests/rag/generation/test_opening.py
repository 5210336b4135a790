"""The quotation that a reply begins with."""

from dataclasses import replace

import pytest

from rag.generation.opening import begun_conclusion, conclusion, is_closed, is_word_for_word, opening_of
from rag.schema import Evidence, Language, TextSpan

TEXT = "# Returns\n\nYou have **30 days** to send it back.\n| Code | Fee |\n|---|---|\n| L4 | 5 EUR |"
PASSAGE = Evidence(
    1, "a", "a.md", "Returns", (), TEXT, 0, len(TEXT), 0, len(TEXT), "en", sent=(TextSpan(0, len(TEXT)),)
)
CHINESE = "退货须在 30 天内提出。逾期不予受理。"
CHINESE_PASSAGE = replace(
    PASSAGE, text=CHINESE, end=len(CHINESE), focus_end=len(CHINESE), language="zh", sent=(TextSpan(0, len(CHINESE)),)
)


def test_a_reply_begins_with_a_quotation_where_the_best_passage_is_in_its_language() -> None:
    assert opening_of([PASSAGE, CHINESE_PASSAGE], "en") == 'Our documents say: "'
    assert opening_of([CHINESE_PASSAGE, PASSAGE], "zh") == "资料中写道：“"
    assert opening_of([CHINESE_PASSAGE, PASSAGE], "en") == ""
    assert opening_of([replace(CHINESE_PASSAGE, sent=()), PASSAGE], "en") == 'Our documents say: "'
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
    assert is_word_for_word("You have 30 days to send it back", [CHINESE_PASSAGE, PASSAGE])
    assert is_word_for_word("L4: 5 EUR", [PASSAGE])
    assert is_word_for_word("退货须在30天内提出", [CHINESE_PASSAGE])
    assert not is_word_for_word("You have 60 days to send it back", [PASSAGE])
    assert not is_word_for_word("You have 30 days to send it back", [replace(PASSAGE, sent=())])
    assert not is_word_for_word("...", [PASSAGE])


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
    assert begun_conclusion(copied, [PASSAGE, CHINESE_PASSAGE], language) == (quotation + begun if begun else "")
