"""Runs turns on worker threads and keeps track of them.

One pool of threads finds passages, another reads the model's output, so that no search waits for a thread that
waits for the model.  In both, the owners take turns.
"""

import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Generator, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, TypeVar

from rag.errors import (
    AnswerCancelled,
    AnswerdeskError,
    OwnQueueFull,
    QuestionsTooFast,
    TurnFailed,
    TurnMissing,
)
from rag.evidence.quotation import Quoting
from rag.pipeline import AskOptions
from rag.schema import Event, Language, Queued, Retrieved
from rag.storage.access import LOCAL_USER, KnowledgeBases, User
from rag.storage.turn_store import TurnFeedback, TurnStore
from rag.turns.fairness import NO_LIMITS, FairPool, PersonLimits, Quota, Share
from rag.turns.snapshot import Failure, LiveTurn, TurnSnapshot, TurnState, TurnSummary, from_record, to_record
from rag.unforeseen_errors import log_for_operator, log_unforeseen

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

_REMEMBERED_TOKENS = 4096
_EARLIER_QUESTIONS = 4
_LOOK_FOR_STOPPED_EVERY_SECONDS = 1.0
_LOOKS_BETWEEN_ABANDONED = 5  # looks for stopped turns
_YIELD_SECONDS = 0.05
_WORK_YIELD_SECONDS = 1.0  # longer than one search, but a flood of searches must not stop it
_REMEMBERED_ENDS = 64
_SEARCH_WORKERS = 16  # eight people's searches at their limit of two; the processors are the bottleneck
_MINUTE_SECONDS = 60.0


class AnswerPipeline(Protocol):
    """The part of ``rag.pipeline.Pipeline`` that a worker needs."""

    def stream(self, question: str, options: AskOptions) -> Generator[Event, None, None]:
        """Yield the events of one answer; raise an ``AnswerdeskError``."""


PipelineOf = Callable[[str, User], AnswerPipeline]
"""Returns the pipeline of the knowledge base of this name, or raises ``AccessDenied`` if the user may not use it."""


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """A question to be answered in the background.

    ``think`` None leaves the choice to the settings.  ``follows`` is the id of the turn that the question follows up.
    ``fresh`` requires a new answer of the model instead of a stored one.  ``session`` is the owner of the history;
    ``owner`` takes turns with the others and has the limits; empty: the session.  ``conversation`` is the one whose
    earlier prompt the model may have cached; empty: the owner's.  ``earlier`` are the questions before this one, oldest
    first, of a program that keeps the conversation itself.  ``quote`` as in ``AskOptions``.  ``asker`` names one of
    several users of a program: each takes turns with the others.  ``language`` is the reader's: a question without
    words, such as a code, is answered in it.
    """

    question: str
    knowledge_base: str = "default"
    think: bool | None = None
    follows: str = ""
    fresh: bool = False
    session: str = ""
    owner: str = ""
    conversation: str = ""
    user: User = LOCAL_USER
    earlier: tuple[str, ...] = ()
    quote: Quoting = "if_needed"
    asker: str = ""
    language: Language = "en"


@dataclass(frozen=True, slots=True)
class Occupancy:
    """How many turns of this process are with the model, and how many wait for it."""

    running: int
    waiting: int


@dataclass(frozen=True, slots=True)
class _Work:
    """A turn for a worker."""

    live: LiveTurn
    options: AskOptions
    user: User


