"""Questions and turns: ``/ask``, ``/retrieve``, ``/turns`` and a turn's ``/rewritings``."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from secrets import token_urlsafe
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from api.access import Access
from api.callers import Caller, language_of
from api.idempotency import LONGEST_KEY
from api.problems import problem_of
from api.questions import PROGRAM_TAB, Questions, until_disconnect
from api.rest.bodies import (
    Ask,
    Correction,
    CuratedBody,
    Judgement,
    Passage,
    Retrieve,
    Retrieved,
    Rewriting,
    RewrittenBody,
    TurnBody,
    TurnLine,
    TurnList,
)
from api.rest.values import curated_body, failed_response, problem_body, rewritten_body, turn_body
from api.streams import STILL_HERE, NewsName, SettledText, StreamPlace, event_stream
from api.wire import evidence_data
from rag.errors import AnswerdeskError, IdempotencyRunning, RequestUnusable
from rag.reuse.curated import Place
from rag.schema import Language
from rag.turns import PersonalRewritings, TurnRequest, TurnSnapshot, WritingSnapshot

TURN_ID = Annotated[str, Path(max_length=64)]
IDEMPOTENCY_KEY = Annotated[
    str | None,
    Header(alias="Idempotency-Key", max_length=LONGEST_KEY, include_in_schema=False),
]
_ONCE = "With the header `Idempotency-Key`, the same request again asks nothing again, for a day."
EVENTS: Mapping[str, Any] = {
    "text/event-stream": {
        "schema": {
            "type": "object",
            "properties": {"id": {"type": "string"}, "event": {"type": "string"}, "data": {"type": "string"}},
        },
        "description": "events `retrieved`, `queued`, `thinking`, `answer`, then `completed` or `failed`",
    }
}
_LOOK_EVERY_SECONDS = 0.1


def asking_routes(access: Access) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["questions"])
    _question_routes(router, access)
    _turn_routes(router, access)
    _judgement_routes(router, access)
    return router


def _question_routes(router: APIRouter, access: Access) -> None:
    asking = Depends(access.with_right("ask"))

    @router.post(
        "/ask",
        summary="Answer a question",
        description=_ONCE,
        response_model=TurnBody,
        responses={200: {"description": "an answer or a refusal", "content": dict(EVENTS)}},
    )
    async def ask(
        request: Request, body: Ask, caller: Annotated[Caller, asking], idempotency_key: IDEMPOTENCY_KEY = None
    ) -> Response:
        questions = access.questions(caller)
        turn_id = await _begin(access, questions, body, idempotency_key, language_of(request.headers))
        if "text/event-stream" in request.headers.get("accept", ""):
            return event_stream(turn_events(questions, turn_id, language_of(request.headers), stops=True))
        turn = await questions.answer(turn_id, request)
        return _turn_response(turn, language_of(request.headers))

    @router.post("/turns", status_code=202, summary="Begin to answer a question", description=_ONCE)
    async def begin(
        request: Request,
        response: Response,
        body: Ask,
        caller: Annotated[Caller, asking],
        idempotency_key: IDEMPOTENCY_KEY = None,
    ) -> TurnBody:
        questions = access.questions(caller)
        turn_id = await _begin(access, questions, body, idempotency_key, language_of(request.headers))
        response.headers["Location"] = f"{request.url.path}/{turn_id}"
        return turn_body(questions.snapshot(turn_id), language_of(request.headers))

    @router.post("/retrieve", summary="Find the passages for a question, without a model")
    async def retrieve(
        request: Request, body: Retrieve, caller: Annotated[Caller, Depends(access.with_right("retrieve"))]
    ) -> Retrieved:
        base = access.base_for(caller, body.knowledge_base)
        reader = language_of(request.headers)
        wanted = TurnRequest(body.question, knowledge_base=base, earlier=tuple(body.earlier), language=reader)
        found = await access.questions(caller).retrieve(wanted)
        return Retrieved(
            knowledge_base=base,
            answerable=found.answerable,
            answerable_probability=found.answerable_probability,
            generation=found.generation,
            by_words_alone=found.by_words_alone,
            evidence=[Passage.model_validate(evidence_data(one)) for one in found.evidence],
        )


def _turn_routes(router: APIRouter, access: Access) -> None:
    reading = Depends(access.any_caller())

    @router.get("/turns", summary="Questions asked before, newest first")
    def turns(
        caller: Annotated[Caller, reading],
        team: Annotated[bool, Query(description="also those of others; needs the right turns:read")] = False,
        containing: Annotated[str, Query(max_length=200)] = "",
        limit: Annotated[int, Query(ge=1, le=200)] = 30,
        before: Annotated[
            str, Query(max_length=64, description="turn_id of the last one listed; questions asked later shift nothing")
        ] = "",
        offset: Annotated[int, Query(ge=0, le=1_000_000, description="slower the larger it is")] = 0,
    ) -> TurnList:
        if team:
            caller.require("turns:read")
        questions = access.questions(caller)
        if before:
            questions.snapshot(before)  # 404 for what the caller may not see
        found = questions.turns.history(limit, offset, before=before, team=team, containing=containing)
        return TurnList(turns=[TurnLine.model_validate(one) for one in found])

    @router.get("/turns/{turn_id}", summary="A question and what became of it")
    def turn(request: Request, turn_id: TURN_ID, caller: Annotated[Caller, reading]) -> TurnBody:
        return turn_body(access.questions(caller).snapshot(turn_id), language_of(request.headers))

    @router.get(
        "/turns/{turn_id}/events",
        summary="Follow a turn; Last-Event-ID goes on where a connection broke off",
        response_class=Response,
        responses={200: {"description": "events of the turn", "content": dict(EVENTS)}},
    )
    async def events(
        request: Request,
        turn_id: TURN_ID,
        caller: Annotated[Caller, reading],
        last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=64)] = None,
    ) -> Response:
        questions = access.questions(caller)
        questions.snapshot(turn_id)
        place = StreamPlace.parse(last_event_id)
        return event_stream(turn_events(questions, turn_id, language_of(request.headers), stops=False, after=place))

    @router.post("/turns/{turn_id}/stop", status_code=204, summary="Stop a turn; what it has is kept")
    def stop(turn_id: TURN_ID, caller: Annotated[Caller, Depends(access.with_right("ask"))]) -> None:
        questions = access.questions(caller)
        questions.require_changeable(turn_id)
        questions.turns.cancel(turn_id)


def _judgement_routes(router: APIRouter, access: Access) -> None:
    @router.post("/turns/{turn_id}/feedback", status_code=204, summary="Say what became of an answer")
    def feedback(
        turn_id: TURN_ID, body: Judgement, caller: Annotated[Caller, Depends(access.with_right("feedback"))]
    ) -> None:
        questions = access.questions(caller)
        questions.require_changeable(turn_id)
        if body.useful is None and body.outcome is None:
            raise RequestUnusable(reason="no_judgement")
        if body.useful is not None:
            questions.turns.judge(turn_id, useful=body.useful, reason=body.reason)
        if body.outcome is not None:
            questions.turns.record_outcome(turn_id, body.outcome, body.changed_share)

    @router.post("/turns/{turn_id}/correction", status_code=201, summary="Write what the answer should have been")
    def correct(
        turn_id: TURN_ID, body: Correction, caller: Annotated[Caller, Depends(access.with_right("feedback"))]
    ) -> CuratedBody:
        turn = access.questions(caller).snapshot(turn_id)
        cited = turn.answer.citations if turn.answer is not None else ()
        places = [Place(one.document_id, one.quote_start, one.quote_end) for one in cited]
        write = access.desk(caller, turn.knowledge_base).corrections.write
        may_skip_review = "curated:write" in caller.rights
        written = write(turn.knowledge_base, turn.question, body.answer, places, may_skip_review=may_skip_review)
        return curated_body(written)


async def _begin(access: Access, questions: Questions, body: Ask, key: str | None, reader_language: Language) -> str:
    """Begin a turn, or return the one that the same Idempotency-Key began and nobody stopped."""
    caller = questions.caller
    request = TurnRequest(
        body.question,
        knowledge_base=access.base_for(caller, body.knowledge_base),
        think=body.think,
        fresh=body.fresh,
        quote=body.quote,
        follows=body.follows,
        earlier=tuple(body.earlier),
        language=reader_language,
    )
    if not key:
        return questions.ask(request, body.user)
    name = caller.user.name
    begun = await run_in_threadpool(access.idempotent.begin, name, key, body.model_dump_json().encode())
    if begun:
        turn = questions.snapshot(begun)
        if not turn.final:
            raise IdempotencyRunning(turn=begun)
        if turn.state != "stopped":
            return begun
    try:
        turn_id = questions.ask(request, body.user)
    except BaseException:
        access.idempotent.forget(name, key)
        raise
    await run_in_threadpool(access.idempotent.keep, name, key, turn_id)
    return turn_id


def _turn_response(turn: TurnSnapshot, language: Language) -> Response:
    """Return the turn, or a failed one's problem with its status."""
    if turn.failure is None:
        return Response(turn_body(turn, language).model_dump_json(), media_type="application/json")
    return failed_response(turn.failure, turn.turn_id, language)


