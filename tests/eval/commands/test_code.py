"""The command from arguments to figures: two problems, a scripted model, no sandbox."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from eval import __main__ as command
from eval.code.self_check import HostileResult, SelfCheck
from eval.commands import code as code_command
from rag.errors import SandboxUnusable
from rag.generation.gateway import ModelGateway
from rag.protocols import GeneratedText
from rag.queue.admission import Admission
from rag.settings import Settings, load_settings
from rag.testing import ScriptedGenerator
from tests.eval.code.cases import DOUBLED, HALF, RIGHT, NoSandbox


class Allowed(NoSandbox):
    """Stands in for the sandbox of the command."""

    usable = True

    def __init__(self, *, isolated: bool = True) -> None:
        super().__init__()
        self.isolated = isolated

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def require(self) -> None:
        if self.isolated and not self.usable:
            raise SandboxUnusable(reason="missing")


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Settings]]:
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    load_settings.cache_clear()
    asked_with: list[Settings] = []

    def gateway(settings: Settings) -> ModelGateway:
        asked_with.append(settings)
        return ModelGateway(ScriptedGenerator(lambda _: [GeneratedText(RIGHT["Test/0"])]), Admission(1, 8))

    monkeypatch.setattr(code_command, "Sandbox", Allowed)
    monkeypatch.setattr(code_command, "fetch_problems", lambda settings, console: (DOUBLED, HALF))
    monkeypatch.setattr(code_command, "build_gateway", gateway)
    yield asked_with
    load_settings.cache_clear()


def test_figures_are_printed_written_and_said_to_be_a_stand_ins(
    surroundings: list[Settings], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "figures.json"
    assert command.main(["code", "--run", "monday", "--json", str(figures), "--model", "stand-in:0.5b"]) == 0
    saved = json.loads(figures.read_text("utf-8"))
    assert (saved["n"], saved["pass_at_1"], saved["outcomes"]["no_code"]) == (2, 0.5, 1)
    printed = capsys.readouterr().out
    for shown in ("pass@1", "50.0", "no such function", "greedy", "a stand-in"):
        assert shown in printed
    assert (surroundings[0].model, surroundings[0].sampling.temperature) == ("stand-in:0.5b", 0.0)


def test_the_same_in_chinese(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert command.main(["code", "--limit", "1", "--sampling", "profile", "--samples", "2"]) == 0
    printed = capsys.readouterr().out
    assert "pass@2" in printed
    assert "按预设" in printed


@pytest.mark.parametrize(
    "words", [["--samples", "0"], ["--samples", "x"], ["--tokens", "3"], ["--check", "--unsafe"], ["--sampling", "hot"]]
)
def test_a_wrong_option_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["code", *words])
    assert ended.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_without_a_sandbox_the_model_is_not_asked_unless_that_is_typed(
    monkeypatch: pytest.MonkeyPatch, surroundings: list[Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Allowed, "usable", False)
    assert command.main(["code"]) == 5
    said = capsys.readouterr().err
    assert "apt-get install bubblewrap" in said
    assert "--unsafe" in said
    assert surroundings == []
    assert command.main(["code", "--unsafe"]) == 0
    assert len(surroundings) == 1


def _found(*hostile: HostileResult) -> SelfCheck:
    return SelfCheck(2, (), (), (), hostile)


def test_the_check_prints_what_held(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    good = _found(HostileResult("sleep", "time", ""))
    monkeypatch.setattr(code_command, "check_harness", lambda *_: good)
    assert command.main(["code", "--check"]) == 0
    printed = capsys.readouterr().out
    assert "known solutions: 2 of 2 pass" in printed
    assert "hostile programs: 1 of 1 failed and harmed nothing" in printed


@pytest.mark.parametrize(
    "hostile", [HostileResult("sleep", "passed", ""), HostileResult("sleep", "error", "process killed")]
)
def test_a_harness_that_does_not_hold_ends_with_an_error(
    hostile: HostileResult, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(code_command, "check_harness", lambda *_: _found(hostile))
    assert command.main(["code", "--check"]) == 5
    assert "failed its own check (sleep)" in capsys.readouterr().err


def test_an_interrupted_run_says_how_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(code_command, "measure_code", interrupted)
    assert command.main(["code", "--run", "monday"]) == 130
    assert "--run monday" in capsys.readouterr().out
