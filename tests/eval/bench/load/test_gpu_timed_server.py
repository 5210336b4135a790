"""Ollama's protocol as its clients hear it: the product's own, and plain HTTP."""

import json
import time

import httpx
import pytest

from eval.bench.load.gpu_timed_server import DEFAULT_MODEL, VERSION
from eval.bench.load.gpu_timing import NOT_A_MODEL, GpuTiming
from rag.errors import ModelMissing, OllamaRefused
from rag.generation.answerability import yes_probability
from rag.generation.ollama_generator import OllamaGenerator
from rag.ollama.client import OllamaClient
from rag.ollama.hosts import choose_model
from rag.protocols import GeneratedText, GeneratedThinking, GenerationFinished, Message
from rag.settings import Settings
from tests.eval.bench.load.conftest import Serving

pytestmark = pytest.mark.slow

FAST = GpuTiming(first_token_ms=1, tokens_per_second=2000, answer_tokens=30, thinking_tokens=8)
ASKED = [
    Message("user", "Documents:\n[1] Returns\nSend it back within 30 days.\n(end of documents)\n\nQuestion: how long?")
]


def generator(url: str) -> OllamaGenerator:
    settings = Settings(ollama_host=url)
    return OllamaGenerator(settings, lambda: choose_model(settings))


def counts(url: str) -> dict[str, int]:
    return dict(httpx.get(f"{url}/gpu-timed").json())


def reaches(url: str, **wanted: int) -> bool:
    """Wait until the server counts this."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if wanted.items() <= counts(url).items():
            return True
        time.sleep(0.005)
    return False


def test_it_is_found_listed_and_a_stand_in(serving: Serving) -> None:
    url = serving(FAST)
    client = OllamaClient(url)
    assert client.version() == VERSION and "stand-in" in VERSION
    assert [model.name for model in client.models()] == [DEFAULT_MODEL]
    assert client.loaded() == []
    chosen = choose_model(Settings(ollama_host=url))
    assert (chosen.name, chosen.stand_in) == (DEFAULT_MODEL, True)
    shown = httpx.post(f"{url}/api/show", json={"model": DEFAULT_MODEL}).json()
    assert "thinking" in shown["capabilities"]


def test_the_products_generator_hears_an_answer_and_its_times(serving: Serving) -> None:
    url = serving(FAST)
    parts = list(generator(url).generate(ASKED, think=False, max_tokens=100))
    said = [part.text for part in parts if isinstance(part, GeneratedText) and part.text]
    assert "".join(said) == f"Send it back within 30 days. {NOT_A_MODEL['en']}"
    finished = parts[-1]
    assert isinstance(finished, GenerationFinished)
    assert (finished.generated_tokens, finished.reason) == (30, "stop")
    assert finished.prompt_tokens > 0 and finished.prompt_ms > 0 and finished.generation_ms > 0
    assert len(OllamaClient(url).loaded()) == 1


def test_a_thought_comes_before_the_answer_where_one_is_wanted(serving: Serving) -> None:
    parts = list(generator(serving(FAST)).generate(ASKED, think=True, max_tokens=100))
    kinds = [type(part) for part in parts if not isinstance(part, GeneratedText) or part.text]
    assert kinds == [GeneratedThinking] * 8 + [GeneratedText] * 30 + [GenerationFinished]


def test_a_budget_is_kept_and_told(serving: Serving) -> None:
    finished = list(generator(serving(FAST)).generate(ASKED, think=False, max_tokens=5))[-1]
    assert isinstance(finished, GenerationFinished)
    assert (finished.generated_tokens, finished.reason) == (5, "length")


def test_the_reader_hears_a_yes(serving: Serving) -> None:
    finished = list(generator(serving(FAST)).generate(ASKED, think=False, max_tokens=1, candidates=15))[-1]
    assert isinstance(finished, GenerationFinished)
    assert (yes_probability(finished.first_token) or 0) > 0.9


@pytest.mark.parametrize("path", ["/api/chat", "/api/generate"])
def test_rows_one_object_a_token_or_one_for_all(serving: Serving, path: str) -> None:
    url = serving(FAST)
    asked = (
        {"messages": [{"role": "user", "content": "Pay nothing."}]} if "chat" in path else {"prompt": "Pay nothing."}
    )
    body = {"model": DEFAULT_MODEL, "think": False, **asked}
    reply = httpx.post(f"{url}{path}", json=body)
    rows = [json.loads(line) for line in reply.text.splitlines()]
    assert reply.headers["content-type"] == "application/x-ndjson"
    assert [row["done"] for row in rows] == [False] * 30 + [True]
    whole = httpx.post(f"{url}{path}", json={**body, "stream": False}).json()
    texts = [row["message"]["content"] if "message" in row else row["response"] for row in (*rows, whole)]
    assert "".join(texts[:-1]) == texts[-1]
    assert whole["done"] and whole["eval_count"] == 30


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"model": "stand-in:gpu-timed"}', 400),
        (b'{"model": "stand-in:gpu-timed", "messages": []}', 400),
        (b'{"model": "stand-in:gpu-timed", "messages": [{"role": "user", "content": "a"}], "options": 3}', 400),
        (b'{"model": "another", "messages": []}', 404),
    ],
)
def test_what_cannot_be_answered_is_refused_in_words(serving: Serving, body: bytes, status: int) -> None:
    reply = httpx.post(f"{serving(FAST)}/api/chat", content=body)
    assert reply.status_code == status
    assert reply.json()["error"]


def test_a_missing_model_is_the_products_own_error(serving: Serving) -> None:
    with pytest.raises(ModelMissing):
        choose_model(Settings(ollama_host=serving(FAST), model="deepseek-r1:7b"))


def test_no_more_than_the_slots_at_once_and_503_when_the_queue_is_full(serving: Serving) -> None:
    url = serving(GpuTiming(slots=2, first_token_ms=60_000, max_waiting=1))
    hearing = [generator(url).generate(ASKED, think=False, max_tokens=100) for _ in range(3)]
    for one in hearing:
        next(one)
    assert reaches(url, running=2, waiting=1)
    with pytest.raises(OllamaRefused, match="maximum pending requests exceeded"):
        list(generator(url).generate(ASKED, think=False, max_tokens=100))
    for one in hearing:
        one.close()  # type: ignore[attr-defined]
    assert reaches(url, running=0, waiting=0)


def test_a_closed_connection_frees_its_slot(serving: Serving) -> None:
    url = serving(GpuTiming(slots=1, first_token_ms=60_000))
    hearing = generator(url).generate(ASKED, think=False, max_tokens=100)
    next(hearing)  # a heartbeat: nothing came yet
    assert reaches(url, running=1)
    hearing.close()  # type: ignore[attr-defined]
    assert reaches(url, running=0, cancelled=1)