class TurnService:
    """Answers questions in worker threads of its own.  Safe to call from any thread.

    ``pipeline`` is called by the workers, so its errors only fail that turn.  ``workers`` bounds how many turns are at
    the model or wait for it at once; sixteen more threads search.  ``limits`` are those of one owner, and of one API
    key.  A turn that waits in the model's line and was not read for ``abandoned_after_seconds`` loses its place; the
    default is more than a minute, because a browser wakes a hidden tab once a minute.  ``searches`` lets less urgent
    work wait until no turn searches.
    """

    def __init__(
        self,
        pipeline: PipelineOf,
        store: TurnStore,
        workers: int = 16,
        *,
        limits: PersonLimits = NO_LIMITS,
        abandoned_after_seconds: float = 75.0,
    ) -> None:
        self._limits = limits
        self._question_quota = (
            Quota([limits.questions_a_minute], seconds=_MINUTE_SECONDS)
            if limits.questions_a_minute is not None
            else None
        )
        self._pipeline = pipeline
        self._store = store
        self._abandoned_after_seconds = abandoned_after_seconds
        self._lock = threading.Lock()
        self._live: dict[str, LiveTurn] = {}
        self._unwritten: dict[str, LiveTurn] = {}
        self._ended: OrderedDict[str, TurnSnapshot] = OrderedDict()
        self._turn_of_token: OrderedDict[str, str] = OrderedDict()
        self.searches = Searches()
        self._searchers = FairPool(
            _SEARCH_WORKERS,
            "search",
            Share(limits.searches, limits.waiting),
            key_share=Share(limits.key_searches, limits.key_waiting),
        )
        self._answerers = FairPool(workers, "turn", Share(limits.answers), key_share=Share(limits.key_answers))
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name="turn-watch", daemon=True).start()

    def submit(self, token: str, request: TurnRequest) -> str:
        """Start answering and return the turn's id; the same ``token`` again returns the same turn.

        If the model cannot answer, passages are quoted.  A question that cannot be processed becomes a failed turn, and
        so does one of an owner who has too many waiting, or of a user who may not use the knowledge base, which
        ``pipeline`` checks when the search begins.

        Raises ``QuestionTooLong`` and ``QuestionsTooFast``; nothing of such a question is stored.
        """
        question, owner = self._limits.require_short(request.question), request.owner or request.session
        with self._lock:
            if token in self._turn_of_token:
                return self._turn_of_token[token]
            self._require_pace(owner)
            record = self._store.add(
                question,
                session=request.session,
                language=AskOptions(request.earlier, reader_language=request.language).language_of(question),
                follows=request.follows,
                knowledge_base=request.knowledge_base,
            )
            live = LiveTurn(record)
            self._live[record.turn_id] = live
            self._turn_of_token[token] = record.turn_id
            while len(self._turn_of_token) > _REMEMBERED_TOKENS:
                self._turn_of_token.popitem(last=False)
        options = AskOptions(
            think=request.think,
            cancelled=live.cancelled,
            owner=owner,
            conversation=request.conversation,
            fresh=request.fresh,
            quote=request.quote,
            earlier=request.earlier[-_EARLIER_QUESTIONS:],
            audience=request.user.audience,
            reader_language=request.language,
        )
        self._begin(_Work(live, options, request.user))
        return record.turn_id

    def retrieve(self, request: TurnRequest) -> Future[Retrieved]:
        """Find the passages for a question, in the same line as the searches of turns; nothing is stored.

        Raises ``QuestionTooLong``, ``QuestionsTooFast`` and ``OwnQueueFull``; the future raises what the pipeline does.
        """
        question, owner = self._limits.require_short(request.question), request.owner or request.session
        self._require_pace(owner)

        def search() -> Retrieved:
            events = self._pipeline(request.knowledge_base, request.user).stream(
                question,
                AskOptions(
                    owner=owner,
                    fresh=True,
                    earlier=request.earlier,
                    audience=request.user.audience,
                    reader_language=request.language,
                ),
            )
            with closing(events):
                return next(event for event in events if isinstance(event, Retrieved))

        return self._searchers.submit(owner, search)

    def work(self, owner: str, work: Callable[[], Result], *, is_continuation: bool) -> Future[Result]:
        """Do a piece of ``work`` like a search in the line of the owner's searches, once no turn searches.

        Long work comes in pieces: all but the first are continuations, and are not refused.  Raises
        ``OwnQueueFull``; the future raises what the work does.
        """

        def piece() -> Result:
            self.searches.wait_until_idle(_WORK_YIELD_SECONDS)
            return work()

        return self._searchers.submit(owner, piece, is_continuation=is_continuation)

    @property
    def feedback(self) -> TurnFeedback:
        """Agents' opinions of the answers, and their outcomes."""
        return self._store.feedback

    def snapshot(self, turn_id: str, after_version: int = -1) -> TurnSnapshot | None:
        """Return the turn as it is now, or None if it has not changed since ``after_version``.

        Raises ``TurnMissing`` if the id is unknown.
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

    def listen(self, turn_id: str, on_change: Callable[[TurnSnapshot], None]) -> Callable[[], None]:
        """Call ``on_change`` with each change of a running turn, until the returned function is called.

        The worker calls it and waits for it.  A turn that has ended, or is unknown, does not change any more.
        """
        live = self._live.get(turn_id)
        return live.listen(on_change) if live is not None else _nothing

    def cancel(self, turn_id: str) -> None:
        """Stop a turn: it counts as stopped at once, and its worker frees the model.  Unknown ids are ignored.

        Another process that answers the turn looks once a second whether it was stopped.
        """
        live = self._live.get(turn_id)
        if live is not None:
            live.end("stopped", Failure.of(AnswerCancelled()))
        elif turn_id not in self._ended:
            self._store.stop(turn_id)

    def history(
        self,
        session: str | None,
        limit: int = 30,
        offset: int = 0,
        *,
        before: str = "",
        knowledge_bases: Collection[str] | None = None,
        containing: str = "",
    ) -> tuple[TurnSummary, ...]:
        """Return turns, newest first, as ``TurnStore.list`` does."""
        rows = []
        for record in self._store.list(
            session, limit=limit, offset=offset, before=before, knowledge_bases=knowledge_bases, containing=containing
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

    def cancel_abandoned(self) -> int:
        """Stop the waiting turns that have not been read for long, and return their number."""
        limit = time.monotonic() - self._abandoned_after_seconds
        abandoned = [
            turn_id
            for turn_id, live in list(self._live.items())
            if live.snapshot.state == "queued" and live.last_read_at < limit
        ]
        for turn_id in abandoned:
            self.cancel(turn_id)
        return len(abandoned)

    def end_stopped(self) -> None:
        """End the running turns that were stopped through another process."""
        running = [turn_id for turn_id, live in list(self._live.items()) if not live.snapshot.final]
        try:
            stopped = self._store.stopped(running) if running else frozenset()
        except AnswerdeskError as error:  # asked again in a second
            logger.debug("stopped turns not read: %s", type(error).__name__)
            return
        for turn_id in stopped:
            self.cancel(turn_id)

    def close(self) -> None:
        """Stop all turns and wait for the workers; a later ``submit`` raises ``RuntimeError``."""
        self._closed.set()
        for turn_id in list(self._live):
            self.cancel(turn_id)
        self._searchers.shutdown()
        self._answerers.shutdown()

    def _read(self, turn_id: str) -> TurnSnapshot:
        live = self._live.get(turn_id)
        if live is not None:
            return live.read()
        ended = self._ended.get(turn_id)
        if ended is not None:
            if self._store.has(turn_id):
                return ended
            with self._lock:
                self._ended.pop(turn_id, None)
        try:
            stored = from_record(self._store.get(turn_id))
            if not stored.final and self._store.fail_if_abandoned(turn_id):
                stored = from_record(self._store.get(turn_id))
        except KeyError as error:
            raise TurnMissing from error
        # A page reads the turn that it shows several times a run.  Another process may still add to one it did not end.
        if stored.final and stored.state not in ("stopped", "failed"):
            with self._lock:
                self._remember(stored)
        return stored

    def _require_pace(self, owner: str) -> None:
        """Raise ``QuestionsTooFast`` if an owner asked too many questions within a minute."""
        wait_seconds = self._question_quota.spend(owner, [1]) if self._question_quota is not None else 0.0
        if wait_seconds > 0:
            raise QuestionsTooFast(count=self._limits.questions_a_minute, seconds=math.ceil(wait_seconds))

    def _begin(self, work: _Work) -> None:
        try:
            future = self._searchers.submit(work.options.owner, partial(self._search, work))
        except OwnQueueFull as error:
            work.live.end("failed", Failure.of(error))
            self._finish(work.live)
        else:
            future.add_done_callback(partial(self._continue_after_search, work))

    def _search(self, work: _Work) -> Generator[Event, None, None] | None:
        """Find the passages, and return the events that follow; None if the turn has ended."""
        live = work.live
        if live.snapshot.final:
            return None
        self.searches.begin(live.record.turn_id)
        try:
            with _end_on_error(live):
                events = self._events(work)
                return events if self._apply_until_found(live, events) else None
        finally:
            self.searches.end(live.record.turn_id)
        return None

    def _apply_until_found(self, live: LiveTurn, events: Generator[Event, None, None]) -> bool:
        """Apply the events up to the passages; close the events and return False if the turn ended without."""
        is_found = False
        try:
            for event in events:
                if not live.apply(event):
                    break
                if isinstance(event, Retrieved):
                    self.searches.end(live.record.turn_id)
                    self._write(live)
                    is_found = True
                    break
        finally:
            if not is_found:
                events.close()
        return is_found

    def _events(self, work: _Work) -> Generator[Event, None, None]:
        record = work.live.record
        pipeline = self._pipeline(record.knowledge_base, work.user)
        earlier = self._store.questions_before(record, _EARLIER_QUESTIONS) or work.options.earlier
        return pipeline.stream(record.question, replace(work.options, earlier=earlier))

    def _continue_after_search(self, work: _Work, search: "Future[Generator[Event, None, None] | None]") -> None:
        """Continue after the passages on a thread that may wait for the model."""
        events = search.result() if search.exception() is None else None
        if events is None:
            self._settle(work.live, search)
            return
        ahead = self._answerers.pieces_ahead(work.options.owner)
        if ahead and work.live.snapshot.answerable:
            work.live.apply(Queued(ahead, None))  # behind running answers, as the line has fewer than threads
        answer = self._answerers.submit(work.options.owner, partial(self._answer, work.live, events))
        answer.add_done_callback(partial(self._settle, work.live))

    def _answer(self, live: LiveTurn, events: Generator[Event, None, None]) -> None:
        yielded_at = 0.0
        with _end_on_error(live), closing(events):
            for event in events:
                if not live.apply(event):
                    return
                if time.monotonic() - yielded_at >= 2 * _YIELD_SECONDS:
                    self.searches.wait_until_idle(_YIELD_SECONDS)  # meanwhile the model's next words collect
                    yielded_at = time.monotonic()

    def _settle(self, live: LiveTurn, future: "Future[Any]") -> None:
        """End the turn if it has not ended, and store it; called in the worker, so only workers write a turn."""
        error = future.exception()
        if error is not None or not live.snapshot.final:
            live.end("failed", Failure.of(TurnFailed(number=log_unforeseen(logger, "turn", error))))
        self._finish(live)

    def _finish(self, live: LiveTurn) -> None:
        is_written = self._write(live)
        with self._lock:
            if is_written:
                self._remember(live.snapshot)
                self._live.pop(live.record.turn_id, None)
                self._unwritten.pop(live.record.turn_id, None)
            else:
                self._unwritten[live.record.turn_id] = live

    def _retry_writing(self) -> None:
        """Write the turns that could not be written when they ended, as a disk was full or a server away."""
        for live in list(self._unwritten.values()):
            self._finish(live)

    def _remember(self, ended: TurnSnapshot) -> None:
        """Cache an ended turn for repeated reads; the lock is held."""
        self._ended[ended.turn_id] = ended
        while len(self._ended) > _REMEMBERED_ENDS:
            self._ended.popitem(last=False)

    def _write(self, live: LiveTurn) -> bool:
        """Write the turn as it is.  If that fails, it stays readable in this process."""
        try:
            self._store.update(to_record(live.record, live.snapshot), live.times())
        except AnswerdeskError as error:
            logger.error("turn not written: %s", type(error).__name__)
            return False
        return True

    def _watch(self) -> None:
        """Look for abandoned turns; when the main thread ends, stop all, so that the program can end at once."""
        main, looks = threading.main_thread(), 0
        while not self._closed.is_set():
            main.join(timeout=_LOOK_FOR_STOPPED_EVERY_SECONDS)
            if not main.is_alive():
                for live in list(self._live.values()):
                    live.cancelled.set()
                return
            self.end_stopped()
            looks += 1
            if looks % _LOOKS_BETWEEN_ABANDONED == 0:
                self.cancel_abandoned()
                self._retry_writing()


@contextmanager
def _end_on_error(live: LiveTurn) -> Iterator[None]:
    """End the turn with an error of the product's tree."""
    try:
        yield
    except AnswerCancelled as error:
        live.end("stopped", Failure.of(error))
    except AnswerdeskError as error:
        log_for_operator(logger, error)
        live.end("failed", Failure.of(error))


