"""The commands that look after models: what they ask of Ollama, what they refuse, and what they say."""

import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from rag.ollama import client
from rag.ollama.model_creation import ModelMaker
from rag.settings import KEPT_NAME
from tests.ollama_stub import OllamaStub
from tests.rag.ollama.test_main import run
from tests.support.gguf_files import QWEN, write_gguf

F16 = {"details": {"quantization_level": "F16"}}
QUANTIZED = "already quantized (Q4_K_M)"


class Desk:
    """Runs commands against a stub."""

    def __init__(self, stub: OllamaStub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stub, self.folder, self._monkeypatch = stub, folder, monkeypatch

    def run(self, *arguments: str, language: str = "en") -> int:
        return run(list(arguments), self.stub.url, self.folder, self._monkeypatch, language=language)

    def created(self) -> list[dict[str, Any]]:
        return [body for path, body in self.stub.requests if path == "/api/create"]

    def kept(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / KEPT_NAME).read_text(encoding="utf-8"))
        return found


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with OllamaStub(models=["r1:f16", "stand-in:0.5b", "r1:q4"]) as stub:
        stub.details_of["r1:f16"] = F16
        yield Desk(stub, tmp_path / "data", monkeypatch)


def test_a_file_becomes_a_model_with_its_format(desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = write_gguf(tmp_path / "w.gguf")
    assert desk.run("import", str(weights), "--name", "mine:1b", "--quantize", "Q4_k_m") == 0
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert desk.stub.blobs == {digest: weights.read_bytes()}
    (body,) = desk.created()
    assert body["files"] == {"w.gguf": f"sha256:{digest}"}
    assert body["quantize"] == "q4_K_M"
    assert body["parameters"] == {"stop": ["<|im_start|>", "<|im_end|>"]}
    assert "<|im_start|>user" in body["template"]
    assert capsys.readouterr().out.startswith("mine:1b is made")


def test_a_model_that_ollama_finds_no_format_for_is_taken_away_again(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.stub.details_of["odd"] = {"template": "{{ .Prompt }}"}
    weights = write_gguf(tmp_path / "w.gguf", {**QWEN, "tokenizer.chat_template": "<odd>"})
    assert desk.run("import", str(weights), "--name", "odd") == 2
    assert "no chat template" in capsys.readouterr().err
    assert "odd" not in desk.stub.models


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["quantize", "r1:f16", "q4_1"], 2, "cannot be quantized to q4_1"),
        (["quantize", "r1:q4", "q8_0"], 2, QUANTIZED),
        (["quantize", "absent", "q8_0"], 4, "not installed"),
        (["quantize", "r1:f16", "q8_0", "--as", "r1:q4"], 2, "is already installed; choose another name"),
        (["quantize", "r1:f16", "q8_0", "--as", "no name"], 2, "not a valid model name"),
        (["adapter", "r1:f16", "--adapter", "absent.gguf", "--as", "x"], 2, "No such file"),
        (["import", "absent.gguf", "--name", "x"], 2, "No such file"),
        (["delete", "absent", "--yes"], 4, "not installed"),
        (["use", "absent"], 4, "not installed"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    arguments: list[str], code: int, reason: str, desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert desk.run(*arguments) == code
    said = capsys.readouterr().err
    assert reason in said
    assert said.count("\n") == 1
    assert desk.run(*arguments, language="zh") == code
    assert any("\u4e00" <= character <= "\u9fff" for character in capsys.readouterr().err)
    assert not desk.created()


def test_ctrl_c_ends_a_command_without_a_traceback(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(maker: ModelMaker, name: str, kind: str, new_name: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(ModelMaker, "quantize", interrupted)
    assert desk.run("quantize", "r1:f16", "q8_0") == 130
    assert capsys.readouterr().out == "Interrupted.\n"


def test_a_quantized_model_is_named_after_its_source(desk: Desk) -> None:
    assert desk.run("quantize", "r1:f16", "q8_0") == 0
    assert desk.created() == [{"model": "r1:q8_0", "from": "r1:f16", "quantize": "q8_0"}]


@pytest.mark.slow
def test_what_is_made_of_a_stand_in_stays_one(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.stub.details_of["stand-in:0.5b"] = F16
    assert desk.run("quantize", "stand-in:0.5b", "q8_0", "--as", "deepseek-r1:7b") == 2
    assert "must begin with stand-in:" in capsys.readouterr().err
    assert desk.run("quantize", "stand-in:0.5b", "q8_0") == 0
    assert desk.created()[0]["model"] == "stand-in:0.5b-q8_0"


@pytest.mark.slow
def test_an_adapter_is_sent_and_named(desk: Desk, tmp_path: Path) -> None:
    adapter = write_gguf(tmp_path / "lora.gguf", {"general.architecture": "qwen2", "general.type": "adapter"})
    assert desk.run("adapter", "r1:f16", "--adapter", str(adapter), "--as", "r1:finance") == 0
    (body,) = desk.created()
    assert (body["model"], body["from"], list(body["adapters"])) == ("r1:finance", "r1:f16", ["lora.gguf"])


@pytest.mark.slow
def test_deleting_asks(desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.run("delete", "r1:q4") == 2  # nobody to ask
    assert "--yes" in capsys.readouterr().err

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    assert desk.run("delete", "r1:q4") == 1
    assert "r1:q4" in desk.stub.models
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert desk.run("delete", "r1:q4") == 0
    assert desk.run("delete", "r1:f16", "--yes") == 0
    assert desk.stub.models == ["stand-in:0.5b"]


@pytest.mark.slow
def test_the_choice_is_kept_for_the_next_start(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.run("use", "r1:q4") == 0
    assert desk.kept() == {"model": "r1:q4", "thinking": "off"}
    assert "thinking is off" in capsys.readouterr().out
    assert desk.run("list") == 0
    assert "\n* r1:q4" in capsys.readouterr().out
    desk.stub.details_of["r1:f16"] = {"capabilities": ["completion", "thinking"]}
    assert desk.run("use", "r1:f16") == 0
    assert desk.kept() == {"model": "r1:f16", "thinking": "auto"}


@pytest.mark.slow
def test_the_environment_goes_before_the_choice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANSWERDESK_MODEL", "stand-in:0.5b")
    assert desk.run("use", "r1:q4") == 0
    assert "ANSWERDESK_MODEL is set" in capsys.readouterr().out
    assert desk.run("list") == 0
    assert "\n* stand-in:0.5b" in capsys.readouterr().out


def test_a_model_without_a_format_is_not_used(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.stub.details_of["r1:q4"] = {"template": "{{ .Prompt }}"}
    assert desk.run("use", "r1:q4") == 2
    assert "no chat template" in capsys.readouterr().err
    assert not (desk.folder / KEPT_NAME).exists()


def test_pull_tells_what_it_got(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    def pull(body: dict[str, Any]) -> tuple[int, Any]:
        desk.stub.models.append(body["model"])
        return 200, [{"status": "pulling", "completed": 1, "total": 2}, {"status": "success"}]

    desk.stub.answers["/api/pull"] = pull
    assert desk.run("pull", "new:1b") == 0
    assert capsys.readouterr().out == "new:1b is installed\n"


def test_a_pull_that_fails_says_what_else_can_be_done(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(client, "_FIRST_WORD_SECONDS", 0.2)
    desk.stub.answers["/api/pull"] = lambda _: (200, [{"error": "dial tcp: no such host"}, {"status": "x"}])
    assert desk.run("pull", "new:1b") == 5
    assert "import FILE --name NAME" in capsys.readouterr().err


@pytest.mark.slow
def test_the_list_tells_template_thought_and_origin(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.stub.details_of["r1:f16"] = {"template": "{{ .Prompt }}", "capabilities": ["completion", "thinking"]}
    desk.stub.details_of["stand-in:0.5b"] = {"model_info": {"general.reconstructed_from": "Q4_K_M"}}
    loaded = {"name": "r1:q4", "size": 2_500_000_000, "size_vram": 0, "context_length": 4096}
    loaded["expires_at"] = "2026-11-25T12:00:00Z"
    desk.stub.answers["/api/ps"] = lambda _: (200, [{"models": [loaded]}])
    assert desk.run("list", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert (rows["r1:f16"]["template"], rows["r1:f16"]["thinks"]) == (False, True)
    assert rows["r1:q4"]["memory_bytes"] == 2_500_000_000
    assert [row["loaded_until"] for row in rows.values()] == ["", "", "2026-11-25T12:00:00Z"]
    assert rows["stand-in:0.5b"]["reconstructed_from"] == "Q4_K_M"
    assert desk.run("list", language="zh") == 0
    assert "替代模型，非 DeepSeek-R1 · F16 由 Q4_K_M 还原" in capsys.readouterr().out
