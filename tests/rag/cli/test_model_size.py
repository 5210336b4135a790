"""``size``: its sentences in both languages, its figures for programs, and what it does with what was measured."""

import json
from pathlib import Path
from typing import Any

import pytest

from rag.cli import model_size as size_command
from rag.ollama.advice import Rates, advise, expected_generation, serving_of, store_rates, stored_rates
from rag.ollama.hardware import Machine
from rag.ollama.sizing import Serving, memory_of
from rag.settings import Settings
from tests.ollama_stub import OllamaStub
from tests.rag.ollama.test_main import run
from tests.rag.ollama.test_sizing import SMALL, TENSORS, deepseek_r1_7b
from tests.support.by_day import by_day, combined
from tests.support.gguf_files import F16, QWEN, gguf_bytes

LAPTOP = Machine(cores=4, memory_bytes=16_000_000_000, gpu_bytes=0)
SMALL_BOX = Machine(cores=2, memory_bytes=8_000_000_000, gpu_bytes=0)
CARD = Machine(cores=16, memory_bytes=64_000_000_000, gpu_bytes=12_000_000_000)


@pytest.fixture(autouse=True)
def a_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(size_command.Machine, "here", classmethod(lambda cls: LAPTOP))
    for name in ("OLLAMA_KV_CACHE_TYPE", "OLLAMA_FLASH_ATTENTION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def stub() -> Any:
    tensors = [{"name": one.name, "type": one.kind, "shape": list(one.shape)} for one in TENSORS]
    with OllamaStub(models=["stand-in:small"]) as server:
        server.details_of["stand-in:small"] = {"model_info": SMALL, "tensors": tensors}
        yield server


def test_advice_for_a_7b_on_three_machines() -> None:
    whole = deepseek_r1_7b()
    laptop = advise(whole, Serving(4096, 2), LAPTOP)
    assert (laptop.fits, laptop.quantization, laptop.slots) == (False, "Q8_0", 0)
    assert not laptop.is_below_minimum
    box = advise(whole, Serving(4096, 2), SMALL_BOX)
    assert (box.quantization, box.is_below_minimum) == ("Q4_K_M", True)
    card = advise(whole, serving_of(CARD, 4096, 5, {}), CARD)
    assert card.serving.on_gpu
    assert card.quantization == "Q8_0"
    assert [one.fits for one in card.variants] == [False, True, True, True]


def test_slots_are_bounded_by_cores() -> None:
    small = advise(deepseek_r1_7b(), Serving(4096, 1), Machine(8, 256_000_000_000, 0))
    assert small.slots_by_memory > 100
    assert small.slots == 8


def test_a_card_holds_what_the_article_says() -> None:
    """Five requests of a 7B at once on 12 GB, of 4,096 tokens each."""
    from rag.ollama.sizing import requantized, slots_that_fit

    small = requantized(deepseek_r1_7b(), "q4_K_M")
    assert slots_that_fit(small, Serving(4096, 5, on_gpu=True), CARD.budget_bytes) >= 5


def test_the_environment_tunes_the_server() -> None:
    found = serving_of(LAPTOP, 4096, 2, {"OLLAMA_KV_CACHE_TYPE": "Q8_0", "OLLAMA_FLASH_ATTENTION": "0"})
    assert (found.kv_type, found.flash_attention, found.on_gpu) == ("q8_0", False, False)


def test_other_weights_are_slower_by_what_each_token_reads() -> None:
    found = advise(deepseek_r1_7b(), Serving(4096, 1), LAPTOP, Rates(50.0, 4.0, 15_000_000_000, "2026-01-01"))
    speeds = {one.quantization: one.generation for one in found.variants}
    assert speeds["Q8_0"] == expected_generation(Rates(50, 4, 15_000_000_000, ""), found.variants[1].weights_bytes)
    assert advise(deepseek_r1_7b(), Serving(4096, 1), LAPTOP).variants[0].generation is None


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_model_is_explained_line_by_line(
    language: str, stub: OllamaStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["size", "--slots", "3", "--context", "1024"], stub.url, tmp_path, monkeypatch, language=language) == 0
    out = capsys.readouterr().out
    kv = "2 x 2 layers x 2 heads x 64 numbers x 1,024 tokens x 3 slots x 2 bytes = 0.003 GB"
    assert (kv if language == "en" else "2 x 2 层 x 2 头 x 64 维 x 1,024 词元 x 3 个并发 x 2 字节 = 0.003 GB") in out
    assert ("a stand-in, not DeepSeek-R1" if language == "en" else "替代模型") in out
    for cell in ("14 GB", "7.5 GB", "+35 %", "2.1 %", "4.2 GB", "+120 %", "5.3 %"):
        assert cell in out
    assert "--measure" in out


def test_the_figures_for_programs(
    stub: OllamaStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = {"name": "stand-in:small", "size": 12345, "size_vram": 0, "context_length": 2048}
    stub.answers["/api/ps"] = lambda _: (200, [{"models": [loaded]}])
    assert run(["size", "stand-in:small", "--json"], stub.url, tmp_path, monkeypatch) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["memory"]["ps_bytes"] < found["memory"]["total_bytes"]
    assert found["loaded_bytes"] == 12345  # 4,096 were asked for, the model was trained for 2,048
    assert found["stand_in"] is True
    assert found["shape"]["parameters"] == sum(one.elements for one in TENSORS)


def test_a_file_needs_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf_bytes(QWEN, [("token_embd.weight", F16, (64, 100), bytes(12800))]))
    assert run(["size", str(path)], "http://127.0.0.1:9", tmp_path, monkeypatch) == 0
    assert "2 layers, 4 heads" in capsys.readouterr().out
    path.write_bytes(b"zip")
    assert run(["size", str(path)], "http://127.0.0.1:9", tmp_path, monkeypatch) == 2
    assert "not a GGUF file" in capsys.readouterr().err


@pytest.mark.slow
def test_bad_questions_are_one_sentence(
    stub: OllamaStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["size", "absent:7b"], stub.url, tmp_path, monkeypatch) == 4
    assert "absent:7b is not installed" in capsys.readouterr().err
    stub.details_of["stand-in:small"] = {"model_info": {"general.architecture": "odd"}}
    assert run(["size", "stand-in:small"], stub.url, tmp_path, monkeypatch) == 2
    assert "odd.block_count" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        run(["size", "--slots", "0"], stub.url, tmp_path, monkeypatch)


@pytest.mark.slow
def test_what_is_measured_is_kept(
    stub: OllamaStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    second = 1_000_000_000
    timing = {
        "prompt_eval_count": 400,
        "prompt_eval_duration": 5 * second,
        "eval_count": 30,
        "eval_duration": 2 * second,
    }
    stub.answers["/api/generate"] = lambda _: (200, [{"response": "x", **timing}])
    assert run(["size", "stand-in:small", "--measure"], stub.url, tmp_path, monkeypatch) == 0
    assert "prompts 80 tokens/s, answers 15.0 tokens/s" in capsys.readouterr().out
    prompts = [body["prompt"] for path, body in stub.requests if path == "/api/generate"]
    assert len(set(prompts)) == len(prompts) == 4
    settings = Settings(data_dir=tmp_path)
    assert stored_rates(settings)["stand-in:small"].generation == 15.0
    store_rates(settings, "other", Rates(1, 2, 3, "2026-01-01"))
    assert set(stored_rates(settings)) == {"stand-in:small", "other"}


def test_a_damaged_file_of_rates_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "serving").mkdir()
    (tmp_path / "serving" / "rates.json").write_text("{", encoding="utf-8")
    assert stored_rates(Settings(data_dir=tmp_path)) == {}


@pytest.mark.real
@pytest.mark.parametrize(
    ("model", "context"),
    by_day(
        "stand-in:0.5b-4096",
        "stand-in:1.5b-2048",
        of=combined(("stand-in:0.5b", "stand-in:1.5b"), {"2048": 2048, "4096": 4096}),
    ),
)
def test_the_real_ps_agrees_within_ten_percent(
    model: str, context: int, real_settings: Settings, real_ollama: object
) -> None:
    from rag.ollama.client import OllamaClient
    from rag.ollama.models import find_installed

    client = OllamaClient(real_settings.ollama_url)
    if find_installed(client.models(), model) is None:
        pytest.skip(f"{model} is not installed here")
    shape = size_command.shape_of_installed(client, model)
    options = {"num_ctx": context, "num_predict": 1}
    client.generate({"model": model, "prompt": "Hi", "raw": True, "options": options})
    loaded = {one.name: one for one in client.loaded()}[model]
    assert loaded.context_tokens == context
    expected = memory_of(shape, serving_of(Machine(2, 1, 0), context, real_settings.parallel_slots))
    assert expected.ps_bytes == pytest.approx(loaded.memory_bytes, rel=0.1)
