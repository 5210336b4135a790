"""What can be made a model of, and what is refused before anything is sent."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rag.errors import ModelUnfit
from rag.ollama.model_files import adapter_files, model_source, require_unquantized
from tests.support.gguf_files import QWEN, write_gguf

WITHOUT_TEMPLATE = {key: value for key, value in QWEN.items() if key != "tokenizer.chat_template"}
CHATML = {"chat_template": "<|im_start|>{{ role }}"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    for name in ("config.json", "tokenizer.json", "notes.txt", "model-1.safetensors", "optimizer.safetensors"):
        (made / name).write_text("{}", encoding="utf-8")
    return made


def test_a_file_knows_its_format(tmp_path: Path) -> None:
    source = model_source(write_gguf(tmp_path / "m.gguf"))
    assert source.chat_format is not None
    assert source.chat_format.name == "chatml"
    assert source.quantization == "F16"
    assert dict(source.files) == {"m.gguf": tmp_path / "m.gguf"}


def test_the_format_that_was_named_goes_before(tmp_path: Path) -> None:
    source = model_source(write_gguf(tmp_path / "m.bin", WITHOUT_TEMPLATE), "r1")
    assert source.chat_format is not None
    assert source.chat_format.name == "r1"
    assert list(source.files) == ["model.gguf"]  # Ollama knows the kind by its ending


def test_a_format_of_others_is_left_to_ollama(tmp_path: Path) -> None:
    metadata = {**QWEN, "tokenizer.chat_template": "<|start_header_id|>"}
    assert model_source(write_gguf(tmp_path / "m.gguf", metadata)).chat_format is None


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        (WITHOUT_TEMPLATE, "no chat template"),
        ({**QWEN, "general.type": "adapter"}, "attach it with"),
        ({**QWEN, "general.type": "mmproj"}, "vision projector"),
        ({**QWEN, "split.count": 3}, "one of 3 parts"),
        ({**QWEN, "qwen2.pooling_type": 1}, "embedding model"),
    ],
)
def test_what_would_not_answer_is_refused(metadata: dict[str, object], reason: str, tmp_path: Path) -> None:
    with pytest.raises(ModelUnfit, match=reason) as raised:
        model_source(write_gguf(tmp_path / "m.gguf", metadata))
    assert "模型" in raised.value.text("zh")


def test_a_folder_gives_its_weights_and_texts(folder: Path) -> None:
    (folder / "tokenizer_config.json").write_text(json.dumps(CHATML), encoding="utf-8")
    source = model_source(folder)
    names = {"config.json", "tokenizer.json", "tokenizer_config.json", "model-1.safetensors"}
    assert source.files.keys() == names
    assert source.chat_format is not None
    assert (source.chat_format.name, source.quantization) == ("chatml", "F16")


def test_a_folders_newer_place_for_the_template(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("<｜Assistant｜>", encoding="utf-8")
    source = model_source(folder)
    assert source.chat_format is not None
    assert source.chat_format.name == "r1"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda folder: (folder / "config.json").unlink(), "no config.json"),
        (lambda folder: (folder / "model-1.safetensors").unlink(), "no config.json"),
        (lambda folder: (folder / "tokenizer_config.json").write_text("[", "utf-8"), "no chat template"),
    ],
)
def test_a_folder_that_is_no_model(spoil: Callable[[Path], object], reason: str, folder: Path) -> None:
    spoil(folder)
    with pytest.raises(ModelUnfit, match=reason):
        model_source(folder)


def test_an_adapter_is_for_one_architecture(tmp_path: Path) -> None:
    adapter = write_gguf(tmp_path / "a.gguf", {"general.architecture": "qwen2", "general.type": "adapter"})
    assert dict(adapter_files(adapter, "qwen2")) == {"a.gguf": adapter}
    with pytest.raises(ModelUnfit, match=r"another kind of model \(qwen2\)"):
        adapter_files(adapter, "llama")
    with pytest.raises(ModelUnfit, match="not a LoRA adapter"):
        adapter_files(write_gguf(tmp_path / "m.gguf"), "qwen2")


def test_an_adapters_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelUnfit, match="adapter_config"):
        adapter_files(tmp_path, "llama")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    assert set(adapter_files(tmp_path, "llama")) == {"adapter_config.json", "adapter_model.safetensors"}
    with pytest.raises(ModelUnfit, match="only as GGUF"):
        adapter_files(tmp_path, "qwen2")


def test_what_can_be_quantized() -> None:
    require_unquantized("m", "F16")
    require_unquantized("m", "BF16")
    with pytest.raises(ModelUnfit, match=r"already quantized \(Q8_0\)"):
        require_unquantized("m", "Q8_0")
    with pytest.raises(ModelUnfit, match="F32"):
        require_unquantized("m", "F32")
