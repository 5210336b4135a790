"""Chat with Ollama: thinking and text as different parts, immediate cancellation, errors of our own tree.

Ollama cancels a generation when its connection closes, and sends nothing while it evaluates a long prompt.  Closing the
iterator or the socket does not wake a thread that is blocked in ``recv``; shutting the socket down does.  So a separate
thread reads each reply, over a connection that the waiting thread can shut down at any time.  The ``ollama`` client
sets no timeout, so the waiting thread also enforces the timeouts.

The client is imported at the first generation or in ``warm``: evidence is shown without it.
"""

import logging
import math
import queue
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Generator as GeneratorObject
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from rag.errors import (
    ModelMissing,
    ModelStoppedHalfway,
    ModelTimedOut,
    OllamaRefused,
    OllamaUnavailable,
    ServingError,
)
from rag.ollama.client import OllamaClient
from rag.ollama.models import load_options
from rag.ollama.vision import require_vision
from rag.protocols import GeneratedText, GeneratedThinking, GenerationFinished, GenerationPart, Message
from rag.settings import Settings

if TYPE_CHECKING:
    import ssl

    import httpx
    from ollama import ChatResponse, Client
    from ollama._types import Logprob  # not among the names that it exports

_LOG = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 0.25
"""While the model is silent, an empty text part is yielded this often, so that the caller can close the iterator."""

_CONNECT_TIMEOUT_SECONDS = 5.0
_NANOSECONDS_A_MILLISECOND = 1e6
_REASON_CHARACTERS = 200
_RUNNER_LOST = re.compile(
    r"runner (?:has )?(?:unexpectedly |process (?:has )?)?(?:stopped|terminated|no longer running)"
)
"""Ollama 0.24's message when its runner process was killed; it starts another one for the next request."""

_OPEN = "<think>"
_CLOSE = "</think>"
_CONNECTED = ("connection.connect_tcp.complete", "connection.start_tls.complete")


class ThoughtTags:
    """Splits streamed text into thinking and text; the tags themselves are dropped.

    Pieces may end within a tag.  A thought that is never closed stays a thought.

    >>> tags = ThoughtTags()
    >>> tags.feed("<thi"), tags.feed("nk>hm</think>7 days")
    ([], [GeneratedThinking(text='hm'), GeneratedText(text='7 days')])
    """

    def __init__(self) -> None:
        self._held = ""
        self._inside = False

    def feed(self, text: str) -> list[GeneratedThinking | GeneratedText]:
        """Return the parts that are certain; up to seven characters that may begin a tag are held back."""
        parts: list[GeneratedThinking | GeneratedText] = []
        rest = self._held + text
        while True:
            position, tag = _first_tag(rest)
            if tag is None:
                break
            parts += self._part(rest[:position])
            self._inside = tag == _OPEN
            rest = rest[position + len(tag) :]
        held = _length_of_partial_tag(rest)
        parts += self._part(rest[: len(rest) - held])
        self._held = rest[len(rest) - held :]
        return parts

    def finish(self) -> list[GeneratedThinking | GeneratedText]:
        """Return the characters held back, which were no tag."""
        parts = self._part(self._held)
        self._held = ""
        return parts

    def _part(self, text: str) -> list[GeneratedThinking | GeneratedText]:
        if not text:
            return []
        return [GeneratedThinking(text) if self._inside else GeneratedText(text)]


def _first_tag(text: str) -> tuple[int, str | None]:
    tags = [(text.find(tag), tag) for tag in (_OPEN, _CLOSE) if tag in text]
    return min(tags) if tags else (-1, None)


def _length_of_partial_tag(text: str) -> int:
    """Return how many characters at the end of a text may begin a tag."""
    longest = min(len(text), len(_CLOSE) - 1)
    return next((size for size in range(longest, 0, -1) if any(t.startswith(text[-size:]) for t in (_OPEN, _CLOSE))), 0)


