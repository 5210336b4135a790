"""Real programs in the real sandbox: known solutions pass, nothing else does, and nothing is harmed."""

import ast
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from eval.code.judging import judge
from eval.code.problems import Problem, fetch_problems
from eval.code.sandbox import NO_VALUE, Limits, ProgramFault, Sandbox, _bubblewrap
from eval.code.self_check import HOSTILE, LIMITS, Bait, baited, broken_program, impostor_program, run_hostile
from eval.core.question_sets import draw_sample
from rag.errors import SandboxUnusable
from rag.settings import Settings
from rag.setup.console import Console
from tests.eval.code.cases import DOUBLED

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def problems() -> tuple[Problem, ...]:
    return fetch_problems(Settings(), Console("en"))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as made:
        made.require()
        yield made


@pytest.fixture(scope="module")
def bait() -> Iterator[Bait]:
    with baited() as laid:
        yield laid


def test_all_problems_are_read_out_of_the_pinned_file(problems: tuple[Problem, ...]) -> None:
    assert [one.task_id for one in problems] == [f"HumanEval/{number}" for number in range(164)]
    assert problems[0].prelude == "from typing import List\n\n\n"
    assert problems[32].prelude.startswith("import math\n\n\ndef poly(")
    assert len(draw_sample(problems, 20, seed=1)) == 20
    assert draw_sample(problems, 20, seed=1) == draw_sample(problems, 20, seed=1) != draw_sample(problems, 20, seed=2)


def test_known_solutions_pass_and_programs_without_an_answer_do_not(
    problems: tuple[Problem, ...], sandbox: Sandbox
) -> None:
    helped = [one for one in problems if one.task_id.split("/")[1] in ("10", "32", "33", "38", "50")]
    for one in (*draw_sample(problems, 15, seed=19), *helped):
        assert judge(one.prompt + one.canonical_solution, one, sandbox).outcome == "passed", one.task_id
        assert judge(broken_program(one), one, sandbox).outcome == "wrong", one.task_id
        assert judge(impostor_program(one), one, sandbox).outcome == "wrong", one.task_id


@pytest.fixture(scope="module")
def narrow() -> Iterator[Sandbox]:
    with Sandbox(LIMITS) as made:
        yield made


@pytest.fixture(scope="module")
def hasty() -> Iterator[Sandbox]:
    """For a program that uses no processor, and so has nothing but the clock to end it."""
    with Sandbox(replace(LIMITS, wall_seconds=5.0)) as made:
        yield made


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_program_fails_and_harms_nothing(
    name: str, problems: tuple[Problem, ...], bait: Bait, narrow: Sandbox, hasty: Sandbox
) -> None:
    result = run_hostile(problems[0], name, bait, hasty if name == "sleep" else narrow)
    assert (result.outcome != "passed", result.harm) == (True, "")


def test_harm_would_be_seen(bait: Bait) -> None:
    (bait.folder / "harm").write_text("harm")
    assert "harm" in bait.harm()
    (bait.folder / "harm").unlink()
    assert bait.harm() == ""


ALONE = """
import os, socket
def tried(what):
    try: return what() or "done"
    except OSError: return "refused"
print([tried(lambda: open("SECRET").read()), tried(lambda: socket.create_connection(("127.0.0.1", PORT), 5)),
       *[tried(lambda: open(os.path.join(folder, "harm"), "w")) for folder in ("/", "/tmp", "/dev", "/dev/shm", "/usr",
         "/program", "/proc/sys/kernel", os.path.expanduser("~"))],
       tried(lambda: os.kill(VICTIM, 9)), sorted(os.environ), [one for one in os.listdir("/proc") if one.isdigit()]])
"""


def test_bubblewrap_alone_hides_files_network_variables_and_processes(bait: Bait) -> None:
    """Without the filters of ``confine``, which not every kernel has."""
    words = {"SECRET": bait.folder / "secret", "PORT": bait.listener.getsockname()[1], "VICTIM": bait.victim.pid}
    script = ALONE
    for name, value in words.items():
        script = script.replace(name, str(value))
    with tempfile.TemporaryDirectory() as folder:
        command = [*_bubblewrap(folder), str(Path(sys.executable).resolve()), "-E", "-S", "-c", script]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
    *tried, variables, processes = ast.literal_eval(said.stdout)
    assert (tried, processes) == (["refused"] * 11, ["1", "2"]), said.stderr
    assert set(variables) <= {"LC_CTYPE", "PWD"}
    assert bait.harm() == ""


def test_values_come_out_and_their_errors_have_a_kind(sandbox: Sandbox) -> None:
    with sandbox.run("def f(*values): return [*values, {1: ('a', None)}]", "f") as program:
        assert program.call(1.5, (2,), "é") == [1.5, (2,), "é", {1: ("a", None)}]
        assert program.last_call == "(1.5, (2,), 'é') -> [1.5, (2,), 'é', {1: ('a', None)}]"
        argument = [1]
    with sandbox.run("def f(values): values.append(2); return f", "f") as program:
        assert program.call(argument) is NO_VALUE
        assert argument == [1]
    for text, fault in (
        ("def f(:", "syntax"),
        ("g = 1", "error"),
        ("def f(): return 1 / 0", "error"),
        ("def f(): return bytearray(4 << 30)", "resources"),
    ):
        with pytest.raises(ProgramFault) as raised, sandbox.run(text, "f") as program:
            program.call()
        assert raised.value.fault == fault, text


def test_what_a_reply_does_beside_defining_is_left_out_where_that_is_wished(sandbox: Sandbox) -> None:
    program = f"{DOUBLED.prompt}{DOUBLED.canonical_solution}\nassert doubled([1]) == [3]\nprint(doubled(input()))\n"
    assert judge(program, DOUBLED, sandbox, definitions_only=True).outcome == "passed"
    assert judge(program, DOUBLED, sandbox).outcome == "error"


def test_without_bubblewrap_nothing_runs_unless_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with Sandbox() as made, pytest.raises(SandboxUnusable, match="apt-get install bubblewrap"):
        made.require()
    with Sandbox(Limits(), isolated=False) as made:
        assert made.require()
        with made.run("import os\ndef f(): return os.getpid()", "f") as program:
            assert isinstance(program.call(), int)


def test_a_bubblewrap_that_does_not_work_is_told_in_its_own_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with Sandbox() as made, pytest.raises(SandboxUnusable, match="No permissions to create a new namespace"):
        made.require()
