"""The official client of MCP over HTTP, and what its calls give."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

from tests.api.offline_server import OfflineServer

Result = TypeVar("Result")
MODES = ("auto", "legacy")
"""The protocol of 2026, whose requests stand alone, and the one before it, which has sessions."""


@asynccontextmanager
async def connected(url: str, headers: dict[str, str], mode: str = "auto") -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30, trust_env=False) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


def with_client(
    api: OfflineServer, headers: dict[str, str], work: Callable[[Client], Awaitable[Result]], mode: str = "auto"
) -> Result:
    """Connect, and return what ``work`` returns."""

    async def run() -> Result:
        async with connected(api.url, headers, mode) as client:
            return await work(client)

    return asyncio.run(run())


def call(api: OfflineServer, headers: dict[str, str], tool: str, mode: str = "auto", **arguments: Any) -> Any:
    """Call one tool, and return its structured result."""
    result = call_raw(api, headers, tool, mode, **arguments)
    assert not result.is_error, result.content
    return result.structured_content


def call_raw(
    api: OfflineServer, headers: dict[str, str], tool: str, mode: str = "auto", **arguments: Any
) -> CallToolResult:
    """Call one tool."""

    async def work(client: Client) -> CallToolResult:
        return await client.call_tool(tool, arguments)

    return with_client(api, headers, work, mode)


def problem_of(result: CallToolResult) -> tuple[str, str, str]:
    """Return the code and both sentences of a call that was refused."""
    assert result.is_error, result
    en, zh = (one.text for one in result.content if one.type == "text")
    code = (result.meta or {})["answerdesk/problem"]["code"]
    assert en.startswith(f"{code}: ")
    assert zh.startswith(f"{code}：")
    return code, en.removeprefix(f"{code}: "), zh.removeprefix(f"{code}：")
