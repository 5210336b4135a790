"""Why was this (not) found?  One question, from its words to the prompt; no model is asked.

Everything comes from the parts that answer: the retriever's search, the packing of passages, the choice of sentences.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rag.evidence.packing import PackedChunk, pack_chunks
from rag.generation.answer import AnswerRequest
from rag.generation.prompt import build_messages, reply_prompt
from rag.pipeline import Pipeline
from rag.protocols import Message
from rag.retrieval.inspection import ChunkTrace, TermUse, inspect
from rag.retrieval.retriever import Retriever
from rag.schema import Chunk, Evidence, Language, Retrieval, TextSpan

ChunkStatus = Literal["sent", "shown", "repeats", "no_room", "beyond", "not_kept", "not_compared", "not_found"]
"""The fates of a chunk, from best to worst.

``sent``: the model reads sentences of it; ``shown`` as evidence only; it ``repeats`` a better one; the budget had
``no_room``; enough were found before it (``beyond``); it was not among the best that are kept (``not_kept``), not near
enough to be compared token by token (``not_compared``), or no leg brought it at all (``not_found``).
"""


@dataclass(frozen=True, slots=True)
class ExplainedChunk:
    """One chunk: its scores in the search, and its fate.

    ``place`` counts the ranking that goes to the packing, from 1; None where it is not in there.  It differs from
    ``seen.rank`` where a part of the question brought it.  ``tokens`` are the chunk's, 0 where nobody counted them;
    ``sent_tokens`` those of its sentences that the model reads, and ``passage`` the number of the passage that shows
    it, 0 for none.  ``repeats`` is the chunk that says the same.
    """

    seen: ChunkTrace
    status: ChunkStatus
    place: int | None = None
    tokens: int = 0
    sent_tokens: int = 0
    passage: int = 0
    repeats: Chunk | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """A budget in embedder tokens: ``used`` of ``limit``."""

    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """``searched`` is the question as it was searched: cleaned, mended; ``parts`` are searched as well.

    ``chunks`` are all that were found, in the order of the ranking; ``chosen`` those of the document that was asked
    about.  It would be answered where ``probability`` reaches ``threshold``.  ``messages`` are what the model would be
    sent, the last one with the passages; they are not sent where it is not ``answerable``.  At most ``packed_chunks``
    distinct chunks of the ranking are packed into passages.
    """

    question: str
    searched: str
    language: Language
    parts: tuple[str, ...]
    terms: tuple[TermUse, ...]
    probability: float
    threshold: float
    answerable: bool
    chunks: tuple[ExplainedChunk, ...]
    chosen: tuple[ExplainedChunk, ...]
    evidence: tuple[Evidence, ...]
    shown: Spent
    sent: Spent
    messages: tuple[Message, ...]
    generation: int
    packed_chunks: int
    candidates: int


def explain(pipeline: Pipeline, question: str, *, document_id: str = "") -> Explanation:
    """Follow one question through the pipeline, up to the model.

    ``document_id`` names a document that was expected.  Raises a ``QuestionError`` or a ``KnowledgeError``.
    """
    parts = pipeline.parts
    retriever = parts.retriever
    if not isinstance(retriever, Retriever):
        raise TypeError(f"only a Retriever shows how it searches, not {type(retriever).__name__}")
    asked, retrieval = pipeline.prepare(question)
    prepared = retriever.prepare(asked.question, asked.language)
    candidates = parts.settings.candidates
    seen = inspect(prepared, parts.store, candidates, document_id)
    limits = pipeline.limits()
    considered = pack_chunks(retrieval, limits)
    chunks = _explain_chunks(seen.chunks, retrieval, considered, asked.evidence, pipeline)
    known = {one.seen.chunk.chunk_id: one for one in chunks}
    return Explanation(
        question=asked.question,
        searched=seen.searched,
        language=asked.language,
        parts=seen.parts,
        terms=seen.terms,
        probability=retrieval.answerable_probability,
        threshold=retrieval.threshold,
        answerable=retrieval.answerable,
        chunks=chunks,
        chosen=tuple(_explain_chosen(one, known) for one in seen.chosen),
        evidence=asked.evidence,
        shown=Spent(sum(parts.count_tokens(passage.text) for passage in asked.evidence), limits.budget_tokens),
        sent=Spent(_sent_tokens(pipeline, asked.evidence), pipeline.prompt_evidence_tokens),
        messages=tuple(_messages(asked)),
        generation=retrieval.generation,
        packed_chunks=limits.chunks,
        candidates=candidates,
    )


def _messages(asked: AnswerRequest) -> Sequence[Message]:
    messages = build_messages(asked.question, asked.evidence, asked.language, asked.previous)
    return reply_prompt(messages, asked.question, asked.language, third_language=asked.third_language)


def _sent_tokens(pipeline: Pipeline, evidence: Sequence[Evidence]) -> int:
    return sum(pipeline.parts.count_tokens(passage.words(span)) for passage in evidence for span in passage.sent)


def _explain_chunks(
    seen: Sequence[ChunkTrace],
    retrieval: Retrieval,
    considered: Sequence[PackedChunk],
    evidence: Sequence[Evidence],
    pipeline: Pipeline,
) -> tuple[ExplainedChunk, ...]:
    """Return the ranking with each chunk's fate, then the other found chunks."""
    by_chunk = {one.chunk.chunk_id: one for one in seen}
    explained = []
    for place, one in enumerate(considered, start=1):
        found = one.retrieved
        only_a_part = ChunkTrace(found.chunk, cosine=found.cosine, bm25=found.bm25, late=found.late, score=found.score)
        passage = _passage_of(found.chunk, evidence) if one.status in ("shown", "no_room") else None
        sent_tokens = _tokens_sent_of(found.chunk, passage, pipeline) if passage is not None else 0
        explained.append(
            ExplainedChunk(
                seen=by_chunk.pop(found.chunk.chunk_id, only_a_part),
                status=one.status if passage is None else "sent" if sent_tokens else "shown",
                place=place,
                tokens=one.tokens,
                sent_tokens=sent_tokens,
                passage=passage.number if passage is not None else 0,
                repeats=one.repeats,
            )
        )
    rest = [ExplainedChunk(one, "not_compared" if one.rank is None else "not_kept") for one in by_chunk.values()]
    return (*explained, *rest)


def _explain_chosen(one: ChunkTrace, known: dict[int, ExplainedChunk]) -> ExplainedChunk:
    """Return a chunk of the chosen document with its ranks and its fate."""
    explained = known.get(one.chunk.chunk_id)
    if explained is None:
        return ExplainedChunk(one, "not_found")
    return ExplainedChunk(
        one,
        explained.status,
        explained.place,
        explained.tokens,
        explained.sent_tokens,
        explained.passage,
        explained.repeats,
    )


def _passage_of(chunk: Chunk, evidence: Sequence[Evidence]) -> Evidence | None:
    """Return the passage that shows the chunk, or its beginning."""
    return next(
        (
            passage
            for passage in evidence
            if passage.document_id == chunk.document_id and passage.start <= chunk.start < passage.end
        ),
        None,
    )


def _tokens_sent_of(chunk: Chunk, passage: Evidence, pipeline: Pipeline) -> int:
    """Count the tokens of the chunk's own sentences among those that the model reads."""
    count = pipeline.parts.count_tokens
    overlaps = [TextSpan(max(span.start, chunk.start), min(span.end, chunk.end)) for span in passage.sent]
    return sum(count(passage.words(span)) for span in overlaps if span.start < span.end)
