"""The routes of OpenAI's wire, under ``/v1`` and, for clients that leave that out, at the root.

Open WebUI asks a model some things for itself: a chat's title, its tags, further questions.  Each answer would bring
three more generations, all of them over a knowledge base that has nothing to say.  They are answered by a rule, and the
model is not asked.  The prompts are those of Open WebUI 0.12 (``open_webui/config.py``), all of which begin with the
same line.
"""

import base64
import json
import struct
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from api.access import Access, base_url
from api.callers import Caller, language_of
from api.markdown_turns import as_markdown
from api.openai import chat, responses
from api.openai.chat import Reply
from api.openai.pictures import PictureReading, PictureReadings, has_pictures, pictures_in
from api.openai.requests import (
    MODEL_PREFIX,
    OPTIONS,
    ChatRequest,
    RequestedModel,
    ResponseRequest,
    ignored,
    questions_in,
    requested_model,
)
from api.openai.responses import ID_PREFIX, ResponseReply
from api.problems import Problem, problem_of, problem_of_failure
from api.questions import PROGRAM_TAB, Embeddings, until_disconnect
from api.rest.bodies import whole_number
from api.streams import event_stream
from api.wire import Plain
from rag.errors import DocumentUnreadable, ModelUnknown, RequestUnusable
from rag.schema import Language
from rag.turns import Failure, TurnSnapshot

EMBEDDER_MODEL = "answerdesk-embedder"
_MOST_TEXTS = 256
_LONGEST_TEXT = 8000


class EmbeddingRequest(BaseModel):
    """The body of ``POST /v1/embeddings``."""

    model_config = ConfigDict(extra="allow")
    model: Annotated[str, Field(max_length=200)]
    input: (
        Annotated[str, Field(min_length=1, max_length=_LONGEST_TEXT)]
        | Annotated[
            list[Annotated[str, Field(min_length=1, max_length=_LONGEST_TEXT)]],
            Field(min_length=1, max_length=_MOST_TEXTS),
        ]
    )
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: (
        Annotated[int, Field(ge=1, strict=True, description="only the embedder's own"), BeforeValidator(whole_number)]
        | None
    ) = None


def openai_routes(access: Access) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["openai"])
    asking, reading = Depends(access.with_right("ask")), Depends(access.any_caller())

    @router.post("/chat/completions", summary="Answer a conversation's last question")
    async def complete(
        request: Request,
        body: ChatRequest,
        caller: Annotated[Caller, asking],
        mark: Annotated[Literal["unsupported"] | None, Query()] = None,
    ) -> Response:
        return await _complete(access, request, body, caller, marks=mark is not None)

    @router.post("/responses", summary="Answer a question, in the newer form")
    async def respond(request: Request, body: ResponseRequest, caller: Annotated[Caller, asking]) -> Response:
        return await _respond(access, request, body, caller)

    @router.get("/responses/{response_id}", summary="An answer that was given before")
    async def response(
        request: Request, response_id: Annotated[str, Path(max_length=200)], caller: Annotated[Caller, reading]
    ) -> Response:
        turn = access.questions(caller).snapshot(response_id.removeprefix(ID_PREFIX))
        model = RequestedModel(f"{MODEL_PREFIX}{turn.knowledge_base}", turn.knowledge_base, frozenset())
        language = language_of(request.headers)
        reply = ResponseReply(model, base_url(request), language, created=int(turn.asked_at.timestamp()))
        problem = problem_of_failure(turn.failure, language) if turn.failure is not None else None
        return JSONResponse(reply.response(turn.turn_id, as_markdown(turn) if turn.final else None, problem))

    @router.get("/models", summary="The knowledge bases that may be asked")
    async def models(caller: Annotated[Caller, reading]) -> Plain:
        names = access.services().bases.names_for(caller.user)
        listed = [_model(f"{MODEL_PREFIX}{name}") for name in names]
        return {"object": "list", "data": [*listed, _model(EMBEDDER_MODEL)]}

    @router.get("/models/{model:path}", summary="One of them")
    async def model(model: Annotated[str, Path(max_length=200)], caller: Annotated[Caller, reading]) -> Plain:
        if model != EMBEDDER_MODEL:
            requested_model(model, access.services(), caller.user)
        return _model(model)

    @router.post("/embeddings", summary="Vectors of texts, by the product's embedder", response_model=Plain)
    async def embed(
        request: Request, body: EmbeddingRequest, caller: Annotated[Caller, Depends(access.with_right("retrieve"))]
    ) -> Response:
        if body.model != EMBEDDER_MODEL:
            raise ModelUnknown(model=body.model)
        texts = [body.input] if isinstance(body.input, str) else body.input
        embedding = access.questions(caller).embed(texts, access.services().quality.embedder)
        embedded = await until_disconnect(embedding, request)
        own = len(embedded.vectors[0])
        if body.dimensions not in (None, own):
            raise RequestUnusable(reason="dimensions", own=own)
        return await run_in_threadpool(_embedding_list, embedded, body.encoding_format)

    return router


