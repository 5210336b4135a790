"""A stand-in for a GPU: speaks Ollama's protocol and answers when one would have, with words that no model wrote.

    server = uvicorn.Server(uvicorn.Config(gpu_timed_application(GpuTiming()), port=11500))

So the product's own share of an answer's time is seen where there is no GPU.  What it does as Ollama 0.24 does: slots
and a queue before them, HTTP 503 when that is full, one JSON object a token, ``think``, ``num_predict``, candidates for
the first token, durations in the last object, and a connection that is closed frees its slot.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from eval.bench.load.gpu_timing import GpuTiming, answer_pieces, thought_pieces, token_count
from eval.bench.load.ollama_rows import (
    Row,
    Spoken,
    installed_row,
    joined,
    last_row,
    line,
    loaded_row,
    said_row,
    shown_row,
)

DEFAULT_MODEL = "stand-in:gpu-timed"
VERSION = "0.24.0-gpu-timed-stand-in"
_BUSY = "server busy, please try again.  maximum pending requests exceeded"
_YES_LOGPROBS = [{"token": "yes", "logprob": -0.05}, {"token": "no", "logprob": -3.0}]


@dataclass(slots=True)
class _Machine:
    """The slots, and what is known of the load."""

    timing: GpuTiming
    model: str
    free: asyncio.Semaphore
    waiting: int = 0
    running: int = 0
    is_loaded: bool = False
    cancelled: int = 0
    served: int = 0


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One request, checked."""

    prompt: str
    think: bool
    max_tokens: int
    wants_candidates: bool
    is_chat: bool
    stream: bool = True


def gpu_timed_application(timing: GpuTiming, model: str = DEFAULT_MODEL) -> Starlette:
    """Return the application; it has one model, which is called ``model``."""
    machine = _Machine(timing, model, asyncio.Semaphore(timing.slots))

    async def chat(request: Request) -> Response:
        return await _generation(request, machine, is_chat=True)

    async def generate(request: Request) -> Response:
        return await _generation(request, machine, is_chat=False)

    async def show(request: Request) -> Response:
        body = await _body(request)
        return JSONResponse(shown_row(model)) if _names(body, model) else _no_model(body)

    return Starlette(
        routes=[
            Route("/", lambda _: PlainTextResponse("Ollama is running"), methods=["GET", "HEAD"]),
            Route("/api/version", lambda _: JSONResponse({"version": VERSION})),
            Route("/api/tags", lambda _: JSONResponse({"models": [installed_row(model)]})),
            Route("/api/ps", lambda _: JSONResponse({"models": [loaded_row(model)] if machine.is_loaded else []})),
            Route("/api/show", show, methods=["POST"]),
            Route("/api/chat", chat, methods=["POST"]),
            Route("/api/generate", generate, methods=["POST"]),
            Route("/gpu-timed", lambda _: JSONResponse(_counts(machine))),
        ]
    )


async def _generation(request: Request, machine: _Machine, *, is_chat: bool) -> Response:
    body = await _body(request)
    if body is None:
        return JSONResponse({"error": "invalid JSON"}, HTTPStatus.BAD_REQUEST)
    if not _names(body, machine.model):
        return _no_model(body)
    try:
        wanted = _wanted(body, machine.timing, is_chat=is_chat)
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        return JSONResponse({"error": f"invalid request: {error}"}, HTTPStatus.BAD_REQUEST)
    if machine.waiting >= machine.timing.max_waiting:
        return JSONResponse({"error": _BUSY}, HTTPStatus.SERVICE_UNAVAILABLE)
    return _Reply(machine, wanted)


