"""Readings worked out by hand: the kind of each sentence, and the sentences that restrict it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.text.parsed import ParsedText, parse_text
from rag.text.sentences import split_sentences


def kinds(parsed: ParsedText) -> list[tuple[str, str]]:
    return [(sentence.kind, parsed.words(place)) for place, sentence in enumerate(parsed.sentences)]


def needs(parsed: ParsedText, words: str) -> list[str]:
    """Return the sentences that the sentence of these words needs."""
    place = [parsed.words(place) for place in range(len(parsed.sentences))].index(words)
    return [parsed.words(needed) for needed in parsed.sentences[place].needs]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("# Fees\nFree. Really.", [("heading", "# Fees"), ("paragraph", "Free."), ("paragraph", "Really.")]),
        ("## 多久？怎么退？\n7天。", [("heading", "## 多久？怎么退？"), ("paragraph", "7天。")]),
        ("- Free. Always.\n2) Paid", [("item", "- Free."), ("item", "Always."), ("item", "2) Paid")]),
        ("- One\n\n  More of it.\nNew.", [("item", "- One"), ("item", "More of it."), ("paragraph", "New.")]),
        (
            "| A | B |\n|---|---|\n| Yes. No. | 3 |\n| | |",
            [("header", "| A | B |"), ("rule", "|---|---|"), ("row", "| Yes. No. | 3 |"), ("row", "| | |")],
        ),
        ("| cut | off |\n| from | header |", [("row", "| cut | off |"), ("row", "| from | header |")]),
        (
            "```sh\n# no heading\n| no row |\n```\nText",
            [
                ("code", "```sh"),
                ("code", "# no heading"),
                ("code", "| no row |"),
                ("code", "```"),
                ("paragraph", "Text"),
            ],
        ),
    ],
)
def test_the_kind_of_each_sentence(text: str, expected: list[tuple[str, str]]) -> None:
    assert kinds(parse_text(text)) == expected


def test_a_sentence_needs_the_nearest_heading_and_knows_all_of_them() -> None:
    parsed = parse_text("# Returns\nFree.\n## Exceptions\nPaid.\n# Repair\nSlow.")
    assert needs(parsed, "Paid.") == ["## Exceptions"]
    assert [parsed.words(place) for place in parsed.sentences[3].headings] == ["# Returns", "## Exceptions"]
    assert needs(parsed, "Slow.") == ["# Repair"]
    assert needs(parsed, "## Exceptions") == []


def test_a_list_item_needs_what_introduces_its_list() -> None:
    parsed = parse_text("不在保修范围内：\n- 生锈。人为。\n\n- 进水\n\n其他都保修。\n- 电池")
    for item in ("- 生锈。", "人为。", "- 进水"):
        assert needs(parsed, item) == ["不在保修范围内："]
    assert needs(parsed, "- 电池") == []


def test_a_nested_list_needs_its_own_introduction_and_the_one_around_it() -> None:
    parsed = parse_text("Not covered:\n- Devices:\n  - phones\n    1. old\n- Rust\n1. Choose:\n- a\n2. Done")
    assert needs(parsed, "- phones") == ["Not covered:", "- Devices:"]
    assert needs(parsed, "1. old") == ["Not covered:", "- Devices:", "- phones"]
    assert needs(parsed, "- Rust") == ["Not covered:"]
    assert needs(parsed, "- a") == ["Not covered:", "1. Choose:"]
    assert needs(parsed, "2. Done") == ["Not covered:"]


def test_an_item_needs_the_last_sentence_of_the_item_above_it_that_is_indented_less() -> None:
    parsed = parse_text("- Germany\n  - letters\n    - 1 EUR\n  - parcels\n- Iceland. By sea\n  - 9 EUR\n- others")
    assert needs(parsed, "- 1 EUR") == ["- Germany", "- letters"]
    assert needs(parsed, "- parcels") == ["- Germany"]
    assert needs(parsed, "- 9 EUR") == ["By sea"]
    assert needs(parsed, "- others") == []


def test_a_row_needs_its_header_and_the_sentence_that_introduces_the_table() -> None:
    parsed = parse_text("Fees:\n\n| Zone | Fee |\n|---|---|\n| EU. | 5 |\n| UK:\n| US | 7 |\n\nAll net.")
    header = ["| Zone | Fee |", "|---|---|"]
    assert needs(parsed, "| EU. | 5 |") == [*header, "Fees:"]
    assert needs(parsed, "| US | 7 |") == [*header, "Fees:"], "a row that ends with a colon introduces nothing"
    assert needs(parsed, "All net.") == []
    assert parsed.cells(3) == ("EU.", "5")
    assert parsed.header_cells(3) == ("Zone", "Fee")


def test_a_row_that_was_cut_from_its_header_is_no_header() -> None:
    parsed = parse_text("| EU | 5 |\n| UK | 6 |")
    assert needs(parsed, "| UK | 6 |") == []
    assert parsed.header_cells(1) == ()
    assert not any(sentence.is_context for sentence in parsed.sentences)


def test_a_second_table_has_its_own_header() -> None:
    parsed = parse_text("| A |\n|---|\n| 1 |\n\n| B |\n|---|\n| 2 |")
    assert needs(parsed, "| 2 |") == ["| B |", "|---|"]


def test_code_needs_what_introduces_it_and_introduces_nothing() -> None:
    parsed = parse_text("Run this:\n```\nIF x:\n```\n- then")
    assert needs(parsed, "IF x:") == ["Run this:"]
    assert needs(parsed, "- then") == ["Run this:"]


def test_a_sentence_that_leans_on_the_one_before_needs_it() -> None:
    parsed = parse_text("Keep the box. Otherwise we charge EUR 5. 请保留包装。否则收费。")
    assert needs(parsed, "Otherwise we charge EUR 5.") == ["Keep the box."]
    assert needs(parsed, "否则收费。") == ["请保留包装。"]


def test_questions_and_answers_of_a_list_of_them() -> None:
    parsed = parse_text("## Can I return it?\n\nYes, in 30 days.\n\n## 可以换货吗？\n\n可以。")
    assert needs(parsed, "Yes, in 30 days.") == ["## Can I return it?"]
    assert needs(parsed, "可以。") == ["## 可以换货吗？"]


@pytest.mark.parametrize(
    ("text", "answer", "question"),
    [
        ("Can I choose?\n\nYou book a group. No model.\n\nMay I?", "No model.", "Can I choose?"),
        ("**能选车型吗？**\n\n不能。按车组预订。", "按车组预订。", "**能选车型吗？**"),
        ("Q: Can I?\nA: No.\nQ: May I?\nA: Yes.", "A: Yes.", "Q: May I?"),
        ("Q: Can I? A: Never. Not yet.\n\nQ: May I? A: Yes.", "Not yet.", "Q: Can I?"),
        ("问：能退吗？答：能。三天内。", "三天内。", "问：能退吗？"),
        ("Why?\n\nTwo reasons.\n\n- cost\n\nAnd it rains.", "And it rains.", "Why?"),
        ("多少钱？\n\n| 组 | 价 |\n|---|---|\n| A | 5 |", "| A | 5 |", "多少钱？"),
        ("- 何时生效？\n\n  立即生效。\n\n  请稍候。\n- 可以退吗？\n\n  可以。", "请稍候。", "- 何时生效？"),
        ("1. Can I?\n\nYes.\n\n- free\n\n2. How long?\n\nA week.", "- free", "1. Can I?"),
        ("1. 可以退吗？\n\n可以。\n\n2. 多久？\n\n三天。", "三天。", "2. 多久？"),
    ],
)
def test_an_answer_needs_the_question_above_it(text: str, answer: str, question: str) -> None:
    assert [words for words in needs(parse_text(text), answer) if words.endswith(("?", "？", "？**"))] == [question]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Who pays? Nobody knows.\n\nAsk us.", "Ask us."),
        ("It rains. Who pays?\n\nAsk us.", "Ask us."),
        ("谁来付款？没有人知道。\n\n请问我们。", "请问我们。"),
        ("Who?\n\nWhen?\n\nWhere?\n\nAsk us.", "Ask us."),
        ("- 谁？\n- 何时？\n- 何处？\n\n请问我们。", "请问我们。"),
        ("Who?\n\n- Who pays?\n- Who asks?\n\nAsk us.", "Ask us."),
        ("Can I?\n\nYes.\n\n# Address\n\nAsk us.", "# Address"),
        ("- Can I?\n\n  Yes.\n- Ask us.", "- Ask us."),
        ("1. Can I?\n\nYes.\n\n2. Ask us.", "2. Ask us."),
        ("- macOS:\n\n  ```\n  ls\n  ```\n\n  Is it there?\n\n  Good.\n\nAsk us.", "Ask us."),
        (f"Is it {'very ' * 40}new?\n\nAsk us.", "Ask us."),
    ],
)
def test_a_question_without_an_answer_right_below_introduces_nothing(text: str, words: str) -> None:
    assert needs(parse_text(text), words) == []


PRICES = "| Service | Price |\n|---|---|\n| Adults | |\n| Crown | 300 |\n| Under 18 | |\n| Filling | 0 |\n| Net. | |"


def test_a_row_needs_the_row_that_names_its_section() -> None:
    parsed = parse_text(f"{PRICES}\n\n| Rest | 1 |")
    header = ["| Service | Price |", "|---|---|"]
    assert needs(parsed, "| Crown | 300 |") == [*header, "| Adults | |"]
    assert needs(parsed, "| Filling | 0 |") == [*header, "| Under 18 | |"]
    for words in ("| Adults | |", "| Under 18 | |", "| Net. | |", "| Rest | 1 |"):
        assert needs(parsed, words) == header


def test_merged_cells_and_two_levels_name_a_section() -> None:
    rows = [
        "| 上海 | | |",
        "| 成人 | 成人 | 成人 |",
        "| 洗牙 | 9 | 8 |",
        "| 拔牙 | 7 | 6 |",
        "| 儿童 | | |",
        "| 补牙 | 5 | 4 |",
    ]
    parsed = parse_text("\n".join(["| 项目 | 普通 | 金卡 |", "|---|---|---|", *rows]))
    assert needs(parsed, "| 拔牙 | 7 | 6 |")[2:] == rows[:2]
    assert needs(parsed, "| 补牙 | 5 | 4 |")[2:] == ["| 儿童 | | |"]


def test_a_table_cut_from_its_header_has_sections() -> None:
    parsed = parse_text("| Crown | 300 |\n| Under 18 | |\n| Filling | 0 |")
    assert needs(parsed, "| Crown | 300 |") == []
    assert needs(parsed, "| Filling | 0 |") == ["| Under 18 | |"]


def test_statements_are_those_of_the_sentences() -> None:
    parsed = parse_text("It takes 5 days.\n\nNot in the EU.")
    assert [bool(statement.quantities) for statement in parsed.statements] == [True, False]
    assert [any(clause.denies for clause in statement.clauses) for statement in parsed.statements] == [False, True]


LINES = st.sampled_from(
    [
        "# H",
        "## 标题：",
        "- item:",
        "  - 内。二",
        "1. one",
        "一、甲",
        "| a. b | c |",
        "|---|---|",
        "| a | |",
        "Why?",
        "- 几？",
        "```",
        "~~~",
        "text.",
        "",
    ]
)


@pytest.mark.slow
@given(st.lists(LINES | st.text(alphabet="ab1.:?|#-`：。 \n中", max_size=12), max_size=14).map("\n".join))
def test_readings_cover_the_text_and_point_backwards(text: str) -> None:
    parsed = parse_text(text)
    position = 0
    for block in parsed.blocks:
        assert position <= block.start < block.end <= len(text)
        assert not text[position : block.start].strip()
        assert all(block.start <= cell.start <= cell.end <= block.end for cell in block.cells)
        position = block.end
    assert not text[position:].strip()
    ends = {span.end for span in split_sentences(text)}
    position = 0
    for place, sentence in enumerate(parsed.sentences):
        assert not text[position : sentence.span.start].strip()
        assert sentence.span.end in ends
        assert parsed.blocks[sentence.block].start <= sentence.span.start
        assert all(0 <= needed < place for needed in (*sentence.needs, *sentence.headings))
        position = sentence.span.end
    assert not text[position:].strip()


def test_an_item_restricts_all_that_is_indented_below_it() -> None:
    text = "- Windows:\n\n  Press W.\n\n  ```sh\n  dir\n  ```\n\n  Restart.\n\n  1. Wait.\n\n  Done."
    parsed = parse_text(f"{text}\n- macOS:\n\n  Press C.")
    for words in ("Press W.", "Restart.", "1. Wait.", "Done."):
        assert needs(parsed, words) == ["- Windows:"]
    assert needs(parsed, "Press C.") == ["- macOS:"]


@pytest.mark.parametrize("following", ["1. After.", "- After.", "After."])
def test_an_item_with_content_restricts_nothing_behind_that(following: str) -> None:
    assert needs(parse_text(f"- macOS:\n\n  Press C.\n\n{following}"), following) == []


def test_an_item_without_content_restricts_the_list_right_below_it() -> None:
    parsed = parse_text("- macOS:\n1. Press C.\n2. Wait.")
    assert needs(parsed, "2. Wait.") == ["- macOS:"]


def test_a_paragraph_in_an_item_introduces_nothing_outside_of_the_item() -> None:
    parsed = parse_text("- Windows:\n\n  ```\n  dir\n  ```\n\n  Then:\n\n  1. Wait.\n- macOS:\n\n  Press C.")
    assert needs(parsed, "1. Wait.") == ["- Windows:", "Then:"]
    assert needs(parsed, "Press C.") == ["- macOS:"]
