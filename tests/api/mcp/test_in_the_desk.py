"""MCP in the desk's process: its session manager lives as long as the desk does."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from mcp import Client

from tests.api.mcp.clients import MODES, connected
from tests.conftest import free_port

pytestmark = [pytest.mark.real, pytest.mark.slow]


def _ready(url: str, desk: "subprocess.Popen[str]") -> None:
    for _ in range(600):
        assert desk.poll() is None, desk.communicate()
        try:
            if httpx.get(f"{url}/healthz", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the desk does not answer")


def test_the_desk_serves_it_and_ends_with_a_client_connected(tmp_path: Path) -> None:
    port = free_port()
    places = {"ANSWERDESK_DATA_DIR": str(tmp_path), "ANSWERDESK_CACHE_DIR": str(tmp_path / "cache")}
    desk = subprocess.Popen(
        [sys.executable, "-m", "tests.api.mcp.desk_server", str(port)],
        env=os.environ | places | {"ANSWERDESK_OLLAMA_HOST": "127.0.0.1:9"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    url = f"http://127.0.0.1:{port}"

    async def names(client: Client) -> list[str]:
        found = (await client.call_tool("list_knowledge_bases", {})).structured_content
        assert found is not None
        return [one["name"] for one in found["knowledge_bases"]]

    async def work() -> None:
        for mode in MODES:
            async with connected(url, {}, mode) as client:
                assert await names(client) == ["default", "finance"]

    try:
        _ready(url, desk)
        asyncio.run(work())
        desk.send_signal(signal.SIGTERM)
        output, _ = desk.communicate(timeout=20)
    finally:
        desk.kill()
    assert "Task group is not initialized" not in output
    assert "Traceback" not in output
