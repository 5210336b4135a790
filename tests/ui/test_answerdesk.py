"""One command: each subcommand calls the main function of its ``python -m`` form, and only that one is imported."""

import importlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import rag
from rag.setup.environment import _write_command
from ui import answerdesk

CHECKOUT = Path(__file__).resolve().parents[2]
DELEGATES = [
    (["ask", "how?", "--json"], "rag.__main__", ["ask", "how?", "--json"]),
    (["batch", "questions.jsonl"], "rag.__main__", ["batch", "questions.jsonl"]),
    (["latency", "--since", "24h"], "rag.__main__", ["latency", "--since", "24h"]),
    (["forget", "--customer", "-"], "rag.__main__", ["forget", "--customer", "-"]),
    (["retention"], "rag.__main__", ["retention"]),
    (["migrate"], "rag.__main__", ["migrate"]),
    (["curated", "list"], "rag.__main__", ["curated", "list"]),
    (["ingest", "manuals", "--prune"], "ingest.__main__", ["manuals", "--prune"]),
    (["worker", "--json"], "ingest.worker", ["--json"]),
    (["eval", "retrieval"], "eval.__main__", ["retrieval"]),
    (["eval"], "eval.__main__", []),
    (["setup", "ollama"], "rag.setup.__main__", ["ollama"]),
    (["desk", "--port", "1"], "ui.__main__", ["--port", "1"]),
    (["people", "list"], "ui.__main__", ["people", "list"]),
    (["keys", "list"], "api.key_commands", ["list"]),
    (["api", "--port", "1"], "api.__main__", ["--port", "1"]),
    *((["models", name], "rag.ollama.__main__", [name]) for name in answerdesk._MODEL_COMMANDS),
    *((["serve", name], "rag.ollama.__main__", [name]) for name in answerdesk._SERVER_COMMANDS),
]


@pytest.mark.parametrize(("words", "module", "passed"), DELEGATES, ids=lambda value: " ".join(value))
def test_a_command_is_passed_on_with_its_options_and_exit_code(
    words: list[str], module: str, passed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Sequence[str]] = []

    def main(arguments: Sequence[str]) -> int:
        calls.append(list(arguments))
        return 41

    monkeypatch.setattr(importlib.import_module(module), "main", main)
    assert answerdesk.main(words) == 41
    assert calls == [passed]


def test_every_command_is_delegated_and_every_model_command_is_reachable() -> None:
    from rag.ollama.__main__ import _parser

    assert {words[0] for words, _, _ in DELEGATES} == set(answerdesk._COMMANDS)
    subcommands = next(action for action in _parser()._actions if action.choices is not None).choices
    assert subcommands is not None
    reachable = {*answerdesk._MODEL_COMMANDS, *answerdesk._SERVER_COMMANDS}
    assert set(subcommands) - {"supervise", "models"} == reachable, "supervise is internal, models another name of list"


def test_help_names_every_command_with_examples_in_both_languages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        answerdesk.main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    for name, command in answerdesk._COMMANDS.items():
        assert f"  {name}" in said
        assert command.description in said
    assert 'answerdesk ask "How long can I return an order?"' in said
    assert 'answerdesk ask "退款多久到账？"' in said


def test_the_version_is_the_one_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        answerdesk.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"answerdesk {rag.__version__}\n"


@pytest.mark.parametrize("words", [[], ["bake"], ["models"], ["models", "status"], ["serve", "pull"]])
def test_what_is_no_command_is_a_usage_error(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        answerdesk.main(words)
    assert ended.value.code == 2
    assert "usage: answerdesk" in capsys.readouterr().err


def test_the_newest_dated_section_of_the_changelog_is_the_version() -> None:
    headings = [line for line in (CHECKOUT / "CHANGELOG.md").read_text("utf-8").splitlines() if line.startswith("## ")]
    assert headings[0].startswith(f"## {rag.__version__} (20")


@pytest.mark.slow
def test_the_command_itself_imports_no_heavy_package() -> None:
    code = "import ui.answerdesk, sys; print([name for name in sys.modules if name.split('.')[0] in {names}])"
    heavy = {"numpy", "streamlit", "rich", "faiss", "torch", "langchain_core", "httpx", "eval", "ingest"}
    done = subprocess.run(
        [sys.executable, "-c", code.replace("{names}", repr(heavy))],
        cwd=CHECKOUT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "[]\n"


@pytest.mark.slow
def test_the_environments_command_runs_the_checkout_from_any_folder(tmp_path: Path) -> None:
    checkout = tmp_path / "a checkout"
    (checkout / ".venv" / "bin").mkdir(parents=True)
    environment = Path(sys.prefix)
    (checkout / ".venv" / "lib").symlink_to(environment / "lib")
    (checkout / ".venv" / "pyvenv.cfg").write_text((environment / "pyvenv.cfg").read_text("utf-8"), encoding="utf-8")
    (checkout / ".venv" / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    for name in ("rag", "ingest", "eval", "api", "ui", "pyproject.toml"):
        (checkout / name).symlink_to(CHECKOUT / name)
    _write_command(checkout)
    command = checkout / ".venv" / "bin" / "answerdesk"
    link = tmp_path / "answerdesk"
    link.symlink_to(command)
    for called in (command, link):
        done = subprocess.run([called, "--version"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"answerdesk {rag.__version__}\n", "")
    asked = subprocess.run([command, "ask", "   "], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert asked.returncode == 2
    assert "Traceback" not in asked.stderr
