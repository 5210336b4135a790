"""The terminal speaks its reader's language, and a command that failed says why in one line."""

import subprocess
import sys
from pathlib import Path

import pytest

from rag.errors import QuestionEmpty
from rag.people.audit import AuditTrail
from rag.people.directory import People
from rag.storage.turn_store import TurnStore
from rag.terminal import READER_GONE, exit_code_of, fail, terminal_language
from rag.testing import SAMPLE_DOCUMENTS, HashEmbedder, publish_documents
from tests.rag.command import CHECKOUT, environment


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_TW"}, "zh"),
        ({"LANG": "zh_CN", "LC_ALL": ""}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_the_first_variable_that_is_set_decides(environment: dict[str, str], expected: str) -> None:
    assert terminal_language(environment) == expected


@pytest.mark.parametrize(
    ("locale", "sentence"), [("en_US.UTF-8", "Please type a question."), ("zh_CN", "请输入问题。")]
)
def test_a_failure_is_one_sentence_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], locale: str, sentence: str
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    assert fail(QuestionEmpty()) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", sentence + "\n")


COMMANDS = (
    "rag",
    "rag.ollama",
    "rag.setup",
    "ingest",
    "eval",
    "ui",
    "eval.commands.calibrate_shipped",
    "eval.commands.gold_control",
)
"""What a user types behind ``python -m``."""


def ended_without_reader(folder: Path, *command: str, first_lines: int = 0) -> tuple[int, bytes]:
    """Run a command whose reader goes away after some lines; return its code and what it says on standard error."""
    env = environment(folder, ANSWERDESK_CACHE_DIR=str(folder), PYTHONUNBUFFERED="")
    started = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=CHECKOUT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert started.stdout is not None
    assert started.stderr is not None
    for _ in range(first_lines):
        assert started.stdout.readline()
    started.stdout.close()
    said = started.stderr.read()
    started.stderr.close()
    return started.wait(timeout=120), said


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_help_that_nobody_reads_ends_quietly(command: str, tmp_path: Path) -> None:
    assert ended_without_reader(tmp_path, command, "--help") == (READER_GONE, b"")


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ("ui", "people", "log"),  # plain lines
        ("ui", "people", "list"),  # a table of Rich's, which puts broken pipes away by itself
        ("ingest", "--history"),
        ("rag.ollama", "status", "--json"),
        ("rag", "latency", "--since", "24h"),
    ],
)
def test_output_that_nobody_reads_ends_the_command_quietly(command: tuple[str, ...], tmp_path: Path) -> None:
    people = People(tmp_path / "people.db")
    people.add("lin", "agent", None, "", by="test")
    people.close()
    TurnStore(tmp_path / "turns.db").close()
    publish_documents(tmp_path / "knowledge" / "default", SAMPLE_DOCUMENTS, HashEmbedder())
    assert ended_without_reader(tmp_path, *command) == (READER_GONE, b"")


@pytest.mark.slow
def test_a_reader_that_has_read_enough_gets_its_lines_first(tmp_path: Path) -> None:
    trail = AuditTrail(tmp_path / "people.db")
    for number in range(3000):  # more than a pipe holds
        trail.record("lin", "setting", f"number {number}")
    trail.close()
    assert ended_without_reader(tmp_path, "ui", "people", "log", first_lines=1) == (READER_GONE, b"")


def test_codes_pass_as_they_are_and_another_pipe_is_no_reader() -> None:
    def ended(code: object) -> int:
        raise SystemExit(code)

    def another_pipe() -> int:
        raise BrokenPipeError("a helper's")

    assert [exit_code_of(lambda code=code: code) for code in (0, 1, 7)] == [0, 1, 7]  # type: ignore[misc]
    assert [exit_code_of(lambda code=code: ended(code)) for code in (None, 0, 1, 2)] == [0, 0, 1, 2]  # type: ignore[misc]
    with pytest.raises(SystemExit, match="words"):
        exit_code_of(lambda: ended("words"))
    with pytest.raises(BrokenPipeError):
        exit_code_of(another_pipe)


def test_no_descriptor_is_left_open() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        exit_code_of(lambda: 0)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
