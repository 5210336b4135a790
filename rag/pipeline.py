"""One question, as a stream of events.  Reads only: whoever asks keeps the turns.

    clean -> embed, search, enough? -> pack, choose sentences -> [Retrieved] -> wait for a slot -> draft, citations

Below the calibrated probability the answer is a refusal, and no model is called.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rag.answering.conflicts import newest_first
from rag.answering.curated import Served
from rag.answering.draft import Asked, draft, refusal
from rag.answering.evidence import PackingLimits, pack
from rag.answering.instructions import without_orders
from rag.answering.lanes import Lanes
from rag.answering.language import question_language
from rag.answering.prompt import build_messages
from rag.answering.question import clean_question, needs_thought, visible
from rag.answering.reader import Reading, ReadingFit, load_reading_fit, read
from rag.answering.selection import RankedSentences
from rag.errors import ModelStoppedHalfway, OllamaUnavailable, SettingsError
from rag.protocols import Generator
from rag.retrieval.filters import EVERYTHING, Filters
from rag.retrieval.follow_up import in_context, last_said, leans
from rag.schema import Answer, Completed, Event, Evidence, Language, Queued, Retrieval, Retrieved, TextSpan
from rag.serving.admission import Admission
from rag.serving.durations import Work
from rag.serving.line import Request
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.tracing import Trace

_LARGEST_TOP_K = 20


class Retrieves(Protocol):
    """What the pipeline needs of ``rag.retrieval.retriever.Retriever``."""

    def retrieve(
        self,
        question: str,
        language: Language,
        trace: Trace,
        *,
        earlier: Sequence[str] = (),
        filters: Filters = EVERYTHING,
    ) -> Retrieval:
        """Return the passages found, best first, and whether they can hold the answer."""


SentenceScorer = Callable[[Retrieval, str, Sequence[tuple[int, int]]], Sequence[float] | NDArray[np.float64] | None]


@dataclass(frozen=True, slots=True)
class PipelineParts:
    """What a pipeline is made of; ``rag.factory`` chooses them.

    ``count_tokens`` is the embedder's.  ``sentence_scores`` says how well spans of a document answer to the question of
    a retrieval: float64 [spans], or None (``rag/retrieval/sentence_similarity.py``).  ``reading_fit`` gives a model's
    fit, None where it is not to be asked whether the answer is there.  ``ensure_server`` starts the
    model server where that is possible and raises a ``ServingError`` where not; ``warm_ups`` are what ``Pipeline.warm``
    runs.  ``today`` tells which rules have expired.
    """

    settings: Settings
    store: KnowledgeStore
    retriever: Retrieves
    generator: Generator
    admission: Admission
    count_tokens: Callable[[str], int]
    sentence_scores: SentenceScorer = lambda retrieval, document_id, spans: None
    reading_fit: Callable[[str], ReadingFit | None] = load_reading_fit
    ensure_server: Callable[[], object] = lambda: None
    warm_ups: Sequence[Callable[[], object]] = ()
    today: Callable[[], date] = date.today
    lanes: Lanes | None = None


class Pipeline:
    """Answers questions from one knowledge base with one model.  Safe to use from many threads.

    ``for event in pipeline.stream("..."): ...`` or ``pipeline.answer("...").text``.
    """

    def __init__(self, parts: PipelineParts) -> None:
        self._parts = parts

    def start_model(self) -> str:
        """Start the model server where that is possible; return the name of the model that will answer.

        Raises a ``ServingError`` where there is no server or no model.
        """
        self._parts.ensure_server()
        return self._parts.generator.model

    @property
    def generation(self) -> int:
        """Number of the published knowledge-base generation; 0 where there is none."""
        return self._parts.store.current_generation()

    def warm(self) -> None:
        """Load what the first question would wait for; asks no model."""
        for warm_up in self._parts.warm_ups:
            warm_up()

    def answer(
        self,
        question: str,
        *,
        earlier: Sequence[str] = (),
        filters: Filters = EVERYTHING,
        think: bool | None = None,
        top_k: int | None = None,
        cancelled: threading.Event | None = None,
        fresh: bool = False,
    ) -> Answer:
        """Return the answer as a whole.  Arguments and errors are those of ``stream``."""
        for event in self.stream(
            question, earlier=earlier, filters=filters, think=think, top_k=top_k, cancelled=cancelled, fresh=fresh
        ):
            if isinstance(event, Completed):
                return event.answer
        raise AssertionError("a stream ends with Completed or an error")

    def stream(
        self,
        question: str,
        *,
        earlier: Sequence[str] = (),
        filters: Filters = EVERYTHING,
        think: bool | None = None,
        top_k: int | None = None,
        cancelled: threading.Event | None = None,
        owner: str = "",
        fresh: bool = False,
    ) -> Iterator[Event]:
        """Yield ``Retrieved``, ``Queued`` while others are served, the deltas, and ``Completed``.

        ``earlier`` are the conversation's earlier questions, oldest first: where the question leans on the last of
        them, that one is searched and read with it.  ``filters`` say which documents may be found.  ``think`` None
        leaves the choice to the settings; ``top_k`` in [1, 20] limits the passages found.  The line before the model is
        fair among ``owner``s; empty: this process.  ``fresh`` asks for an answer of the model's own, whatever is there
        already.  Setting ``cancelled``, or closing the iterator, frees the model
        within a quarter of a second.  Raises an ``AnswerdeskError``; what was yielded before stays valid, evidence
        above all.
        """
        trace, text = Trace(), self._cleaned(question)
        served = None if fresh or filters != EVERYTHING else self._served(text, earlier, trace)
        if served is not None:
            yield served.retrieved
            yield served.completed
            return
        asked, retrieval = self._asked(
            text, trace, earlier=earlier, filters=filters, think=think, top_k=top_k, cancelled=cancelled
        )
        answerable = retrieval.answerable and any(passage.sent for passage in asked.evidence)
        yield Retrieved(asked.evidence, answerable, retrieval.answerable_probability, retrieval.generation)
        if answerable:
            yield from self._queue_and_generate(asked, self._request(asked, owner, follows_up=bool(earlier)))
        else:
            yield Completed(refusal(asked))

    @property
    def parts(self) -> PipelineParts:
        """What it is made of."""
        return self._parts

    def limits(self, chunks: int | None = None) -> PackingLimits:
        """Return how much may be packed, of ``chunks`` of the ranking; None: of as many as the settings say."""
        settings = self._parts.settings
        limit = settings.top_k if chunks is None else chunks
        return PackingLimits(self._parts.count_tokens, settings.evidence_budget_tokens, limit, self._parts.today())

    def prepare(self, question: str, *, earlier: Sequence[str] = ()) -> tuple[Asked, Retrieval]:
        """Return all that is known before a model is asked; arguments and errors as for ``stream``."""
        return self._asked(self._cleaned(question), Trace(), earlier=earlier)

    def read(self, question: str, *, earlier: Sequence[str] = ()) -> Reading:
        """Ask the model only whether the passages found hold the answer; arguments and errors as for ``stream``."""
        asked, _ = self.prepare(question, earlier=earlier)
        with self._parts.admission.ticket(cancelled=asked.cancelled) as ticket:
            for _ in ticket.waits():
                pass
            self._parts.ensure_server()
            messages = build_messages(asked.question, asked.evidence, asked.language, asked.previous)
            found = read(self._parts.generator, messages, asked.language, asked.check_cancelled)
        return Reading(asked.language, asked.retrieval_probability, found.yes)

    def _cleaned(self, question: str) -> str:
        return without_orders(clean_question(question, self._parts.settings.question_limit_characters))

    def _served(self, text: str, earlier: Sequence[str], trace: Trace) -> Served | None:
        """Return an answer that is there already."""
        if self._parts.lanes is None:
            return None
        return self._parts.lanes.served(in_context(text, _previous(text, earlier)), question_language(text), trace)

    def _asked(
        self,
        text: str,
        trace: Trace,
        *,
        earlier: Sequence[str] = (),
        filters: Filters = EVERYTHING,
        think: bool | None = None,
        top_k: int | None = None,
        cancelled: threading.Event | None = None,
    ) -> tuple[Asked, Retrieval]:
        parts = self._parts
        limit = top_k if top_k is not None else parts.settings.top_k
        if not 1 <= limit <= _LARGEST_TOP_K:
            raise SettingsError(reason=f"top_k must be between 1 and {_LARGEST_TOP_K}, not {limit}")
        language = question_language(text)
        earlier = [visible(one) for one in earlier]
        retrieval = parts.retriever.retrieve(text, language, trace, earlier=earlier, filters=filters)
        previous = _previous(text, earlier)
        with trace.span("pack"):
            evidence = self._packed(in_context(text, previous), retrieval, limit)
        asked = Asked(
            question=text,
            previous=previous,
            language=language,
            think=self._is_to_think(text, think),
            evidence=evidence,
            retrieval_probability=retrieval.shipped_probability,
            generation=retrieval.generation,
            trace=trace,
            cancelled=cancelled or threading.Event(),
        )
        asked.check_cancelled()
        return asked, retrieval

    def _packed(self, question: str, retrieval: Retrieval, chunks: int) -> tuple[Evidence, ...]:
        parts = self._parts

        def scores(passage: Evidence, spans: Sequence[TextSpan]) -> Sequence[float] | None:
            found = parts.sentence_scores(retrieval, passage.document_id, [(span.start, span.end) for span in spans])
            return None if found is None else list(found)

        passages = newest_first(pack(retrieval, parts.store, self.limits(chunks)))
        ranked = RankedSentences(passages, question, scores, parts.count_tokens)
        budget, far_behind = parts.settings.prompt_evidence_tokens, parts.settings.prompt_evidence_deviations
        sent, quoted = ranked.to_send(budget, far_behind), ranked.to_quote()
        return tuple(replace(passage, sent=sent[at], quoted=quoted[at]) for at, passage in enumerate(passages))

    def _is_to_think(self, question: str, think: bool | None) -> bool:
        if think is not None:
            return think
        setting = self._parts.settings.thinking
        return needs_thought(question) if setting == "auto" else setting == "on"

    def _request(self, asked: Asked, owner: str, *, follows_up: bool) -> Request:
        """Say what the line may know: how long the prompt is behind its beginning, and whether there is a thought."""
        messages = build_messages(asked.question, asked.evidence, asked.language, asked.previous)
        return Request(Work(self._parts.count_tokens(messages[-1].content), asked.think), owner, follows_up)

    def _queue_and_generate(self, asked: Asked, request: Request) -> Iterator[Event]:
        waiting_since = time.perf_counter()
        with self._parts.admission.ticket(request, cancelled=asked.cancelled) as ticket:
            has_waited = False
            for wait in ticket.waits():
                has_waited = True
                yield Queued(wait.ahead, wait.wait_seconds)
            asked.trace.record("wait", _ms_since(waiting_since))
            if has_waited:
                yield Queued(0)
            yield from self._drafted(asked)

    def _drafted(self, asked: Asked) -> Iterator[Event]:
        """Draft; once more where the model was lost before its first word, for it is started again by then."""
        parts = self._parts
        for is_last in (False, True):
            parts.ensure_server()
            has_spoken = False
            try:
                for event in draft(asked, parts.generator, parts.settings, parts.reading_fit(parts.generator.model)):
                    has_spoken = True
                    yield event
                return
            except (ModelStoppedHalfway, OllamaUnavailable):
                if has_spoken or is_last:
                    raise


def _previous(text: str, earlier: Sequence[str]) -> str:
    """Return the question before, where this one may lean on it; else nothing."""
    return last_said([visible(one) for one in earlier]) if leans(text) else ""


def _ms_since(started_at: float) -> float:
    return (time.perf_counter() - started_at) * 1000
