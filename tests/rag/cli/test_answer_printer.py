import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pytest

from rag.cli.answer_printer import AnswerPrinter, printable, times_line
from rag.generation.refusal import refusal_text
from rag.grounding.citations import ground
from rag.schema import (
    Answer,
    AnswerDelta,
    Completed,
    Event,
    Evidence,
    Language,
    Queued,
    Retrieved,
    SpanTime,
    TextSpan,
    ThinkingDelta,
)

RULE = "You can send back any item within 30 days of delivery."
TEXT = "You have 30 days to send any item back. The fee is EUR 77. Hope this helps!"
PASSAGES = (
    Evidence(1, "a.md", "/kb/a.md", "Returns", (), RULE, 0, len(RULE), 0, len(RULE), "en", date(2026, 4, 1)),
    Evidence(2, "b.md", "/kb/b.md", "Old\x1b[31m", (), "x", 0, 1, 0, 1, "en", None, "internal", "", date(2026, 3, 31)),
)


def answer(text: str, *, refused: bool = False, model: str = "stand-in:1.5b") -> Answer:
    grounding = ground(text, PASSAGES)
    times = (SpanTime("wait", 0.0), SpanTime("total", 2345.6))
    citations = () if refused else grounding.citations
    unsupported = () if refused else grounding.unsupported
    return Answer(text, "en", refused, "", citations, unsupported, times, model, bool(model), 3)


def printed(events: Sequence[Event], *, language: Language = "en", color: bool = False) -> str:
    out = io.StringIO()
    printer = AnswerPrinter(out, language, "How long?", color=color)
    for event in events:
        printer.show(event)
    return out.getvalue()


def deltas(text: str, size: int = 3) -> list[Event]:
    return [AnswerDelta(text[start : start + size]) for start in range(0, len(text), size)]


@pytest.mark.parametrize(
    ("language", "words"), [("en", "[1] and [2] disagree: “{}” / “{}”"), ("zh", "[1] 与 [2] 说法不一：“{}” / “{}”")]
)
def test_passages_that_conflict_are_named(language: Language, words: str) -> None:
    other = replace(PASSAGES[0], number=2, document_id="c.md", text=RULE.replace("30", "14"), updated_on=None)
    shown = printed([Retrieved((PASSAGES[0], other), True, 0.9, 3)], language=language)
    assert words.format(RULE, other.text) in shown


def test_a_passage_is_shown_with_its_headings_and_the_first_ones_with_their_words() -> None:
    found = [replace(PASSAGES[0], number=number, heading_path=("Returns", f"Part {number}")) for number in (1, 2, 3, 4)]
    shown = printed([Retrieved(tuple(found), True, 0.9, 3)])
    assert f"[1] Returns › Part 1 (of 2026-04-01)\n      {RULE}\n" in shown
    assert shown.count(RULE) == 3
    assert "[4] Returns › Part 4" in shown


def test_an_answer_with_its_notes() -> None:
    shown = printed([Retrieved(PASSAGES, True, 0.9, 3), Queued(2, 4.2), *deltas(TEXT), Completed(answer(TEXT))])
    assert f"[1] Returns (of 2026-04-01)\n      {RULE}" in shown
    assert "[2] Old[31m (held until 2026-03-31; for staff only)" in shown
    assert "2 ahead, about 4 s" in shown
    assert "You have 30 days to send any item back. [1] The fee is EUR 77. [?] Hope this helps!\n" in shown
    assert f"[1] Returns - /kb/a.md\n      {RULE}" in shown
    assert "no passage says this" in shown
    assert "wait 0 ms · total 2.3 s | model stand-in:1.5b, generation 3" in shown
    assert "stand-in model" in shown


def test_how_the_pieces_are_cut_makes_no_difference() -> None:
    whole = printed([Retrieved(PASSAGES, True, 0.9, 3), AnswerDelta(TEXT), Completed(answer(TEXT))])
    for size in (1, 2, 7, 40):
        assert printed([Retrieved(PASSAGES, True, 0.9, 3), *deltas(TEXT, size), Completed(answer(TEXT))]) == whole


