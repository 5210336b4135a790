"""The command: exit codes, JSON, and one sentence in the reader's language."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rag.ollama import __main__ as command
from rag.settings import load_settings
from tests.conftest import free_port
from tests.ollama_stub import OllamaStub
from tests.rag.command import CHECKOUT


def run(arguments: list[str], url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *, language: str = "en") -> int:
    monkeypatch.setenv("ANSWERDESK_OLLAMA_HOST", url)
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(folder))
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8" if language == "zh" else "C.UTF-8")
    load_settings.cache_clear()
    try:
        return command.main(arguments)
    finally:
        load_settings.cache_clear()


def test_status_of_nothing_is_exit_code_4(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert run(["status"], url, tmp_path, monkeypatch) == 4
    assert capsys.readouterr().out == f"No model server answers at {url}\n"
    assert run(["status"], url, tmp_path, monkeypatch, language="zh") == 4
    assert capsys.readouterr().out == f"{url} 上没有模型服务\n"
    assert run(["status", "--json"], url, tmp_path, monkeypatch) == 4
    assert json.loads(capsys.readouterr().out)["running"] is False


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "What answers at {} is not Ollama; name Ollama's address in OLLAMA_HOST, or end the program that"),
        ("zh", "{} 上响应的不是 Ollama；"),
    ],
)
def test_another_program_at_the_address_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], language: str, said: str
) -> None:
    with OllamaStub() as stub:
        stub.answers["/api/version"] = stub.answers["/api/tags"] = lambda _: (500, [{"message": "no"}])
        for arguments in (["status"], ["list"], ["start"]):
            assert run(arguments, stub.url, tmp_path, monkeypatch, language=language) == 4
            told = capsys.readouterr()
            assert said.format(stub.url) in told.out + told.err
        run(["status", "--json"], stub.url, tmp_path, monkeypatch)
        assert json.loads(capsys.readouterr().out)["other_program"] is True


@pytest.mark.parametrize(("user", "times"), [(0, 1), (1000, 0)])
def test_root_is_warned_on_standard_error_where_a_server_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], user: int, times: int
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    with OllamaStub() as stub:
        assert run(["start", "--json"], stub.url, tmp_path, monkeypatch) == 0
        told = capsys.readouterr()
        assert run(["status"], stub.url, tmp_path, monkeypatch) == 0
    assert told.err.count("You are root") == times
    assert json.loads(told.out)["running"] is True
    assert capsys.readouterr().err == "", "nothing is run"


@pytest.mark.slow
def test_adopted_is_said_and_not_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with OllamaStub() as stub:
        assert run(["start"], stub.url, tmp_path, monkeypatch) == 0
        assert "was already running" in capsys.readouterr().out
        assert run(["start", "--foreground"], stub.url, tmp_path, monkeypatch) == 0  # nothing of ours to stay for
        capsys.readouterr()
        assert run(["stop", "--json"], stub.url, tmp_path, monkeypatch) == 0
        assert json.loads(capsys.readouterr().out) == {"url": stub.url, "outcome": "not_ours"}


@pytest.mark.slow
def test_models_marks_the_one_that_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with OllamaStub(models=["other:1b", "stand-in:0.5b"]) as stub:
        assert run(["models"], stub.url, tmp_path, monkeypatch) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line[:15].strip() for line in lines[1:3]] == ["other:1b", "* stand-in:0.5b"]
        assert lines[0].split() == ["model", "disk", "in", "memory", "weights", "template", "thinks"]
        assert lines[3:] == ["* answers the desk's questions"]
        assert run(["models", "--json"], stub.url, tmp_path, monkeypatch) == 0
        rows = json.loads(capsys.readouterr().out)
        assert [(row["name"], row["chosen"], row["stand_in"]) for row in rows] == [
            ("other:1b", False, False),
            ("stand-in:0.5b", True, True),
        ]


def test_models_of_nobody_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert run(["models"], url, tmp_path, monkeypatch, language="zh") == 4
    assert capsys.readouterr().err == f"模型服务未运行（{url}），请启动：python -m rag.ollama start\n"


def test_no_model_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with OllamaStub() as stub:
        assert run(["models"], stub.url, tmp_path, monkeypatch) == 0
    assert "make setup" in capsys.readouterr().out


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        command.main(["--help"])
    out = capsys.readouterr().out
    assert "python -m rag.ollama status --json" in out
    assert "supervise" not in out


@pytest.mark.slow
def test_the_command_and_the_desk_begin_without_numpy() -> None:
    code = "import sys, rag.ollama.__main__, ui.__main__; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")


@pytest.mark.slow
def test_a_model_for_pictures_is_chosen_told_and_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with OllamaStub(models=["text:1b", "eye:1b"]) as stub:
        stub.details_of["eye:1b"] = {"capabilities": ["completion", "vision"]}
        assert run(["pictures"], stub.url, tmp_path, monkeypatch) == 0
        assert capsys.readouterr().out.startswith("No model describes pictures")
        assert run(["pictures", "text:1b"], stub.url, tmp_path, monkeypatch) == 4
        assert "The model text:1b cannot see pictures" in capsys.readouterr().err
        assert not (tmp_path / "settings.json").exists()
        assert run(["pictures", "eye:1b"], stub.url, tmp_path, monkeypatch) == 0
        assert json.loads((tmp_path / "settings.json").read_text()) == {"vision_model": "eye:1b"}
        capsys.readouterr()
        assert run(["status"], stub.url, tmp_path, monkeypatch, language="zh") == 0
        assert "图片由 eye:1b 描述" in capsys.readouterr().out
        assert run(["pictures", "--none"], stub.url, tmp_path, monkeypatch) == 0
        assert json.loads((tmp_path / "settings.json").read_text()) == {"vision_model": ""}


@pytest.mark.slow
def test_status_says_that_the_model_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANSWERDESK_MODEL", "deepseek-r1:7b")
    with OllamaStub(models=["other:1b"]) as stub:
        assert run(["status"], stub.url, tmp_path, monkeypatch) == 0
        said = capsys.readouterr()
        assert "runs at" in said.out and "The model deepseek-r1:7b is not installed" in said.err
        assert run(["status", "--json"], stub.url, tmp_path, monkeypatch) == 0
        assert capsys.readouterr().err == ""
        stub.models.append("deepseek-r1:7b")
        assert run(["status"], stub.url, tmp_path, monkeypatch) == 0
        assert capsys.readouterr().err == ""


def test_start_and_status_say_that_a_text_model_sees_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANSWERDESK_VISION_MODEL", "text:1b")
    with OllamaStub(models=["text:1b"]) as stub:
        for command_name in ("start", "status"):
            assert run([command_name], stub.url, tmp_path, monkeypatch) == 0
            assert capsys.readouterr().err.count("The model text:1b cannot see pictures") == 1
        assert run(["status", "--json"], stub.url, tmp_path, monkeypatch) == 0
        assert capsys.readouterr().err == ""
