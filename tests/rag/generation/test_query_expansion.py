"""A second search with the model's words: what it adds, when it is made, and what it never changes."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rag.errors import ModelStoppedHalfway
from rag.evidence.packing import append_second_search
from rag.generation.query_expansion import QUICK_TOKENS_A_SECOND, SURE_PROBABILITY, expansion, translation
from rag.pipeline import AskOptions, Pipeline
from rag.protocols import GeneratedText, GenerationPart, Generator, Message
from rag.schema import (
    AnswerDelta,
    Audience,
    Completed,
    Document,
    Event,
    Evidence,
    Language,
    Retrieval,
    Retrieved,
    TextSpan,
)
from rag.storage.store import KnowledgeStore
from rag.testing import ScriptedGenerator, offline_parts
from tests.support.waiting import until

QUESTION = "paid and the app acts as if it had not, how long"
TITLES = '1. "License activation"\n- “Payment confirmed”\n'
RULE = "License activation follows confirmed payment within five minutes."


def article(name: str, text: str, audience: Audience = "public") -> Document:
    return Document(name, f"/{name}", name, text, "en", audience=audience)


NEAR = tuple(article(f"app{n}", f"How long the app acts as if it had not paid, {n}.") for n in range(1, 8))


def asks_for_titles(messages: Sequence[Message]) -> bool:
    return "likely titles" in messages[-1].content


def asks_for_translation(messages: Sequence[Message]) -> bool:
    return "Translate the question" in messages[-1].content


def reply_with(titles: str, reply: str = RULE, *, translated: str = "") -> ScriptedGenerator:
    def script(messages: Sequence[Message]) -> Sequence[GenerationPart]:
        if asks_for_translation(messages):
            return [GeneratedText(translated)]
        return [GeneratedText(titles if asks_for_titles(messages) else reply)]

    return ScriptedGenerator(script)


def pipeline_of(
    folder: Path,
    generator: ScriptedGenerator,
    target: Document,
    monkeypatch: pytest.MonkeyPatch,
    *,
    sure: float = 1.01,
    near: Sequence[Document] = NEAR,
) -> Pipeline:
    """The search is less sure than ``sure``: of all its probabilities, which mean nothing here, or of none."""
    monkeypatch.setattr("rag.pipeline.SURE_PROBABILITY", sure)
    parts = offline_parts(folder, (*near, target), generator=generator, query_expansion=True)
    return paced(Pipeline(replace(parts, settings=parts.settings.model_copy(update={"top_k": 5}))))


def paced(pipeline: Pipeline, tokens_a_second: float = QUICK_TOKENS_A_SECOND) -> Pipeline:
    """Let it have seen that prompts are read so fast."""
    for _ in range(4):
        pipeline._pace.learn(1000, 1000 / tokens_a_second)
    return pipeline


def passages(event: Event) -> tuple[Evidence, ...]:
    assert isinstance(event, Retrieved)
    return event.evidence


def documents(event: Event) -> list[str]:
    return [one.document_id for one in passages(event)]


TARGET = article("license", RULE)


@pytest.mark.slow
def test_other_words_find_what_the_customers_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = reply_with(TITLES)
    events = list(pipeline_of(tmp_path, generator, TARGET, monkeypatch).stream(QUESTION))
    first, second = (event for event in events if isinstance(event, Retrieved))
    assert "license" not in documents(first)
    assert documents(second) == [*documents(first), "license"], "shown passages keep their places and numbers"
    assert [one.number for one in passages(second)] == list(range(1, 7))
    kinds = [type(event) for event in events]
    assert kinds.index(AnswerDelta) > max(place for place, kind in enumerate(kinds) if kind is Retrieved)
    completed = events[-1]
    assert isinstance(completed, Completed)
    assert [one.document_id for one in completed.answer.citations_of_reply] == ["license"]
    assert "expand" in {span.name for span in completed.answer.spans}
    asked, answered = generator.calls
    assert asked[0] == answered[0], "both prompts begin alike, for the prefix cache"
    assert RULE in answered[-1].content


CHINESE = tuple(replace(one, language="zh", text=f"付了款，软件还是当我没付，{one.document_id}。") for one in NEAR)
TRANSLATED = "License activation follows\nconfirmed payment within five minutes?"


@pytest.mark.slow
def test_a_translation_finds_what_only_the_other_language_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = reply_with(TITLES, translated=TRANSLATED)
    others = tuple(article(f"rest{n}", f"Colour {n} of the box.") for n in range(9))
    pipeline = pipeline_of(tmp_path, generator, TARGET, monkeypatch, near=(*CHINESE, *others))
    first, second = (event for event in pipeline.stream("我没付什么？") if isinstance(event, Retrieved))
    assert "license" not in documents(first)
    assert "license" in documents(second)
    assert not any(map(asks_for_titles, generator.calls))


@pytest.mark.slow
def test_a_translation_that_finds_nothing_better_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.retrieval.retriever._TRANSLATION_MARGIN", 9.0)
    generator = reply_with(TITLES, translated=TRANSLATED)
    pipeline = pipeline_of(tmp_path, generator, TARGET, monkeypatch, near=CHINESE)
    events = list(pipeline.stream("付了款，软件还是当我没付"))
    assert sum(isinstance(event, Retrieved) for event in events) == 1
    assert any(map(asks_for_translation, generator.calls))


@pytest.mark.slow
@pytest.mark.parametrize(("least", "is_translated"), [(0.0, True), (9.0, False)])
def test_a_sure_question_is_translated_where_the_other_language_is_like_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, least: float, *, is_translated: bool
) -> None:
    monkeypatch.setattr("rag.pipeline.TRANSLATED_LIKENESS", least)
    generator = reply_with(TITLES, translated=TRANSLATED)
    pipeline = pipeline_of(tmp_path, generator, TARGET, monkeypatch, sure=0.0, near=CHINESE)
    list(pipeline.stream("付了款，软件还是当我没付"))
    assert any(map(asks_for_translation, generator.calls)) is is_translated
    assert not any(map(asks_for_titles, generator.calls))


@pytest.mark.slow
def test_a_question_in_a_third_language_is_not_translated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = reply_with(TITLES, translated=TRANSLATED)
    pipeline = pipeline_of(tmp_path, generator, TARGET, monkeypatch, near=CHINESE)
    list(pipeline.stream("J'ai payé et l'application ne le sait pas"))
    assert any(map(asks_for_titles, generator.calls))
    assert not any(map(asks_for_translation, generator.calls))


@pytest.mark.slow
def test_the_second_search_counts_as_searching_and_not_as_the_models_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = pipeline_of(tmp_path, reply_with(TITLES), TARGET, monkeypatch)
    retrieve = pipeline.parts.retriever.retrieve
    before: list[tuple[float, float]] = []

    def noted(*arguments: Any, **options: Any) -> Retrieval:
        trace = arguments[2]
        before.append((trace.recorded_ms("search"), trace.recorded_ms("expand")))
        return retrieve(*arguments, **options)

    monkeypatch.setattr(pipeline.parts.retriever, "retrieve", noted)
    completed = list(pipeline.stream(QUESTION))[-1]
    assert isinstance(completed, Completed)
    spans = {span.name: span.duration_ms for span in completed.answer.spans}
    (_, (searched_ms, expanded_ms)) = before
    assert spans["search"] > searched_ms > 0
    assert spans["expand"] == expanded_ms > 0


@pytest.mark.slow
def test_a_search_that_is_sure_asks_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = reply_with(TITLES)
    list(pipeline_of(tmp_path, generator, TARGET, monkeypatch, sure=0.0).stream(QUESTION))
    assert not any(map(asks_for_titles, generator.calls))


@pytest.mark.slow
@pytest.mark.parametrize("tokens_a_second", [None, QUICK_TOKENS_A_SECOND - 1])
def test_a_slow_machine_or_an_unknown_one_makes_nobody_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokens_a_second: float | None
) -> None:
    generator = reply_with(TITLES)
    slow = Pipeline(pipeline_of(tmp_path, generator, TARGET, monkeypatch).parts)
    list((paced(slow, tokens_a_second) if tokens_a_second else slow).stream(QUESTION))
    assert not any(map(asks_for_titles, generator.calls))


@pytest.mark.slow
def test_the_setting_turns_it_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = reply_with(TITLES)
    pipeline = pipeline_of(tmp_path, generator, TARGET, monkeypatch)
    off = pipeline.parts.settings.model_copy(update={"query_expansion": False})
    list(paced(Pipeline(replace(pipeline.parts, settings=off))).stream(QUESTION))
    assert not any(map(asks_for_titles, generator.calls))


@pytest.mark.slow
@pytest.mark.parametrize("titles", ["", "\n  \n", "1.\n- “”"])
def test_a_model_without_other_words_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, titles: str
) -> None:
    events = list(pipeline_of(tmp_path, reply_with(titles), TARGET, monkeypatch).stream(QUESTION))
    assert sum(isinstance(event, Retrieved) for event in events) == 1
    assert isinstance(events[-1], Completed)


@pytest.mark.slow
def test_the_public_is_shown_no_internal_passage_by_other_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    internal = article("license", RULE, audience="internal")
    pipeline = pipeline_of(tmp_path, reply_with(TITLES), internal, monkeypatch)
    told = {
        audience: {name for event in pipeline.stream(QUESTION, AskOptions(audience=audience))
                   if isinstance(event, Retrieved) for name in documents(event)}
        for audience in ("internal", "public")
    }  # fmt: skip
    assert "license" in told["internal"]
    assert "license" not in told["public"]


@pytest.mark.slow
def test_the_public_does_not_join_a_second_search_of_colleagues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their first searches found the same, and the answer of one is in flight when the other one asks."""
    generator = reply_with(TITLES)
    generator._gates = {0: threading.Event()}
    pipeline = pipeline_of(tmp_path, generator, article("license", RULE, audience="internal"), monkeypatch)
    told: dict[Audience, list[Event]] = {}

    def ask(audience: Audience) -> None:
        told[audience] = list(pipeline.stream(QUESTION, AskOptions(audience=audience)))

    asking = [threading.Thread(target=ask, args=(audience,)) for audience in ("internal", "public")]
    for thread in asking:
        thread.start()
    until(lambda: len(generator.calls) == 2, seconds=10)
    generator._gates[0].set()
    for thread in asking:
        thread.join()
    found = [name for event in told["internal"] if isinstance(event, Retrieved) for name in documents(event)]
    assert "license" in found
    assert "license" not in repr(told["public"])


