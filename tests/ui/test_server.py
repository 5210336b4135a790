"""Streamlit gets the same options from every folder, and no log gets what an error quotes."""

import asyncio
import gc
import io
import json
import logging
import os
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit import error_util

from rag.errors import AccessDenied
from rag.unforeseen_errors import strip_messages_from_logs
from tests.conftest import free_port
from ui.server import CONFIGURATION, _without_foreseen_errors_in_the_log, desk_configuration

CHECKOUT = Path(__file__).parents[2]

# Serves nothing: says what Streamlit would serve with.
TELL = """
import json, sys
from rag.setup.console import Console
from streamlit import config
from streamlit.web.server.starlette.starlette_server import UvicornRunner
from ui.__main__ import serve
port, names = int(sys.argv[1]), json.loads(sys.argv[2])
UvicornRunner.run = lambda self: print(json.dumps({name: config.get_option(name) for name in names}))
serve(port, Console("en"), browser=False)
"""

OTHERS = """
[browser]
gatherUsageStats = true
[client]
showErrorDetails = "full"
toolbarMode = "developer"
[server]
enableXsrfProtection = false
fileWatcherType = "auto"
[logger]
enableRich = true
[theme.light]
primaryColor = "#FF0000"
[theme.dark.sidebar]
backgroundColor = "#FF0000"
"""
SECRET = "SECRET-CUSTOMER-QUESTION"

# A desk whose page fails in a way that nobody foresaw, up to where Streamlit logs it.
FAILING_DESK = f"""
import sys
from rag.setup.console import Console
from streamlit import error_util
from streamlit.web.server.starlette.starlette_server import UvicornRunner
from ui.__main__ import serve
def fail(runner):
    try:
        int({SECRET!r})
    except ValueError as error:
        error_util.handle_uncaught_app_exception(error)
UvicornRunner.run = fail
serve(int(sys.argv[1]), Console("en"), browser=False)
"""


def test_the_file_is_handed_over_by_dotted_names() -> None:
    told = desk_configuration({"server.port": 1, "server.maxUploadSize": 7})
    assert told["browser.gatherUsageStats"] is False
    assert told["theme.light.sidebar.backgroundColor"] == "#F6F8FA"
    assert (told["server.port"], told["server.maxUploadSize"]) == (1, 7), "what the command knows goes first"


@pytest.mark.slow
def test_no_other_file_and_no_variable_changes_what_the_desk_is_served_with(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("home", "elsewhere")}
    for folder in folders.values():
        (folder / ".streamlit").mkdir(parents=True)
        (folder / ".streamlit" / "config.toml").write_text(OTHERS, encoding="utf-8")
    wanted = desk_configuration({})
    for name in ("server.allowedHosts", "server.maxUploadSize"):
        wanted.pop(name)  # the command's own
    environment = {**os.environ, "HOME": str(folders["home"]), "PYTHONPATH": str(CHECKOUT)}
    environment |= {"STREAMLIT_BROWSER_GATHER_USAGE_STATS": "true", "STREAMLIT_CLIENT_SHOW_ERROR_DETAILS": "full"}
    program = [sys.executable, "-c", TELL, str(free_port()), json.dumps(list(wanted))]
    done = subprocess.run(
        program, cwd=folders["elsewhere"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == wanted


def test_what_would_reach_other_machines_or_a_log_is_off() -> None:
    told = tomllib.loads(CONFIGURATION.read_text(encoding="utf-8"))
    assert told["browser"]["gatherUsageStats"] is False
    assert told["client"]["showErrorDetails"] == "none"
    assert told["logger"] == {"level": "warning", "hideWelcomeMessage": True, "enableRich": False}


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, with the words taken out, as the last handler writes it."""
    before = logging.getLogRecordFactory(), threading.excepthook, sys.unraisablehook
    servers = [logging.getLogger(name) for name in ("uvicorn", "uvicorn.error")]
    found = [(server, server.propagate, server.level) for server in servers]
    for server in servers:  # another test of this process may have served with uvicorn, which sets up its own logging
        server.propagate = True
        server.setLevel(logging.NOTSET)
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    logging.getLogger().addHandler(handler)
    strip_messages_from_logs()
    yield out
    logging.getLogger().removeHandler(handler)
    for server, propagate, level in found:
        server.propagate = propagate
        server.setLevel(level)
    logging.setLogRecordFactory(before[0])
    threading.excepthook, sys.unraisablehook = before[1:]


def fails() -> None:
    raise ValueError(f"cannot parse '{SECRET}'")


@pytest.mark.parametrize("name", ["streamlit.anything", "uvicorn.error", "somebody.else"])
def test_an_error_is_told_by_type_and_place(log: io.StringIO, name: str) -> None:
    try:
        try:
            fails()
        except ValueError as error:
            raise RuntimeError(f"while reading {SECRET}") from error
    except RuntimeError as error:
        logging.getLogger(name).exception("it failed: %s", error)
        logging.getLogger(name).warning(error)
    said = log.getvalue()
    assert SECRET not in said
    assert said.startswith("it failed: RuntimeError\n") and said.endswith("\nRuntimeError\nRuntimeError\n")
    assert said.index("ValueError") < said.rindex("RuntimeError"), "the cause, too"
    assert "test_server.py" in said and "in fails" in said


def test_an_error_of_a_callback_is_logged_unless_it_is_said_in_words(log: io.StringIO) -> None:
    said: list[Exception] = []
    errors = (AccessDenied(name="payroll", reason="scope", scope="payroll"), ValueError(SECRET))
    with _without_foreseen_errors_in_the_log():
        for error in errors:
            error_util.handle_user_script_exception(error, lambda error: said.append(error) or True)
    assert said == [*errors]
    assert log.getvalue() == "Uncaught app execution\nValueError\n"


def test_what_is_no_error_is_logged_as_it_is(log: io.StringIO) -> None:
    logging.getLogger("uvicorn").warning("%s of %d", "three", 4)
    logging.getLogger("uvicorn").warning("%(seconds).1f s", {"seconds": 2})
    assert log.getvalue() == "three of 4\n2.0 s\n"


@pytest.mark.slow
def test_a_task_that_nobody_waited_for(log: io.StringIO) -> None:
    async def forgotten() -> None:
        fails()

    async def main() -> None:
        asyncio.get_running_loop().create_task(forgotten())
        await asyncio.sleep(0)

    asyncio.run(main())
    gc.collect()
    assert log.getvalue().startswith("Task exception was never retrieved\n")
    assert "in fails" in log.getvalue() and SECRET not in log.getvalue()


@pytest.mark.slow
def test_a_thread_and_what_cannot_be_raised(log: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    class Fragile:
        def __del__(self) -> None:
            fails()

    thread = threading.Thread(target=fails)
    thread.start()
    thread.join()
    Fragile()
    gc.collect()
    assert log.getvalue().count("in fails") == 2
    assert SECRET not in log.getvalue() + "".join(capsys.readouterr())


@pytest.mark.slow
def test_an_unforeseen_error_of_a_page_is_logged_without_its_words(tmp_path: Path) -> None:
    program = [sys.executable, "-c", FAILING_DESK, str(free_port())]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "ANSWERDESK_DATA_DIR": str(tmp_path)}
    done = subprocess.run(program, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "Uncaught app execution" in said and "ValueError" in said
    assert SECRET not in said
