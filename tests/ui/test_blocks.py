"""Answers become blocks and runs; nothing is lost, nothing is interpreted that is not known."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.schema import Answer, Evidence, TextSpan
from tests.ui.scenes import WORDS, complete_answer, evidence
from ui.blocks import (
    Mark,
    PassageBlock,
    PassageRun,
    Run,
    Sentence,
    answer_blocks,
    judged_sentences,
    passage_blocks,
    plain_text,
)

TABLE = "| Where | Fee |\n| --- | --- |\n| UK | free |\n| EU | EUR 4.95 |"
TEXT = f"## Fees\n\n{TABLE}\n\nTwo lines\nof one.\n- first\n2. second"


def test_a_real_answer_in_paragraphs_and_a_list() -> None:
    answer = complete_answer("en")
    sentences = judged_sentences(answer, evidence("en"))
    blocks = answer_blocks(answer.text, sentences)
    assert [block.kind for block in blocks] == ["p", "ul", "p"]
    assert len(blocks[1].items) == 2
    first = blocks[0].items[0]
    assert Run("30 days of delivery", bold=True, sentence=0) in first
    assert "".join(run.text for run in blocks[1].items[1]) == WORDS["en"].unsupported[0]


def test_sentences_know_their_passages_and_come_in_reading_order() -> None:
    answer = complete_answer("zh")
    sentences = judged_sentences(answer, evidence("zh"))
    assert [sentence.numbers for sentence in sentences] == [(1,), (2,), (), (3,)]
    assert [sentence.unsupported for sentence in sentences] == [False, False, True, False]
    assert all(sentence.text == answer.text[sentence.start : sentence.end] for sentence in sentences)


def test_a_sentence_with_an_address_that_nobody_confirmed_is_told_with_its_citations() -> None:
    answer = complete_answer("en")
    first = answer.citations[0]
    marked = replace(answer, unconfirmed=(TextSpan(first.start, first.end),))
    sentences = judged_sentences(marked, evidence("en"))
    assert [sentence.index for sentence in sentences if sentence.unconfirmed] == [0]
    assert sentences[0].numbers == (1,)
    assert judged_sentences(replace(answer, citations=(), unsupported=(), unconfirmed=(TextSpan(0, 5),)), ())[
        0
    ].unconfirmed


def test_several_citations_of_one_sentence_are_one_sentence() -> None:
    answer = complete_answer("en")
    twice = Answer.from_json({**answer.to_json(), "citations": [*answer.to_json()["citations"]] * 2})  # type: ignore[misc]
    assert judged_sentences(twice, evidence("en")) == judged_sentences(answer, evidence("en"))


def test_headings_numbers_code_and_unknown_markup() -> None:
    text = "## Steps\n3. Press `OK`\n4. Wait\n\n```\n**kept**\n```\n[link](http://x) ![i](y) <b>"
    blocks = answer_blocks(text, ())
    assert [(block.kind, block.first_number) for block in blocks] == [("p", 1), ("ol", 3), ("code", 1), ("p", 1)]
    assert blocks[0].items[0] == (Run("Steps", bold=True),)
    assert blocks[1].items[0] == (Run("Press "), Run("OK", code=True))
    assert blocks[2].items == ((Run("**kept**"),),)
    assert "".join(run.text for run in blocks[3].items[0]) == "[link](http://x) ![i](y) <b>"


def test_a_fence_is_a_line_of_its_own_and_its_word_names_the_language() -> None:
    blocks = answer_blocks("```OK``` press\n```bash\nls\n```sh\n```\nDone", ())
    assert [(block.kind, block.language) for block in blocks] == [("p", ""), ("code", "bash"), ("p", "")]
    assert blocks[0].items[0] == (Run("OK", code=True), Run(" press"))
    assert blocks[1].items == ((Run("ls"),), (Run("```sh"),))
    assert plain_text("```OK``` press\n```bash\n**ls**\n```") == "OK press\n**ls**"


def test_plain_text_is_what_a_customer_reads() -> None:
    assert plain_text("# Refunds\n**Refunds** take `7` days.\n```\ncode\n```") == "Refunds\nRefunds take 7 days.\ncode"


LINES = st.lists(st.text(alphabet="ab *`#-1.)\t退。", max_size=12), max_size=8)


@pytest.mark.slow
@given(LINES, st.data())
def test_runs_read_together_give_the_text_and_every_sentence_is_whole(lines: list[str], data: st.DataObject) -> None:
    text = "\n".join(lines)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    sentence = Sentence(index=0, start=start, end=end, text=text[start:end])
    blocks = answer_blocks(text, (sentence,))
    runs = [run for block in blocks for item in block.items for run in item]
    drawn = "".join(block.language + "".join(run.text for item in block.items for run in item) for block in blocks)
    assert [character for character in drawn if character in "ab退。"] == [
        character for character in text if character in "ab退。"
    ]
    inside = "".join(run.text for run in runs if run.sentence == 0)
    assert set(inside) <= set(text[start:end])


def test_marks_inside_a_line_are_words_and_lists_are_those_of_documents() -> None:
    assert plain_text("按 # 键两次\n## 步骤") == "按 # 键两次\n步骤"
    blocks = answer_blocks("· 退货\n– 换货\n\n100. 等待\n\n（1）先寄回", ())
    assert [(block.kind, block.first_number, len(block.items)) for block in blocks] == [
        ("ul", 1, 2),
        ("ol", 100, 1),
        ("p", 1, 1),
    ]
    assert blocks[2].items[0][0].text == "（1）先寄回", "a mark that a browser cannot count stays as it is"


def test_code_ends_with_its_own_fence() -> None:
    code, after = answer_blocks("````sh title=a\n```\n# no heading\n````\nDone", ())
    assert (code.kind, code.language) == ("code", "sh")
    assert [item[0].text for item in code.items] == ["```", "# no heading"]
    assert after.kind == "p"


def passage(text: str, start: int = 100, focus: tuple[int, int] | None = None) -> Evidence:
    focus_start, focus_end = focus or (start, start + len(text))
    return Evidence(
        number=1,
        document_id="fees.md",
        document_path="fees.md",
        title="Fees",
        heading_path=("Fees",),
        text=text,
        start=start,
        end=start + len(text),
        focus_start=focus_start,
        focus_end=focus_end,
        language="en",
    )


def words(block: PassageBlock) -> list[list[str]]:
    return [["".join(run.text for run in cell) for cell in row] for row in block.rows]


def test_headings_tables_paragraphs_and_items() -> None:
    heading, table, text, first, second = passage_blocks(passage(TEXT), ())
    assert (heading.kind, words(heading)) == ("heading", [["Fees"]])
    assert (table.kind, table.has_head) == ("table", True)
    assert words(table) == [["Where", "Fee"], ["UK", "free"], ["EU", "EUR 4.95"]]
    assert (text.kind, words(text)) == ("text", [["Two lines\nof one."]])
    assert [(item.kind, item.marker, words(item)) for item in (first, second)] == [
        ("item", "•", [["first"]]),
        ("item", "2.", [["second"]]),
    ]


def test_a_passage_that_begins_inside_a_table_has_the_head_that_its_headings_name() -> None:
    inside = passage("| UK | free |\n| EU | EUR 4.95 |")
    rows = [["UK", "free"], ["EU", "EUR 4.95"]]
    (table,) = passage_blocks(inside, ())
    assert (table.has_head, words(table)) == (False, rows)
    (table,) = passage_blocks(replace(inside, heading_path=("Fees", "Where | Fee")), ())
    assert (table.has_head, words(table)) == (True, [["Where", "Fee"], *rows])
    (text,) = passage_blocks(replace(passage("Free."), heading_path=("Fees", "Where | Fee")), ())
    assert (text.kind, words(text)) == ("text", [["Free."]])


def test_a_quotation_over_a_row_marks_its_cells() -> None:
    row = "| EU | EUR 4.95 |"
    start = 100 + TEXT.index(row)
    table = passage_blocks(passage(TEXT), [Mark(start, start + len(row), 4)])[1]
    assert [[run.sentences for cell in line for run in cell] for line in table.rows] == [
        [(), ()],
        [(), ()],
        [(4,), (4,)],
    ]


def test_marks_and_focus_cut_the_text() -> None:
    text = "One two three."
    (block,) = passage_blocks(passage(text, focus=(104, 114)), [Mark(104, 107, 0), Mark(104, 114, 2)])
    assert block.rows[0][0] == (
        PassageRun("One ", False),
        PassageRun("two", True, (0, 2)),
        PassageRun(" three.", True, (2,)),
    )


def test_an_empty_cell_is_kept() -> None:
    (table,) = passage_blocks(passage("| a |  | c |"), ())
    assert words(table) == [["a", "", "c"]]


@pytest.mark.slow
@given(st.text(alphabet="éñ|-# \n1.•", max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_no_letter_is_lost_or_marked_wrongly(text: str, one: int, other: int) -> None:
    start, end = sorted((min(one, len(text)), min(other, len(text))))
    blocks = passage_blocks(passage(text), [Mark(100 + start, 100 + end, 0)])
    runs = [run for block in blocks for row in block.rows for cell in row for run in cell]
    assert [letter for run in runs for letter in run.text if letter in "éñ"] == [c for c in text if c in "éñ"]
    marked = [letter for run in runs if run.sentences for letter in run.text if letter in "éñ"]
    assert marked == [letter for letter in text[start:end] if letter in "éñ"]


def test_list_marks_are_those_of_the_prompt_and_code_has_no_headings() -> None:
    blocks = passage_blocks(passage("1、退货\na. 1\n一、政策\n· 换货\n100. 等待\n```\n# install\n- x\n```"), ())
    assert [(block.kind, block.marker) for block in blocks] == [
        ("item", "1、"),
        ("item", "a."),
        ("item", "一、"),
        ("item", "•"),
        ("item", "100."),
        ("code", ""),
    ]
    assert blocks[-1].plain_text == "# install\n- x"


def test_code_is_one_block_without_its_fences_and_marks_reach_into_it() -> None:
    text = "Run:\n```sh\nbw update\n\n  bw sync\n```\nDone."
    start = 100 + text.index("bw sync")
    before, code, after = passage_blocks(passage(text), [Mark(start, start + len("bw sync"), 3)])
    assert [block.kind for block in (before, code, after)] == ["text", "code", "text"]
    assert code.plain_text == "bw update\n\n  bw sync"
    assert [run.text for run in code.rows[0][0] if run.sentences] == ["bw sync"]


def test_what_follows_code_that_began_before_the_passage_is_no_code() -> None:
    text = '  "RetCode": 0\n}\n```\n## Next\n\n- Send **fewer**.'
    start = 100 + text.index("Send")
    blocks = passage_blocks(passage(text), [Mark(start, start + 4, 1)])
    assert [block.kind for block in blocks] == ["text", "heading", "item"]
    assert [run.text for run in blocks[-1].rows[0][0] if run.sentences] == ["Send"]
    assert [block.kind for block in passage_blocks(passage("Run:\n```sh\nbw sync"), ())] == ["text", "code"]


def test_a_row_without_its_last_bar_is_a_row() -> None:
    (table,) = passage_blocks(passage("| Where | Fee |\n|---|---|\n| UK | free"), ())
    assert words(table) == [["Where", "Fee"], ["UK", "free"]]
