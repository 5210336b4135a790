"""The server is killed in the middle of streams: no program takes half an answer for a whole one, no turn is lost."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from openai import OpenAI

from rag.people.keys import RIGHTS, ApiKeys
from rag.storage.turn_store import TurnStore
from tests.api.offline_server import QUESTION, settings_in
from tests.conftest import free_port

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

_CLIENTS = 4
WHOLE = ("You can send back any item within 30 days of delivery. " * 4).strip()


class Outcome:
    """What one program made of its stream."""

    def __init__(self) -> None:
        self.turn_id = ""
        self.text = ""
        self.is_whole = False
        self.error = ""


@pytest.mark.parametrize("rounds", [(1, 3), pytest.param(range(5), marks=pytest.mark.nightly)], ids=["two", "five"])
def test_a_killed_server_leaves_errors_or_whole_answers_and_every_turn(tmp_path: Path, rounds: Sequence[int]) -> None:
    keys = ApiKeys(settings_in(tmp_path).people_path)
    secret, _ = keys.add("kill", RIGHTS, None, audience="internal", expires_at=None, owner="", by="test")
    keys.close()
    outcomes = [outcome for number in rounds for outcome in kill_in_mid_stream(tmp_path, secret, number)]
    assert all(outcome.is_whole != bool(outcome.error) for outcome in outcomes)
    assert {outcome.text for outcome in outcomes if outcome.is_whole} <= {WHOLE}
    assert any(outcome.error for outcome in outcomes)
    store = TurnStore(settings_in(tmp_path).turns_path)
    store.fail_abandoned()
    states = {outcome.turn_id: store.get(outcome.turn_id).state for outcome in outcomes if outcome.turn_id}
    assert len(states) > len(rounds)
    assert set(states.values()) <= {"done", "failed", "stopped"}
    store.close()


def kill_in_mid_stream(folder: Path, secret: str, number: int) -> list[Outcome]:
    """Serve, let programs stream, kill the server at a moment that differs from round to round, and hear of it."""
    port = free_port()
    command = [sys.executable, "-m", "tests.api.offline_server", str(folder), str(port)]
    server = subprocess.Popen(command)
    outcomes = [Outcome() for _ in range(_CLIENTS)]
    try:
        _await_ready(port)
        threads = [threading.Thread(target=_stream, args=(port, secret, outcome)) for outcome in outcomes]
        for thread in threads:
            thread.start()
        time.sleep(0.4 + 0.55 * number)
        server.send_signal(signal.SIGKILL)
        for thread in threads:
            thread.join(timeout=30)
    finally:
        server.kill()
        server.wait()
    return outcomes


def _stream(port: int, secret: str, outcome: Outcome) -> None:
    try:
        with OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=secret, max_retries=0, timeout=30) as client:
            stream = client.chat.completions.create(
                model="answerdesk/default:fresh", messages=[{"role": "user", "content": QUESTION}], stream=True
            )
            for chunk in stream:
                outcome.turn_id = chunk.id.removeprefix("chatcmpl-")
                outcome.text += chunk.choices[0].delta.content or ""
                outcome.is_whole = outcome.is_whole or chunk.choices[0].finish_reason == "stop"
            if not outcome.is_whole:
                outcome.error = "ended without its end"
    except Exception as error:  # noqa: BLE001 - whatever a client raises is an error told
        outcome.error = type(error).__name__


def _await_ready(port: int) -> None:
    ends_at = time.monotonic() + 60
    while time.monotonic() < ends_at:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the server did not start")
