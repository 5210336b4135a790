"""MCP over stdio: the official client starts the server as an assistant does."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from mcp import Client, StdioServerParameters

from rag.people.keys import ApiKeys, Right
from rag.settings import Settings
from tests.api.mcp.clients import MODES, problem_of
from tests.api.offline_server import QUESTION
from tests.support.waiting import until_async

pytestmark = [pytest.mark.real, pytest.mark.slow]

SENTENCE = "You can send back any item within 30 days of delivery."
SOON = 5.0  # seconds, on a busy machine; alone it is 0.02, and nothing else would end it
Result = TypeVar("Result")


def with_client(
    folder: Path, work: Callable[[Client], Awaitable[Result]], mode: str = "auto", **environment: str
) -> Result:
    """Start the server for a client, and return what ``work`` returns."""

    async def run() -> Result:
        arguments = ["-m", "tests.api.mcp.stdio_server", str(folder)]
        server = StdioServerParameters(command=sys.executable, args=arguments, env=os.environ | environment)
        async with Client(server, mode=mode) as client:
            return await work(client)

    return asyncio.run(run())


def key(folder: Path, *rights: Right) -> str:
    keys = ApiKeys(Settings(data_dir=folder).people_path)
    secret, _ = keys.add("test", rights, ["default"], audience="internal", expires_at=None, owner="", by="test")
    keys.close()
    return secret


@pytest.mark.parametrize("mode", MODES)
def test_whoever_sits_here_needs_no_key(tmp_path: Path, mode: str) -> None:
    async def work(client: Client) -> None:
        assert len((await client.list_tools()).tools) == 4
        found = (await client.call_tool("ask", {"question": QUESTION})).structured_content
        assert found is not None
        assert (found["text"], found["refused"]) == (SENTENCE, False)
        bases = (await client.call_tool("list_knowledge_bases", {})).structured_content
        assert bases is not None
        assert [one["name"] for one in bases["knowledge_bases"]] == ["default", "finance"]
        [content] = (await client.read_resource("answerdesk://finance/refund-limits.md")).contents
        assert "GBP 500" in content.text  # type: ignore[union-attr]

    with_client(tmp_path, work, mode)


def test_a_key_has_its_own_rights_and_ends_at_once(tmp_path: Path) -> None:
    secret = key(tmp_path, "retrieve")

    async def work(client: Client) -> None:
        arguments = {"question": QUESTION}
        assert not (await client.call_tool("search_knowledge", arguments)).is_error
        assert problem_of(await client.call_tool("ask", arguments))[0] == "RightMissing"
        foreign = await client.call_tool("search_knowledge", arguments | {"knowledge_base": "finance"})
        assert problem_of(foreign)[0] == "AccessDenied"
        keys = ApiKeys(Settings(data_dir=tmp_path).people_path)
        keys.revoke(keys.list()[0].key_id, by="test")
        keys.close()
        assert problem_of(await client.call_tool("search_knowledge", arguments))[0] == "ApiKeyRefused"

    with_client(tmp_path, work, ANSWERDESK_SIGN_IN="on", ANSWERDESK_API_KEY=secret)


@pytest.mark.parametrize("mode", MODES)
def test_a_cancelled_call_frees_the_slot(tmp_path: Path, mode: str) -> None:
    held, answering = tmp_path / "held", tmp_path / "answering"
    held.touch()

    async def work(client: Client) -> float:
        calling = asyncio.ensure_future(client.call_tool("ask", {"question": QUESTION}))
        await until_async(answering.exists)
        calling.cancel()
        return await until_async(lambda: not answering.exists())

    assert with_client(tmp_path, work, mode) < SOON


def _run(command: list[str], given: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | environment,
        check=False,
    )


def _lines(*methods: str, question: str = "") -> str:
    version = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    messages: list[dict[str, object]] = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": version},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
    ]
    for number, method in enumerate(methods, 2):
        called = {"name": method, "arguments": {"question": question} if question else {}}
        messages.append({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": called})
    return "".join(f"{json.dumps(message)}\n" for message in messages)


def test_a_client_that_goes_away_ends_the_server_and_its_turns(tmp_path: Path) -> None:
    held, answering = tmp_path / "held", tmp_path / "answering"
    held.touch()
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.api.mcp.stdio_server", str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdin is not None
    server.stdin.write(_lines("ask", question=QUESTION))
    server.stdin.flush()
    asyncio.run(until_async(answering.exists))
    started_at = time.monotonic()
    server.stdin.close()
    asyncio.run(until_async(lambda: not answering.exists()))
    assert time.monotonic() - started_at < SOON
    assert server.wait(timeout=10) == 0


def test_where_people_sign_in_a_key_is_asked_for_in_one_sentence(tmp_path: Path) -> None:
    ended = _run(["tests.api.mcp.stdio_server", str(tmp_path)], _lines(), ANSWERDESK_SIGN_IN="on")
    assert (ended.returncode, ended.stdout) == (7, "")
    assert len(ended.stderr.strip().splitlines()) == 1


def test_the_program_writes_nothing_but_the_protocol(tmp_path: Path) -> None:
    words = "what-a-customer-wrote"
    places = {"ANSWERDESK_DATA_DIR": str(tmp_path), "ANSWERDESK_CACHE_DIR": str(tmp_path / "cache")}
    ended = _run(
        ["api", "mcp"],
        _lines("list_knowledge_bases", "search_knowledge", "no_such_tool", question=words) + f"{words}\n",
        ANSWERDESK_OLLAMA_HOST="ollama.invalid:9",
        **places,
    )
    assert ended.returncode == 0, ended.stderr
    messages = [json.loads(line) for line in ended.stdout.splitlines()]
    assert {message["jsonrpc"] for message in messages} == {"2.0"}
    assert messages[0]["result"]["serverInfo"]["name"] == "answerdesk"
    assert words not in ended.stderr