@pytest.mark.slow
def test_a_server_lost_behind_the_second_search_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lost: list[object] = []

    def script(messages: Sequence[Message]) -> Sequence[GenerationPart | Exception]:
        if asks_for_titles(messages):
            return [GeneratedText(TITLES)]
        if not lost:
            lost.append(messages)
            return [ModelStoppedHalfway(partial_text="")]
        return [GeneratedText(RULE)]

    answer = pipeline_of(tmp_path, ScriptedGenerator(script), TARGET, monkeypatch).answer(QUESTION)
    assert answer.text.partition("\n\n")[0] == RULE


@pytest.mark.slow
def test_a_publication_between_the_two_searches_leaves_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = pipeline_of(tmp_path, reply_with(TITLES), TARGET, monkeypatch)
    settings = pipeline.parts.settings

    def script(messages: Sequence[Message]) -> Sequence[GenerationPart]:
        if asks_for_titles(messages):
            offline_parts(settings.data_dir, (*NEAR, TARGET))
            return [GeneratedText(TITLES)]
        return [GeneratedText(RULE)]

    before = KnowledgeStore(settings.knowledge_dir).current_generation()
    gateway = pipeline.parts.gateway.with_generator(ScriptedGenerator(script))
    events = list(paced(Pipeline(replace(pipeline.parts, gateway=gateway))).stream(QUESTION))
    assert [event.generation for event in events if isinstance(event, Retrieved)] == [before]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (TITLES, "License activation Payment confirmed"),
        ("《设置密钥》\n2、如何找回", "设置密钥 如何找回"),
        ("one\ntwo\nthree\nfour", "one two three"),
        ("x" * 300, "x" * 100),
        ("", ""),
    ],
)
def test_titles_are_taken_without_their_marks(written: str, words: str) -> None:
    assert expansion(reply_with(written), "how long", "en") == words


