"""Models made by the real Ollama, in a store of their own: of a file, of a folder, quantized, with an adapter.

The F16 file is the small stand-in's, reconstructed: its losses are not those of a real F16.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from rag.errors import ModelUnfit
from rag.ollama.client import OllamaClient
from rag.ollama.install import models_folder
from rag.ollama.model_creation import KINDS, OWN_KINDS, ModelMaker
from rag.ollama.model_files import model_source
from rag.ollama.models import find_installed
from rag.ollama.reconstruct import reconstruct_f16
from rag.ollama.server import ensure_running, stop
from rag.settings import Settings
from rag.setup.packages import catalogue
from rag.terminal import Update
from tests.conftest import ONE_THREAD, REAL_MODEL, free_port
from tests.support.by_day import by_day
from tests.support.small_models import write_adapter, write_safetensors_folder

pytestmark = pytest.mark.real

F16 = "stand-in:0.5b-f16"
WIDTH = 896  # of the 0.5B's queries


def stand_in_file() -> Path:
    """Return the small stand-in's weights in Ollama's store."""
    store = models_folder(Settings()) or Path.home() / ".ollama" / "models"
    return store / "blobs" / f"sha256-{catalogue().stand_ins[REAL_MODEL].sha256}"


@pytest.fixture(scope="module")
def making(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelMaker]:
    """Yield the maker of an Ollama with an empty store, which holds the F16 model at last."""
    work = tmp_path_factory.mktemp("making")
    weights = stand_in_file()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OLLAMA_MODELS", str(work / "store"))
        settings = Settings(data_dir=work / "data", ollama_host=f"127.0.0.1:{free_port()}", context_tokens=1024)
        ensure_running(settings, while_we_live=True)
        heard: list[tuple[int, int]] = []

        @contextmanager
        def listening() -> Iterator[Update]:
            yield lambda done, total: heard.append((done, total))

        def shown(key: str, what: str) -> AbstractContextManager[Update]:
            return listening()

        made = ModelMaker(OllamaClient(settings.ollama_url), shown)
        try:
            whole = work / "f16.gguf"
            reconstruct_f16(weights, whole)
            made.import_files(model_source(whole, "chatml-think"), F16)
            assert (whole.stat().st_size, whole.stat().st_size) in heard
            whole.unlink()
            yield made
        finally:
            stop(settings)
            for blob in (work / "store").rglob("sha256-*"):  # gigabytes that pytest would keep for three runs
                blob.unlink()


def said(client: OllamaClient, model: str, prompt: str = "Write a Python function add(a, b).") -> str:
    options = {"temperature": 0, "num_predict": 16, "num_ctx": 1024, **ONE_THREAD}
    return str(client.generate({"model": model, "prompt": prompt, "think": False, "options": options})["response"])


def test_the_f16_says_that_it_was_reconstructed_and_answers(making: ModelMaker) -> None:
    details = making.client.show(F16)
    assert (details.quantization, details.reconstructed_from) == ("F16", "Q4_K_M")
    assert details.thinks
    assert details.parameters["stop"] == ["<|im_start|>", "<|im_end|>"]
    assert "def add" in said(making.client, F16)


# One kind that Ollama makes: the K-quants take a minute each, and of the tiny model they and our own kind are made on
# each commit, below and in the calibration's test.
@pytest.mark.parametrize("kind", by_day("q8_0", of=(*KINDS, *OWN_KINDS)))
def test_quantizing_keeps_template_stop_marks_and_origin(kind: str, making: ModelMaker) -> None:
    name = making.quantize(F16, kind)
    assert name == f"stand-in:0.5b-{kind}"
    details, source = making.client.show(name), making.client.show(F16)
    assert details.quantization == kind.upper()
    assert details.template == source.template
    assert details.parameters == source.parameters
    assert details.reconstructed_from == "Q4_K_M"
    installed = {one.name: one.size_bytes for one in making.client.models()}
    assert installed[name] < 0.6 * installed[F16]
    assert "def add" in said(making.client, name)
    with pytest.raises(ModelUnfit, match="already quantized"):
        making.quantize(name, "q8_0")
    making.client.delete(name)
    assert find_installed(making.client.models(), name) is None


def test_a_safetensors_folder_is_converted_and_quantized(making: ModelMaker, tmp_path: Path) -> None:
    source = model_source(write_safetensors_folder(tmp_path / "tiny"))
    making.import_files(source, "tiny:whole")
    making.import_files(source, "tiny:q4", "q4_K_M")
    whole, small = making.client.show("tiny:whole"), making.client.show("tiny:q4")
    assert (whole.quantization, small.quantization) == ("F16", "Q4_K_M")
    assert whole.metadata["qwen2.block_count"] == 2
    assert whole.parameters["stop"] == ["<|im_start|>", "<|im_end|>"]
    said(making.client, "tiny:q4")  # chance words, but it loads and speaks


@pytest.mark.parametrize("kind", OWN_KINDS)
def test_our_own_kinds_keep_template_and_stop_marks(kind: str, making: ModelMaker, tmp_path: Path) -> None:
    making.import_files(model_source(write_safetensors_folder(tmp_path / "tiny")), "own:tiny")
    name = making.quantize("own:tiny", kind)
    details, source = making.client.show(name), making.client.show("own:tiny")
    assert details.quantization == kind.upper()
    assert (details.template, details.parameters) == (source.template, source.parameters)
    installed = {one.name: one.size_bytes for one in making.client.models()}
    assert installed[name] < 0.6 * installed["own:tiny"]
    said(making.client, name)  # chance words, but it loads and speaks
    with pytest.raises(ModelUnfit, match="already quantized"):
        making.quantize(name, "q8_0")
    making.client.delete(name)
    assert find_installed(making.client.models(), name) is None


def test_an_adapter_changes_what_is_said(making: ModelMaker, tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "lora.gguf", "qwen2", WIDTH)
    making.attach(F16, adapter, "stand-in:0.5b-adapted")
    assert making.client.show("stand-in:0.5b-adapted").template == making.client.show(F16).template
    prompt = "Count from one to ten in words."
    assert said(making.client, "stand-in:0.5b-adapted", prompt) != said(making.client, F16, prompt)
