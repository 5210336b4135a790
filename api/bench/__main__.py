"""``python -m api.bench``: what the API adds to a question, and whether ten streams at once are as quick as the desk's.

The model is scripted and everything else is real: turns, SQLite, FAISS, sockets on 127.0.0.1.  Both ways are measured
alternately in one run, question by question, because a machine's pace changes from minute to minute:

    desk        a turn submitted to the service that the pages call, and waited for
    api         the same through ``POST /api/v1/ask``, with one connection kept open
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import uvicorn

from api.application import api_application
from api.callers import host_names
from api.services.shared import SharedServices
from api.services.start import open_services, open_turns
from rag.pipeline import Pipeline
from rag.private_files import keep_files_private
from rag.protocols import GeneratedText, GenerationFinished, GenerationPart, Message
from rag.settings import Settings
from rag.storage.access import LOCAL_USER
from rag.testing import ScriptedGenerator, build_offline_pipeline
from rag.turns import PersonalTurns, PersonLimits, Pipelines, TurnRequest, TurnService

_QUESTION = "How long can I send an item back after delivery?"
_SENTENCE = "You can send back any item within 30 days of delivery. "
_TOKENS = 120
_TOKENS_A_SECOND = 30.0
_STREAMS = 10
_PORT_OF_ANY = 0


class PacedGenerator(ScriptedGenerator):
    """Says one sentence; paced, as a model does, a piece at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = 1
        self.tokens_a_second = 0.0

    def generate(
        self, messages: Sequence[Message], *, think: bool, max_tokens: int, candidates: int = 0
    ) -> Generator[GenerationPart, None, None]:
        """Yield the tokens at their pace, and the end."""
        words = random.Random(self.tokens)
        yield GeneratedText(_SENTENCE)
        for _ in range(self.tokens - 1):
            time.sleep(1 / self.tokens_a_second)
            yield GeneratedText("".join(words.choices("abcdefghij", k=5)) + " ")  # what repeats itself would be cut
        yield GenerationFinished(generated_tokens=self.tokens)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the figures as JSON, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m api.bench", description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=300, help="of each way, one after the other  每种方式的提问数")
    parser.add_argument("--rounds", type=int, default=3, help="of ten streams at once  十路并发的轮数")
    options = parser.parse_args(arguments)
    generator = PacedGenerator()
    with tempfile.TemporaryDirectory() as folder, _serve(Path(folder), generator) as (services, url):
        figures = {**_added_ms(services, url, options.questions), **_streams(services, url, generator, options.rounds)}
    print(json.dumps(figures, indent=2))
    return 0


def _added_ms(services: SharedServices, url: str, questions: int) -> dict[str, float]:
    desk_ms, api_ms = [], []
    with closing(HTTPConnection(url.removeprefix("http://"))) as client:
        for number in range(questions + 20):
            desk, api = _elapsed_ms(lambda: _ask_desk(services)), _elapsed_ms(lambda: _ask_api(client))
            if number >= 20:  # the first ones warm both ways up
                desk_ms.append(desk)
                api_ms.append(api)
    return {
        "questions": questions,
        "desk_p50_ms": _rounded(_percentile(desk_ms, 50)),
        "api_p50_ms": _rounded(_percentile(api_ms, 50)),
        "added_p50_ms": _rounded(_percentile(api_ms, 50) - _percentile(desk_ms, 50)),
        "desk_p99_ms": _rounded(_percentile(desk_ms, 99)),
        "api_p99_ms": _rounded(_percentile(api_ms, 99)),
        "added_p99_ms": _rounded(_percentile(api_ms, 99) - _percentile(desk_ms, 99)),
    }


def _streams(services: SharedServices, url: str, generator: PacedGenerator, rounds: int) -> dict[str, float]:
    """Return the tokens a second of ten at once, by the desk's service and by streams of the API."""
    generator.tokens, generator.tokens_a_second = _TOKENS, _TOKENS_A_SECOND
    desk_s, api_s = 0.0, 0.0
    for _ in range(rounds):
        desk_s += _elapsed_ms(lambda: _run_together(lambda: _ask_desk(services))) / 1000
        api_s += _streamed_seconds(url)
    tokens = rounds * _STREAMS * _TOKENS
    return {
        "streams": _STREAMS,
        "desk_tokens_a_second": _rounded(tokens / desk_s),
        "api_tokens_a_second": _rounded(tokens / api_s),
        "streams_ratio": round(desk_s / api_s, 3),
    }


def _ask_desk(services: SharedServices) -> None:
    turns = PersonalTurns(services.turns, services.bases, lambda: LOCAL_USER)
    turn_id = turns.submit(str(time.perf_counter()), TurnRequest(_QUESTION, fresh=True), tab="bench")
    turns.wait(turn_id, lambda _: False, timeout_seconds=60)


def _ask_api(client: HTTPConnection) -> None:
    body = json.dumps({"question": _QUESTION, "fresh": True})
    client.request("POST", "/api/v1/ask", body, {"Content-Type": "application/json"})
    response = client.getresponse()
    if response.status != HTTPStatus.OK or not response.read():
        raise SystemExit(f"the API answered {response.status}")


def _streamed_seconds(url: str) -> float:
    """Return how long ten streams take, read by another process: the interpreter's lock is the server's alone."""
    command = [sys.executable, "-m", "api.bench.stream_client", url, str(_STREAMS), _QUESTION]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _run_together(ask: Callable[[], None]) -> None:
    threads = [threading.Thread(target=ask) for _ in range(_STREAMS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _elapsed_ms(call: Callable[[], None]) -> float:
    began_at = time.perf_counter()
    call()
    return (time.perf_counter() - began_at) * 1000


def _percentile(values: Sequence[float], share: float) -> float:
    return float(np.percentile(values, share))


def _rounded(value: float) -> float:
    return round(value, 2)


@contextmanager
def _serve(folder: Path, generator: PacedGenerator) -> Iterator[tuple[SharedServices, str]]:
    settings = Settings(data_dir=folder, cache_dir=folder / "cache", ollama_host="127.0.0.1:9", sign_in="off")
    pipeline = build_offline_pipeline(folder, generator=generator, slots=_STREAMS)
    services = _services(settings, pipeline)
    application = api_application(lambda: services, settings, host_names(["127.0.0.1"]))
    server = uvicorn.Server(uvicorn.Config(application, port=_PORT_OF_ANY, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield services, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        services.close()


def _services(settings: Settings, pipeline: Pipeline) -> SharedServices:
    services = open_services(settings)
    pipelines = Pipelines(services.bases, lambda name: pipeline)
    services.turns.close()
    return replace(services, turns=TurnService(pipelines, open_turns(settings), 32, limits=PersonLimits()))


if __name__ == "__main__":
    keep_files_private()
    sys.exit(main())