class NamedModel(Protocol):
    """A model as ``rag.ollama.hosts.choose_model`` returns it."""

    @property
    def name(self) -> str:
        """Name in Ollama."""

    @property
    def stand_in(self) -> bool:
        """True when it only stands in for DeepSeek-R1."""


@dataclass(frozen=True, slots=True)
class _Failure:
    error: BaseException


_Item = GenerationPart | _Failure | None


class AbortableConnection:
    """The connection of one request, which another thread may shut down before or after it is made.

    httpx reports new connections through its ``trace`` request extension:
    https://www.python-httpx.org/advanced/extensions/#trace
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_aborted = False

    @property
    def is_aborted(self) -> bool:
        """True after ``abort``, which makes the reading thread fail."""
        return self._is_aborted

    def abort(self) -> None:
        """Shut the connection down, now or as soon as it is made.  May be called again."""
        with self._lock:
            self._is_aborted = True
            self._shut_down()

    def bind(self, request: "httpx.Request") -> None:
        """Remember the connection of a request; an httpx event hook."""
        request.extensions["trace"] = self._trace

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event in _CONNECTED:
            with self._lock:
                self._socket = info["return_value"].get_extra_info("socket")
                if self._is_aborted:
                    self._shut_down()

    def _shut_down(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # the server was quicker
                self._socket.shutdown(socket.SHUT_RDWR)


class OllamaGenerator:
    """One model of one Ollama server.  Safe to use from several threads.

    ``choose`` names the model.  It is called when the name is first needed, because it asks Ollama, and may raise a
    ``ServingError``.  No stop sequences are sent: they would replace those of the model's own Modelfile.
    """

    def __init__(self, settings: Settings, choose: Callable[[], NamedModel]) -> None:
        self._settings = settings
        self._choose = choose
        self._chosen: NamedModel | None = None
        self._lock = threading.Lock()
        self._tls: ssl.SSLContext | None = None

    @property
    def model(self) -> str:
        """Name of the model in Ollama.  Raises a ``ServingError`` when none can be chosen."""
        return self._model().name

    @property
    def stand_in(self) -> bool:
        """True when the model only stands in for DeepSeek-R1."""
        return self._model().stand_in

    @property
    def continues_replies(self) -> bool:
        """Always: Ollama continues a last message of the assistant."""
        return True

    def warm(self) -> None:
        """Import the modules of the first generation; sends nothing."""
        with self._client(AbortableConnection()):
            pass

    def generate(
        self, messages: Sequence[Message], *, think: bool, max_tokens: int, candidates: int = 0
    ) -> GeneratorObject[GenerationPart, None, None]:
        """Yield parts as they come and ``GenerationFinished`` last.

        A last assistant message is continued: after its closed ``thinking``, or after its ``content``.  Closing the
        iterator ends the request.
        Raises ``OllamaUnavailable``, ``ModelMissing``, ``ModelTimedOut``, ``ModelStoppedHalfway``, ``OllamaRefused``.
        If a message has pictures, Ollama is first asked whether the model can see: ``NotAVisionModel``.
        """
        model = self.model
        connection = AbortableConnection()
        items: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        sent = [*messages]
        if self.stand_in and not think and sent[-1].role == "user":
            # Its template puts an empty thought before an answer, as R1's does, but no stand-in was trained on one: it
            # then copies passages or writes a web page (seen).  An empty assistant turn leaves the thought out.
            sent.append(Message("assistant", ""))
        request: dict[str, Any] = {
            "model": model,
            "messages": [_ollama_message(message) for message in sent],
            "think": think,
            "options": self._options(max_tokens),
            "keep_alive": self._settings.keep_alive_seconds,
        }
        if candidates:
            request |= {"logprobs": True, "top_logprobs": candidates}
        reader = threading.Thread(
            target=self._read, args=(request, connection, items), name="ollama-reader", daemon=True
        )
        reader.start()
        try:
            yield from self._receive(items, model)
        except ModelTimedOut:
            threading.Thread(target=self._unload, args=(model,), name="ollama-unload", daemon=True).start()
            raise
        finally:
            connection.abort()

    def _unload(self, model: str) -> None:
        """Let Ollama restart the model as soon as it writes nobody else's answer.

        Ollama 0.24 loses a slot for good if a client leaves between two parts of an answer that come quickly one after
        the other, https://github.com/ollama/ollama/issues/17131; a new runner has all of them.
        """
        with suppress(ServingError):
            OllamaClient(self._settings.ollama_url).unload(model)

    def _receive(self, items: "queue.SimpleQueue[_Item]", model: str) -> GeneratorObject[GenerationPart, None, None]:
        text: list[str] = []
        has_begun = False
        waiting_since = time.monotonic()
        while True:
            try:
                item = items.get(timeout=HEARTBEAT_SECONDS)
            except queue.Empty:
                self._check_patience(time.monotonic() - waiting_since, has_begun=has_begun)
                yield GeneratedText("")
                continue
            if item is None:
                raise ModelStoppedHalfway(partial_text="".join(text))
            if isinstance(item, _Failure):
                partial_text = "".join(text)
                raise translate_error(item.error, model, self._settings.ollama_url, partial_text) from item.error
            if isinstance(item, GeneratedText):
                text.append(item.text)
            has_begun, waiting_since = True, time.monotonic()
            yield item
            if isinstance(item, GenerationFinished):
                return

    def _check_patience(self, waited_seconds: float, *, has_begun: bool) -> None:
        settings = self._settings
        limit = settings.token_timeout_seconds if has_begun else settings.first_token_timeout_seconds
        if waited_seconds >= limit:
            raise ModelTimedOut(seconds=waited_seconds)

    def _read(
        self, request: Mapping[str, Any], connection: AbortableConnection, items: "queue.SimpleQueue[_Item]"
    ) -> None:
        """Run in a thread of its own; parts and exceptions go to the waiting thread."""
        with _HandOver(items, connection), self._client(connection) as client:
            if any("images" in message for message in request["messages"]):
                require_vision(OllamaClient(self._settings.ollama_url), request["model"])
            tags = ThoughtTags()
            logprobs: Sequence[Logprob] | None = None
            last: ChatResponse | None = None
            for chunk in _chunks(client.chat(**request, stream=True)):
                logprobs = logprobs or chunk.logprobs
                for part in _parts(chunk, tags, think=request["think"]):
                    items.put(part)
                if chunk.done and not _is_only_loaded(chunk):
                    last = chunk
            for part in tags.finish():
                items.put(part)
            if last is not None:
                items.put(_final_part(last, logprobs))

    def _options(self, max_tokens: int) -> dict[str, Any]:
        sampling = self._settings.sampling
        options: dict[str, Any] = load_options(self._settings) | {
            "num_predict": max_tokens,
            "temperature": sampling.temperature,
            "repeat_penalty": sampling.repeat_penalty,
        }
        return options if sampling.top_p is None else options | {"top_p": sampling.top_p}

    def _model(self) -> NamedModel:
        with self._lock:
            if self._chosen is None:
                self._chosen = self._choose()
            return self._chosen

    def _client(self, connection: AbortableConnection) -> "Client":
        """Return a client for one request; takes 0.1 ms once the TLS context (25 ms) exists."""
        import httpx  # with the client 0.3 s, which evidence does not wait for
        from ollama import Client

        with self._lock:
            self._tls = self._tls or httpx.create_ssl_context()
        return Client(
            self._settings.ollama_url,
            timeout=httpx.Timeout(None, connect=_CONNECT_TIMEOUT_SECONDS),
            trust_env=not _is_this_machine(self._settings.ollama_url),  # no proxy to this machine
            verify=self._tls,
            event_hooks={"request": [connection.bind]},
        )


class BrokenLine(ValueError):
    """A line of a reply is not one of Ollama's."""


