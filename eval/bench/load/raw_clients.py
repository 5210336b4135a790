"""The same model without the product: its own requests, or plain ones, by a plain client of Ollama's chat.

The product's requests are taken down without asking the model.
"""

import http.client
import json
import socket
import threading
import time
from collections.abc import Generator as GeneratorObject
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from eval.bench.load.records import Asking, LoadRecord, Outcome
from ingest.golden import GoldenQuestion
from rag.errors import AnswerCancelled, QuestionError
from rag.pipeline import Pipeline, PipelineParts
from rag.protocols import GenerationPart, Message
from rag.schema import Language
from rag.settings import Settings
from rag.text.language import question_language
from rag.tracing import Trace

PLAIN_CHUNKS = 5
_PLAIN_SYSTEM: Mapping[Language, str] = {
    "en": "Answer the customer's question from the passages. Answer in English.",
    "zh": "请根据资料用中文回答顾客的问题。",
}

_LOOK_EVERY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request to the model."""

    question: GoldenQuestion
    messages: tuple[Message, ...]
    think: bool
    max_tokens: int


class _TakesDown:
    """Takes a generator's place, and gives nothing back."""

    model = ""
    stand_in = True
    continues_replies = True
    taken: tuple[tuple[Message, ...], bool, int] | None = None

    def generate(
        self, messages: Sequence[Message], *, think: bool, max_tokens: int, candidates: int = 0
    ) -> GeneratorObject[GenerationPart, None, None]:
        self.taken = (tuple(messages), think, max_tokens)
        raise AnswerCancelled


def own_prompts(questions: Sequence[GoldenQuestion], parts: PipelineParts, *, think: bool | None) -> dict[str, Prompt]:
    """Return by question id what the product would send for the answer.

    Questions that it refuses without a model, or cannot ask, have none.  No model is asked.

    Raises a ``KnowledgeError``.
    """
    prompts: dict[str, Prompt] = {}
    for question in questions:
        taker = _TakesDown()
        gateway = replace(parts.gateway.with_generator(taker), ensure_server=lambda: None)
        quiet = replace(parts, gateway=gateway, reading_fit=lambda model: None)
        try:
            for _ in Pipeline(quiet).stream(question.question, think=think):
                pass
        except QuestionError:
            continue  # too long to be asked at all
        except AnswerCancelled:
            assert taker.taken is not None  # nobody else cancels
            prompts[question.question_id] = Prompt(question, *taker.taken)
    return prompts


def plain_prompts(prompts: Mapping[str, Prompt], parts: PipelineParts) -> dict[str, Prompt]:
    """Return what a plain program sends for the same questions: five whole chunks, and no examples."""
    return {question_id: _plain(prompt, parts) for question_id, prompt in prompts.items()}


def _plain(prompt: Prompt, parts: PipelineParts) -> Prompt:
    asked = prompt.question.question
    language = question_language(asked)
    found = parts.retriever.retrieve(asked, language, Trace())
    passages = "\n\n".join(one.chunk.embedded_text for one in found.chunks[:PLAIN_CHUNKS])
    messages = (Message("system", _PLAIN_SYSTEM[language]), Message("user", f"{passages}\n\n{asked}"))
    return replace(prompt, messages=messages)


@dataclass(frozen=True, slots=True)
class RawModel:
    """Which model is asked where, and with what options: those of the product."""

    url: str
    name: str
    stand_in: bool
    context_tokens: int
    temperature: float
    keep_alive_seconds: int
    timeout_seconds: float

    @classmethod
    def of(cls, settings: Settings, name: str, *, stand_in: bool) -> "RawModel":
        """Return the model of these settings."""
        return cls(
            settings.ollama_url,
            name,
            stand_in,
            settings.context_tokens,
            settings.sampling.temperature,
            settings.keep_alive_seconds,
            settings.wait_limit_seconds,
        )

    def body(self, prompt: Prompt) -> dict[str, object]:
        """Return the request as the product makes it (``rag/generation/ollama_generator.py``)."""
        messages = [{"role": message.role, "content": message.content} for message in prompt.messages]
        if self.stand_in and not prompt.think:
            messages.append({"role": "assistant", "content": ""})
        options = {
            "num_ctx": self.context_tokens,
            "num_predict": prompt.max_tokens,
            "temperature": self.temperature,
            "repeat_penalty": 1.0,
        }
        return {
            "model": self.name,
            "messages": messages,
            "think": prompt.think,
            "stream": True,
            "keep_alive": self.keep_alive_seconds,
            "options": options,
        }


class RawArm:
    """Sends the prompt that belongs to a question and reads the reply to its end."""

    def __init__(self, name: str, prompts: Mapping[str, Prompt], model: RawModel) -> None:
        self.name = name
        self._prompts = prompts
        self._model = model

    def ask(self, asking: Asking) -> LoadRecord:
        """Ask, and return the record.  What Ollama refuses is a failed question."""
        sent_at = time.perf_counter()
        heard = _Heard()
        try:
            _read(self._model, self._model.body(self._prompts[asking.question.question_id]), heard, asking.stop)
        except (OSError, http.client.HTTPException, ValueError) as error:
            heard.error = type(error).__name__
        is_whole = not heard.error and heard.is_done
        outcome: Outcome = "answered" if is_whole else "unfinished" if asking.stop.is_set() else "failed"
        return replace(
            asking.record(self.name, sent_at, outcome),
            first_word_ms=None if heard.first_at is None else (heard.first_at - asking.due_at) * 1000,
            error="" if is_whole else heard.error or "no last object",
            right=asking.is_right(heard.text) if is_whole else None,
            generated_tokens=heard.generated_tokens,
            prompt_tokens=heard.prompt_tokens,
        )


@dataclass(slots=True)
class _Heard:
    text: str = ""
    first_at: float | None = None
    is_done: bool = False
    error: str = ""
    generated_tokens: int = 0
    prompt_tokens: int = 0


def _read(model: RawModel, body: dict[str, object], heard: _Heard, stop: threading.Event) -> None:
    url = urlsplit(model.url)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname or "127.0.0.1", url.port, timeout=model.timeout_seconds)
    is_over = threading.Event()
    try:
        connection.connect()
        threading.Thread(target=_cut_at, args=(connection.sock, stop, is_over), daemon=True).start()
        connection.request("POST", "/api/chat", json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != http.client.OK:
            heard.error = f"HTTP {response.status}"
            return
        for line in response:
            row = json.loads(line)
            message = row.get("message", {})
            said = message.get("content", "")
            if heard.first_at is None and (said or message.get("thinking")):
                heard.first_at = time.perf_counter()
            heard.text += said
            if row.get("error"):
                heard.error = "error in the reply"
            if row.get("done"):
                heard.is_done = True
                heard.generated_tokens = int(row.get("eval_count") or 0)
                heard.prompt_tokens = int(row.get("prompt_eval_count") or 0)
    finally:
        is_over.set()
        connection.close()


def _cut_at(connection: socket.socket, stop: threading.Event, is_over: threading.Event) -> None:
    """Shut a connection when the run is stopped: nothing else ends a read that waits for a first token."""
    while not is_over.wait(_LOOK_EVERY_SECONDS):
        if stop.is_set():
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it ended by itself
            return
