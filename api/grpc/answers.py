"""The service ``Answers``."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Literal

from starlette.concurrency import run_in_threadpool

from api.access import Access
from api.callers import Caller
from api.grpc import answerdesk_pb2 as wire
from api.grpc import values
from api.grpc.calls import Context, call_of, end_with
from api.problems import bilingual, problem_of_turn
from api.questions import asked, final_snapshot
from api.settled_text import SettledText
from api.stream_place import NewsName, StreamPlace
from rag.errors import AnswerdeskError, RequestUnusable
from rag.turns import TurnRequest, TurnSnapshot

_QUOTES: Mapping[int, Literal["if_needed", "only", "never"]] = {
    wire.QUOTE_IF_NEEDED: "if_needed",
    wire.QUOTE_ONLY: "only",
    wire.QUOTE_NEVER: "never",
}
_MOST_EARLIER = 100
_BATCH_AT_ONCE = 4


class Answers:
    """Questions and their answers, as ``answerdesk.proto`` describes them."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def Ask(self, request: wire.AskRequest, context: Context) -> None:
        """Answer a question, step by step."""
        async with call_of(self._access, context, "ask") as caller:
            wanted = _turn_request(self._access, caller, request)
            questions = self._access.questions(caller)
            async with asked(questions, wanted, request.user) as (turn_id, snapshots):
                steps, settled = _Steps(turn_id), SettledText() if questions.are_public else None
                async for turn in snapshots:
                    if turn is not None and settled is not None:
                        turn = await run_in_threadpool(settled.shown, turn)
                    for event in steps.more(turn) if turn is not None else ():
                        await context.write(event)
                    failed = problem_of_turn(turn) if turn is not None and turn.final else None
                    if failed is not None:
                        await end_with(failed, context)

    async def Retrieve(self, request: wire.RetrieveRequest, context: Context) -> wire.RetrieveResponse:
        """Find passages, without a model."""
        async with call_of(self._access, context, "retrieve") as caller:
            base = self._access.base_for(caller, request.knowledge_base)
            wanted = TurnRequest(request.question, knowledge_base=base, earlier=_earlier(request.earlier))
            found = await self._access.questions(caller).retrieve(wanted)
            return wire.RetrieveResponse(
                knowledge_base=base,
                answerable=found.answerable,
                answerable_probability=found.answerable_probability,
                generation=found.generation,
                by_words_alone=found.by_words_alone,
                evidence=map(values.passage, found.evidence),
            )

    async def Batch(self, requests: AsyncIterator[wire.BatchRequest], context: Context) -> None:
        """Answer questions as they come, a few at a time."""
        async with call_of(self._access, context, "ask") as caller:
            room = asyncio.Semaphore(_BATCH_AT_ONCE)
            sending = asyncio.Lock()

            async def answer_one(item: wire.BatchRequest) -> None:
                try:
                    response = await self._answered(caller, item)
                    async with sending:
                        await context.write(response)
                finally:
                    room.release()

            async with asyncio.TaskGroup() as answering:
                await room.acquire()
                async for item in requests:
                    answering.create_task(answer_one(item))
                    await room.acquire()

    async def _answered(self, caller: Caller, item: wire.BatchRequest) -> wire.BatchResponse:
        try:
            wanted = _turn_request(self._access, caller, item.question)
            async with asked(self._access.questions(caller), wanted, item.question.user) as (_, snapshots):
                turn = await final_snapshot(snapshots)
        except AnswerdeskError as error:
            return wire.BatchResponse(id=item.id, problem=values.problem(bilingual(error)))
        failed = problem_of_turn(turn)
        if failed is not None:
            return wire.BatchResponse(id=item.id, problem=values.problem(failed))
        assert turn.answer is not None  # it has a problem else
        return wire.BatchResponse(id=item.id, answer=values.answer(turn, turn.answer))


class _Steps:
    """What of one turn was sent so far."""

    def __init__(self, turn_id: str) -> None:
        self._turn_id = turn_id
        self._place = StreamPlace()

    def more(self, turn: TurnSnapshot) -> list[wire.AskEvent]:
        """Return what has not been sent yet."""
        events = [self._event(**_step(name, turn, words)) for name, words in self._place.news(turn)]
        if turn.answer is not None:
            whole = values.answer(turn, turn.answer)
            events.append(self._event(refusal=whole) if turn.answer.refused else self._event(completed=whole))
        return events

    @property
    def _event(self) -> Callable[..., wire.AskEvent]:
        return lambda **step: wire.AskEvent(turn_id=self._turn_id, **step)


def _step(name: NewsName, turn: TurnSnapshot, words: str) -> dict[str, object]:
    if name == "retrieved":
        evidence = map(values.passage, turn.evidence)
        found = wire.Retrieved(answerable=bool(turn.answerable), generation=turn.generation, evidence=evidence)
        return {"retrieved": found}
    if name == "queued":
        return {"queued": wire.Queued(ahead=turn.ahead or 0, wait_seconds=turn.wait_seconds)}
    return {"draft" if name == "answer" else name: wire.Words(text=words)}


def _turn_request(access: Access, caller: Caller, request: wire.AskRequest) -> TurnRequest:
    return TurnRequest(
        request.question,
        knowledge_base=access.base_for(caller, request.knowledge_base),
        think=request.think if request.HasField("think") else None,
        fresh=request.fresh,
        quote=_QUOTES.get(request.quote, "if_needed"),
        follows=request.follows,
        earlier=_earlier(request.earlier),
    )


def _earlier(questions: Sequence[str]) -> tuple[str, ...]:
    if len(questions) > _MOST_EARLIER:
        raise RequestUnusable(reason="earlier")
    return tuple(questions)
