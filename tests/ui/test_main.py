"""``python -m ui``: the order of its steps, what it says, and what it does not leave behind."""

import io
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest

from rag.errors import KnowledgeBaseMissing, OllamaNotStarted, ToolMissing
from rag.ollama.server import ServerStatus
from rag.settings import Settings
from rag.setup.console import Console, Outcome
from tests.conftest import free_port
from tests.ollama_stub import OllamaStub
from ui import __main__ as desk
from ui import sample

URL = "http://127.0.0.1:11434"


class Steps:
    """Notes the steps instead of doing them."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.managed = True
        self.failure: Exception | None = None

    def provide(self, settings: Settings, console: Console, steps: list[str]) -> None:
        self.done += steps
        if self.failure is not None:
            raise self.failure

    def ensure_running(self, settings: Settings, *, while_we_live: bool) -> ServerStatus:
        assert while_we_live, "an Ollama of the desk ends with the desk"
        self.done.append("server")
        return ServerStatus(URL, running=True, version="0.24.0", managed=self.managed)

    def sample(self, settings: Settings, console: Console) -> Outcome:
        self.done.append("sample")
        return Outcome("Sample", "here")

    def stop(self, settings: Settings) -> None:
        self.done.append("stop")

    def serve(self, port: int, console: Console, **options: object) -> None:
        self.done.append(f"serve {port}")


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Steps:
    noted = Steps()
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setattr(desk, "load_settings", lambda: Settings(data_dir=tmp_path))
    for name in ("provide", "ensure_running", "stop", "serve"):
        monkeypatch.setattr(desk, name, getattr(noted, name))
    monkeypatch.setattr(sample, "provide_sample", noted.sample)
    return noted


def test_first_measurements_that_fail_do_not_keep_the_desk_closed(
    steps: Steps, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(settings: Settings, console: Console) -> Outcome:
        raise KnowledgeBaseMissing(folder="default")

    monkeypatch.setattr(sample, "needs_first_runs", lambda settings: True)
    monkeypatch.setattr(sample, "measure_first_runs", fails)
    port = free_port()
    assert desk.main(["--port", str(port)]) == 0
    assert steps.done[-2:] == [f"serve {port}", "stop"]
    assert "default" in capsys.readouterr().err


ALL_STEPS = ["ollama", "server", "model", "embedder", "sample"]


def test_everything_is_there_before_the_page_and_nothing_stays_behind(steps: Steps) -> None:
    port = free_port()
    assert desk.main(["--port", str(port)]) == 0
    assert steps.done == [*ALL_STEPS, f"serve {port}", "stop"]


@pytest.mark.parametrize(("user", "times"), [(0, 1), (1000, 0)])
def test_root_is_warned_before_anything_is_done(
    steps: Steps, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], user: int, times: int
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    steps.failure = ToolMissing(tool="g++", command="sudo apt-get install g++")
    assert desk.main(["--port", str(free_port())]) == 5
    assert capsys.readouterr().out.count("You are root") == times


def test_an_adopted_server_is_not_stopped(steps: Steps) -> None:
    steps.managed = False
    assert desk.main(["--port", str(free_port())]) == 0
    assert "stop" not in steps.done


def test_the_server_is_stopped_after_ctrl_c(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(port: int, console: Console, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(desk, "serve", interrupted)
    assert desk.main(["--port", str(free_port())]) == 130
    assert steps.done == [*ALL_STEPS, "stop"]


def test_a_failed_step_ends_it_with_a_sentence(steps: Steps, capsys: pytest.CaptureFixture[str]) -> None:
    steps.failure = ToolMissing(tool="g++", command="sudo apt-get install g++")
    assert desk.main(["--port", str(free_port())]) == 5
    assert capsys.readouterr().err == "g++ is missing; install it with: sudo apt-get install g++\n"


def test_without_a_model_server_the_desk_still_shows_evidence(
    steps: Steps, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(settings: Settings, *, while_we_live: bool) -> ServerStatus:
        raise OllamaNotStarted(reason="out of memory", log="ollama.log")

    monkeypatch.setattr(desk, "ensure_running", fails)
    port = free_port()
    assert desk.main(["--port", str(port)]) == 0
    assert steps.done == ["ollama", "model", "embedder", "sample", f"serve {port}"]
    assert "Ollama could not be started (out of memory)" in capsys.readouterr().err


@pytest.mark.parametrize(("language", "why"), [("C", "no model server answers"), ("zh_CN.UTF-8", "没有模型服务响应")])
def test_of_several_hosts_it_says_which_are_left_out(
    steps: Steps,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    language: str,
    why: str,
) -> None:
    gone = f"127.0.0.1:{free_port()}"
    with OllamaStub(models=["m"]) as stub:
        several = Settings(data_dir=tmp_path, cache_dir=tmp_path, ollama_host=f"{stub.url},{gone}", model="m")
        monkeypatch.setenv("LC_ALL", language)
        monkeypatch.setattr(desk, "load_settings", lambda: several)
        assert desk.main(["--port", str(free_port())]) == 0
    [said] = [line for line in capsys.readouterr().out.splitlines() if gone in line]
    assert why in said


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def test_a_taken_port_is_told_before_anything_begins(
    steps: Steps, taken: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert desk.main(["--port", str(taken)]) == 2
    said = capsys.readouterr().err
    assert f"Port {taken} is taken" in said and "make run PORT=8502" in said
    assert steps.done == []


def test_a_port_that_cannot_be_is_told_before_anything_begins(steps: Steps, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.main(["--port", "99999"]) == 2
    assert "port 99999: a port is a number from 0 to 65535." in capsys.readouterr().err
    assert steps.done == []


@pytest.mark.slow
def test_metrics_are_served_while_the_desk_is_where_a_port_is_set(
    steps: Steps, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    port = free_port()
    settings = Settings(
        data_dir=tmp_path, cache_dir=tmp_path, ollama_host=f"127.0.0.1:{free_port()}", metrics_port=port
    )
    monkeypatch.setattr(desk, "load_settings", lambda: settings)
    seen: list[bytes] = []

    def serve(desk_port: int, console: Console, **options: object) -> None:
        with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            seen.append(answer.read())

    monkeypatch.setattr(desk, "serve", serve)
    assert desk.main(["--port", str(free_port())]) == 0
    assert b"answerdesk_turns_total" in seen[0]
    with socket.create_server(("127.0.0.1", port)):
        pass  # the port is free again


def test_a_taken_port_of_the_metrics_is_said_and_nothing_stays_behind(
    steps: Steps, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, taken: int, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data_dir=tmp_path, cache_dir=tmp_path, metrics_port=taken)
    monkeypatch.setattr(desk, "load_settings", lambda: settings)
    assert desk.main(["--port", str(free_port())]) == 2
    assert f"Port {taken} is taken" in capsys.readouterr().err
    assert steps.done[-1] == "stop"


@pytest.mark.parametrize(
    ("variables", "terminal", "expected"),
    [
        ({"DISPLAY": ":0"}, True, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True, True),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "10.0.0.1"}, True, False),
        ({"DISPLAY": ":0"}, False, False),
        ({}, True, False),
    ],
)
def test_a_browser_opens_only_where_somebody_sits(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], terminal: bool, expected: bool
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(sys, "stdout", _Terminal(terminal))
    assert desk._has_display() is expected


class _Terminal(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize(
    ("host", "proxies", "warned"),
    [("0.0.0.0", "", True), ("192.0.2.7", "", True), ("0.0.0.0", "192.0.2.1", False), ("127.0.0.1", "", False)],
)
def test_passwords_do_not_cross_the_network_unencrypted_without_a_word(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    host: str,
    proxies: str,
    warned: bool,
) -> None:
    settings = Settings(data_dir=tmp_path, trusted_proxies=proxies)
    monkeypatch.setattr(desk, "load_settings", lambda: settings)
    desk._warn_of_plain_http(host, Console("en"))
    desk._warn_of_plain_http(host, Console("zh"))
    said = capsys.readouterr().out
    assert ("without https: passwords can be read" in said) is warned
    assert ("密码可能在传输中被读取" in said) is warned