async def turn_events(
    questions: Questions, turn_id: str, language: Language, *, stops: bool, after: StreamPlace | None = None
) -> AsyncIterator[str]:
    """Yield a turn's events: its passages, its place in the queue, its words as they come, and its end.

    Words are a draft until ``completed``, whose text holds; customers get only what will stand.  ``stops``: the
    turn ends when the client goes away.
    """
    place = after or StreamPlace()
    settled = SettledText() if questions.are_public else None
    try:
        async with questions.stop_when_left(turn_id) if stops else aclosing(questions.follow(turn_id)) as snapshots:
            async for event in _stream_turn(snapshots, place, language, settled):
                yield event
    except AnswerdeskError as error:  # the caller may not see it any more
        yield _event("failed", place, problem_of(error, language).as_problem())


async def _stream_turn(
    snapshots: AsyncIterator[TurnSnapshot | None], place: StreamPlace, language: Language, settled: SettledText | None
) -> AsyncIterator[str]:
    async for turn in snapshots:
        if turn is None:
            yield STILL_HERE
            continue
        if settled is not None:
            turn = await run_in_threadpool(settled.settled_turn, turn)
        for name, words in place.new_parts(turn):
            yield _event(name, place, _data(name, turn, words))
        if turn.final:
            whole = turn_body(turn, language).model_dump(mode="json")
            if turn.failure is not None:
                yield _event("failed", place, problem_body(turn, language).model_dump(mode="json") | {"turn": whole})
            else:
                yield _event("completed", place, whole)


