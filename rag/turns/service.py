"""The workers, and the turns that they are busy with."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from rag.answering.language import question_language
from rag.answering.quotation import Quoting
from rag.errors import AnswerCancelled, AnswerdeskError, TurnFailed, TurnMissing
from rag.schema import Event, Retrieved
from rag.storage.access import LOCAL_USER, User
from rag.storage.feedback import TurnFeedback
from rag.storage.turn_store import TurnStore
from rag.streams import let_go_after
from rag.turns.live import LiveTurn
from rag.turns.searches import Searches
from rag.turns.snapshot import Failure, TurnSnapshot, TurnState, TurnSummary, from_record, to_record
from rag.turns.unforeseen import log_unforeseen

logger = logging.getLogger(__name__)

_REMEMBERED_TOKENS = 4096
_EARLIER_QUESTIONS = 4
_LOOK_FOR_ABANDONED_EVERY_SECONDS = 5.0
_GIVES_WAY_SECONDS = 0.05
_REMEMBERED_ENDS = 64


class AnswerPipeline(Protocol):
    """What a worker needs of ``rag.pipeline.Pipeline``."""

    def stream(
        self,
        question: str,
        *,
        earlier: Sequence[str] = (),
        think: bool | None = None,
        top_k: int | None = None,
        cancelled: threading.Event | None = None,
        owner: str = "",
        fresh: bool = False,
        quote: Quoting = "never",
    ) -> Iterator[Event]:
        """Yield the events of one answer; raise an ``AnswerdeskError``."""


PipelineOf = Callable[[str, User], AnswerPipeline]
"""Returns the pipeline of the knowledge base of this name, or raises ``AccessDenied`` where the user may not use it."""


@dataclass(frozen=True, slots=True)
class Occupancy:
    """How many turns of this process are with the model, and how many wait for it."""

    running: int
    waiting: int


class TurnService:
    """Answers questions in worker threads of its own.  Safe to call from any thread.

    ``pipeline`` is called by the workers, so what it raises ends that turn in words and nothing else.  ``workers``
    bounds how many turns search or wait for the model at once.  A turn that waits in the model's line and was not read
    for ``abandoned_after_seconds`` gives up its place; the default is more than a minute, because a browser wakes a
    hidden tab once a minute.  ``searches`` tells what can wait that others still look for their passages.
    """

    def __init__(
        self,
        pipeline: PipelineOf,
        store: TurnStore,
        workers: int = 16,
        *,
        abandoned_after_seconds: float = 75.0,
    ) -> None:
        if workers < 1:
            raise ValueError(f"workers must be at least 1, not {workers}")
        self._pipeline = pipeline
        self._store = store
        self._abandoned_after_seconds = abandoned_after_seconds
        self._lock = threading.Lock()
        self._live: dict[str, LiveTurn] = {}
        self._ended: OrderedDict[str, TurnSnapshot] = OrderedDict()
        self._turn_of_token: OrderedDict[str, str] = OrderedDict()
        self.searches = Searches()
        self._workers = ThreadPoolExecutor(workers, thread_name_prefix="turn")
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name="turn-watch", daemon=True).start()

    def submit(
        self,
        token: str,
        question: str,
        session: str,
        think: bool | None = None,
        *,
        follows: str = "",
        owner: str = "",
        knowledge_base: str = "default",
        user: User = LOCAL_USER,
        fresh: bool = False,
    ) -> str:
        """Start answering and return the turn's id; the same ``token`` again returns the same turn.

        ``think`` None leaves the choice to the settings.  ``follows`` is the id of the turn that the question goes on
        from.  ``owner`` is who takes turns with the others in the model's line; empty: the session.  ``fresh`` asks for
        an answer of the model's own, whatever is there already.  Where the model cannot answer, passages are quoted.  A
        question that cannot be worked on becomes a failed turn, and so does one of a ``user`` who may not use
        ``knowledge_base``: that is asked when the search begins, of whoever hands out the pipelines.
        """
        with self._lock:
            if token in self._turn_of_token:
                return self._turn_of_token[token]
            record = self._store.add(
                question,
                session=session,
                language=question_language(question),
                follows=follows,
                knowledge_base=knowledge_base,
            )
            live = LiveTurn(record)
            self._live[record.turn_id] = live
            self._turn_of_token[token] = record.turn_id
            while len(self._turn_of_token) > _REMEMBERED_TOKENS:
                self._turn_of_token.popitem(last=False)
            future = self._workers.submit(self._answer, live, think, owner or session, fresh, user)
        future.add_done_callback(partial(self._settle, live))
        return record.turn_id

    @property
    def feedback(self) -> TurnFeedback:
        """What agents thought of the answers, and what became of them."""
        return self._store.feedback

    def snapshot(self, turn_id: str, after_version: int = -1) -> TurnSnapshot | None:
        """Return the turn as it is now, or None where it has not changed since ``after_version``.

        Raises ``TurnMissing`` where the id is unknown.
        """
        snapshot = self._read(turn_id)
        return snapshot if snapshot.version > after_version else None

    def wait(self, turn_id: str, until: Callable[[TurnSnapshot], bool], *, timeout_seconds: float) -> TurnSnapshot:
        """Return the turn once ``until`` holds, it has ended, or the time is over.  Raises ``TurnMissing``."""
        live = self._live.get(turn_id)
        if live is not None:
            with live.changed:
                live.changed.wait_for(lambda: live.snapshot.final or until(live.snapshot), timeout=timeout_seconds)
        return self._read(turn_id)

    def listen(self, turn_id: str, tell: Callable[[TurnSnapshot], None]) -> Callable[[], None]:
        """Call ``tell`` whenever a running turn changes, until the function that is returned is called.

        It is called by the worker, which waits for it.  A turn that has ended, or is unknown, tells nothing any more.
        """
        live = self._live.get(turn_id)
        return live.listen(tell) if live is not None else _nothing

    def cancel(self, turn_id: str) -> None:
        """Stop a turn: it counts as stopped at once, and its worker lets go of the model.  Unknown ids are ignored."""
        live = self._live.get(turn_id)
        if live is not None:
            live.end("stopped", Failure.of(AnswerCancelled()))

    def history(
        self,
        session: str | None,
        limit: int = 30,
        offset: int = 0,
        *,
        knowledge_bases: Collection[str] | None = None,
        containing: str = "",
    ) -> tuple[TurnSummary, ...]:
        """Return turns, newest first: of a session (None: of all), of some knowledge bases (None: of all)."""
        rows = []
        for record in self._store.list(
            session, limit=limit, offset=offset, knowledge_bases=knowledge_bases, containing=containing
        ):
            live = self._live.get(record.turn_id)
            state: TurnState = live.snapshot.state if live is not None else record.state
            rows.append(
                TurnSummary(record.turn_id, record.created_at, record.question, record.language, state, record.session)
            )
        return tuple(rows)

    def occupancy(self) -> Occupancy:
        """Count this process's turns at the model and in its line."""
        states = [live.snapshot.state for live in list(self._live.values())]
        running = sum(state in ("reading", "thinking", "answering") for state in states)
        return Occupancy(running=running, waiting=states.count("queued"))

    def give_up_abandoned(self) -> int:
        """Stop the waiting turns that nobody has read for long, and return how many there were."""
        limit = time.monotonic() - self._abandoned_after_seconds
        abandoned = [
            turn_id
            for turn_id, live in list(self._live.items())
            if live.snapshot.state == "queued" and live.last_read_at < limit
        ]
        for turn_id in abandoned:
            self.cancel(turn_id)
        return len(abandoned)

    def close(self) -> None:
        """Stop all turns and wait for the workers; a later ``submit`` raises ``RuntimeError``."""
        self._closed.set()
        for turn_id in list(self._live):
            self.cancel(turn_id)
        self._workers.shutdown(wait=True)

    def _read(self, turn_id: str) -> TurnSnapshot:
        live = self._live.get(turn_id)
        if live is not None:
            return live.read()
        ended = self._ended.get(turn_id)
        if ended is not None:
            return ended
        try:
            kept = from_record(self._store.get(turn_id))
        except KeyError as error:
            raise TurnMissing from error
        if kept.final:  # a page reads the turn that it shows several times a run
            with self._lock:
                self._ended[turn_id] = kept
                while len(self._ended) > _REMEMBERED_ENDS:
                    self._ended.popitem(last=False)
        return kept

    def _answer(self, live: LiveTurn, think: bool | None, owner: str, fresh: bool, user: User) -> None:
        if live.snapshot.final:
            return
        self.searches.begin(live.record.turn_id)
        try:
            pipeline = self._pipeline(live.record.knowledge_base, user)
            earlier = self._store.questions_before(live.record, _EARLIER_QUESTIONS)
            events = pipeline.stream(
                live.record.question,
                earlier=earlier,
                think=think,
                cancelled=live.cancelled,
                owner=owner,
                fresh=fresh,
                quote="if_needed",
            )
            with let_go_after(events):
                gave_way_at = 0.0
                for event in events:
                    if not live.apply(event):
                        break
                    if isinstance(event, Retrieved):
                        self.searches.end(live.record.turn_id)
                        self._write(live)
                    elif time.monotonic() - gave_way_at >= 2 * _GIVES_WAY_SECONDS:
                        self.searches.let_go_first(_GIVES_WAY_SECONDS)  # meanwhile the model's next words gather
                        gave_way_at = time.monotonic()
        except AnswerCancelled as error:
            live.end("stopped", Failure.of(error))
        except AnswerdeskError as error:
            live.end("failed", Failure.of(error))
        finally:
            self.searches.end(live.record.turn_id)

    def _settle(self, live: LiveTurn, future: "Future[None]") -> None:
        """Make sure that the turn has ended, and keep it; called in the worker, so only workers write a turn."""
        error = future.exception()
        if error is not None or not live.snapshot.final:
            live.end("failed", Failure.of(TurnFailed(number=log_unforeseen(logger, "turn", error))))
        if self._write(live):
            with self._lock:
                self._live.pop(live.record.turn_id)

    def _write(self, live: LiveTurn) -> bool:
        """Write the turn as it is.  Where that fails it stays readable in this process."""
        try:
            self._store.update(to_record(live.record, live.snapshot), live.times())
        except AnswerdeskError as error:
            logger.error("turn not written: %s", type(error).__name__)
            return False
        return True

    def _watch(self) -> None:
        """Look for abandoned turns; when the main thread ends, stop all, so that the program can end at once."""
        main = threading.main_thread()
        while not self._closed.is_set():
            main.join(timeout=_LOOK_FOR_ABANDONED_EVERY_SECONDS)
            if not main.is_alive():
                for live in list(self._live.values()):
                    live.cancelled.set()
                return
            self.give_up_abandoned()


def _nothing() -> None:
    """Stop listening to what tells nothing."""