def _nothing() -> None:
    """Do nothing: there is nothing to stop."""


class Pipelines:
    """One pipeline a knowledge base, built at its first question and kept.  Safe to call from many threads.

    A failed build is repeated at the next question, so a knowledge base that is created later needs no restart.
    This guards retrieval: a question reaches passages, a curated answer or a cached one only through a pipeline, and
    pipelines come only from here.
    """

    def __init__(self, bases: KnowledgeBases, build: Callable[[str], AnswerPipeline]) -> None:
        self._bases = bases
        self._build = build
        self._lock = threading.Lock()
        self._builds: dict[str, threading.Lock] = {}
        self._built: dict[str, AnswerPipeline] = {}

    def __call__(self, name: str, user: User) -> AnswerPipeline:
        """Return the pipeline of knowledge base ``name``.

        Raises ``AccessDenied`` if the user may not use it, and what building it raises.
        """
        self._bases.require(user, name)
        with self._lock:
            build = self._builds.setdefault(name, threading.Lock())
        with build:  # others that need this pipeline wait for its build
            if name not in self._built:
                self._built[name] = self._build(name)
            return self._built[name]


class Searches:
    """Counts running searches; safe to use from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._under_way: set[str] = set()

    def begin(self, turn_id: str) -> None:
        """Count a turn from now on."""
        with self._changed:
            self._under_way.add(turn_id)

    def end(self, turn_id: str) -> None:
        """Stop counting it; a second call does nothing."""
        with self._changed:
            self._under_way.discard(turn_id)
            if not self._under_way:
                self._changed.notify_all()

    def wait_until_idle(self, timeout_seconds: float) -> None:
        """Return when no search is running, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way, timeout=timeout_seconds)
