"""Streamlit is told the same from every folder."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import free_port
from ui.configuration import CONFIGURATION, desk_configuration

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