class _Reply(Response):
    """Rows as they are due; ends at once when the client has gone."""

    def __init__(self, machine: _Machine, wanted: _Wanted) -> None:
        super().__init__(media_type="application/x-ndjson" if wanted.stream else "application/json")
        del self.headers["content-length"]
        self._machine = machine
        self._wanted = wanted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the reply."""
        writing = asyncio.ensure_future(self._write(send))
        leaving = asyncio.ensure_future(_gone(receive))
        await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        self._machine.cancelled += not writing.done()
        for task in (writing, leaving):
            task.cancel()
        await asyncio.gather(writing, leaving, return_exceptions=True)

    async def _write(self, send: Send) -> None:
        head = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        has_begun = False
        whole: list[Row] = []
        async for row in _rows(self._machine, self._wanted):
            if not self._wanted.stream:
                whole.append(row)
                continue
            if not has_begun:  # as Ollama does: no header before the first token
                await send(head)
                has_begun = True
            await send({"type": "http.response.body", "body": line(row), "more_body": True})
        if not self._wanted.stream:
            await send(head)
            await send({"type": "http.response.body", "body": line(joined(whole)), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _rows(machine: _Machine, wanted: _Wanted) -> AsyncIterator[Row]:
    spoken = Spoken(time.perf_counter(), prompt_tokens=token_count(wanted.prompt))
    machine.waiting += 1
    try:
        await machine.free.acquire()
    finally:
        machine.waiting -= 1
    machine.running += 1
    try:
        if not machine.is_loaded:
            spoken.load_seconds = machine.timing.load_ms / 1000
            await asyncio.sleep(spoken.load_seconds)
            machine.is_loaded = True
        spoken.admitted_at = time.perf_counter()
        for number, part in enumerate(_parts(wanted, machine.timing, spoken)):
            due_at = spoken.admitted_at + machine.timing.token_due_seconds(number)
            await asyncio.sleep(max(0.0, due_at - time.perf_counter()))
            spoken.first_at = spoken.first_at or time.perf_counter()
            spoken.tokens += 1
            yield said_row(machine.model, part, is_chat=wanted.is_chat)
        yield last_row(machine.model, spoken, time.perf_counter(), is_chat=wanted.is_chat)
        machine.served += 1
    finally:
        machine.running -= 1
        machine.free.release()


def _parts(wanted: _Wanted, timing: GpuTiming, spoken: Spoken) -> list[Row]:
    """Return what is said, token by token: a thought first, where one is wanted."""
    if wanted.wants_candidates and wanted.max_tokens == 1:
        candidates = {"logprobs": [{**_YES_LOGPROBS[0], "top_logprobs": _YES_LOGPROBS}]}
        return [{"content": "yes", **candidates}]
    thought = thought_pieces(timing.thinking_tokens) if wanted.think else []
    said = [{"thinking": piece} for piece in thought]
    said += [{"content": piece} for piece in answer_pieces(wanted.prompt, timing.answer_tokens)]
    spoken.was_cut = len(said) > wanted.max_tokens
    return said[: wanted.max_tokens]


async def _body(request: Request) -> Row | None:
    try:
        body = json.loads(await request.body())
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _wanted(body: Row, timing: GpuTiming, *, is_chat: bool) -> _Wanted:
    options = body.get("options") or {}
    limit = int(options.get("num_predict", -1))
    asked = [message["content"] for message in body["messages"] if message["role"] == "user"] if is_chat else []
    return _Wanted(
        prompt=str(asked[-1] if is_chat else body["prompt"]),
        think=bool(body.get("think", True)),
        max_tokens=limit if limit > 0 else timing.thinking_tokens + timing.answer_tokens,
        wants_candidates=bool(body.get("logprobs")),
        is_chat=is_chat,
        stream=bool(body.get("stream", True)),
    )


def _names(body: Row | None, model: str) -> bool:
    return body is not None and body.get("model", body.get("name")) in {model, model.removesuffix(":latest")}


def _no_model(body: Row | None) -> Response:
    name = (body or {}).get("model", "")
    return JSONResponse({"error": f"model '{name}' not found"}, HTTPStatus.NOT_FOUND)


def _counts(machine: _Machine) -> Row:
    """Return what the tests and the load command want to know, and no Ollama tells."""
    names = ("running", "waiting", "served", "cancelled")
    return {name: getattr(machine, name) for name in names}
