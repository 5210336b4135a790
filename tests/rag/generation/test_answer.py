"""The reply, and the attempts where nothing supports it: one that quotes the documents, one with less to read."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from rag.errors import ModelTooSlow
from rag.generation.answer import QUOTED_PROBABILITY, AnswerRequest, generate_answer
from rag.protocols import GeneratedText, GenerationFinished, GenerationPart, Message
from rag.retrieval.filters import EVERYTHING, Filters
from rag.schema import Audience, Completed, Evidence, Language, TextSpan
from rag.settings import Settings
from rag.testing import ScriptedGenerator
from rag.tracing import Trace
from tests.support.passages import CHINESE_PASSAGE, RETURNS_PASSAGE

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


def saying_with_reasons(*in_turn: tuple[str, str]) -> Continuing:
    """Each reply has seven tokens and the reason why it ended."""
    waiting = list(in_turn)

    def script(messages: Sequence[Message]) -> list[GenerationPart | Exception]:
        text, reason = waiting.pop(0)
        return [GeneratedText(text), GenerationFinished(generated_tokens=7, reason=reason)]

    return Continuing(script)


QUESTION = "Can I send back a kettle from the sale?"


def answered(
    generator: ScriptedGenerator,
    question: str = QUESTION,
    *,
    evidence: Evidence = PASSAGE,
    further: Sequence[Evidence] = (),
    language: Language = "en",
    quotes: bool = False,
    is_doubtful: bool = False,
    quotation_probability: float = 0.0,
    filters: Filters = EVERYTHING,
) -> Completed:
    passages, never = (evidence, *further), threading.Event()
    request = AnswerRequest(question, language, False, passages, 0.9, 1, Trace(), never, is_doubtful=is_doubtful)
    request = replace(request, quotation_probability=quotation_probability, filters=filters)
    events = generate_answer(request, generator, Settings(quote_below_reply=quotes), None)
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


def test_what_is_said_not_to_be_found_is_not_made_up_beside_it() -> None:
    said = f"{OTHER} The courier to you costs USD 12."
    answer = answered(saying(said), "How many years of warranty does a kettle have? What does the courier cost?")
    assert answer.answer.text.startswith(f"{OTHER} Not found in our documents: “What does the courier cost”.")
    assert "12" not in answer.answer.text


TWO_THINGS = "How many years of warranty does a kettle have? What does the courier cost?"
COURIER = "The courier costs USD 12."
BOTH = f"{OTHER} {COURIER}"
WITH_COURIER = replace(PASSAGE, text=BOTH, end=len(BOTH), focus_end=len(BOTH), sent=(TextSpan(0, len(BOTH)),))


def test_a_figure_that_the_reply_leaves_open_is_asked_for_by_itself() -> None:
    generator = saying(OTHER, f"{COURIER} We have many shops on the moon.")
    completed = answered(generator, TWO_THINGS, evidence=WITH_COURIER)
    assert completed.answer.text == f"{OTHER}\n\n{COURIER}"  # of the second reply what is supported
    assert completed.answer.left_open == ()
    assert [citation.quote for citation in completed.answer.citations] == [OTHER, COURIER]
    asked = generator.calls[1][-1].content
    assert "Earlier question, already answered: How many years of warranty does a kettle have" in asked
    assert "Question: What does the courier cost" in asked


def test_what_was_said_is_not_said_again() -> None:
    completed = answered(saying(OTHER, BOTH), TWO_THINGS, evidence=WITH_COURIER)
    assert completed.answer.text == f"{OTHER}\n\n{COURIER}"


@pytest.mark.parametrize("further", ["The courier costs USD 99.", "The documents do not say.", ""])
def test_a_second_reply_that_brings_nothing_leaves_the_first(further: str) -> None:
    def script(messages: Sequence[Message]) -> list[GenerationPart | Exception]:
        if len(generator.calls) == 1:
            return [GeneratedText(OTHER)]
        return [GeneratedText(further)] if further else [ModelTooSlow(seconds=30)]

    generator = Continuing(script)
    answer = answered(generator, TWO_THINGS, evidence=WITH_COURIER).answer
    assert answer.text.startswith(f"{OTHER} Not found in our documents: “What does the courier cost”.")
    assert answer.left_open == ("What does the courier cost",)
    assert len(generator.calls) == 2


ISLANDS = "- Sending a parcel to the islands costs USD 12."
OPEN_FIGURE = "How many years of warranty does a kettle have? What does sending a parcel to the islands cost?"


def with_text(text: str, **changes: object) -> Evidence:
    end = len(text)
    return replace(PASSAGE, **{"text": text, "end": end, "focus_end": end, "sent": (TextSpan(0, end),), **changes})


def test_a_figure_that_the_reply_leaves_open_is_quoted_where_a_sentence_states_it() -> None:
    generator = saying(OTHER)
    answer = answered(generator, OPEN_FIGURE, evidence=with_text(f"{OTHER}\n\n{ISLANDS}")).answer
    assert answer.text == f'{OTHER}\n\nOur documents say: "{ISLANDS[2:]}"'
    assert [citation.quote for citation in answer.citations] == [OTHER, ISLANDS]
    assert (answer.left_open, answer.unsupported, len(generator.calls)) == ((), (), 1)


def test_another_figure_than_the_stated_one_makes_room_for_it() -> None:
    answer = answered(
        saying(f"{OTHER} Sending a parcel there costs USD 9."), OPEN_FIGURE, evidence=with_text(f"{OTHER}\n\n{ISLANDS}")
    ).answer
    assert answer.text == f'{OTHER}\n\nOur documents say: "{ISLANDS[2:]}"'


def test_of_several_questions_the_figures_are_quoted_instead_of_a_refusal() -> None:
    steel = "A new kettle of steel has two years of warranty."
    asked = (
        "How many years of warranty does a new kettle of steel have? What does sending a parcel to the islands cost?"
    )
    passage = with_text(f"{steel}\n\n{ISLANDS}")
    completed = answered(saying(MADE_UP, MADE_UP), asked, evidence=passage)
    assert completed.answer.text == f'Our documents say: "{steel}"\n\nOur documents say: "{ISLANDS[2:]}"'
    assert completed.stopped_by == ""
    alone = answered(saying(MADE_UP, MADE_UP), "What does sending a parcel to the islands cost?", evidence=passage)
    assert (alone.answer.refused, alone.stopped_by) == (True, "unsupported")


@pytest.mark.parametrize(
    ("text", "audience"),
    [
        (ISLANDS, "internal"),
        ("| To | costs | takes |\n|---|---|---|\n| Sending a parcel to the islands | USD 12 | 3 days |", "public"),
    ],
)
def test_what_cannot_be_quoted_is_pointed_at(text: str, audience: Audience) -> None:
    further = with_text(text, number=2, audience=audience)
    answer = answered(
        saying(OTHER, "The documents do not say."), OPEN_FIGURE, evidence=with_text(OTHER), further=[further]
    ).answer
    part = "What does sending a parcel to the islands cost"
    assert answer.left_open == (part,)
    assert answer.text == f"{OTHER} This reply does not cover “{part}”: please check passage 2, which may answer it."


def test_an_open_part_that_the_quotation_may_answer_is_not_said_to_be_missing() -> None:
    islands = "Parcels to the islands go by ship."
    passage = with_text(islands, number=2, document_id="islands.md", below_reply=(TextSpan(0, len(islands)),))
    asked = "How many years of warranty does a kettle have? How do parcels travel to the islands?"
    answer = answered(saying(OTHER), asked, evidence=with_text(OTHER), further=[passage], quotes=True).answer
    part = "How do parcels travel to the islands"
    pointed = f"This reply does not cover “{part}”: please check passage 2, which may answer it."
    assert answer.text == f"{OTHER}\n\nOur documents say:\n{islands}\n\n{pointed}"
    assert answer.left_open == (part,)


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


def test_the_tokens_of_all_attempts_are_counted() -> None:
    supported = answered(saying(MADE_UP, f'{RULE}" And', " items of the sale cannot be sent back."))
    assert (supported.generated_tokens, supported.prompt_tokens) == (2, 2)  # the quotation was broken off uncounted
    never_closed = answered(saying(MADE_UP, RULE[:-1]))
    assert (never_closed.answer.refused, never_closed.generated_tokens) == (True, 2)
    invented = answered(saying(MADE_UP, f'{OTHER}"', " you may choose a voucher with our compliments."))
    assert (invented.answer.refused, invented.generated_tokens) == (True, 2)


@pytest.mark.parametrize(("first", "second"), [("length", "stop"), ("stop", "length"), ("stop", "stop")])
def test_an_answer_of_two_replies_was_cut_if_one_was(first: str, second: str) -> None:
    script = saying_with_reasons((OTHER, first), (COURIER, second))
    completed = answered(script, TWO_THINGS, evidence=WITH_COURIER)
    assert completed.answer.text == f"{OTHER}\n\n{COURIER}"
    assert (completed.generated_tokens, completed.finish_reason == "stop") == (14, first == second == "stop")


def test_a_supported_second_attempt_is_whole_though_the_first_was_cut() -> None:
    generator = saying_with_reasons(
        (MADE_UP, "length"), (f'{RULE}" And', "stop"), (" items of the sale cannot be sent back.", "stop")
    )
    completed = answered(generator)
    assert (completed.answer.refused, completed.finish_reason) == (False, "stop")


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


STRETCH = TextSpan(TEXT.index(RULE), len(TEXT))
WITH_STRETCH = replace(PASSAGE, below_reply=(STRETCH,))


def test_at_last_the_model_reads_nothing_but_the_stretch_that_answers_best() -> None:
    answering = "Items that were reduced cannot be sent back."
    generator = saying(MADE_UP, RULE[:-1], answering)
    completed = answered(generator, evidence=WITH_STRETCH)
    assert (completed.answer.text, completed.answer.refused, completed.stopped_by) == (answering, False, "")
    assert (completed.draft, completed.generated_tokens) == (answering, 3)
    assert [citation.quote for citation in completed.answer.citations] == [RULE]
    first, last = generator.calls[0], generator.calls[2]
    assert [message.role for message in last] == ["system", "user"]
    assert RULE in last[-1].content
    assert OTHER not in last[-1].content
    assert last[-1].content.partition("(end of documents)")[2] == first[-1].content.partition("(end of documents)")[2]


def test_what_a_doubtful_search_found_is_not_quoted_for_a_conclusion() -> None:
    answering = "Items that were reduced cannot be sent back."
    generator = saying(MADE_UP, answering)
    assert answered(generator, evidence=WITH_STRETCH, is_doubtful=True).answer.text == answering
    assert [messages[-1].role for messages in generator.calls] == ["user", "user"]
    without_stretch = saying(MADE_UP)
    assert answered(without_stretch, is_doubtful=True).answer.refused
    assert len(without_stretch.calls) == 1


class StandIn(ScriptedGenerator):
    """Replies with its probability of "yes" where it is asked for yes or no, else with the text."""

    model = "stand-in:1.5b"

    def __init__(self, yes: float, text: str) -> None:
        super().__init__(self._reply)
        self._yes, self._text = yes, text

    def _reply(self, messages: Sequence[Message]) -> list[GenerationPart | Exception]:
        if not messages[-1].content.endswith("yes or no"):
            return [GeneratedText(self._text)]
        return [GenerationFinished(first_token=(("yes", self._yes), ("no", 1 - self._yes)))]


@pytest.mark.parametrize(
    ("yes", "is_doubtful", "calls", "stopped_by"),
    [(0.1, True, 1, "answerability"), (0.9, True, 2, ""), (0.1, False, 1, "")],
)
def test_only_if_the_search_is_doubtful_the_model_is_asked_before_it_writes(
    yes: float, is_doubtful: bool, calls: int, stopped_by: str
) -> None:
    generator = StandIn(yes, RULE)
    completed = answered(generator, is_doubtful=is_doubtful)
    assert (completed.answer.refused, completed.stopped_by) == (bool(stopped_by), stopped_by)
    assert len(generator.calls) == calls
    *asked, answering = generator.calls
    beginning = answering[-1].content.partition("(end of documents)")[0]
    assert all(messages[-1].content.startswith(beginning) for messages in asked)  # the prefix cache serves both


def test_a_model_whose_yes_nobody_has_measured_is_not_asked_before_it_writes() -> None:
    generator = StandIn(0.1, RULE)
    generator.model = "some-other:7b"
    assert answered(generator, is_doubtful=True).stopped_by == ""
    assert len(generator.calls) == 1


def test_a_last_attempt_that_nothing_supports_leaves_the_refusal() -> None:
    generator = saying(MADE_UP, RULE[:-1], "Yes, take it to any shop on the moon.")
    completed = answered(generator, evidence=WITH_STRETCH)
    assert (completed.answer.refused, completed.stopped_by, completed.draft) == (True, "unsupported", MADE_UP)
    assert (completed.generated_tokens, len(generator.calls)) == (3, 3)


@pytest.mark.parametrize(
    ("said", "changes", "is_quoted"),
    [
        (MADE_UP, {}, True),
        (MADE_UP, {"quotation_probability": QUOTED_PROBABILITY - 0.01}, False),
        (MADE_UP, {"filters": Filters(audience="public")}, False),
        (MADE_UP, {"quotes": False}, False),
        (MADE_UP, {"evidence": replace(WITH_STRETCH, audience="internal")}, False),
        ("The documents do not say.", {}, False),
    ],
    ids=["probable", "improbable", "public", "switched off", "internal", "denied"],
)
def test_a_refused_reply_gives_way_to_the_stretch_that_probably_answers(
    said: str, changes: dict[str, Any], is_quoted: bool
) -> None:
    asked = {"quotes": True, "quotation_probability": QUOTED_PROBABILITY, "evidence": WITH_STRETCH, **changes}
    completed = answered(saying(said, RULE[:-1], MADE_UP), **asked)
    answer = completed.answer
    assert (answer.refused, answer.replaces_reply) == (not is_quoted, is_quoted)
    assert completed.stopped_by == ("unsupported" if said == MADE_UP else "not_found")
    if is_quoted:
        words = TEXT[STRETCH.start : STRETCH.end]
        assert (answer.text, answer.quoted, answer.model, answer.instead_of) == (words, True, "scripted", "")
        assert [citation.quote for citation in answer.citations] == words.splitlines()


@pytest.mark.parametrize(
    ("question", "language", "stretch", "is_quoted"),
    [
        (
            "How much does the return of a sale kettle cost?",
            "en",
            "Sale kettles: a return by post is up to you.",
            False,
        ),
        ("How much does the return of a sale kettle cost?", "en", "The return of a sale kettle does cost EUR 9.", True),
        ("特价水壶退货运费多少钱？", "zh", "特价水壶可以退货，运费由买家承担。", False),
        ("特价水壶退货运费多少钱？", "zh", "特价水壶退货的运费是 9 元。", True),
    ],
)
def test_a_stretch_without_the_figure_that_is_asked_for_leaves_the_refusal(
    question: str, language: Language, stretch: str, is_quoted: bool
) -> None:
    whole = TextSpan(0, len(stretch))
    passage = replace(PASSAGE, text=stretch, end=len(stretch), language=language, sent=(whole,), below_reply=(whole,))
    made_up = MADE_UP if language == "en" else "您好，感谢您对我们店铺的喜爱与支持。"
    asked = {"quotes": True, "quotation_probability": 0.9, "evidence": passage, "language": language}
    answer = answered(saying(made_up, made_up, made_up), question, **asked).answer
    assert (answer.refused, answer.replaces_reply) == (not is_quoted, is_quoted)


def test_there_is_no_last_attempt_with_all_that_was_read_before() -> None:
    generator = saying(MADE_UP, RULE[:-1])
    completed = answered(generator, evidence=replace(PASSAGE, below_reply=PASSAGE.sent))
    assert (completed.answer.refused, len(generator.calls)) == (True, 2)


def test_a_model_that_does_not_go_on_from_a_beginning_gets_the_last_attempt() -> None:
    replies = iter([MADE_UP, RULE])
    generator = ScriptedGenerator(lambda messages: [GeneratedText(next(replies))])
    assert answered(generator, evidence=WITH_STRETCH).answer.text == RULE


MAIL = (
    "Dear team,\n\nmy name is Ada Brook, and my neighbours say that the red one whistles all night long. "
    f"My husband wants it gone before Monday, he sleeps badly. {QUESTION}\n\nBest wishes\nAda"
)


@pytest.mark.parametrize("question", [QUESTION, MAIL], ids=["a question", "the question of a mail"])
def test_a_reply_that_only_repeats_the_question_is_asked_for_again(question: str) -> None:
    generator = saying(QUESTION, f'{RULE}" And', " items of the sale cannot be sent back.")
    completed = answered(generator, question)
    assert completed.answer.text == f'Our documents say: "{RULE}" So items of the sale cannot be sent back.'
    assert answered(saying(QUESTION, RULE), question).answer.refused


@pytest.mark.parametrize("head", ["[1] Sale", "资料：[1] Sale", "Documents:\n[1] Sale (of 2026-05-20)"])
def test_passages_told_one_after_the_other_are_no_reply(head: str) -> None:
    generator = saying(f"{head}\n{TEXT}", f'{RULE}" And', " items of the sale cannot be sent back.")
    assert answered(generator).answer.text == f'Our documents say: "{RULE}" So items of the sale cannot be sent back.'


@pytest.mark.parametrize(
    ("reply", "is_asked_again"),
    [
        ("Sorry, but I can't assist with that.", True),
        ("Hello! Thank you for your question.", True),
        ("Which kettle do you have?", False),
        ("No.", False),
    ],
)
def test_a_reply_that_states_nothing_is_asked_for_again(reply: str, *, is_asked_again: bool) -> None:
    completed = answered(saying(reply, f'{RULE}" And', " items of the sale cannot be sent back."))
    assert completed.answer.text.startswith("Our documents say:") is is_asked_again
    assert not completed.answer.refused


def test_a_title_of_the_documents_is_no_question_to_the_customer() -> None:
    faq = replace(PASSAGE, title="Which kettle do you have?")
    completed = answered(
        saying("资料：Which kettle do you have?", f'{RULE}" And', " no items can be sent back."), evidence=faq
    )
    assert completed.answer.text == f'Our documents say: "{RULE}" So no items can be sent back.'


def test_what_a_title_asks_as_well_may_be_asked_back() -> None:
    faq = replace(PASSAGE, title="Which kettle do you have?")
    assert answered(saying("Which kettle?"), evidence=faq).answer.text == "Which kettle?"


def test_an_error_message_given_back_is_no_reply() -> None:
    pasted = f"E12 {OTHER}"
    completed = answered(saying(OTHER, f'{RULE}" And', " no items can be sent back."), pasted)
    assert completed.answer.text.startswith("Our documents say:")
    asked = answered(saying(OTHER), f"{OTHER.removesuffix('.')}, right?")
    assert asked.answer.text == OTHER


def test_a_reply_says_what_the_documents_state_and_not_that_they_do() -> None:
    completed = answered(saying(f"The documents clearly state that items{RULE.removeprefix('Items')}"))
    assert completed.answer.text == RULE
    assert completed.answer.citations


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
    elsewhere = "Reduced kettles come back to Canada against 25 EUR."
    assert answered(saying(elsewhere, elsewhere), evidence=evidence).stopped_by == "unsupported"


def test_a_reply_is_only_marked_where_the_best_passage_is_in_the_other_language() -> None:
    reply = "Whoever comes too late has to keep the goods."
    quoted = replace(CHINESE_PASSAGE, number=2, quoted=CHINESE_PASSAGE.sent)
    marked = answered(saying(reply), evidence=CHINESE_PASSAGE, further=[RETURNS_PASSAGE]).answer
    assert (marked.refused, marked.text, len(marked.unsupported)) == (False, reply, 1)
    assert answered(saying(reply, reply), evidence=RETURNS_PASSAGE, further=[quoted]).answer.refused


GERMAN = "Kann ich den Wasserkocher aus dem Angebot zurückgeben?"


def answered_in_german(*replies: str) -> tuple[Completed, ScriptedGenerator]:
    generator = saying(*replies)
    request = AnswerRequest(
        GERMAN, "en", False, (WITH_STRETCH,), 0.9, 1, Trace(), threading.Event(), third_language="de"
    )
    events = generate_answer(request, generator, Settings(), None)
    while True:
        try:
            next(events)
        except StopIteration as end:
            return end.value, generator


def test_a_german_reply_whose_words_cannot_be_compared_stands_and_is_marked() -> None:
    completed, generator = answered_in_german("Reduzierte Ware kann nicht zurückgegeben werden.")
    assert not completed.answer.refused
    assert completed.answer.unsupported
    assert (completed.answer.third_language, completed.answer.text_language) == ("de", "de")
    assert generator.calls[0][-1].content.endswith("in ein bis vier einfachen Sätzen.")


def test_figures_that_no_passage_has_are_refused_in_german() -> None:
    completed, generator = answered_in_german("Ja, innerhalb von 45 Tagen, das kostet 9 Euro.")
    assert completed.stopped_by == "unsupported"
    assert completed.answer.text.startswith("Die gefundenen Texte beantworten diese Frage nicht.")
    assert completed.answer.third_language == "de"
    assert len(generator.calls) == 1


def test_a_german_reply_that_finds_nothing_is_a_refusal() -> None:
    completed, _ = answered_in_german("Dazu enthalten die Unterlagen leider keine Informationen.")
    assert completed.stopped_by == "not_found"
    assert completed.answer.refused
