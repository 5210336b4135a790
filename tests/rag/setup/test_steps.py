"""One process at a time, full disks, and exit codes."""

import errno
import io
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from filelock import FileLock

from rag.errors import DownloadFailed, LinkInCache, ToolMissing
from rag.settings import Settings, load_settings
from rag.setup import __main__ as command
from rag.setup import models, ollama, steps
from rag.setup.console import Console, Outcome
from rag.setup.steps import provide


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")


def test_each_step_prints_a_line(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ollama, "provide_ollama", lambda settings, console: Outcome("Ollama", "here"))
    monkeypatch.setattr(models, "provide_model", lambda settings, console, name: Outcome(f"Model {name}", "pulled"))
    out = io.StringIO()
    provide(settings, Console("en", out), ["ollama", "model"], model="deepseek-r1:7b")
    first, second = out.getvalue().splitlines()
    assert first.startswith("Ollama: already here, ")
    assert second.startswith("Model deepseek-r1:7b: pulled from the registry, ")


def test_a_second_process_waits_and_says_so(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ollama, "provide_ollama", lambda settings, console: Outcome("Ollama", "here"))
    out = io.StringIO()
    folder = settings.cache_dir / "locks"
    folder.mkdir(parents=True)
    with FileLock(folder / "ollama.lock"):
        thread = threading.Thread(target=provide, args=(settings, Console("en", out), ["ollama"]))
        thread.start()
        while "waiting" not in out.getvalue():
            thread.join(timeout=0.01)
            assert thread.is_alive()
    thread.join(timeout=5)
    assert "Ollama: already here" in out.getvalue()


def test_its_lock_is_not_taken_through_a_link(settings: Settings, tmp_path: Path) -> None:
    folder = settings.cache_dir / "locks"
    folder.mkdir(parents=True)
    (folder / "ollama.lock").symlink_to(tmp_path / "made")
    with pytest.raises(LinkInCache, match=r"ollama\.lock is a link"):
        provide(settings, Console("en", io.StringIO()), ["ollama"])
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(("user", "times"), [(0, 1), (1000, 0)])
def test_root_is_warned_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], user: int, times: int
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setattr(command, "provide", lambda *_, **__: None)
    for language, sentence in (("C", "You are root"), ("zh_CN.UTF-8", "当前以 root 身份运行")):
        monkeypatch.setenv("LC_ALL", language)
        assert command.main([]) == 0
        assert capsys.readouterr().out.count(sentence) == times


def test_a_full_disk_is_said_in_words(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> Outcome:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ollama, "provide_ollama", full)
    with pytest.raises(DownloadFailed) as failure:
        provide(settings, Console("en", io.StringIO()), ["ollama"])
    assert failure.value.details["reason"] == "disk_full"


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[str, ...], str]]:
    """Let the command's steps be noted instead of done."""
    calls: list[tuple[tuple[str, ...], str]] = []
    monkeypatch.setattr(command, "load_settings", Settings)
    monkeypatch.setattr(command, "provide", lambda _, __, steps, *, model: calls.append((tuple(steps), model)))
    return calls


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], (("ollama", "model", "embedder"), "")),
        (["all"], (("ollama", "model", "embedder"), "")),
        (["model"], (("model",), "")),
        (["model", "stand-in:0.5b"], (("model",), "stand-in:0.5b")),
        (["browser"], (("browser",), "")),
        (["sandbox"], (("sandbox",), "")),
    ],
)
def test_the_command_line_names_steps(
    called: list[tuple[tuple[str, ...], str]], arguments: list[str], expected: tuple[tuple[str, ...], str]
) -> None:
    assert command.main(arguments) == 0
    assert called == [expected]


@pytest.mark.parametrize(
    ("locale", "sentence"), [("C.UTF-8", "Go is missing; install it"), ("zh_CN.UTF-8", "缺少 Go，请安装")]
)
def test_a_failed_step_ends_with_5_and_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], locale: str, sentence: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ToolMissing(tool="Go", command="sudo apt-get install golang")

    monkeypatch.setenv("LC_ALL", locale)
    monkeypatch.setattr(command, "load_settings", Settings)
    monkeypatch.setattr(command, "provide", fail)
    assert command.main([]) == 5
    printed = capsys.readouterr()
    assert sentence in printed.err
    assert "Traceback" not in printed.err + printed.out


def test_ctrl_c_says_that_nothing_is_lost(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setattr(command, "load_settings", load_settings)
    monkeypatch.setattr(command, "provide", interrupt)
    assert command.main(["ollama"]) == 130
    assert "what has been downloaded is kept" in capsys.readouterr().out


def test_all_steps_are_known() -> None:
    assert set(steps.ALL_STEPS) | {"browser", "sandbox"} == set(get_args(steps.Step))


def test_stopped_by_others_it_ends_as_at_ctrl_c(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "load_settings", Settings)
    monkeypatch.setattr(command, "provide", lambda *_, **__: signal.raise_signal(signal.SIGTERM))
    assert command.main(["ollama"]) == 130
