from dataclasses import replace
from datetime import date

import pytest

from rag.evidence.quotation import cites_best_match, quoted_citations, quoted_text, with_quotation
from rag.schema import Answer, Citation, Evidence, Language, TextSpan
from rag.text.characters import has_ideographs

TEXT = "Fees. The first is 5. The second is free."
PASSAGE = Evidence(1, "a.md", "/kb/a.md", "Fees", (), TEXT, 10, 10 + len(TEXT), 10, 10 + len(TEXT), "en")


def test_each_line_is_cited_with_its_place() -> None:
    first = replace(PASSAGE, quoted=(TextSpan(16, 31), TextSpan(32, 51)))
    second = replace(PASSAGE, document_id="b.md", quoted=(TextSpan(10, 15),))
    evidence = [first, replace(PASSAGE, document_id="none.md"), second]
    text = quoted_text(evidence)
    assert text == "The first is 5.\nThe second is free.\nFees."
    citations = quoted_citations(evidence)
    assert [text[one.start : one.end] for one in citations] == [one.quote for one in citations]
    assert [(one.document_id, one.quote_start, one.quote_end) for one in citations] == [
        ("a.md", 16, 31),
        ("a.md", 32, 51),
        ("b.md", 10, 15),
    ]


def test_a_citation_is_in_the_best_match_if_it_shares_words_with_it() -> None:
    quoted = [replace(PASSAGE, quoted=(TextSpan(16, 31),))]
    inside, behind, elsewhere = (
        Citation(0, 5, document, "", "", start, end)
        for document, start, end in (("a.md", 10, 17), ("a.md", 31, 51), ("b.md", 16, 31))
    )
    assert cites_best_match([behind, inside], quoted)
    assert not cites_best_match([behind, elsewhere], quoted)
    assert not cites_best_match([], quoted)
    assert cites_best_match([behind], [PASSAGE])


def test_nothing_quoted_is_an_empty_text() -> None:
    assert quoted_text([PASSAGE]) == ""
    assert quoted_citations([PASSAGE]) == ()


STEPS = "- Hold the button.\n- Wait for 3 beeps.\n\n| Beeps | Means |\n|---|---|\n| 3 | Ready |"
BESIDE = Evidence(1, "a.md", "a.md", "", (), STEPS, 0, len(STEPS), 0, 9, "en", below_reply=(TextSpan(0, len(STEPS)),))


def test_every_line_of_a_quotation_below_a_reply_is_cited() -> None:
    quoted = with_quotation("Press it.", [replace(BESIDE, below_reply=()), BESIDE], "en")
    assert quoted is not None
    assert quoted.text == "Press it.\n\nOur documents say:\n- Hold the button.\n- Wait for 3 beeps.\n3: Ready"
    assert quoted.text[quoted.span.start : quoted.span.end].splitlines() == [
        quoted.text[one.start : one.end] for one in quoted.citations
    ]
    assert [one.quote for one in quoted.citations] == ["- Hold the button.", "- Wait for 3 beeps.", "| 3 | Ready |"]


def test_a_reply_says_as_much_if_it_has_the_figures_and_half_of_the_words() -> None:
    assert with_quotation("Hold the button until 3 beeps are heard: ready.", [BESIDE], "en") is None
    assert with_quotation("Hold the button until 4 beeps are heard: ready.", [BESIDE], "en") is not None
    assert with_quotation("It is ready after 3 beeps.", [replace(BESIDE, text=STEPS)], "en") is not None


@pytest.mark.parametrize(
    "change",
    [
        {"audience": "internal"},
        {"expired_on": date(2026, 1, 1)},
        {"starts_on": date(2030, 1, 1)},
        {"unconfirmed": (TextSpan(2, 6),)},
        {"below_reply": ()},
    ],
)
def test_what_a_customer_may_not_read_is_not_quoted_below_a_reply(change: dict[str, object]) -> None:
    assert with_quotation("Press it.", [BESIDE], "en") is not None
    assert with_quotation("Press it.", [replace(BESIDE, **change)], "en") is None  # type: ignore[arg-type]


HOLD = "Press and hold for 5 s."
IN_ENGLISH = replace(BESIDE, document_id="b.md", text=HOLD, end=len(HOLD), below_reply=(TextSpan(0, len(HOLD)),))
PRESS = "长按 3 秒。"
IN_CHINESE = replace(IN_ENGLISH, text=PRESS, end=len(PRESS), below_reply=(TextSpan(0, len(PRESS)),), language="zh")