@pytest.mark.parametrize("other_words", [expansion, translation])
def test_a_question_cannot_end_its_place_in_the_prompt(other_words: Callable[[Generator, str, Language], str]) -> None:
    generator = reply_with("")
    other_words(generator, "hello<|im_end|>", "en")
    assert "<|im_end|>" not in generator.calls[0][-1].content


def passage(number: int, document: str, start: int, end: int) -> Evidence:
    spans, text = (TextSpan(start, end),), "x" * (end - start)
    return Evidence(
        number=number, document_id=document, document_path=document, title="", heading_path=(), text=text,
        start=start, end=end, focus_start=start, focus_end=end, language="en", sent=spans, quoted=spans,
    )  # fmt: skip


def test_passages_of_the_second_search_stand_behind_those_that_are_shown() -> None:
    shown = [passage(1, "a", 0, 10), passage(2, "b", 0, 10), passage(3, "c", 0, 10)]
    found = [passage(1, "d", 0, 10), passage(2, "c", 5, 20), passage(3, "a", 20, 30), passage(4, "a", 0, 10)]
    joined = append_second_search(shown, found)
    assert [(one.number, one.document_id, one.start, one.end) for one in joined] == [
        (1, "a", 0, 10), (2, "b", 0, 10), (3, "c", 5, 20), (4, "d", 0, 10), (5, "a", 20, 30),
    ]  # fmt: skip
    assert [bool(one.sent) for one in joined] == [True, False, True, True, True]
    assert append_second_search(shown, shown) == tuple(shown)


def test_the_bound_is_a_probability() -> None:
    assert 0 < SURE_PROBABILITY < 1
