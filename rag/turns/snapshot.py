"""Snapshots of a turn, for readers and for the store."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from rag.errors import AnswerdeskError
from rag.schema import Answer, Evidence, Language, SpanTime
from rag.storage.turn_store import Turn
from rag.storage.turn_store import TurnState as StoredState

TurnState = Literal["searching", "queued", "reading", "thinking", "answering", "done", "refused", "stopped", "failed"]
FINAL_STATES: frozenset[TurnState] = frozenset({"done", "refused", "stopped", "failed"})
FINAL_VERSION = 1_000_000_000  # of every finished turn, read from memory or from the store

_STORED_STATE: dict[TurnState, StoredState] = {
    "searching": "searching",
    "queued": "queued",
    "reading": "queued",
    "thinking": "thinking",
    "answering": "answering",
    "done": "done",
    "refused": "refused",
    "stopped": "stopped",
    "failed": "failed",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a turn ended early.  ``kind`` is a class name of ``rag.errors``; the sentences are that error's."""

    kind: str
    en: str
    zh: str

    @classmethod
    def of(cls, error: AnswerdeskError) -> "Failure":
        """Describe an error of the product's tree."""
        return cls(type(error).__name__, error.text("en"), error.text("zh"))


@dataclass(frozen=True, slots=True)
class TurnSnapshot:
    """A turn at one moment.  ``version`` grows with every change and is ``FINAL_VERSION`` at the end.

    ``state`` is ``queued`` while the turn waits for the model and ``reading`` until the model's first word.
    ``ahead`` and ``wait_seconds`` are set while queued (``wait_seconds`` None: unknown).  ``stages`` are the finished
    stages of a turn of this process, by the names of ``rag.tracing``; ``stage_ms`` is how long the present one has
    taken.  A complete answer brings its own, finer times.  ``generation`` is 0 until retrieval has named it.
    ``follows`` is the id of the turn that the question goes on from, or empty.  ``knowledge_base`` is what was asked.
    """

    turn_id: str
    session: str
    asked_at: datetime
    question: str
    language: Language
    version: int = 0
    state: TurnState = "searching"
    evidence: tuple[Evidence, ...] = ()
    answerable: bool | None = None
    generation: int = 0
    thinking: str = ""
    text: str = ""
    ahead: int | None = None
    wait_seconds: float | None = None
    stages: tuple[SpanTime, ...] = ()
    stage_ms: float = 0.0
    answer: Answer | None = None
    failure: Failure | None = None
    follows: str = ""
    knowledge_base: str = "default"

    @property
    def final(self) -> bool:
        """Whether nothing more will come."""
        return self.state in FINAL_STATES


@dataclass(frozen=True, slots=True)
class TurnSummary:
    """One row of the history; ``question`` is the beginning of it, at most 120 characters."""

    turn_id: str
    asked_at: datetime
    question: str
    language: Language
    state: TurnState
    session: str = ""


def to_record(record: Turn, snapshot: TurnSnapshot) -> Turn:
    """Return what the store is to keep of a snapshot, over the record that it kept before."""
    failure = snapshot.failure
    return replace(
        record,
        state=_STORED_STATE[snapshot.state],
        language=snapshot.language,
        evidence=snapshot.evidence,
        answer=snapshot.answer,
        partial_text=snapshot.text,
        thinking=snapshot.thinking,
        error_class=failure.kind if failure is not None else "",
        error_en=failure.en if failure is not None else "",
        error_zh=failure.zh if failure is not None else "",
    )


def from_record(record: Turn) -> TurnSnapshot:
    """Return a stored turn's snapshot: one that has ended, or one that another process is working on."""
    answer = record.answer
    failure = Failure(record.error_class, record.error_en, record.error_zh) if record.error_class else None
    return TurnSnapshot(
        turn_id=record.turn_id,
        session=record.session,
        asked_at=record.created_at,
        question=record.question,
        language=record.language,
        version=FINAL_VERSION if record.state in FINAL_STATES else 0,
        state=record.state,
        evidence=record.evidence,
        answerable=None if answer is None else not answer.refused,
        generation=answer.generation if answer is not None else 0,
        thinking=record.thinking,
        text=answer.text if answer is not None else record.partial_text,
        answer=answer,
        failure=failure,
        follows=record.follows,
        knowledge_base=record.knowledge_base,
    )
