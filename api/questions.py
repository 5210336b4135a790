"""A question from a program: asked as a turn of the desk, followed as it is answered, stopped when nobody listens.

All faces of the API ask through here, so that the queue, the limits, the rights and the history are the desk's own.
In faces whose calls are cancelled as tasks, a turn lives no longer than the call that asked for it.
"""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from starlette.requests import Request

from api.callers import Caller
from api.services.shared import SharedServices
from rag.errors import AccessDenied, AnswerCancelled, TurnMissing
from rag.protocols import Embedder, FloatMatrix
from rag.retrieval.question import clean_question
from rag.schema import Retrieved
from rag.turns import PersonalTurns, TurnRequest, TurnSnapshot

Result = TypeVar("Result")

HEARTBEAT_SECONDS = 5.0
PROGRAM_TAB = "api"
"""The name under which programs without a key take turns with the desk's tabs."""

_ASKER_DIGITS = 16
_TEXTS_AT_ONCE = 8
"""At most 4,096 tokens, for the embedder reads 512 of a text: about a second on two cores."""

_GATHER_SECONDS = 0.04
"""What the model says within this time is sent at once: thirty words a second need no message each."""


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Texts as vectors, each float32 [dimension] of length 1, and how many ``tokens`` they have together."""

    vectors: Sequence[FloatMatrix]
    tokens: int


@dataclass(frozen=True, slots=True)
class Questions:
    """The turns that one caller may ask, follow and stop."""

    services: SharedServices
    turns: PersonalTurns
    caller: Caller
    limit_characters: int

    @classmethod
    def of(cls, services: SharedServices, caller: Caller) -> "Questions":
        """Return the questions of a caller."""
        limit = services.knowledge_registry.settings.question_limit_characters
        leads = "turns:write" in caller.rights
        turns = PersonalTurns(services.turns, services.bases, lambda: caller.user, leads=leads)
        return cls(services, turns, caller, limit)

    def ask(self, request: TurnRequest, asker: str = "") -> str:
        """Begin a turn and return its id.

        ``asker`` names the user of the program who asks, by whatever name it has for them: with the right ``users``,
        each takes turns in the queue and has limits as a person has.  Only a hash of the name is passed on.

        Raises as ``PersonalTurns.submit``, a ``QuestionError`` at once for what cannot be asked at all, and
        ``TurnMissing`` where the caller can follow no turn of this id.
        """
        self.caller.require("ask")
        clean_question(request.question, self.limit_characters)
        if request.follows:
            self._require_followable(request)
        request = self._shorten_earlier(request)
        self.caller.spend_question()
        if asker and "users" in self.caller.rights:
            request = replace(request, asker=hashlib.sha256(asker.encode()).hexdigest()[:_ASKER_DIGITS])
        # Half a millisecond of SQLite, here and not in a thread: the search begins at once, and would keep the
        # interpreter from that thread's answer for five.
        return self.turns.submit(secrets.token_urlsafe(16), request, tab=PROGRAM_TAB)

    async def retrieve(self, request: TurnRequest) -> Retrieved:
        """Find the passages and ask no model.  Raises as ``PersonalTurns.retrieve``, and what the search raises."""
        self.caller.require("retrieve")
        self.caller.spend_question()
        return await asyncio.wrap_future(self.turns.retrieve(self._shorten_earlier(request), tab=PROGRAM_TAB))

    async def embed(self, texts: Sequence[str], embedder: Callable[[], Embedder]) -> Embeddings:
        """Embed texts as passages, as one question of the key's limit.

        Batches are pieces of work in the line of the caller's searches, so that others' come in between.

        Raises ``RightMissing``, ``QuestionsTooFast`` and ``OwnQueueFull``, and what the embedder raises.
        """
        self.caller.require("retrieve")
        self.caller.spend_question()
        done: list[Embeddings] = []
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            batch = texts[start : start + _TEXTS_AT_ONCE]
            piece = partial(_embed, embedder, batch)
            done.append(await asyncio.wrap_future(self.turns.work(piece, tab=PROGRAM_TAB, is_continuation=start > 0)))
        return Embeddings([row for one in done for row in one.vectors], sum(one.tokens for one in done))

    def _shorten_earlier(self, request: TurnRequest) -> TurnRequest:
        """Cut a request's earlier questions to the limit of a question."""
        return replace(request, earlier=tuple(text[: self.limit_characters] for text in request.earlier))

    def snapshot(self, turn_id: str) -> TurnSnapshot:
        """Return a turn as it is: one's own, or with the right ``turns:read`` anybody's in one's knowledge bases.

        Customers see no draft.  Raises ``TurnMissing``, also where it is not this caller's to see.
        """
        with _hide_foreign():
            turn = self.turns.snapshot(turn_id)
        if turn is None or (turn.session != self.caller.user.name and "turns:read" not in self.caller.rights):
            raise TurnMissing
        return replace(turn, text="") if self.are_public and not turn.final else turn

    def _require_followable(self, request: TurnRequest) -> None:
        """Raise ``TurnMissing`` as ``snapshot``, and where the turn is another knowledge base's.

        The desk leaves such a turn out, as one may have been deleted while it is shown; a program that names one would
        take an answer without its context for one with it.
        """
        if self.snapshot(request.follows).knowledge_base != request.knowledge_base:
            raise TurnMissing

    @property
    def are_public(self) -> bool:
        """Whether customers ask them, who have nobody to tell them that a draft was no answer."""
        return self.caller.user.audience == "public"

    def require_changeable(self, turn_id: str) -> None:
        """Raise ``RightMissing`` where somebody else asked, and the caller has no right to stop or rate their turns.

        Raises ``TurnMissing`` as ``snapshot``.
        """
        if self.snapshot(turn_id).session != self.caller.user.name:
            self.caller.require("turns:write")

    async def follow(self, turn_id: str) -> AsyncGenerator[TurnSnapshot | None, None]:
        """Yield a turn whenever it has changed, the last time when it has ended; None: it still goes on.

        Raises as ``snapshot``, and ``ApiKeyRefused``: who may see the turn is asked again each time.
        """
        version, evidence_is_told = -1, False
        self.snapshot(turn_id)
        with self._listen(turn_id) as heard:
            while True:
                heard.anything.clear()
                snapshot = await self._snapshot_now(turn_id, version)
                if snapshot is not None:
                    version = snapshot.version
                    yield snapshot
                    if snapshot.final:
                        return
                    if evidence_is_told:
                        await _wait(_GATHER_SECONDS, heard.end)
                    evidence_is_told = evidence_is_told or bool(snapshot.evidence)
                if not await _wait(HEARTBEAT_SECONDS, heard.anything):
                    yield None

    async def _snapshot_now(self, turn_id: str, after_version: int = -1) -> TurnSnapshot | None:
        """Return a turn if it is newer than that version, for the rights that the caller has at this moment."""
        caller = await self.caller.renewed()
        turns = self.turns if caller == self.caller else Questions.of(self.services, caller).turns
        with _hide_foreign():
            return turns.snapshot(turn_id, after_version)

    @contextmanager
    def _listen(self, turn_id: str) -> Iterator["_TurnChanges"]:
        """Receive a turn's changes, from the thread that answers it, while the block lasts."""
        loop, heard = asyncio.get_running_loop(), _TurnChanges(asyncio.Event(), asyncio.Event())

        def wake(snapshot: TurnSnapshot) -> None:
            with suppress(RuntimeError):  # the loop has ended, and nobody listens
                loop.call_soon_threadsafe(heard.anything.set)
                if snapshot.final:
                    loop.call_soon_threadsafe(heard.end.set)

        stop = self.turns.listen(turn_id, wake)
        try:
            yield heard
        finally:
            stop()

    @asynccontextmanager
    async def stop_when_left(self, turn_id: str) -> AsyncIterator[AsyncIterator[TurnSnapshot | None]]:
        """Follow a turn, and stop it if the block is left before it has ended, to free its slot."""
        try:
            async with aclosing(self.follow(turn_id)) as snapshots:
                yield snapshots
        finally:
            self.turns.cancel(turn_id)  # one that has ended stays as it is

    async def answer(self, turn_id: str, request: Request) -> TurnSnapshot:
        """Return the turn when it has ended; where the client goes away before, it is stopped.

        Raises ``AnswerCancelled`` where nobody waits any more, and ``ApiKeyRefused``.
        """
        try:
            return await until_disconnect(self._final_snapshot(turn_id), request)
        finally:
            self.turns.cancel(turn_id)  # one that has ended stays as it is

    async def _final_snapshot(self, turn_id: str) -> TurnSnapshot:
        """Return the turn when it has ended; polling it meanwhile keeps it from counting as abandoned."""
        with self._listen(turn_id) as heard:
            while (snapshot := await self._snapshot_now(turn_id)) is None or not snapshot.final:
                await _wait(HEARTBEAT_SECONDS, heard.end)
        return snapshot


