"""Ask every question in every arm, and save each answer before it is scored.

``own`` is the product's own way.  ``ceiling`` is the same model with the passage that holds the answer and nothing to
distract it, ``floor`` the model without any passage: so retrieval, packing and the model are blamed apart.  The last
two give the model's own words: nothing is refused or quoted in their place.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Generator as GeneratorObject
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

from pydantic import TypeAdapter

from eval.answers.metrics import gold_kind, is_right_reply
from eval.core.runs import ONE_QUESTION_ONLY, keep_asking
from ingest.golden import GoldenQuestion
from rag.evidence.packing import PackingLimits, pack
from rag.generation.gateway import Admitted, GenerationRequest, WatchedGenerator
from rag.generation.guard import Budget, GuardedReply, guard_reply
from rag.generation.prompt import build_messages, reply_prompt
from rag.grounding.citations import ground
from rag.pipeline import AskOptions, Pipeline, PipelineParts, Retrieves
from rag.protocols import GeneratedText, GeneratedThinking, GenerationFinished, GenerationPart, Generator, Message
from rag.queue.admission import Wait
from rag.retrieval.filters import PLAIN_SEARCH, SearchOptions
from rag.retrieval.question import may_be_follow_up, needs_thought
from rag.schema import (
    Answer,
    AnswerDelta,
    Chunk,
    Completed,
    Event,
    Evidence,
    Language,
    Retrieval,
    Retrieved,
    RetrievedChunk,
    TextSpan,
    ThinkingDelta,
)
from rag.text.language import question_language
from rag.tracing import Trace

Arm = Literal["own", "ceiling", "floor"]
ARMS: tuple[Arm, ...] = ("own", "ceiling", "floor")
Context = Literal["own", "top5"]

WHOLE_CHUNKS = 5
_NO_LIMIT_TOKENS = 100_000
_NO_LIMIT_SECONDS = 604_800.0
_FLOOR: Mapping[Language, str] = {
    "en": "You answer customers. Answer the question in one or two sentences, in English.",
    "zh": "你是客服。请用一两句简体中文回答问题。",
}

NO_PASSAGE = "NoGoldPassage"
"""The error of a question whose own passage is not in the knowledge base, so that it has no ceiling."""


class Asks(Protocol):
    """One way of asking: yields the events of one answer."""

    def __call__(self, question: GoldenQuestion, *, think: bool | None) -> Iterator[Event]:
        """Yield ``Retrieved``, the deltas and ``Completed``."""


class MeteredGenerator(WatchedGenerator):
    """Passes everything on, and keeps what each request since ``start`` cost."""

    def __init__(self, generator: Generator) -> None:
        super().__init__(generator, self._keep)
        self.finished: list[GenerationFinished] = []

    def start(self) -> None:
        """Forget the requests so far."""
        self.finished = []

    def _keep(self, part: GenerationPart) -> None:
        if isinstance(part, GenerationFinished):
            self.finished.append(part)


class WatchedRetriever:
    """Passes everything on, and keeps the documents of the last retrieval, best first."""

    def __init__(self, retriever: Retrieves) -> None:
        self._retriever = retriever
        self.documents: tuple[str, ...] = ()

    def start(self) -> None:
        """Forget the last retrieval."""
        self.documents = ()

    def retrieve(
        self, question: str, language: Language, trace: Trace, options: SearchOptions = PLAIN_SEARCH
    ) -> Retrieval:
        """Return what the retriever returns."""
        found = self._retriever.retrieve(question, language, trace, options)
        self.documents = tuple(dict.fromkeys(one.chunk.document_id for one in found.chunks))
        return found


def with_context(parts: PipelineParts, context: Context) -> PipelineParts:
    """Return the parts of a pipeline that sends the ``context``: chosen sentences, or five whole chunks."""
    if context == "own":
        return parts
    settings = parts.settings.changed(
        top_k=WHOLE_CHUNKS,
        evidence_budget_tokens=_NO_LIMIT_TOKENS,
        prompt_evidence_tokens=_NO_LIMIT_TOKENS,
        prompt_evidence_seconds=_NO_LIMIT_SECONDS,
        prompt_evidence_most_tokens=_NO_LIMIT_TOKENS,
    )
    return replace(parts, settings=settings)


def _ask_own(pipeline: Pipeline, question: GoldenQuestion, *, think: bool | None) -> Iterator[Event]:
    """Ask the product's pipeline."""
    options = AskOptions([question.previous], think=think, reader_language=question.language)
    return pipeline.stream(question.question, options)