def _chunks(reply: "Iterable[ChatResponse]") -> "Iterator[ChatResponse]":
    """Yield a reply's objects.  Raises ``BrokenLine`` where the client cannot make one of a line.

    The client looks into a line's JSON as if it were an object, so any of these errors may come of another one.
    """
    chunks = iter(reply)
    while True:
        try:
            chunk = next(chunks)
        except StopIteration:
            return
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
            raise BrokenLine from error
        yield chunk


class _HandOver:
    """Passes the end of the reading, or the exception that ended it, to the waiting thread."""

    def __init__(self, items: "queue.SimpleQueue[_Item]", connection: AbortableConnection) -> None:
        self._items = items
        self._connection = connection

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if error is not None and self._connection.is_aborted:
            _LOG.debug("reading ended after the connection was aborted: %s", kind)
        self._items.put(None if error is None else _Failure(error))
        return True


def translate_error(error: BaseException, model: str, host: str, partial_text: str) -> BaseException:
    """Return our error for an error of the client or of HTTP; any other error is returned unchanged.

    ``model`` at ``host`` had written ``partial_text`` by then.
    """
    import httpx
    from ollama import ResponseError

    if isinstance(error, ResponseError) and error.status_code == HTTPStatus.NOT_FOUND:
        return ModelMissing(model=model)
    is_runner_lost = isinstance(error, ResponseError) and _RUNNER_LOST.search(error.error) is not None
    is_broken = isinstance(error, BrokenLine)
    if is_runner_lost or is_broken or (isinstance(error, ResponseError | httpx.TransportError) and partial_text):
        return ModelStoppedHalfway(partial_text=partial_text)
    if isinstance(error, ResponseError):
        return OllamaRefused(reason=" ".join(error.error.split())[:_REASON_CHARACTERS])
    if isinstance(error, httpx.TransportError | ConnectionError):
        return OllamaUnavailable(host=host)
    return error


