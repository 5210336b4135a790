"""Ollama's chat through langchain-ollama: thinking and text as different parts, real cancelling, errors in our words.

What langchain-ollama 1.1 was found to do (its source and a real server): it passes ``reasoning`` on as Ollama's
``think``, gives the thought back in ``additional_kwargs["reasoning_content"]`` (only when ``reasoning`` is true),
sends ``reasoning_content`` of a last assistant message as its ``thinking``, and keeps every duration and
``done_reason`` in the last chunk's ``response_metadata``.  It sets no timeout, and it offers no way to end a reply
that has not begun; hence the reading thread and the connection that can be cut.
"""

import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import httpx

from rag.errors import ModelStoppedHalfway, ModelTimedOut
from rag.generation.abortable_connection import AbortableConnection, ConnectionRegister
from rag.generation.error_translation import translate_error
from rag.generation.thought_tags import ThoughtTags
from rag.protocols import GeneratedText, GeneratedThinking, GenerationFinished, GenerationPart, Message
from rag.settings import Settings

if TYPE_CHECKING:
    from langchain_core.messages import AIMessageChunk, BaseMessage
    from langchain_ollama import ChatOllama

_LOG = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 0.25
"""An empty text part is given this often while nothing comes, so that the caller can close the iterator."""

_CONNECT_TIMEOUT_SECONDS = 5.0
_NANOSECONDS_A_MILLISECOND = 1e6


class NamedModel(Protocol):
    """What ``rag.ollama.hosts.choose_model`` gives."""

    @property
    def name(self) -> str:
        """Name in Ollama."""

    @property
    def stand_in(self) -> bool:
        """True when it only stands in for DeepSeek-R1."""


@dataclass(frozen=True, slots=True)
class _Failed:
    error: BaseException


_Item = GenerationPart | _Failed | None


class OllamaGenerator:
    """One model of one Ollama; safe to use from several threads.

    ``choose`` names the model and is called when a name is first needed, for asking Ollama takes time and may fail;
    it may raise a ``ServingError``.  langchain-ollama takes 2 to 3 s to import (measured: 1,041 modules), so this
    happens at the first generation or in ``warm``.

    No stop marks are sent: Ollama would then forget those of the model's own Modelfile.
    """

    def __init__(self, settings: Settings, choose: Callable[[], NamedModel]) -> None:
        self._settings = settings
        self._choose = choose
        self._chosen: NamedModel | None = None
        self._register = ConnectionRegister()
        self._chat: ChatOllama | None = None
        self._lock = threading.Lock()

    @property
    def model(self) -> str:
        """Name of the model in Ollama.  Raises a ``ServingError`` when none can be chosen."""
        return self._model().name

    @property
    def stand_in(self) -> bool:
        """True when the model only stands in for DeepSeek-R1."""
        return self._model().stand_in

    def warm(self) -> None:
        """Import what the first generation needs; asks Ollama nothing."""
        self._client()

    def generate(
        self, messages: Sequence[Message], *, think: bool, max_tokens: int, candidates: int = 0
    ) -> Iterator[GenerationPart]:
        """Yield parts as they come and ``GenerationFinished`` last.

        A last assistant message is continued: after its closed ``thinking``, or after its ``content``.
        Raises ``OllamaUnavailable``, ``ModelMissing``, ``ModelTimedOut``, ``ModelStoppedHalfway``, ``OllamaRefused``.
        """
        model = self.model
        connection = AbortableConnection()
        items: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        call: dict[str, Any] = {"model": model, "reasoning": think, "options": self._options(max_tokens)}
        if candidates:
            call |= {"logprobs": True, "top_logprobs": candidates}
        sent = [*messages]
        if self.stand_in and not think and sent[-1].role == "user":
            # Its template puts an empty thought before an answer, as R1's does, but no stand-in was trained on one: it
            # then copies passages or writes a web page (seen).  An empty beginning of its turn leaves the thought out.
            sent.append(Message("assistant", ""))
        reader = threading.Thread(
            target=self._read, args=(sent, call, connection, items), name="ollama-reader", daemon=True
        )
        reader.start()
        try:
            yield from self._received(items, model)
        finally:
            connection.cut()

    def _received(self, items: "queue.SimpleQueue[_Item]", model: str) -> Iterator[GenerationPart]:
        text: list[str] = []
        begun = False
        waiting_since = time.monotonic()
        while True:
            try:
                item = items.get(timeout=HEARTBEAT_SECONDS)
            except queue.Empty:
                self._check_patience(time.monotonic() - waiting_since, begun=begun)
                yield GeneratedText("")
                continue
            if item is None:
                raise ModelStoppedHalfway(partial_text="".join(text))
            if isinstance(item, _Failed):
                said = "".join(text)
                raise translate_error(item.error, model, self._settings.ollama_url, said) from item.error
            if isinstance(item, GeneratedText):
                text.append(item.text)
            begun, waiting_since = True, time.monotonic()
            yield item
            if isinstance(item, GenerationFinished):
                return

    def _check_patience(self, waited_seconds: float, *, begun: bool) -> None:
        settings = self._settings
        limit = settings.token_timeout_seconds if begun else settings.first_token_timeout_seconds
        if waited_seconds >= limit:
            raise ModelTimedOut(seconds=waited_seconds)

    def _read(
        self,
        messages: Sequence[Message],
        call: dict[str, Any],
        connection: AbortableConnection,
        items: "queue.SimpleQueue[_Item]",
    ) -> None:
        """Run in a thread of its own: whatever happens here is handed over to the thread that waits."""
        with _HandOver(items, connection), self._register.using(connection), _untraced():
            tags = ThoughtTags()
            metadata: dict[str, Any] = {}
            for chunk in self._client().stream([_langchain_message(message) for message in messages], **call):
                first_logprobs = metadata.get("logprobs") or chunk.response_metadata.get("logprobs")
                metadata |= chunk.response_metadata | {"logprobs": first_logprobs}
                for part in _parts(chunk, tags):
                    items.put(part)
            for part in tags.finish():
                items.put(part)
            if metadata.get("done"):
                items.put(_finished(metadata))

    def _options(self, max_tokens: int) -> dict[str, Any]:
        # The context is the same in every request: another one makes Ollama load the model again.
        layers, sampling = self._settings.gpu_layers, self._settings.sampling
        left_open = {"num_gpu": layers, "top_p": sampling.top_p}
        return {name: value for name, value in left_open.items() if value is not None} | {
            "num_ctx": self._settings.context_tokens,
            "num_predict": max_tokens,
            "temperature": sampling.temperature,
            "repeat_penalty": sampling.repeat_penalty,
        }

    def _model(self) -> NamedModel:
        with self._lock:
            if self._chosen is None:
                self._chosen = self._choose()
            return self._chosen

    def _client(self) -> "ChatOllama":
        with self._lock:
            if self._chat is None:
                from langchain_ollama import ChatOllama  # slow, and needed by nobody who only reads evidence

                self._chat = ChatOllama(
                    model="chosen at each call",
                    base_url=self._settings.ollama_url,
                    keep_alive=self._settings.keep_alive_seconds,
                    sync_client_kwargs={
                        **self._register.client_arguments(),
                        "timeout": httpx.Timeout(None, connect=_CONNECT_TIMEOUT_SECONDS),
                        "trust_env": not _is_this_machine(self._settings.ollama_url),  # no proxy to oneself
                    },
                )
            return self._chat


