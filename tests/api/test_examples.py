"""The examples of docs/api.md do what they say: curl's and Python's, against a server where nobody has to sign in."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.offline_server import OfflineServer, offline_server

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
CURL = re.search(r"```bash\n(.*?)```", PAGE, re.DOTALL)
PYTHON = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfflineServer]:
    with offline_server(tmp_path_factory.mktemp("examples"), sign_in="off") as served:
        yield served


def examples() -> list[str]:
    assert CURL is not None
    return [one.replace("\\\n", " ") for one in CURL[1].strip().split("\n\n")]


@pytest.mark.real
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("command", examples(), ids=lambda command: command.split("/api/v1/")[1].split()[0])
def test_a_curl_example_is_answered(open_server: OfflineServer, command: str) -> None:
    here = command.replace("localhost:8600", open_server.url.removeprefix("http://"))
    done = subprocess.run(["/bin/sh", "-c", f"{here} --fail"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr + done.stdout
    assert '"evidence"' in done.stdout


def test_the_python_example_prints_an_answer_and_its_source(
    open_server: OfflineServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert PYTHON is not None
    words = PYTHON[1].replace("http://localhost:8600", open_server.url).replace("ad_...", "none")
    names: dict[str, object] = {}
    exec(compile(words, "docs/api.md", "exec"), names)
    names["desk"].close()  # type: ignore[attr-defined]
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "You can send back any item within 30 days of delivery."
    assert said[1].startswith("Returning an order http://127.0.0.1:")
