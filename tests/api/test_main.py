"""``python -m api``: what it refuses, and what it says where it serves other machines."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import api.__main__ as program
from api.services.shared import open_people
from rag.settings import Settings
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
    monkeypatch.setattr("rag.turns.unforeseen.strip_messages_from_logs", lambda: None)
    for language, plain_http, root in (
        ("en_GB.UTF-8", "without https: keys and questions can be read", "You are root"),
        ("zh_CN.UTF-8", "密钥和提问可能在传输中被读取", "root"),
    ):
        monkeypatch.setenv("LC_ALL", language)
        assert program.main(["--host", host, "--port", "0"]) == 0
        said = capsys.readouterr().err
        assert (plain_http in said) is warned
        assert root in said
