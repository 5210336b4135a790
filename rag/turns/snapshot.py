"""A running turn consumes events and publishes immutable snapshots, for readers and for the store."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from rag.errors import AnswerdeskError
from rag.schema import (
    Answer,
    AnswerDelta,
    Completed,
    Event,
    Evidence,
    Language,
    Queued,
    Retrieved,
    SpanTime,
    ThinkingDelta,
)
from rag.storage.turn_store import Turn
from rag.storage.turn_store import TurnState as StoredState
from rag.storage.turn_times import TurnTimes

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
_STAGE_OF_STATE: dict[TurnState, str] = {
    "searching": "search",
    "queued": "wait",
    "reading": "prompt",
    "thinking": "thinking",
    "answering": "answer",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a turn ended early.  ``kind`` is a class name of ``rag.errors``; the sentences are that error's.

    ``retry_seconds`` is when asking again may help, if the error knows and the turn was not read from the store.
    """

    kind: str
    en: str
    zh: str
    retry_seconds: float | None = None

    @classmethod
    def of(cls, error: AnswerdeskError) -> "Failure":
        """Describe an error of the product's tree."""
        seconds = error.details.get("retry_seconds")
        known = float(seconds) if isinstance(seconds, int | float) else None
        return cls(type(error).__name__, error.public_text("en"), error.public_text("zh"), known)

    def sentence(self, language: Language) -> str:
        """Return the sentence in a language."""
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, slots=True)
class TurnSnapshot:
    """A turn at one moment.  ``version`` grows with every change and is ``FINAL_VERSION`` at the end.

    ``state`` is ``queued`` while the turn waits for the model and ``reading`` until the model's first word.
    ``ahead`` and ``wait_seconds`` are set while queued (``wait_seconds`` None: unknown).  ``stages`` are the finished
    stages of a turn of this process, by the names of ``rag.tracing``; ``stage_ms`` is how long the present one has
    taken.  A complete answer brings its own, finer times.  ``generation`` is 0 until retrieval has named it.
    ``follows`` is the id of the turn that the question follows up, or empty.  ``knowledge_base`` is the one asked.
    The tokens are those of a turn that ended in this process; else 0.
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
    prompt_tokens: int = 0
    generated_tokens: int = 0

    @property
    def final(self) -> bool:
        """Whether the turn has ended."""
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
    """Return the stored turn of a snapshot, updating its earlier record."""
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
        answerable=None if answer is None else not answer.refused or bool(answer.model),
        generation=answer.generation if answer is not None else 0,
        thinking=record.thinking,
        text=answer.text if answer is not None else record.partial_text,
        answer=answer,
        failure=failure,
        follows=record.follows,
        knowledge_base=record.knowledge_base,
    )


class LiveTurn:
    """One writer, many readers.  ``snapshot`` is replaced as a whole and never edited; ``changed`` is notified then.

    The pipeline watches ``cancelled``, which is set when the turn has ended for any reason.
    """

    def __init__(self, record: Turn) -> None:
        self.record = record
        self.changed = threading.Condition()
        self.cancelled = threading.Event()
        self.last_read_at = time.monotonic()
        self.snapshot = TurnSnapshot(
            turn_id=record.turn_id,
            session=record.session,
            asked_at=record.created_at,
            question=record.question,
            language=record.language,
            follows=record.follows,
            knowledge_base=record.knowledge_base,
        )
        self._stage_began_at = time.monotonic()
        self._generated = (0, 0.0)
        self._listeners: list[Callable[[TurnSnapshot], None]] = []

    def listen(self, on_change: Callable[[TurnSnapshot], None]) -> Callable[[], None]:
        """Call ``on_change`` with each new snapshot, in the writer's thread, until the returned function is called.

        It must return at once: the answer waits for it.
        """
        with self.changed:
            self._listeners.append(on_change)

        def stop() -> None:
            with self.changed:
                self._listeners.remove(on_change)

        return stop

    def times(self) -> TurnTimes | None:
        """Return the times of the stages of a turn that has ended; None while it runs.

        Of one that ended early only the time until its passages is known.
        """
        snapshot = self.snapshot
        if not snapshot.final:
            return None
        if snapshot.answer is not None:
            return TurnTimes(snapshot.answer.spans, *self._generated)
        has_passages = snapshot.answerable is not None
        return TurnTimes(tuple(stage for stage in snapshot.stages[:1] if has_passages))

    def read(self) -> TurnSnapshot:
        """Return the present snapshot with its running stage's time, and note the read."""
        self.last_read_at = time.monotonic()
        with self.changed:
            return self.snapshot if self.snapshot.final else replace(self.snapshot, stage_ms=self._stage_ms())

    def apply(self, event: Event) -> bool:
        """Apply one event.  Returns False if the turn has ended already, so that the caller stops."""
        with self.changed:
            before = self.snapshot
            if before.final:
                return False
            match event:
                case Queued(ahead=0):
                    self._publish(replace(before, state="reading", ahead=None, wait_seconds=None))
                case Queued(ahead=ahead, wait_seconds=seconds):
                    # an estimate that has run out says nothing: the answer before takes longer than any did
                    self._publish(replace(before, state="queued", ahead=ahead, wait_seconds=seconds or None))
                case Retrieved():
                    self._publish(
                        replace(
                            before,
                            state="reading" if event.answerable else "searching",
                            evidence=event.evidence,
                            answerable=event.answerable,
                            generation=event.generation,
                        )
                    )
                case ThinkingDelta(text=text):
                    self._publish(replace(before, state="thinking", thinking=before.thinking + text))
                case AnswerDelta(text=text):
                    self._publish(replace(before, state="answering", text=before.text + text))
                case Completed():
                    self._complete(event)
            return True

    def end(self, state: TurnState, failure: Failure) -> bool:
        """End the turn early, with what it has.  Returns False if it had ended already."""
        with self.changed:
            if self.snapshot.final:
                return False
            self._finish(replace(self.snapshot, state=state, failure=failure))
            return True

    def _publish(self, snapshot: TurnSnapshot) -> None:
        if snapshot.state != self.snapshot.state:
            snapshot = replace(snapshot, stages=(*snapshot.stages, self._stage()))
            self._stage_began_at = time.monotonic()
        if snapshot.state != "queued":
            snapshot = replace(snapshot, ahead=None, wait_seconds=None)
        self.snapshot = replace(snapshot, version=self.snapshot.version + 1)
        self._notify()

    def _complete(self, completed: Completed) -> None:
        answer = completed.answer
        self._generated = (completed.generated_tokens, completed.generation_ms)
        self._finish(
            replace(
                self.snapshot,
                state="refused" if answer.refused else "done",
                answer=answer,
                text=answer.text,
                thinking=answer.thinking,
                language=answer.language,
                generation=answer.generation,
                prompt_tokens=completed.prompt_tokens,
                generated_tokens=completed.generated_tokens,
            )
        )

    def _finish(self, snapshot: TurnSnapshot) -> None:
        stages = (*snapshot.stages, self._stage())
        self.snapshot = replace(snapshot, version=FINAL_VERSION, stages=stages, ahead=None, wait_seconds=None)
        self.cancelled.set()
        self._notify()

    def _notify(self) -> None:
        self.changed.notify_all()
        for on_change in self._listeners:
            on_change(self.snapshot)

    def _stage(self) -> SpanTime:
        return SpanTime(_STAGE_OF_STATE[self.snapshot.state], self._stage_ms())

    def _stage_ms(self) -> float:
        return (time.monotonic() - self._stage_began_at) * 1000
