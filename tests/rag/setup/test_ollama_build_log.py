"""Programs of a build: what they say, how far they are, how they fail and how they are stopped."""

import os
import re
import sys
import time
from pathlib import Path

import psutil
import pytest

from rag.errors import BuildFailed, LinkInCache
from rag.setup import ollama_build
from rag.setup.ollama_build import BuildLog

ENVIRONMENT = {"PATH": os.defpath}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ollama_build, "_LOOK_EVERY_SECONDS", 0.01)


@pytest.fixture
def log(tmp_path: Path) -> BuildLog:
    return BuildLog(tmp_path / "logs" / "build.log", "Thing 1.0")


def program(text: str) -> list[object]:
    return [sys.executable, "-S", "-c", text]


def test_output_is_returned_and_the_command_is_logged(log: BuildLog, tmp_path: Path) -> None:
    said = log.output(program("print('here')"), folder=tmp_path, environment=ENVIRONMENT)
    assert said == "here\n"
    assert log.path.read_text().startswith(f"$ {sys.executable}")


@pytest.mark.slow
def test_lines_are_counted_while_the_program_runs(log: BuildLog, tmp_path: Path) -> None:
    counts: list[int] = []
    steps = "import time\nfor i in (1, 2, 3): print(f'[{i}/3] x\\nnoise', flush=True)\ntime.sleep(0.1)"
    log.run(
        program(steps), folder=tmp_path, environment=ENVIRONMENT, counted=re.compile(r"\[\d+/\d+\]"), tick=counts.append
    )
    assert counts == sorted(counts)
    assert counts[-1] == 3
    assert "[2/3] x" in log.path.read_text()


def test_a_failed_program_is_named_with_its_log(log: BuildLog, tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match=r"Building Thing 1\.0 failed.*build\.log"):
        log.run(program("import sys; sys.exit('no such header')"), folder=tmp_path, environment=ENVIRONMENT)
    assert "no such header" in log.path.read_text()
    with pytest.raises(BuildFailed):
        log.output(program("import sys; sys.exit(3)"), folder=tmp_path, environment=ENVIRONMENT)


def test_a_program_and_its_children_end_with_an_interrupted_build(log: BuildLog, tmp_path: Path) -> None:
    family = tmp_path / "family.txt"
    text = (
        "import os, subprocess, time\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        f"open({str(family)!r} + '.part', 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        f"os.rename({str(family)!r} + '.part', {str(family)!r})\n"
        "time.sleep(60)\n"
    )

    def interrupt_when_it_runs(count: int) -> None:
        if family.exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        log.run(program(text), folder=tmp_path, environment=ENVIRONMENT, tick=interrupt_when_it_runs)
    members = [int(pid) for pid in family.read_text().split()]
    deadline = time.monotonic() + 10  # a busy machine takes a moment to end a killed process
    while not all(has_ended(pid) for pid in members):
        assert time.monotonic() < deadline


def has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_it_is_not_written_through_a_link(log: BuildLog, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept", encoding="utf-8")
    log.path.unlink()
    log.path.symlink_to(victim)
    with pytest.raises(LinkInCache, match=r"build\.log is a link"):
        log.run(program("print('overwritten')"), folder=tmp_path, environment=ENVIRONMENT)
    with pytest.raises(LinkInCache):
        BuildLog(log.path, "Thing 1.0")
    assert victim.read_text(encoding="utf-8") == "kept"
