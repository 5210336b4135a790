"""The product as the desk asks it: a turn is submitted, and its snapshots are read."""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from eval.bench.load.records import OUTCOMES, Asking, LoadRecord, RecordFile, WaitEstimate
from rag.pipeline import Pipeline, PipelineParts
from rag.storage.turn_store import TurnStore
from rag.turns import NO_LIMITS, PersonLimits, TurnRequest, TurnService, TurnSnapshot

_READ_AGAIN_AFTER_SECONDS = 1.0
_MORE_WORKERS_THAN_THE_LINE = 4  # as api/services/start.py has it


@dataclass(slots=True)
class _Seen:
    """When things were first seen, in seconds of ``time.perf_counter``."""

    evidence_at: float | None = None
    first_word_at: float | None = None
    left_queue_at: float | None = None
    told: list[tuple[float, float]] = field(default_factory=list)

    def look(self, snapshot: TurnSnapshot) -> None:
        now = time.perf_counter()
        if self.evidence_at is None and (snapshot.evidence or snapshot.answerable is not None):
            self.evidence_at = now
        if self.first_word_at is None and (snapshot.text or snapshot.thinking):
            self.first_word_at = now
        if snapshot.state == "queued" and snapshot.wait_seconds is not None:
            self.told.append((now, snapshot.wait_seconds))
        elif (
            self.told and self.left_queue_at is None and snapshot.state in ("reading", "thinking", "answering", "done")
        ):
            self.left_queue_at = now

    def told_and_real(self) -> tuple[WaitEstimate, ...]:
        if self.left_queue_at is None:  # it never came to the model, so nobody knows how long it would have been
            return ()
        return tuple(WaitEstimate(seconds, self.left_queue_at - at) for at, seconds in self.told)


@contextmanager
def desk_arm(
    parts: PipelineParts, file: RecordFile, sessions: int, *, think: bool | None, limits: PersonLimits = NO_LIMITS
) -> Iterator["DeskArm"]:
    """Serve turns from a store beside ``file``, and note at the end in ``file`` what was lost."""
    store = TurnStore(file.path.with_name("turns.db"))
    turns = turn_service(parts, store, sessions, limits)
    desk = DeskArm(turns, think=think)
    try:
        yield desk
    finally:
        turns.close()
        for record in desk.lost(store):
            file.keep(record)
        store.close()


def turn_service(
    parts: PipelineParts, store: TurnStore, sessions: int, limits: PersonLimits = NO_LIMITS
) -> TurnService:
    """Return a service of turns with as many workers as the desk's, and at least one a session.

    Without ``limits`` a session may ask more often than any person would.
    """
    pipeline = Pipeline(parts)
    workers = parts.settings.slots_of_all_hosts + parts.settings.max_waiting + _MORE_WORKERS_THAN_THE_LINE
    return TurnService(lambda knowledge_base, user: pipeline, store, max(workers, sessions), limits=limits)


class DeskArm:
    """Asks the turn service and waits for the end.

    ``turns`` is the service; ``last_word_at`` is when a reply last began, in seconds of ``time.perf_counter``; 0 before
    the first.
    """

    process_id = os.getpid()

    def __init__(self, turns: TurnService, *, think: bool | None, name: str = "desk") -> None:
        self.name = name
        self.turns = turns
        self._think = think
        self._asked: list[tuple[str, LoadRecord]] = []
        self.last_word_at = 0.0

    def ask(self, asking: Asking) -> LoadRecord:
        """Ask, and return the record."""
        sent_at = time.perf_counter()
        owner = f"load {asking.session}"
        turn_id = self.turns.submit(
            secrets.token_hex(8), TurnRequest(asking.question.question, session=owner, think=self._think, owner=owner)
        )
        seen = _Seen()
        snapshot = self.turns.wait(turn_id, lambda _: True, timeout_seconds=0)
        seen.look(snapshot)
        while not snapshot.final:
            if asking.stop.is_set():
                self.turns.cancel(turn_id)
            news = partial(_is_news, _seen_of(snapshot))
            snapshot = self.turns.wait(turn_id, news, timeout_seconds=_READ_AGAIN_AFTER_SECONDS)
            seen.look(snapshot)
            self.last_word_at = max(self.last_word_at, seen.first_word_at or 0.0)
        record = self._record(asking, snapshot, seen, sent_at)
        self._asked.append((turn_id, record))
        return record

    def lost(self, store: TurnStore) -> list[LoadRecord]:
        """Return those whose turn is not kept with its end; to be asked when the service is closed."""
        return [replace(record, outcome="lost") for turn_id, record in self._asked if not _is_kept(store, turn_id)]

    def _record(self, asking: Asking, snapshot: TurnSnapshot, seen: _Seen, sent_at: float) -> LoadRecord:
        answer = snapshot.answer
        return replace(
            asking.record(self.name, sent_at, OUTCOMES[snapshot.state]),
            evidence_ms=_ms(seen.evidence_at, asking.due_at),
            first_word_ms=_ms(seen.first_word_at, asking.due_at),
            error=_error(snapshot),
            right=asking.is_right(snapshot.text) if answer is not None else None,
            asked_model=answer is None or bool(answer.model),
            spans=answer.spans if answer is not None else (),
            told=seen.told_and_real(),
        )


def _error(snapshot: TurnSnapshot) -> str:
    """Return the error that ended the turn, or in whose place passages were quoted; empty where there was none."""
    if snapshot.failure is not None:
        return snapshot.failure.kind
    return snapshot.answer.instead_of if snapshot.answer is not None else ""


def _is_kept(store: TurnStore, turn_id: str) -> bool:
    try:
        turn = store.get(turn_id)
    except KeyError:
        return False
    return not turn.running and (turn.answer is not None or bool(turn.error_class))


def _seen_of(snapshot: TurnSnapshot) -> tuple[str, bool, bool, float | None]:
    """Return what a reader of the page would notice; not every single token."""
    return snapshot.state, bool(snapshot.evidence), bool(snapshot.text or snapshot.thinking), snapshot.wait_seconds


def _is_news(last: tuple[str, bool, bool, float | None], snapshot: TurnSnapshot) -> bool:
    return _seen_of(snapshot) != last


def _ms(at: float | None, since: float) -> float | None:
    return None if at is None else (at - since) * 1000