@dataclass(frozen=True, slots=True)
class _TurnChanges:
    """Events from the answering thread: the turn has changed, the turn has ended."""

    anything: asyncio.Event
    end: asyncio.Event


async def _wait(seconds: float, event: asyncio.Event) -> bool:
    """Wait for an event, at most this time; return whether it was set."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


def _embed(embedder: Callable[[], Embedder], texts: Sequence[str]) -> Embeddings:
    made = embedder()  # loaded by the first one that wants it
    return Embeddings(list(made.embed_passages(texts).vectors), sum(map(made.count_tokens, texts)))


async def until_disconnect(work: Coroutine[object, object, Result], request: Request) -> Result:
    """Return the result of ``work``; if the client disconnects before, cancel it and raise ``AnswerCancelled``.

    Its answer goes nowhere; a ``CancelledError`` would reach the server, which logs it as a fault of ours.
    """
    return await _run_until(_wait_for_disconnect(request), work)


async def until_left(left: asyncio.Event | None, work: Coroutine[object, object, Result]) -> Result:
    """Return the result of ``work``; if the client leaves before, cancel it and raise ``AnswerCancelled``."""
    return await work if left is None else await _run_until(left.wait(), work)


async def _run_until(departure: Coroutine[object, object, object], work: Coroutine[object, object, Result]) -> Result:
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(departure)
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise AnswerCancelled
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _wait_for_disconnect(request: Request) -> None:
    """Wait until the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


@contextmanager
def _hide_foreign() -> Iterator[None]:
    """Make a turn that is not the caller's look missing."""
    try:
        yield
    except AccessDenied as error:
        raise TurnMissing from error


@asynccontextmanager
async def question_turn(
    questions: Questions, request: TurnRequest, asker: str = ""
) -> AsyncIterator[tuple[str, AsyncIterator[TurnSnapshot | None]]]:
    """Ask, and yield the turn's id and its snapshots; the turn is stopped when the block is left.

    Raises as ``Questions.ask``.
    """
    turn_id = questions.ask(request, asker)
    async with questions.stop_when_left(turn_id) as snapshots:
        yield turn_id, snapshots


async def final_snapshot(snapshots: AsyncIterator[TurnSnapshot | None]) -> TurnSnapshot:
    """Return the last snapshot of a turn."""
    last = None
    async for snapshot in snapshots:
        last = snapshot or last
    assert last is not None and last.final  # ``Questions.follow`` ends with it
    return last