def _data(name: NewsName, turn: TurnSnapshot, words: str) -> Mapping[str, object]:
    if name == "retrieved":
        return _passages_data(turn)
    return {"ahead": turn.ahead, "wait_seconds": turn.wait_seconds} if name == "queued" else {"text": words}


def _passages_data(turn: TurnSnapshot) -> dict[str, object]:
    return {
        "turn_id": turn.turn_id,
        "answerable": turn.answerable,
        "generation": turn.generation,
        "evidence": [evidence_data(one) for one in turn.evidence],
    }


def _event(name: str, place: StreamPlace, data: Mapping[str, object]) -> str:
    return f"id: {place}\nevent: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def rewriting_routes(access: Access) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["questions"])

    @router.post(
        "/turns/{turn_id}/rewritings",
        summary="Put a draft into other words, and check that no fact has changed",
        description="Answered when the model has written. A text whose facts the model changed is not given: `state` "
        "is `refused` then, and `finding` says what is different. It counts as a question of the key's limit.",
        response_model=RewrittenBody,
    )
    async def rewrite(
        request: Request,
        turn_id: TURN_ID,
        body: Rewriting,
        caller: Annotated[Caller, Depends(access.with_right("ask"))],
    ) -> Response:
        questions = access.questions(caller)
        questions.require_changeable(turn_id)
        rewritings = access.desk(caller, questions.snapshot(turn_id).knowledge_base).rewritings
        caller.spend_question()
        begin, token = rewritings.rewrite, token_urlsafe(16)
        writing_id = await run_in_threadpool(begin, token, turn_id, body.text, body.wish, tab=PROGRAM_TAB)
        try:
            writing = await until_disconnect(_wait_for_writing(rewritings, writing_id), request)
        finally:
            rewritings.cancel(writing_id)  # one that has ended stays as it is
        language = language_of(request.headers)
        if writing.failure is not None and writing.finding is None:
            return failed_response(writing.failure, turn_id, language)
        return JSONResponse(rewritten_body(writing, turn_id, body.wish, language).model_dump(mode="json"))

    return router


async def _wait_for_writing(rewritings: PersonalRewritings, writing_id: str) -> WritingSnapshot:
    while not (writing := rewritings.snapshot(writing_id)).final:
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
    return writing
