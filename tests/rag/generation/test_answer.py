"""The second attempt at a reply, where nothing supports the first: the documents' words, and what follows from them."""

import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest

from rag.generation.answer import AnswerRequest, generate_answer
from rag.protocols import GeneratedText, GenerationPart, Message
from rag.schema import Completed, Evidence, Language, TextSpan
from rag.settings import Settings
from rag.testing import ScriptedGenerator
from rag.tracing import Trace

RULE = "Items that were reduced in a sale cannot be sent back."
OTHER = "A kettle has two years of warranty."
TEXT = f"{OTHER} {RULE}"
PASSAGE = Evidence(1, "a", "a.md", "Sale", (), TEXT, 0, len(TEXT), 0, len(TEXT), "en", sent=(TextSpan(0, len(TEXT)),))
MADE_UP = "Yes, every customer may choose a voucher with our compliments."


class Continuing(ScriptedGenerator):
    """Goes on from what was begun for it, as Ollama's models do."""

    @property
    def continues_replies(self) -> bool:
        return True


def saying(*in_turn: str) -> Continuing:
    waiting = list(in_turn)

    def script(messages: Sequence[Message]) -> list[GenerationPart | Exception]:
        return [GeneratedText(piece) for piece in waiting.pop(0).partition(" ") if piece]

    return Continuing(script)


QUESTION = "Can I send back a kettle from the sale?"


def answered(
    generator: ScriptedGenerator,
    question: str = QUESTION,
    *,
    evidence: Evidence = PASSAGE,
    language: Language = "en",
) -> Completed:
    request = AnswerRequest(question, language, False, (evidence,), 0.9, 1, Trace(), threading.Event())
    events = generate_answer(request, generator, Settings(), None)
    while True:
        try:
            next(events)
        except StopIteration as end:
            assert isinstance(end.value, Completed)
            return end.value


def test_what_is_supported_is_not_asked_for_again() -> None:
    generator = saying("No, items that were reduced in a sale cannot be sent back.")
    assert not answered(generator).answer.refused
    assert len(generator.calls) == 1


def test_a_conclusion_from_a_true_quotation_stands() -> None:
    generator = saying(MADE_UP, f'{RULE}" And', " items of the sale cannot be sent back.")
    completed = answered(generator)
    assert completed.answer.text == f'Our documents say: "{RULE}" So items of the sale cannot be sent back.'
    assert (completed.answer.refused, completed.stopped_by) == (False, "")
    assert [citation.quote for citation in completed.answer.citations] == [RULE, RULE]
    begun = [messages[-1] for messages in generator.calls]
    assert [message.role for message in begun] == ["user", "assistant", "assistant"]
    assert begun[1].content == 'Our documents say: "'
    assert begun[2].content == f'Our documents say: "{RULE}" So'
    assert generator.closed == 3


@pytest.mark.parametrize(
    "further",
    [
        ['Items of the sale can be sent back for a voucher."'],
        [f"{RULE[:-1]}"],
        [f'{OTHER}"', " you may choose a voucher with our compliments."],
        [f'{OTHER}"', " the documents do not say it."],
    ],
    ids=[
        "not word for word",
        "never closed",
        "a conclusion that nothing supports",
        "a conclusion that it is not there",
    ],
)
def test_else_it_is_refused(further: list[str]) -> None:
    generator = saying(MADE_UP, *further)
    completed = answered(generator)
    assert (completed.answer.refused, completed.stopped_by) == (True, "unsupported")
    assert completed.draft == MADE_UP
    assert len(generator.calls) == 1 + len(further)


MAIL = (
    "Dear team,\n\nmy name is Ada Brook, and my neighbours say that the red one whistles all night long. "
    f"My husband wants it gone before Monday, he sleeps badly. {QUESTION}\n\nBest wishes\nAda"
)


@pytest.mark.parametrize("question", [QUESTION, MAIL], ids=["a question", "the question of a mail"])
def test_a_reply_that_only_asks_back_is_asked_for_again(question: str) -> None:
    generator = saying(QUESTION, f'{RULE}" And', " items of the sale cannot be sent back.")
    completed = answered(generator, question)
    assert completed.answer.text == f'Our documents say: "{RULE}" So items of the sale cannot be sent back.'
    assert answered(saying(QUESTION, RULE), question).answer.refused


def test_a_model_that_does_not_go_on_from_a_beginning_is_not_asked_again() -> None:
    generator = ScriptedGenerator(lambda messages: [GeneratedText(MADE_UP)])
    assert answered(generator).answer.refused
    assert len(generator.calls) == 1


def test_a_reply_with_figures_that_were_read_is_marked_instead() -> None:
    text = "Vouchers are worth EUR 25."
    evidence = replace(PASSAGE, text=text, end=len(text), focus_end=len(text), sent=(TextSpan(0, len(text)),))
    completed = answered(saying("Reduced kettles come back against 25 EUR."), evidence=evidence)
    assert (completed.answer.refused, completed.stopped_by) == (False, "")
    assert completed.answer.unsupported or completed.answer.citations