class _HandOver:
    """Passes the end of the reader's work, or the exception that ended it, to the thread that waits for parts."""

    def __init__(self, items: "queue.SimpleQueue[_Item]", connection: AbortableConnection) -> None:
        self._items = items
        self._connection = connection

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if error is not None and self._connection.is_cut:
            _LOG.debug("reading ended after the connection was cut: %s", kind)
        self._items.put(None if error is None else _Failed(error))
        return True


def _untraced() -> AbstractContextManager[None]:
    """Keep questions on this machine even where the environment turns LangSmith's tracing on."""
    from langsmith import tracing_context  # imported with langchain-core anyway

    return tracing_context(enabled=False)


def _is_this_machine(url: str) -> bool:
    return urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}


def _langchain_message(message: Message) -> "BaseMessage":
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage  # slow, see _client

    if message.role == "system":
        return SystemMessage(message.content)
    if message.role == "user":
        return HumanMessage(message.content)
    return AIMessage(
        message.content, additional_kwargs={"reasoning_content": message.thinking} if message.thinking else {}
    )


def _parts(chunk: "AIMessageChunk", tags: ThoughtTags) -> list[GenerationPart]:
    thinking = chunk.additional_kwargs.get("reasoning_content")
    parts: list[GenerationPart] = [GeneratedThinking(thinking)] if thinking else []
    if isinstance(chunk.content, str) and chunk.content:
        parts += tags.feed(chunk.content)
    return parts


def _finished(metadata: dict[str, Any]) -> GenerationFinished:
    """Read Ollama's last object: counts in tokens, durations in nanoseconds; those of cached prompts may be absent."""
    return GenerationFinished(
        prompt_tokens=int(metadata.get("prompt_eval_count") or 0),
        generated_tokens=int(metadata.get("eval_count") or 0),
        load_ms=float(metadata.get("load_duration") or 0) / _NANOSECONDS_A_MILLISECOND,
        prompt_ms=float(metadata.get("prompt_eval_duration") or 0) / _NANOSECONDS_A_MILLISECOND,
        generation_ms=float(metadata.get("eval_duration") or 0) / _NANOSECONDS_A_MILLISECOND,
        reason=str(metadata.get("done_reason") or "stop"),
        first_token=_candidates(metadata.get("logprobs")),
    )


def _candidates(logprobs: list[dict[str, Any]] | None) -> tuple[tuple[str, float], ...]:
    first = logprobs[0]["top_logprobs"] if logprobs else []
    return tuple((str(candidate["token"]), math.exp(candidate["logprob"])) for candidate in first)