async def _complete(access: Access, request: Request, body: ChatRequest, caller: Caller, *, marks: bool) -> Response:
    model = requested_model(body.model, access.services(), caller.user)
    if body.n not in (None, 1):
        raise RequestUnusable(reason="one_choice")
    pictures = pictures_in(body.messages)
    question, earlier = questions_in(body.messages, with_pictures=has_pictures(body.messages))
    errand = errand_reply(question)
    if errand is not None:
        return _errand_response(model, errand, stream=bool(body.stream))
    language, reading = language_of(request.headers), PictureReading(question)
    if pictures:  # where the client goes away before they are read, that is stopped
        readings = PictureReadings(access.desk(caller, model.knowledge_base), PROGRAM_TAB, language)
        reading = await until_disconnect(readings.read(question, pictures), request)
    if reading.failure is not None:
        return _picture_problem(reading.failure, language)
    options = body.stream_options
    reply = Reply(
        model,
        base_url(request),
        language,
        ignored=tuple(ignored(body)),
        marks=marks,
        quotes=any(name.startswith("x-openwebui-") for name in request.headers),
        usage=options is not None and bool(options.include_usage),
        pictures=reading.report,
    )
    questions = access.questions(caller)
    turn_id = questions.ask(model.request(reading.question, earlier), _user_name(request, body.user))
    if body.stream:
        return event_stream(chat.stream(questions, turn_id, reply))
    turn = await questions.answer(turn_id, request)
    return _failure_response(turn, language) or JSONResponse(reply.completion(turn))


async def _respond(access: Access, request: Request, body: ResponseRequest, caller: Caller) -> Response:
    model = requested_model(body.model, access.services(), caller.user)
    if body.background:
        raise RequestUnusable(reason="no_background")
    question, earlier = (body.input, ()) if isinstance(body.input, str) else questions_in(body.input)
    reply = ResponseReply(
        model,
        base_url(request),
        language_of(request.headers),
        ignored=tuple(ignored(body)),
        previous=body.previous_response_id,
    )
    questions = access.questions(caller)
    previous = body.previous_response_id or ""
    follows = previous.removeprefix(ID_PREFIX) or previous
    turn_id = questions.ask(model.request(question, earlier, follows), _user_name(request, body.user))
    if body.stream:
        return event_stream(responses.stream(questions, turn_id, reply))
    turn = await questions.answer(turn_id, request)
    return _failure_response(turn, language_of(request.headers)) or JSONResponse(
        reply.response(turn_id, as_markdown(turn))
    )


def _user_name(request: Request, user: str | None) -> str:
    """Return the program's user who asks: by Open WebUI's header, else by OpenAI's field."""
    return request.headers.get("x-openwebui-user-id") or user or ""


