"""The JSON of an answer is a promise to other programs."""

import json
from dataclasses import replace

import pytest
from pydantic import ValidationError

from rag.schema import Answer, Chunk, Citation, SpanTime, TextSpan

ANSWER = Answer(
    text="Within 7 days. Maybe.",
    language="en",
    refused=False,
    thinking="Look at [1].",
    citations=(Citation(0, 14, "returns/deadline.md", "returns/deadline.md", "within 7 days", 10, 23),),
    unsupported=(TextSpan(15, 21),),
    spans=(SpanTime("embed", 5.5),),
    model="deepseek-r1:1.5b",
    stand_in=False,
    generation=3,
)


def test_the_names_in_the_json_stay() -> None:
    value = ANSWER.to_json()
    assert list(value) == [
        "text",
        "language",
        "refused",
        "thinking",
        "citations",
        "unsupported",
        "spans",
        "model",
        "stand_in",
        "generation",
        "conflicts",
        "lane",
        "origin",
        "instead_of",
        "unconfirmed",
        "left_open",
        "third_language",
        "by_words_alone",
        "quotation",
    ]
    decoded = json.loads(json.dumps(value))
    assert list(decoded["citations"][0]) == [
        "start",
        "end",
        "document_id",
        "document_path",
        "quote",
        "quote_start",
        "quote_end",
        "heading",
        "condition",
    ]
    assert decoded["unsupported"] == [{"start": 15, "end": 21}]
    assert decoded["spans"] == [{"name": "embed", "duration_ms": 5.5}]


def test_an_answer_survives_the_round_trip() -> None:
    assert Answer.from_json(json.loads(json.dumps(ANSWER.to_json()))) == ANSWER


def test_something_else_is_refused() -> None:
    with pytest.raises(ValidationError):
        Answer.from_json({"text": "only this"})


@pytest.mark.parametrize(
    ("title", "headings", "expected"),
    [
        ("Refunds", ("Deadline",), "Refunds > Deadline\nWithin 7 days."),
        ("Refunds", ("Refunds",), "Refunds\nWithin 7 days."),
        ("", (), "Within 7 days."),
    ],
)
def test_the_title_and_headings_stand_before_the_passage(title: str, headings: tuple[str, ...], expected: str) -> None:
    chunk = Chunk("d", "d", title, headings, "Within 7 days.", 0, 14, 0, "en")
    assert chunk.embedded_text == expected


def test_an_answer_in_the_evidences_own_words_is_a_quotation() -> None:
    lines = Citation(0, 5, "a.md", "/a.md", "Free.", 10, 15), Citation(6, 14, "b.md", "/b.md", "30 days.", 0, 8)
    own = Answer("Free.\n30 days.", "en", False, "", lines, (), (), "m", False, 1)
    assert own.quoted
    assert not replace(own, text="Fees.\n30 days.").quoted
    assert not replace(own, text="Free.\n30 days. And more.").quoted
    assert not replace(own, citations=()).quoted
    assert Answer.from_json(own.to_json()).quoted
