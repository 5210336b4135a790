"""``python -m eval load gpu-timed-server``: a stand-in for a GPU that speaks Ollama's protocol.

It answers when a GPU would have, with words that no model wrote, so that the product's own share of an answer's time is
seen where there is no GPU.  What it does as Ollama 0.24 does: slots and a queue before them, HTTP 503 when that is
full, one JSON object a token, ``think``, ``num_predict``, candidates for the first token, durations in the last object,
and a connection that is closed frees its slot.

    server = uvicorn.Server(uvicorn.Config(gpu_timed_application(GpuTiming()), port=11500))
"""

import argparse
import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import uvicorn
from rich.console import Console
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from eval.bench.load.gpu_timing import GpuTiming, answer_pieces, thought_pieces, token_count
from eval.commands.shared import command_parser, print_line
from rag.errors import AnswerdeskError, SettingsError
from rag.terminal import fail, terminal_language
from rag.translate import translate

Row = dict[str, Any]

_MEMORY_BYTES = 5_000_000_000
_CONTEXT_TOKENS = 4096

DEFAULT_MODEL = "stand-in:gpu-timed"
VERSION = "0.24.0-gpu-timed-stand-in"
_BUSY = "server busy, please try again.  maximum pending requests exceeded"
_YES_LOGPROBS = [{"token": "yes", "logprob": -0.05}, {"token": "no", "logprob": -3.0}]

_HOST = "127.0.0.1"
_EPILOG = """\
examples:
  python -m eval load gpu-timed-server
  OLLAMA_HOST=127.0.0.1:11500 ANSWERDESK_MODEL=stand-in:gpu-timed ANSWERDESK_PARALLEL_SLOTS=10 python -m eval load

What it says is taken from the prompt's own documents, and says that no model wrote it.
exit codes: 0 ended, 2 usage or the port is taken
"""


@dataclass(slots=True)
class Spoken:
    """The counts of a reply in its last object.  Times are ``time.perf_counter``'s, in seconds."""

    began_at: float
    load_seconds: float = 0.0
    admitted_at: float = 0.0
    first_at: float = 0.0
    prompt_tokens: int = 0
    tokens: int = 0
    was_cut: bool = False


def said_row(model: str, part: Mapping[str, Any], *, is_chat: bool) -> Row:
    """Return the object of one token: ``part`` has ``content`` or ``thinking``, and maybe ``logprobs``."""
    content = str(part.get("content", ""))
    thinking = {"thinking": part["thinking"]} if "thinking" in part else {}
    said: Row = (
        {"message": {"role": "assistant", "content": content, **thinking}}
        if is_chat
        else {"response": content, **thinking}
    )
    logprobs = {"logprobs": part["logprobs"]} if "logprobs" in part else {}
    return {"model": model, "created_at": _now(), **said, **logprobs, "done": False}


def last_row(model: str, spoken: Spoken, ended_at: float, *, is_chat: bool) -> Row:
    """Return the object that ends a reply, with its counts and its durations in nanoseconds."""
    return {
        **said_row(model, {}, is_chat=is_chat),
        "done": True,
        "done_reason": "length" if spoken.was_cut else "stop",
        "total_duration": _nanoseconds(ended_at - spoken.began_at),
        "load_duration": _nanoseconds(spoken.load_seconds),
        "prompt_eval_count": spoken.prompt_tokens,
        "prompt_eval_duration": _nanoseconds(spoken.first_at - spoken.admitted_at),
        "eval_count": spoken.tokens,
        "eval_duration": _nanoseconds(ended_at - spoken.first_at),
    }


def joined(rows: Sequence[Row]) -> Row:
    """Return one object for all rows, for a client that does not stream.

    >>> joined([{"response": "a", "done": False}, {"response": "b", "done": False}, {"response": "", "done": True}])
    {'response': 'ab', 'done': True}
    """
    last = rows[-1]
    if "message" not in last:
        return {**last, "response": "".join(row["response"] for row in rows)}
    texts = {key: "".join(row["message"].get(key, "") for row in rows) for key in ("content", "thinking")}
    message = {key: text for key, text in texts.items() if text or key == "content"}
    return {**last, "message": {"role": "assistant", **message}}


