"""Where the SDK of MCP is not installed."""

import pytest

from api.__main__ import main
from rag.errors import ExtraMissing

pytestmark = pytest.mark.slow  # for what it imports


@pytest.mark.parametrize("language", ["en_GB.UTF-8", "zh_CN.UTF-8"])
def test_the_command_says_what_to_install(
    language: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LC_ALL", language)
    monkeypatch.setattr("api.__main__.find_spec", lambda name: None)
    assert main(["mcp"]) == ExtraMissing.exit_code
    assert "pip install 'answerdesk[mcp]'" in capsys.readouterr().err
