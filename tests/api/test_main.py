"""``python -m api``: what it refuses, and what it says where it serves other machines."""

import errno
import io
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import api.__main__ as program
from api import application
from api.addresses import require_free
from api.application import serve
from api.services.start import open_people
from rag.errors import AddressUnusable
from rag.settings import Settings
from tests.conftest import free_port
from tests.outgoing import CHECKOUT

AS_COMMAND = "import sys; from ui.answerdesk import run; sys.argv = ['answerdesk', *sys.argv[1:]]; run()"
SECRET = "the customer's words"
FAILING = f"""
import logging, sys
import api.mcp.server, api.application
import api.__main__ as program
def fail(*given):
    try:
        int({SECRET!r})
    except ValueError as error:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
api.application.serve = api.mcp.server.speak = fail
program._start_ollama = lambda settings: False
sys.exit(program.main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--port", "0"], ["mcp"]])
def test_an_unforeseen_error_is_logged_without_its_words(arguments: list[str], tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "ANSWERDESK_DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", FAILING, *arguments],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "Exception in ASGI application" in said and "ValueError" in said
    assert SECRET not in said


@pytest.mark.slow
@pytest.mark.parametrize("program", [["-m", "api"], ["-c", AS_COMMAND, "api"]])
@pytest.mark.parametrize(
    ("language", "said"), [("en_GB.UTF-8", "Without sign-in only this"), ("zh_CN.UTF-8", "未启用登录")]
)
def test_nobody_is_served_without_a_sign_in_and_one_sentence_says_so(
    program: list[str], language: str, said: str, tmp_path: Path
) -> None:
    environment = {**os.environ, "ANSWERDESK_DATA_DIR": str(tmp_path), "LC_ALL": language, "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(
        [sys.executable, *program, "--host", "0.0.0.0"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1 and said in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("host", "proxies", "warned"), [("0.0.0.0", "", True), ("0.0.0.0", "10.0.0.1", False), ("127.0.0.1", "", False)]
)
def test_keys_do_not_cross_the_network_unencrypted_without_a_word(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    host: str,
    proxies: str,
    warned: bool,
) -> None:
    settings = Settings(data_dir=tmp_path, sign_in="on", trusted_proxies=proxies)
    open_people(settings).people.add("root", "admin", None, "", by="test")
    monkeypatch.setattr(program, "load_settings", lambda: settings)
    monkeypatch.setattr(program, "_start_ollama", lambda settings: False)
    monkeypatch.setattr("api.application.serve", lambda *given: None)
    monkeypatch.setattr(program.signal, "signal", lambda *given: None)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    # it is for the whole process, where other tests look at whole logs
    monkeypatch.setattr("rag.unforeseen_errors.strip_messages_from_logs", lambda: None)
    for language, plain_http, root in (
        ("en_GB.UTF-8", "without https: keys and questions can be read", "You are root"),
        ("zh_CN.UTF-8", "密钥和提问可能在传输中被读取", "root"),
    ):
        monkeypatch.setenv("LC_ALL", language)
        assert program.main(["--host", host, "--port", "0"]) == 0
        said = capsys.readouterr().err
        assert (plain_http in said) is warned
        assert root in said


@pytest.mark.parametrize(
    ("arguments", "english", "chinese"),
    [
        (["--port", "99999"], "port 99999: a port is a number from 0 to 65535.", "端口须为 0 到 65535 之间的数字。"),
        (["--port", "-1"], "port -1: a port is", "端口 -1 提供服务"),
        (["--grpc-port", "99999"], "port 99999: a port is", "端口 99999 提供服务"),
        (
            ["--host", "nohost.invalid"],
            "nohost.invalid is no address of this machine.",
            "nohost.invalid 不是本机的地址",
        ),
        (["--host", "192.0.2.9"], "192.0.2.9 is no address of this machine.", "192.0.2.9 不是本机的地址"),
        (["--host", "a..b"], "a..b is no address of this machine.", "a..b 不是本机的地址"),
        (["--port", "TAKEN"], "is taken by another program; name another one: --port 8610", "换一个端口：--port 8610"),
        (["--grpc-port", "TAKEN"], "another one: --grpc-port 8611", "换一个端口：--grpc-port 8611"),
        (["--port", "8825", "--grpc-port", "8825"], "Port 8825 cannot serve both", "不能共用端口 8825"),
        (["--grpc-port", "8600"], "Port 8600 cannot serve both HTTP and gRPC", "HTTP 和 gRPC 不能共用端口 8600"),
    ],
)
def test_an_address_that_cannot_be_used_is_told_in_one_sentence(
    arguments: list[str],
    english: str,
    chinese: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = Settings(data_dir=tmp_path, sign_in="on")
    monkeypatch.setattr(program, "load_settings", lambda: settings)
    with socket.create_server(("127.0.0.1", 0)) as server:
        given = [str(server.getsockname()[1]) if word == "TAKEN" else word for word in arguments]
        for language, sentence in (("en_GB.UTF-8", english), ("zh_CN.UTF-8", chinese)):
            monkeypatch.setenv("LC_ALL", language)
            assert program.main(given) == 2
            said = capsys.readouterr()
            assert said.out == ""
            assert len(said.err.splitlines()) == 1 and sentence in said.err, said.err


@pytest.mark.parametrize(
    ("number", "sentence"), [(errno.EACCES, "may not listen at this port"), (errno.ENOBUFS, "buffer")]
)
def test_what_else_keeps_a_server_from_listening_is_said(
    number: int, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(AddressUnusable, match=sentence):
        require_free("127.0.0.1", 80, "--port 8610")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["people.db", "turns.db", "requests.db"])
@pytest.mark.parametrize("arguments", [["--port", "0"], ["mcp"]])
def test_a_damaged_database_is_told_before_anything_is_served(name: str, arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"no database at all" * 1000)
    environment = {**os.environ, "ANSWERDESK_DATA_DIR": str(tmp_path), "LC_ALL": "C", "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(
        [sys.executable, "-m", "api", *arguments],
        cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (3, ""), done.stderr
    (line,) = done.stderr.splitlines()
    assert f"{tmp_path / name} is damaged; restore it" in line


@pytest.mark.slow
def test_the_address_is_told_once_requests_can_come(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, cache_dir=tmp_path / "cache", ollama_host="ollama.invalid:9")
    port, seen = free_port(), []

    def announce() -> None:
        with socket.create_connection(("127.0.0.1", port)):
            seen.append(port)
        signal.raise_signal(signal.SIGINT)

    serve(settings, "127.0.0.1", port, ["localhost"], announce)
    assert seen == [port]


@pytest.mark.slow
def test_where_nothing_can_listen_no_address_is_told(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, cache_dir=tmp_path / "cache", ollama_host="ollama.invalid:9")
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit):
        serve(settings, "127.0.0.1", taken.getsockname()[1], ["localhost"], lambda: pytest.fail("announced"))


def test_a_description_loses_nothing_where_a_letter_cannot_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, "ascii", errors="replace", write_through=True))
    monkeypatch.setattr(application, "openapi_description", lambda _: {"title": "退款"})
    assert program.main(["openapi"]) == 0
    assert json.loads(shown.getvalue()) == {"title": "退款"}


@pytest.mark.parametrize(("argument", "exit_code"), [("--help", 0), ("--nonsense", 2)])
def test_a_description_takes_no_arguments_and_says_so(
    argument: str, exit_code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(["openapi", argument])
    said = capsys.readouterr()
    assert ended.value.code == exit_code
    assert (said.out if exit_code == 0 else said.err).startswith("usage: python -m api openapi")
    assert "paths" not in said.out
