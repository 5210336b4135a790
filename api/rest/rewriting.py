"""A draft in other words: ``/turns/{turn_id}/rewritings``, through the desk's own service, queue and check."""

import asyncio
from secrets import token_urlsafe
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from api.access import Access
from api.callers import Caller, language_of
from api.questions import PROGRAM_TAB, unless_gone
from api.rest.asking import TURN_ID
from api.rest.bodies import Rewriting, RewrittenBody
from api.rest.values import failed_response, rewritten_body
from rag.turns import PersonalRewritings, WritingSnapshot

_LOOK_EVERY_SECONDS = 0.1


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
        request: Request, turn_id: TURN_ID, body: Rewriting, caller: Annotated[Caller, Depends(access.having("ask"))]
    ) -> Response:
        questions = access.questions(caller)
        questions.require_changeable(turn_id)
        rewritings = access.desk(caller, questions.snapshot(turn_id).knowledge_base).rewritings
        assert rewritings is not None  # the program's services have them
        caller.spend_question()
        begin, token = rewritings.rewrite, token_urlsafe(16)
        writing_id = await run_in_threadpool(begin, token, turn_id, body.text, body.wish, tab=PROGRAM_TAB)
        try:
            writing = await unless_gone(_ended(rewritings, writing_id), request)
        finally:
            rewritings.cancel(writing_id)  # one that has ended stays as it is
        language = language_of(request.headers)
        if writing.failure is not None and writing.finding is None:
            return failed_response(writing.failure, turn_id, language)
        return JSONResponse(rewritten_body(writing, turn_id, body.wish, language).model_dump(mode="json"))

    return router


async def _ended(rewritings: PersonalRewritings, writing_id: str) -> WritingSnapshot:
    while not (writing := rewritings.snapshot(writing_id)).final:
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
    return writing