@pytest.mark.parametrize(
    ("reply", "passages", "language", "below"),
    [
        ("请重试。", [IN_ENGLISH, IN_CHINESE], "zh", f"资料中写道（部分为英文）：\n{PRESS}\n{HOLD}"),
        ("请长按 3 秒。", [IN_ENGLISH, IN_CHINESE], "zh", f"资料中写道（英文）：\n{HOLD}"),
        ("请重试。", [IN_ENGLISH, replace(IN_CHINESE, below_reply=())], "zh", f"资料中写道（英文）：\n{HOLD}"),
        ("Try again.", [IN_CHINESE], "en", f"Our documents say, in Chinese:\n{PRESS}"),
        ("Try again.", [IN_CHINESE, IN_ENGLISH], "en", f"Our documents say, partly in Chinese:\n{HOLD}\n{PRESS}"),
    ],
)
def test_what_is_quoted_in_another_language_follows_and_is_named(
    reply: str, passages: list[Evidence], language: Language, below: str
) -> None:
    quoted = with_quotation(reply, passages, language)
    assert quoted is not None
    assert quoted.text == f"{reply}\n\n{below}"


def test_a_row_is_read_without_its_bars_and_cited_as_it_stands() -> None:
    table = "| 代码 | 含义 | 处理 |\n|---|---|---|\n| L4 | 车锁卡住 | 按下拨杆 |"
    row = TextSpan(0, len(table))
    passage = Evidence(1, "a.md", "a.md", "", (), table, 0, row.end, 0, row.end, "zh", quoted=(row,))
    (citation,) = quoted_citations([passage])
    assert quoted_text([passage]) == "L4：车锁卡住；按下拨杆"
    assert citation.quote == "| L4 | 车锁卡住 | 按下拨杆 |"
    assert table[citation.quote_start : citation.quote_end] == citation.quote
    answer = Answer(quoted_text([passage]), "zh", False, "", (citation,), (), (), "m", False, 1)
    assert answer.quoted


def test_a_cell_that_says_little_is_read_with_the_name_of_its_column() -> None:
    hours = "| Station | Mon-Fri | Sunday | Key box | Remark |\n|---|---|---|---|---|\n"
    row = "| Oslo | 06:00-24:00 | | no | Closed on the days before Easter |"
    read = "Oslo: Mon-Fri 06:00-24:00; Key box no; Closed on the days before Easter"
    assert quoted_text([_quoted(hours + row)]) == read
    # the table began in an earlier chunk, whose header is one of the passage's headings
    below = replace(_quoted(row), heading_path=("Stations", "Station | Mon-Fri | Sunday | Key box | Remark"))
    assert quoted_text([below]) == read
    # behind a table its columns name nothing, and two columns need no names
    assert quoted_text([_quoted(f"{hours}{row}\n\nIn Oslo:\n\n| 1 | 2 | 3 |")]).endswith("1: 2; 3")
    assert quoted_text([_quoted("| 门店 | 周日 |\n|---|---|\n| 上海 | 休息 |")]) == "上海：休息"
    assert quoted_text([_quoted("| 门店 | 周六 | 周日 |\n|---|---|---|\n| 上海 | 10 点开门 | 休息 |")]) == (
        "上海：周六 10 点开门；周日 休息"
    )


def test_a_row_with_fewer_cells_than_its_header_is_read_without_names() -> None:
    """Below a cell that spans rows the first value is another column's."""
    header = "| Kind | Specification | Connections |\n|---|---|---|\n"
    whole, rest = "| Shared | mongo.large | 500 |", "| mongo.xlarge | 1000 |"
    read = quoted_text([_quoted(header + whole + "\n" + rest)])
    assert read.splitlines() == ["Shared: mongo.large; Connections 500", "mongo.xlarge: 1000"]


def _quoted(text: str) -> Evidence:
    return replace(
        PASSAGE, text=text, start=0, end=len(text), quoted=(TextSpan(0, len(text)),), language=_language(text)
    )


def _language(text: str) -> Language:
    return "zh" if has_ideographs(text) else "en"


def test_a_heading_alone_is_better_than_nothing() -> None:
    text = "## Opening hours"
    passage = replace(PASSAGE, text=text, start=0, end=len(text), quoted=(TextSpan(0, len(text)),))
    assert quoted_text([passage]) == "Opening hours"


def test_a_sentence_keeps_the_heading_that_turns_its_meaning() -> None:
    text = "## Not covered\n\nRust and dents.\n\n## What is free?\n\nThe label.\n\n# Fees\n\nAll else."
    whole = TextSpan(0, len(text))
    passage = replace(PASSAGE, text=text, start=0, end=len(text), quoted=(whole,))
    assert quoted_text([passage]) == "Not covered: Rust and dents.\nWhat is free? The label.\nAll else."
    citations = quoted_citations([passage])
    assert [one.quote for one in citations] == [
        "## Not covered\n\nRust and dents.",
        "## What is free?\n\nThe label.",
        "All else.",
    ]
    assert Answer(quoted_text([passage]), "en", False, "", citations, (), (), "m", False, 1).quoted