def installed_row(model: str) -> Row:
    """Return the model as a list of installed ones has it."""
    details = {"format": "none", "family": "stand-in", "parameter_size": "0", "quantization_level": "none"}
    return {"name": model, "model": model, "modified_at": _now(), "size": 1, "details": details}


def loaded_row(model: str) -> Row:
    """Return the model as ``/api/ps`` has it: all of it in the memory of the GPU that is stood in for."""
    expires_at = (datetime.now(UTC) + timedelta(minutes=30)).isoformat()
    memory = {"size": _MEMORY_BYTES, "size_vram": _MEMORY_BYTES, "context_length": _CONTEXT_TOKENS}
    return {**installed_row(model), **memory, "expires_at": expires_at}


def shown_row(model: str) -> Row:
    """Return what ``/api/show`` tells."""
    return {
        "details": installed_row(model)["details"],
        "template": "{{ .Thinking }}",
        "model_info": {"general.architecture": "stand-in", "stand-in.context_length": _CONTEXT_TOKENS},
        "capabilities": ["completion", "thinking"],
    }


def line(row: Row) -> bytes:
    """Return a row as it is sent."""
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)


@dataclass(slots=True)
class _Machine:
    """The slots, and the load."""

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
    """Return the reply, token by token: a thought first, where one is wanted."""
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


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "load gpu-timed-server",
        "Stand in for a GPU: Ollama's protocol, a GPU's timing, no model.  GPU 计时替身",
        _EPILOG,
    )
    timing = GpuTiming()
    numbers: tuple[tuple[str, type, float, str], ...] = (
        ("slots", int, timing.slots, "answers at once  并行槽"),
        ("first-token-ms", float, timing.first_token_ms, "until the first token  首词元毫秒"),
        ("tokens-per-second", float, timing.tokens_per_second, "of one slot  每槽词元/秒"),
        ("answer-tokens", int, timing.answer_tokens, "of one answer  回答词元数"),
        ("thinking-tokens", int, timing.thinking_tokens, "of a thought, where one is wanted  思考词元数"),
        ("load-ms", float, timing.load_ms, "the first request takes longer by  首次加载毫秒"),
        ("max-waiting", int, timing.max_waiting, "requests beyond are refused with HTTP 503  排队上限"),
    )
    for name, kind, default, what in numbers:
        parser.add_argument(f"--{name}", type=kind, default=default, metavar="N", help=f"{what} (default: {default:g})")
    parser.add_argument("--port", type=int, default=11500, metavar="N", help="default: 11500  端口")
    parser.add_argument("--model", default=DEFAULT_MODEL, help=f"its name (default: {DEFAULT_MODEL})  模型名称")
    return parser


def main(argv: Sequence[str]) -> int:
    """Serve until Ctrl-C; return the command's exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        timing = GpuTiming(**{one.name: getattr(arguments, one.name) for one in fields(GpuTiming)})
    except ValueError as error:
        parser.error(str(error))
    try:
        listening = _listening(arguments.port)
    except AnswerdeskError as error:
        return fail(error)
    with closing(listening), suppress(KeyboardInterrupt):  # uvicorn raises it again when all has ended
        application = gpu_timed_application(timing, arguments.model)
        _Server(application, lambda: _announce(listening, arguments.model, timing)).run(sockets=[listening])
    return 0


class _Server(uvicorn.Server):
    """A server that announces itself when it can be used, and be ended: an earlier signal ends asyncio halfway."""

    def __init__(self, application: Starlette, announce: Callable[[], None]) -> None:
        super().__init__(uvicorn.Config(application, log_level="error", access_log=False))
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._announce()


def _listening(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((_HOST, port))
    except (OSError, OverflowError) as error:
        listening.close()
        raise SettingsError(reason=translate("bench_load.gpu_port", terminal_language(), port=port)) from error
    listening.listen(1024)
    return listening


def _announce(listening: socket.socket, model: str, timing: GpuTiming) -> None:
    url = f"http://{_HOST}:{listening.getsockname()[1]}"
    shown = {"slots": timing.slots, "first": timing.first_token_ms, "rate": timing.tokens_per_second}
    shown["answer"] = timing.answer_tokens
    print_line(Console(), translate("bench_load.gpu_serving", terminal_language(), url=url, model=model, **shown))