def test_a_thought_is_dimmed_where_color_is_allowed() -> None:
    events: list[Event] = [
        Retrieved(PASSAGES, True, 0.9, 3),
        ThinkingDelta("hm"),
        *deltas(TEXT),
        Completed(answer(TEXT)),
    ]
    assert "\x1b[2mhm\x1b[0m\n\n" in printed(events, color=True)
    assert "\x1b" not in printed(events)


def test_a_refusal_in_chinese_words() -> None:
    text = refusal_text(PASSAGES, "zh")
    events: list[Event] = [Retrieved(PASSAGES, False, 0.1, 3), Completed(answer(text, refused=True, model=""))]
    shown = printed(events, language="zh")
    assert "最接近的资料（不足以回答）" in shown
    assert "知识库中没有这个问题的答案。最接近的文章：《Returns》。" in shown
    assert "未调用模型" in shown
    assert "替代" not in shown


@pytest.mark.slow
def test_a_text_that_ends_otherwise_than_it_was_streamed_is_written_again() -> None:
    final = "You have 30 days to send any item back."
    shown = printed([Retrieved(PASSAGES, True, 0.9, 3), *deltas(f"{final} It is. It is."), Completed(answer(final))])
    assert shown.count(final) == 2
    assert f"\nChecked against the passages, the answer is:\n{final} [1]\n" in shown


def test_an_answer_without_its_preamble_is_not_written_again() -> None:
    final = "You have 30 days to send any item back."
    draft = f"The documents state that {final[0].lower()}{final[1:]}"
    shown = printed([Retrieved(PASSAGES, True, 0.9, 3), *deltas(draft), Completed(answer(final))])
    assert f"\n{draft} [1]\n" in shown
    assert "Checked against" not in shown


def test_only_what_is_added_to_an_answer_is_written_behind_it() -> None:
    draft, added = "You have 30 days to send any item back.", "Not found in our documents: “Is it free?”."
    shown = printed([Retrieved(PASSAGES, True, 0.9, 3), *deltas(draft), Completed(answer(f"{draft} {added}"))])
    assert f"\n{draft} [1] {added}" in shown
    assert shown.count(draft) == 1


def test_a_draft_that_became_a_refusal_is_told_from_it() -> None:
    text = refusal_text(PASSAGES, "zh")
    events: list[Event] = [
        Retrieved(PASSAGES, True, 0.9, 3),
        *deltas("运费 77 元。"),
        Completed(answer(text, refused=True)),
    ]
    assert f"\n与资料核对后，答复如下：\n{text}" in printed(events, language="zh")


def test_words_that_gave_way_to_a_quotation_are_said_to_have_done_so() -> None:
    quoted = answer(RULE)
    assert quoted.quoted
    shown: list[Event] = [Retrieved(PASSAGES, True, 0.9, 3), AnswerDelta("It costs EUR 77."), Completed(quoted)]
    lines = printed(shown).splitlines()
    at = lines.index("The passages do not support most of that. In their own words:")
    assert lines[at - 1].startswith("It costs EUR 77.")
    assert lines[at + 1] == f"{RULE} [1]"


def test_control_characters_never_reach_the_terminal() -> None:
    assert printable("a\x1b]0;title\x07b\u202ec\nd") == "a]0;titlebc\nd"


def test_the_times_without_a_model() -> None:
    assert times_line(answer("x", model=""), "en").endswith("| no model was asked, generation 3")


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "[!] this address is new in the knowledge base, and nobody has confirmed it: {}"),
        ("zh", "[!] 新出现的联系方式，尚未确认: {}"),
    ],
)
def test_a_sentence_with_an_address_that_nobody_confirmed_is_named(language: Language, words: str) -> None:
    marked = replace(answer(RULE), unconfirmed=(TextSpan(0, len(RULE)),))
    events = [Retrieved(PASSAGES, True, 0.9, 3), *deltas(RULE), Completed(marked)]
    assert words.format(RULE) in printed(events, language=language)
    assert "[!]" not in printed([*events[:-1], Completed(answer(RULE))], language=language)
