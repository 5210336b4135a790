"""Frozen, typed values passed between the stages, with no behaviour beyond their own fields.

Offsets count code points, ``[start, end)``, into the text that is named.  Scores: higher is better everywhere.
"""

from rag.schema.answers import Answer, Citation, Conflict, Evidence, Lane, Origin, SpanTime, TextSpan
from rag.schema.documents import Audience, Chunk, Document, Language
from rag.schema.events import AnswerDelta, Completed, Event, Queued, Retrieved, ThinkingDelta
from rag.schema.search import Hit, QuestionTokens, Retrieval, RetrievedChunk

__all__ = [
    "Answer",
    "AnswerDelta",
    "Audience",
    "Chunk",
    "Citation",
    "Completed",
    "Conflict",
    "Document",
    "Event",
    "Evidence",
    "Hit",
    "Lane",
    "Language",
    "Origin",
    "QuestionTokens",
    "Queued",
    "Retrieval",
    "Retrieved",
    "RetrievedChunk",
    "SpanTime",
    "TextSpan",
    "ThinkingDelta",
]
