"""Searches for a question as the desk does, without a model, and without importing the libraries of the indexes."""

from collections.abc import Sequence

from ingest.golden import GoldenQuestion
from rag.pipeline import Pipeline, PipelineParts
from rag.retrieval.filters import SearchOptions
from rag.schema import Evidence, Retrieval, Retrieved
from rag.text.language import question_language
from rag.tracing import Trace


def search(parts: PipelineParts, question: GoldenQuestion) -> Retrieval:
    """Search for a question together with the one before it."""
    language = question_language(question.question)
    return parts.retriever.retrieve(question.question, language, Trace(), SearchOptions([question.previous]))


def evidence_of(pipeline: Pipeline, question: str, earlier: Sequence[str] = ()) -> tuple[Evidence, ...]:
    """Return the passages that the pipeline shows for a question."""
    first = next(iter(pipeline.stream(question, earlier=earlier)))
    assert isinstance(first, Retrieved)
    return first.evidence