def _ask_model_alone(
    parts: PipelineParts, has_passage: bool, question: GoldenQuestion, *, think: bool | None
) -> Iterator[Event]:
    """Ask the model with its passages or without any; no events where the passage is not in the knowledge base."""
    trace = Trace()
    generation = parts.store.require_generation()
    evidence = gold_evidence(question, parts, generation) if has_passage else ()
    if has_passage and not evidence:
        return
    text, language = question.question, question_language(question.question)
    previous = question.previous if may_be_follow_up(text) else ""
    together = f"{previous}\n{text}".strip()
    yield Retrieved(evidence, True, 1.0, generation)
    messages = reply_prompt(build_messages(text, evidence, language, previous), text, language)
    if not has_passage:
        messages = [Message("system", _FLOOR[language]), Message("user", together)]
    budget = Budget(parts.settings.thinking_budget_tokens, parts.settings.answer_budget_tokens)
    is_to_think = needs_thought(question.question) if think is None else think

    def run(generator: Generator) -> GeneratorObject[GeneratedThinking | GeneratedText | GuardedReply, None, None]:
        yield from guard_reply(generator, messages, think=is_to_think, language=language, budget=budget)

    guarded: GuardedReply | None = None
    for part in parts.gateway.generate(GenerationRequest(run)):
        if isinstance(part, GuardedReply):
            guarded = part
        elif not isinstance(part, Wait | Admitted) and part.text:
            yield AnswerDelta(part.text) if isinstance(part, GeneratedText) else ThinkingDelta(part.text)
    assert guarded is not None  # guard_reply ends with it or raises
    grounding = ground(guarded.text, evidence, together)
    trace.record("total", trace.elapsed_ms())
    yield Completed(
        Answer(
            text=guarded.text,
            language=language,
            refused=False,
            thinking=guarded.thinking,
            citations=grounding.citations,
            unsupported=grounding.unsupported,
            spans=trace.spans(),
            model=parts.gateway.generator.model,
            stand_in=parts.gateway.generator.stand_in,
            generation=generation,
        )
    )


def gold_evidence(question: GoldenQuestion, parts: PipelineParts, generation: int) -> tuple[Evidence, ...]:
    """Return the passages of the relevant documents, those that hold the answer first, all whole.

    As many as the product would show.  None where no relevant document is in the knowledge base.
    """
    chunks = [chunk for name in question.relevant for chunk in parts.store.document_chunks(name, generation)]
    ordered = sorted(chunks, key=lambda chunk: not _holds_answer(question, chunk))
    retrieval = Retrieval(tuple(RetrievedChunk(chunk, 0.0) for chunk in ordered), 1.0, True, generation)
    limits = PackingLimits(parts.count_tokens, parts.settings.evidence_budget_tokens, len(ordered), parts.today())
    return tuple(
        replace(passage, sent=(TextSpan(passage.start, passage.end),))
        for passage in (pack(retrieval, parts.store, limits) if ordered else ())
    )


def _holds_answer(question: GoldenQuestion, chunk: Chunk) -> bool:
    if question.quote:
        return question.quote in chunk.text
    return gold_kind(question) != "entry" and is_right_reply(question, chunk.text)