def _picture_problem(failure: Failure, language: Language) -> Response:
    """Return why a picture could not be read: the caller's own, or that no model could describe it."""
    problem = problem_of_failure(failure, language)
    if failure.kind == DocumentUnreadable.__name__:
        problem = problem_of(RequestUnusable(reason=problem.sentence.rstrip(".。")), language, param="messages")
    return _problem_response(problem)


def _failure_response(turn: TurnSnapshot, language: Language) -> Response | None:
    return _problem_response(problem_of_failure(turn.failure, language)) if turn.failure is not None else None


def _problem_response(problem: Problem) -> Response:
    return JSONResponse(problem.as_openai(), problem.status, problem.headers())


def _errand_response(model: RequestedModel, text: str, *, stream: bool) -> Response:
    reply = Reply(model, "", "en")
    if stream:
        events = [reply.chunk("errand", {"role": "assistant", "content": text}), reply.chunk("errand", {}, "stop")]

        async def stream_events() -> AsyncIterator[str]:
            for event in [*events, chat.DONE]:
                yield event

        return event_stream(stream_events())
    message = {"role": "assistant", "content": text, "refusal": None}
    return JSONResponse(
        {
            "id": "chatcmpl-errand",
            "object": "chat.completion",
            "created": reply.created,
            "model": model.name,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        }
    )


def _model(name: str) -> Plain:
    found: Plain = {"id": name, "object": "model", "created": 0, "owned_by": "answerdesk"}
    return found if name == EMBEDDER_MODEL else found | {"answerdesk": {"endings": [f":{one}" for one in OPTIONS]}}


def _embedding_list(embedded: Embeddings, encoding: str) -> Response:
    """Return vectors as an answer: of 256 texts two megabytes, which is too much to write in the event loop."""
    rows = [
        {"object": "embedding", "index": number, "embedding": _encode(vector.tolist(), encoding)}
        for number, vector in enumerate(embedded.vectors)
    ]
    usage = {"prompt_tokens": embedded.tokens, "total_tokens": embedded.tokens}
    return JSONResponse({"object": "list", "model": EMBEDDER_MODEL, "data": rows, "usage": usage})


def _encode(vector: list[float], encoding: str) -> list[float] | str:
    """Encode a vector as requested: the official Python client asks for base64 of 32-bit floats."""
    return vector if encoding == "float" else base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


_FIRST_LINE = "### Task:"
_FURTHER_HEADING = "\n### "
_SPEAKER = "user:"
_TITLE_CHARACTERS = 40
_EMPTY = ("tags", "follow_ups", "queries")


def errand_reply(prompt: str) -> str | None:
    r"""Return the reply to one of these prompts; None for a question of a person.

    >>> errand_reply("How long is the warranty?") is None
    True
    >>> errand_reply('### Task:\nGenerate tags.\n### Output:\nJSON format: { "tags": ["tag1"] }')
    '{"tags": []}'
    >>> errand_reply('### Task:\nGenerate a title.\n### Output:\n{ "title": "..." }\n<chat_history>\nUSER: How long?')
    '{"title": "How long?"}'
    """
    if not prompt.lstrip().startswith(_FIRST_LINE) or _FURTHER_HEADING not in prompt:
        return None
    for name in _EMPTY:
        if f'"{name}"' in prompt:
            return json.dumps({name: []})
    if '"title"' in prompt:
        return json.dumps({"title": _title(prompt)}, ensure_ascii=False)
    return "{}"


def _title(prompt: str) -> str:
    lines = (line.strip() for line in prompt.partition("<chat_history>")[2].splitlines())
    asked = next((line for line in lines if line.lower().startswith(_SPEAKER)), "")
    title = asked[len(_SPEAKER) :].strip() or "Answerdesk"
    return title if len(title) <= _TITLE_CHARACTERS else f"{title[: _TITLE_CHARACTERS - 1].rstrip()}…"
