"""The terminal speaks its reader's language, and a command that failed says why in one line."""

import argparse
import errno
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from rag.errors import OutputLost, QuestionEmpty
from rag.people.audit import AuditTrail
from rag.people.directory import People
from rag.storage.turn_store import TurnStore
from rag.terminal import READER_GONE, exit_code_of, fail, print_json, terminal_language
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
    ("encoding", "expected"), [("utf-8", "zh"), ("gb18030", "zh"), ("ascii", "en"), ("latin-1", "en")]
)
def test_chinese_is_for_outputs_that_can_show_it(monkeypatch: pytest.MonkeyPatch, encoding: str, expected: str) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN")
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    assert terminal_language() == expected
    monkeypatch.setattr(sys, "stdout", None)
    assert terminal_language() == "zh"


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


def own_stream(path: Path, encoding: str = "utf-8", *, buffered: bool = True) -> io.TextIOWrapper:
    """Return a stream as Python makes its standard ones."""
    raw = io.FileIO(path, "w")
    buffer = io.BufferedWriter(raw) if buffered else raw
    return io.TextIOWrapper(buffer, encoding=encoding, write_through=not buffered)  # type: ignore[type-var]


def printed(text: str) -> Callable[[], int]:
    def main() -> int:
        sys.stdout.write(text + "\n")
        return 0

    return main


def hidden_by_rich() -> int:
    Console().print("a table")
    return 0


def hidden_by_argparse() -> int:
    argparse.ArgumentParser(epilog="words " * 5000).parse_args(["--help"])
    return 0


@pytest.mark.parametrize("main", [printed("a line"), printed("long " * 10_000), hidden_by_rich, hidden_by_argparse])
@pytest.mark.parametrize("buffered", [True, False])
def test_output_that_a_full_device_did_not_take_is_told(
    main: Callable[[], int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, buffered: bool
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    with own_stream(Path("/dev/full"), buffered=buffered) as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert exit_code_of(main) == OutputLost.exit_code
    assert capsys.readouterr().err == "The output could not be written completely: the disk is full.\n"


def test_a_failed_command_keeps_its_code_and_another_files_error_is_no_output(monkeypatch: pytest.MonkeyPatch) -> None:
    def failed() -> int:
        sys.stdout.write("a line\n")
        return 3

    def another_file() -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with own_stream(Path("/dev/full")) as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert exit_code_of(failed) == 3
    monkeypatch.undo()
    with pytest.raises(OSError, match="No space"):
        exit_code_of(another_file)


def test_a_full_log_ends_no_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> int:
        sys.stderr.write("a warning\n")
        sys.stdout.write("the result\n")
        return 0

    with own_stream(Path("/dev/full")) as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        assert exit_code_of(main) == 0
    assert capsys.readouterr().out == "the result\n"


@pytest.mark.parametrize("buffered", [True, False])
def test_a_terminal_that_cannot_show_a_character_gets_a_question_mark(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, buffered: bool
) -> None:
    with own_stream(tmp_path / "out", "ascii", buffered=buffered) as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert exit_code_of(printed("help 帮助 \ud800")) == 0
        assert sys.stdout is stream
    assert (tmp_path / "out").read_text("ascii") == "help ?? ?\n"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_json_loses_nothing_where_a_letter_cannot_be_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, encoding: str
) -> None:
    value = {"text": "退款 \U0001f600", "path": "/home/\udcff.md"}

    def main() -> int:
        print_json({"text": "退款"})
        print_json(value)
        print_json(value, indent=2)
        return 0

    with own_stream(tmp_path / "out", encoding) as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert exit_code_of(main) == 0
    first, second, *indented = (tmp_path / "out").read_text(encoding).splitlines()
    assert [json.loads(first), json.loads(second), json.loads("".join(indented))] == [{"text": "退款"}, value, value]
    assert ("退款" in first) == (encoding == "utf-8")


def test_absent_streams_read_and_write_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def main() -> int:
        sys.stderr.write(sys.stdin.read())
        assert sys.stdin.buffer.read() == b""
        return printed("a line")()

    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    assert exit_code_of(main) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def ended(command: str, folder: Path, **more: str) -> tuple[int, str]:
    """Run a line of the shell; return its code and everything it says."""
    env = environment(folder, ANSWERDESK_CACHE_DIR=str(folder), PYTHON=sys.executable, **more)
    done = subprocess.run(
        ["sh", "-c", command], cwd=CHECKOUT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    return done.returncode, done.stdout.decode()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["rag", "ingest", "ui people"])
def test_help_is_shown_whatever_the_encoding_and_told_where_it_is_lost(command: str, tmp_path: Path) -> None:
    code, said = ended(f'"$PYTHON" -m {command} --help', tmp_path, PYTHONUTF8="0", LC_ALL="C")
    assert (code, said.startswith("usage: ")) == (0, True)
    lost = "The output could not be written completely: the disk is full.\n"
    assert ended(f'"$PYTHON" -m {command} --help > /dev/full', tmp_path) == (OutputLost.exit_code, lost)


@pytest.mark.slow
def test_closed_descriptors_are_no_traceback(tmp_path: Path) -> None:
    assert ended('"$PYTHON" -m rag --help >&-', tmp_path) == (0, "")
    assert ended('"$PYTHON" -m rag ask - <&-', tmp_path) == (2, "Please type a question.\n")
    code, said = ended('"$PYTHON" -m ui people add lin --role agent <&-', tmp_path)
    assert (code, said.count("\n")) == (7, 1)
    assert ended('"$PYTHON" -m ui people list --json >&-', tmp_path) == (0, "")


_SLOW_IMPORT = """
import time
print("importing", flush=True)
time.sleep(60)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "program",
    [
        ["-m", "rag", "ask", "How long?"],
        ["-m", "rag.ollama", "status"],
        ["-m", "rag.setup"],
        ["-m", "ingest", "--list"],
        ["-m", "ingest.worker"],
        ["-m", "eval"],
        ["-m", "api"],
        ["-m", "ui"],
        ["-c", "import sys; from ui.answerdesk import run; sys.argv = ['answerdesk', 'ask', '?']; run()"],
    ],
    ids=" ".join,
)
def test_an_interrupt_while_modules_are_imported_ends_a_program_without_a_word(
    program: list[str], tmp_path: Path
) -> None:
    (tmp_path / "pydantic.py").write_text(_SLOW_IMPORT, encoding="utf-8")  # every program imports it
    path = os.pathsep.join((str(tmp_path), str(CHECKOUT)))
    environment = {**os.environ, "PYTHONPATH": path, "ANSWERDESK_DATA_DIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, *program], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == b"importing\n"
        started.send_signal(signal.SIGINT)
        _, said = started.communicate()
    assert (started.returncode, said) == (-signal.SIGINT, b""), "a shell tells it as 130"


_INTERRUPTED_COMMAND = """
import os, signal, sys
from rag.interruption import end_at_interrupt
end_at_interrupt()
from rag.terminal import exit_code_of
def main():
    os.kill(os.getpid(), signal.SIGINT)
    print("went on")
    return 0
sys.exit(exit_code_of(main))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("ignored", "code", "out"), [(False, 130, ""), (True, 0, "went on\n")])
def test_an_interrupt_that_a_command_does_not_answer_is_its_end_unless_it_is_ignored(
    ignored: bool, code: int, out: str
) -> None:
    ignoring = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" if ignored else ""
    done = subprocess.run(
        [sys.executable, "-c", ignoring + _INTERRUPTED_COMMAND],
        cwd=CHECKOUT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (code, out, "")
