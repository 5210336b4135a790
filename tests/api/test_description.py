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
_ENDS_KEYS = "/api/v1/keys/{key_id}"


@pytest.mark.real
@pytest.mark.timeout(600)
def test_no_route_breaks_what_its_description_says(api: OfflineServer, tmp_path: Path) -> None:
    """Coverage, fuzzing and stateful phases, with a key for everything, on the offline server."""
    told = _asked(api, tmp_path, "--exclude-path", _ENDS_KEYS)
    assert _count(told) >= _FEWEST_CASES
    assert "Authentication failed" not in told, "the key held until the end"


@pytest.mark.real
def test_nor_does_the_one_that_ends_keys(api: OfflineServer, tmp_path: Path) -> None:
    """By itself: following the list of keys, schemathesis revokes the one that it comes with."""
    assert _count(_asked(api, tmp_path, "--include-path", _ENDS_KEYS)) > 0


def _asked(api: OfflineServer, folder: Path, *which: str) -> str:
    """Return what schemathesis says of some routes, of which none may fail."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{api.url}/openapi.json", *which]
    command += ["-H", f"Authorization: {api.key(scopes=None)['Authorization']}", "--max-examples", str(_EXAMPLES)]
    command += ["--phases", "coverage,fuzzing,stateful", "--seed", "1", "--request-timeout", "30", "--no-color"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
    return ended.stdout


def _count(told: str) -> int:
    cases = re.search(r"(\d+) generated", told)
    assert cases is not None
    return int(cases[1])


@pytest.mark.slow
def test_the_description_is_printed_without_a_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["openapi"]) == 0
    assert '"openapi": "3.1' in capsys.readouterr().out
