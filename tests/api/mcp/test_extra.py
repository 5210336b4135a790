"""Where the SDK of MCP is not installed."""

import pytest

from api.__main__ import main
from rag.errors import ExtraMissing


def test_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.__main__.find_spec", lambda name: None)
    with pytest.raises(ExtraMissing) as refused:
        main(["mcp"])
    for language in ("en", "zh"):
        assert "pip install 'answerdesk[mcp]'" in refused.value.text(language)