def arm(name: Arm, parts: PipelineParts, context: Context) -> Asks:
    """Return one way of asking."""
    if name == "own":
        return partial(_ask_own, Pipeline(with_context(parts, context)))
    return partial(_ask_model_alone, parts, name == "ceiling")


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """``prompt`` of the last request, ``generated`` by all of them, both by the model; ``evidence`` by the embedder.

    Evidence counts what of the passages was sent, without titles, examples and instructions.
    """

    prompt: int = 0
    generated: int = 0
    evidence: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """The outcome of one question.  Times are milliseconds since it was asked; None where that moment never came.

    ``found_documents`` are the ids in the order of the ranking, ``evidence_documents`` in that of the evidence, and
    ``sent_documents`` those of which the model read something: ``sent``.  ``error`` is the error's class name.
    """

    question_id: str
    answer: Answer | None
    error: str
    evidence_documents: tuple[str, ...]
    answerable_probability: float
    evidence_ms: float | None
    first_token_ms: float | None
    first_answer_ms: float | None
    total_ms: float
    arm: Arm = "own"
    found_documents: tuple[str, ...] = ()
    sent_documents: tuple[str, ...] = ()
    sent: str = ""
    tokens: TokenCounts = TokenCounts()


RECORDS = TypeAdapter(Record)


@dataclass(frozen=True, slots=True)
class Instruments:
    """The instruments of a run: they count the requests to the model, and note the documents of a retrieval."""

    meter: MeteredGenerator
    retriever: WatchedRetriever
    count_tokens: Callable[[str], int]


def ask(
    asks: Asks, question: GoldenQuestion, *, think: bool | None, instruments: Instruments, arm: Arm = "own"
) -> Record:
    """Ask one question.  An error of this question alone is recorded; an error of the surroundings is raised."""
    instruments.meter.start()
    instruments.retriever.start()
    started_at = time.perf_counter()
    times: dict[str, float] = {}
    evidence: tuple[Evidence, ...] = ()
    probability, answer, error = 0.0, None, ""

    def mark(name: str) -> None:
        times.setdefault(name, (time.perf_counter() - started_at) * 1000)

    try:
        for event in asks(question, think=think):
            match event:
                case Retrieved():
                    mark("evidence")
                    evidence, probability = event.evidence, event.answerable_probability
                case ThinkingDelta():
                    mark("first_token")
                case AnswerDelta():
                    mark("first_token")
                    mark("first_answer")
                case Completed():
                    answer = event.answer
    except ONE_QUESTION_ONLY as raised:
        error = type(raised).__name__
    mark("total")
    sent = "\n".join(passage.sent_text for passage in evidence if passage.sent)
    return Record(
        question_id=question.question_id,
        answer=answer,
        error=error if error or answer is not None else NO_PASSAGE,
        evidence_documents=_distinct_documents(evidence),
        answerable_probability=probability,
        evidence_ms=times.get("evidence"),
        first_token_ms=times.get("first_token"),
        first_answer_ms=times.get("first_answer"),
        total_ms=times["total"],
        arm=arm,
        found_documents=instruments.retriever.documents,
        sent_documents=_distinct_documents([passage for passage in evidence if passage.sent]),
        sent=sent,
        tokens=_token_counts(instruments, sent),
    )


def run(
    arms: Mapping[Arm, Asks],
    questions: Sequence[GoldenQuestion],
    records_path: Path,
    instruments: Instruments,
    *,
    think: bool | None,
    progress: Callable[[Record], None] = lambda record: None,
) -> tuple[Record, ...]:
    """Ask what ``records_path`` does not hold yet, one JSONL line a question and arm; return all records in order.

    A question is asked in all arms before the next one, so that an interrupted run compares the same questions.
    """

    def ask_one(item: tuple[Arm, GoldenQuestion]) -> Record:
        name, question = item
        return ask(arms[name], question, think=think, instruments=instruments, arm=name)

    items = [((name, question.question_id), (name, question)) for question in questions for name in arms]
    records = keep_asking(
        records_path, RECORDS, items, ask_one, lambda record: (record.arm, record.question_id), progress
    )
    return tuple(records)


def _distinct_documents(evidence: Sequence[Evidence]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(passage.document_id for passage in evidence))


def _token_counts(instruments: Instruments, sent: str) -> TokenCounts:
    finished = instruments.meter.finished
    return TokenCounts(
        prompt=finished[-1].prompt_tokens if finished else 0,
        generated=sum(one.generated_tokens for one in finished),
        evidence=instruments.count_tokens(sent) if finished and sent else 0,
    )
