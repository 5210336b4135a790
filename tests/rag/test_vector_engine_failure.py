"""What an agent is told while the engine that has the vectors is away: evidence by words, a mark, and no refusal."""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from rag.cli.answer_printer import AnswerPrinter
from rag.errors import VectorEngineUnavailable
from rag.pipeline import Pipeline, Retrieves
from rag.protocols import GeneratedText, GenerationPart, Message
from rag.retrieval.filters import PLAIN_SEARCH, SearchOptions
from rag.reuse.cache import AnswerCache
from rag.schema import Completed, Event, Language, Retrieval, Retrieved
from rag.settings import Settings
from rag.testing import ScriptedGenerator, offline_parts
from rag.tracing import Trace

pytestmark = pytest.mark.slow

AWAY = VectorEngineUnavailable(server="engine.example:5432/vectors", reason="no answer within 2 seconds")
QUESTION = "How long can I send it back?"


class HalfSearch:
    """A retriever whose engine is away."""

    def __init__(self, whole: Retrieves) -> None:
        self._whole = whole

    def retrieve(
        self, question: str, language: Language, trace: Trace, options: SearchOptions = PLAIN_SEARCH
    ) -> Retrieval:
        return replace(self._whole.retrieve(question, language, trace, options), problem=AWAY)


def pipeline_of(folder: Path, generator: ScriptedGenerator | None = None, refusal_threshold: float = 0.0) -> Pipeline:
    parts = offline_parts(folder, generator=generator, refusal_threshold=refusal_threshold)
    return Pipeline(replace(parts, retriever=HalfSearch(parts.retriever)))


def events_until_error(pipeline: Pipeline) -> list[Event]:
    events: list[Event] = []
    with pytest.raises(VectorEngineUnavailable) as raised:
        for event in pipeline.stream(QUESTION):
            events.append(event)
    assert raised.value is AWAY
    return events


def test_an_answer_from_words_alone_says_so(tmp_path: Path) -> None:
    pipeline = pipeline_of(tmp_path)
    answer = pipeline.answer(QUESTION)
    assert not answer.refused
    assert answer.by_words_alone == "VectorEngineUnavailable"
    out = io.StringIO()
    printer = AnswerPrinter(out, "en", QUESTION, color=False)
    for event in pipeline.stream(QUESTION):
        printer.show(event)
    assert "found by words alone" in out.getvalue()


def test_a_quotation_says_so_too(tmp_path: Path) -> None:
    answer = pipeline_of(tmp_path).answer(QUESTION, quote="only")
    assert answer.by_words_alone == "VectorEngineUnavailable"


def test_half_a_search_refuses_nothing(tmp_path: Path) -> None:
    """That the documents do not hold an answer is not known: the evidence is shown, and the reason."""
    events = events_until_error(pipeline_of(tmp_path, refusal_threshold=1.0))
    assert [type(event) for event in events] == [Retrieved]


def test_nor_does_the_model_on_half_of_the_evidence(tmp_path: Path) -> None:
    def found_nothing(messages: Sequence[Message]) -> Sequence[GenerationPart]:
        return [GeneratedText("The documents do not say anything about this.")]

    events = events_until_error(pipeline_of(tmp_path, ScriptedGenerator(found_nothing)))
    assert isinstance(events[0], Retrieved)
    assert not any(isinstance(event, Completed) for event in events)


def test_it_is_not_given_again_once_the_engine_is_back(tmp_path: Path) -> None:
    pipeline = pipeline_of(tmp_path)
    *_, completed = pipeline.stream(QUESTION)
    assert isinstance(completed, Completed)
    cache = AnswerCache.of(Settings(data_dir=tmp_path), pipeline.parts.store)
    assert not cache.keep(QUESTION, None, (), completed)
