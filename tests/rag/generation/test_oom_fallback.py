"""What gives way, in which order, when Ollama says that there is no room: its own words, from a server on a socket."""

from collections.abc import Iterator
from typing import Any

import pytest

from rag.errors import ModelTooLarge, OllamaRefused
from rag.generation import oom_fallback as memory_relief
from rag.generation.oom_fallback import FallbackGenerator, is_out_of_memory, smaller_loads, smaller_quantizations
from rag.ollama.client import InstalledModel
from rag.ollama.models import ChosenModel
from rag.protocols import GeneratedText, GenerationFinished, Message
from rag.settings import Settings
from tests.ollama_stub import OllamaStub

NO_ROOM = "model requires more system memory (9.1 GiB) than is available (4.0 GiB)"
ASKED = [Message("user", "How long?")]
SIZES = {"m:8b": 8_000, "m:8b-q4_K_M": 5_000, "m:8b-q4_K_S": 4_000, "m:1b": 1_000, "n:8b": 2_000}


class Tight:
    """An Ollama with room for some loads only."""

    def __init__(self, fits: Any) -> None:
        self.fits = fits
        self.tried: list[tuple[str, int, int | None]] = []
        self.stub = OllamaStub()
        rows = [{"name": name, "size": size, "details": {"parameter_size": name[2:4]}} for name, size in SIZES.items()]
        self.stub.answers |= {
            "/api/tags": lambda _: (200, [{"models": rows}]),
            "/api/show": lambda _: (200, [{"template": "", "model_info": {"qwen2.block_count": 28}}]),
            "/api/chat": self.chat,
        }

    def chat(self, body: dict[str, Any]) -> tuple[int, list[dict[str, Any]]]:
        options = body["options"]
        load = (body["model"], options["num_ctx"], options.get("num_gpu"))
        self.tried.append(load)
        if not self.fits(*load):
            return 500, [{"error": NO_ROOM}]
        said = {"model": body["model"], "message": {"role": "assistant", "content": "Thirty days."}, "done": False}
        return 200, [said, {**said, "message": {"role": "assistant", "content": ""}, "done": True, "eval_count": 3}]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(memory_relief, "gpu_memory_bytes", lambda: 8_000_000_000)
    yield


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(memory_relief, "gpu_memory_bytes", lambda: 0)
    yield


def generator(tight: Tight) -> FallbackGenerator:
    return FallbackGenerator(Settings(ollama_host=tight.stub.url), lambda: ChosenModel("m:8b", stand_in=False))


def said(one: FallbackGenerator) -> str:
    parts = list(one.generate(ASKED, think=False, max_tokens=50))
    assert isinstance(parts[-1], GenerationFinished)
    return "".join(part.text for part in parts if isinstance(part, GeneratedText))


@pytest.mark.slow
def test_layers_then_context_then_quantization(gpu: None, caplog: pytest.LogCaptureFixture) -> None:
    tight = Tight(lambda model, context, layers: model == "m:8b-q4_K_S")
    with tight.stub:
        one = generator(tight)
        assert said(one) == "Thirty days."
        assert tight.tried == [
            ("m:8b", 4096, None),
            ("m:8b", 4096, 21),
            ("m:8b", 4096, 14),
            ("m:8b", 4096, 7),
            ("m:8b", 4096, 0),
            ("m:8b", 2048, 0),
            ("m:8b-q4_K_M", 2048, 0),
            ("m:8b-q4_K_S", 2048, 0),
        ]
        assert (one.model, one.context_tokens) == ("m:8b-q4_K_S", 2048)
        assert "m:8b-q4_K_S, 2048 tokens, 0 GPU layers" in caplog.text, "it is reported"
        said(one)
        assert len(tight.tried) == 9, "what fits is kept"


@pytest.mark.slow
def test_without_a_gpu_the_context_gives_way_first(no_gpu: None) -> None:
    tight = Tight(lambda model, context, layers: context <= 2048)
    with tight.stub:
        one = generator(tight)
        assert said(one) == "Thirty days."
        assert tight.tried == [("m:8b", 4096, None), ("m:8b", 2048, None)]
        assert (one.model, one.context_tokens) == ("m:8b", 2048)


@pytest.mark.slow
def test_what_never_fits_is_said_in_words(no_gpu: None) -> None:
    tight = Tight(lambda model, context, layers: False)
    with tight.stub:
        one = generator(tight)
        for _ in range(2):
            with pytest.raises(ModelTooLarge) as caught:
                said(one)
        assert "m:8b-q4_K_S" in caught.value.text("en") and "内存不足" in caught.value.text("zh")


@pytest.mark.slow
def test_another_refusal_is_passed_on(no_gpu: None) -> None:
    tight = Tight(lambda model, context, layers: True)
    tight.stub.answers["/api/chat"] = lambda _: (503, [{"error": "server busy, please try again."}])
    with tight.stub, pytest.raises(OllamaRefused, match="server busy"):
        said(generator(tight))


@pytest.mark.parametrize(
    ("reason", "is_memory"),
    [
        (NO_ROOM, True),
        ("llama runner process has terminated: cudaMalloc failed: out of memory", True),
        ("model failed to load, this may be due to resource limitations or an internal error", True),
        ("memory layout cannot be allocated with num_gpu = 28", True),
        ("server busy, please try again.  maximum pending requests exceeded", False),
        ("model 'x' not found", False),
    ],
)
def test_ollamas_words(reason: str, is_memory: bool) -> None:
    assert is_out_of_memory(reason) is is_memory


def test_nothing_is_left_to_give_up() -> None:
    start = memory_relief.Load("m", 2048)
    assert list(smaller_loads(start, layers=0, quantizations=[])) == []
    assert smaller_quantizations("gone", [InstalledModel("m:8b", 8, "8b", "q8_0")]) == []
