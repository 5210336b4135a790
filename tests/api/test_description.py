"""The OpenAPI description is true: schemathesis asks every route what it promises."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from api.__main__ import main
from tests.api.offline_server import OfflineServer

_EXAMPLES = 15
_FEWEST_CASES = 1000


@pytest.mark.real
@pytest.mark.timeout(600)
def test_no_route_breaks_what_its_description_says(api: OfflineServer, tmp_path: Path) -> None:
    """Coverage, fuzzing and stateful phases, with a key for everything, on the offline server."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{api.url}/openapi.json"]
    command += ["-H", f"Authorization: {api.key(scopes=None)['Authorization']}", "--max-examples", str(_EXAMPLES)]
    command += ["--phases", "coverage,fuzzing,stateful", "--seed", "1", "--request-timeout", "30", "--no-color"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    cases = re.search(r"(\d+) generated", ended.stdout)
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
    assert cases is not None
    assert int(cases[1]) >= _FEWEST_CASES


@pytest.mark.slow
def test_the_description_is_printed_without_a_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["openapi"]) == 0
    assert '"openapi": "3.1' in capsys.readouterr().out
