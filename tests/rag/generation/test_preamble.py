"""What goes off a reply before it is judged, and what stays."""

from pathlib import Path

import pytest

from rag.generation.preamble import without_preamble
from rag.protocols import GeneratedText
from rag.testing import ScriptedGenerator, build_offline_pipeline

QUESTION = "How long can I send an item back?"
SENTENCE = "You can send back any item within 30 days of delivery."


@pytest.mark.slow
@pytest.mark.parametrize(
    "preamble",
    ["**Final Answer:** ", "Answer: ", f"{QUESTION}\n\n", f"**Question:** {QUESTION}\n**Reply:**\n", "回答："],
)
def test_a_preamble_goes_and_the_answer_is_cited_from_its_first_word(tmp_path: Path, preamble: str) -> None:
    def says(messages: object) -> list[GeneratedText]:
        return [GeneratedText(f"{preamble}{SENTENCE}")]

    answer = build_offline_pipeline(tmp_path, generator=ScriptedGenerator(says)).answer(QUESTION)
    assert answer.text == SENTENCE
    assert [(one.start, one.end) for one in answer.citations] == [(0, len(SENTENCE))]


@pytest.mark.parametrize(
    "reply",
    [
        "The answer is in two parts: first, 30 days.",
        "Shoes: 60 days. Books: 30 days.",
        "常见的情况如下：30 天内可退。",
        QUESTION,
        "**Answer:**",
        "1 < 2 and 3 > 2, so yes.",
    ],
)
def test_what_is_no_preamble_stays(reply: str) -> None:
    assert without_preamble(reply, QUESTION) == reply
