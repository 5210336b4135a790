"""A running turn: consumes events and publishes immutable snapshots."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from rag.schema import AnswerDelta, Completed, Event, Queued, Retrieved, SpanTime, ThinkingDelta
from rag.storage.turn_store import Turn
from rag.storage.turn_times import TurnTimes
from rag.turns.snapshot import FINAL_VERSION, Failure, TurnSnapshot, TurnState

_STAGE_OF_STATE: dict[TurnState, str] = {
    "searching": "search",
    "queued": "wait",
    "reading": "prompt",
    "thinking": "thinking",
    "answering": "answer",
}


class LiveTurn:
    """One writer, many readers.  ``snapshot`` is replaced as a whole and never edited; ``changed`` tells of it.

    ``cancelled`` is what the pipeline watches; it is set when the turn has ended, however it did.
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

    def listen(self, tell: Callable[[TurnSnapshot], None]) -> Callable[[], None]:
        """Call ``tell`` with each new snapshot, in the writer's thread, until the function that is returned is called.

        It must return at once: the answer waits for it.
        """
        with self.changed:
            self._listeners.append(tell)

        def stop() -> None:
            with self.changed:
                self._listeners.remove(tell)

        return stop

    def times(self) -> TurnTimes | None:
        """Return where the time of a turn that has ended went; None while it runs.

        Of one that ended early only the time until its passages is known: the rest was cut off.
        """
        snapshot = self.snapshot
        if not snapshot.final:
            return None
        if snapshot.answer is not None:
            return TurnTimes(snapshot.answer.spans, *self._generated)
        found = snapshot.answerable is not None
        return TurnTimes(tuple(stage for stage in snapshot.stages[:1] if found))

    def read(self) -> TurnSnapshot:
        """Return the present snapshot with its running stage's time, and remember that somebody looked."""
        self.last_read_at = time.monotonic()
        with self.changed:
            return self.snapshot if self.snapshot.final else replace(self.snapshot, stage_ms=self._stage_ms())

    def apply(self, event: Event) -> bool:
        """Take in one event.  Returns False when the turn has ended already, and nothing more is wanted."""
        with self.changed:
            before = self.snapshot
            if before.final:
                return False
            match event:
                case Queued(ahead=0):
                    self._move(replace(before, state="reading", ahead=None, wait_seconds=None))
                case Queued(ahead=ahead, wait_seconds=seconds):
                    self._move(replace(before, state="queued", ahead=ahead, wait_seconds=seconds))
                case Retrieved():
                    self._move(
                        replace(
                            before,
                            state="reading" if event.answerable else "searching",
                            evidence=event.evidence,
                            answerable=event.answerable,
                            generation=event.generation,
                        )
                    )
                case ThinkingDelta(text=text):
                    self._move(replace(before, state="thinking", thinking=before.thinking + text))
                case AnswerDelta(text=text):
                    self._move(replace(before, state="answering", text=before.text + text))
                case Completed():
                    self._complete(event)
            return True

    def end(self, state: TurnState, failure: Failure) -> bool:
        """End the turn early, with what it has.  Returns False when it had ended already."""
        with self.changed:
            if self.snapshot.final:
                return False
            self._finish(replace(self.snapshot, state=state, failure=failure))
            return True

    def _move(self, snapshot: TurnSnapshot) -> None:
        if snapshot.state != self.snapshot.state:
            snapshot = replace(snapshot, stages=(*snapshot.stages, self._stage()))
            self._stage_began_at = time.monotonic()
        if snapshot.state != "queued":
            snapshot = replace(snapshot, ahead=None, wait_seconds=None)
        self.snapshot = replace(snapshot, version=self.snapshot.version + 1)
        self._tell()

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
            )
        )

    def _finish(self, snapshot: TurnSnapshot) -> None:
        stages = (*snapshot.stages, self._stage())
        self.snapshot = replace(snapshot, version=FINAL_VERSION, stages=stages, ahead=None, wait_seconds=None)
        self.cancelled.set()
        self._tell()

    def _tell(self) -> None:
        self.changed.notify_all()
        for tell in self._listeners:
            tell(self.snapshot)

    def _stage(self) -> SpanTime:
        return SpanTime(_STAGE_OF_STATE[self.snapshot.state], self._stage_ms())

    def _stage_ms(self) -> float:
        return (time.monotonic() - self._stage_began_at) * 1000