def _is_this_machine(url: str) -> bool:
    return urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}


def _ollama_message(message: Message) -> dict[str, Any]:
    thinking = {"thinking": message.thinking} if message.thinking else {}
    images = {"images": message.pictures} if message.pictures else {}
    return {"role": message.role, "content": message.content, **thinking, **images}


def _parts(chunk: "ChatResponse", tags: ThoughtTags, *, think: bool) -> list[GenerationPart]:
    thinking, content = chunk.message.thinking if think else None, chunk.message.content
    parts: list[GenerationPart] = [GeneratedThinking(thinking)] if thinking else []
    return [*parts, *tags.feed(content)] if content else parts


def _is_only_loaded(chunk: "ChatResponse") -> bool:
    """Tell whether Ollama only loaded the model and generated nothing."""
    return chunk.done_reason == "load" and not (chunk.message.content or "").strip()


def _final_part(last: "ChatResponse", logprobs: "Sequence[Logprob] | None") -> GenerationFinished:
    """Read Ollama's last object: counts in tokens, durations in nanoseconds; a cached prompt may have none."""
    return GenerationFinished(
        prompt_tokens=last.prompt_eval_count or 0,
        generated_tokens=last.eval_count or 0,
        load_ms=(last.load_duration or 0) / _NANOSECONDS_A_MILLISECOND,
        prompt_ms=(last.prompt_eval_duration or 0) / _NANOSECONDS_A_MILLISECOND,
        generation_ms=(last.eval_duration or 0) / _NANOSECONDS_A_MILLISECOND,
        reason=last.done_reason or "stop",
        first_token=_candidates(logprobs),
    )


def _candidates(logprobs: "Sequence[Logprob] | None") -> tuple[tuple[str, float], ...]:
    first = (logprobs[0].top_logprobs if logprobs else None) or ()
    return tuple((candidate.token, math.exp(min(candidate.logprob, 0.0))) for candidate in first)
