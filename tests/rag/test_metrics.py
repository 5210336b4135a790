"""``/metrics`` is read as Prometheus reads it, and knows the turns, the line and the model."""

import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from rag.errors import MetricsPortTaken
from rag.metrics import StageHistogram, serve_metrics
from rag.queue.admission import Admission
from rag.schema import SpanTime
from rag.settings import Settings
from rag.storage.turn_store import TurnStore
from rag.storage.turn_times import TurnTimes
from tests.conftest import free_port
from tests.ollama_stub import OllamaStub

pytestmark = pytest.mark.slow

QUESTION = "Where is my secret parcel?"
Samples = dict[tuple[str, tuple[str, ...]], float]


def scraped(settings: Settings) -> tuple[str, Samples]:
    url = f"http://127.0.0.1:{settings.metrics_port}/metrics"
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=30) as response:
        text = response.read().decode()
    return text, {
        (sample.name, tuple(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def record(settings: Settings, evidence_ms: float, state: str = "done") -> None:
    store = TurnStore(settings.turns_path)
    turn = store.add(QUESTION, session="agent 7", language="en")
    times = TurnTimes((SpanTime("search", evidence_ms), SpanTime("wait", 3000.0)), 40, 2500.0)
    store.update(replace(turn, state=state), times)  # type: ignore[arg-type]
    store.close()


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    with OllamaStub(models=["m"]) as stub:
        row = {"name": "m:1", "size": 1000, "size_vram": 400, "context_length": 4096}
        stub.answers["/api/ps"] = lambda _: (200, [{"models": [row]}])
        yield Settings(
            data_dir=tmp_path / "data",
            cache_dir=tmp_path / "cache",
            ollama_host=stub.url,
            metrics_port=free_port(),
            parallel_slots=1,
        )


def test_turns_stages_line_and_model(settings: Settings) -> None:
    record(settings, 40.0)
    record(settings, 1500.0, state="refused")
    admission = Admission.of(settings)
    tickets = [admission.ticket() for _ in range(3)]
    with serve_metrics(settings):
        text, found = scraped(settings)
        assert found["answerdesk_turns_total", ("done",)] == 1
        assert found["answerdesk_turns_total", ("refused",)] == 1
        assert found["answerdesk_turns_total", ("failed",)] == 0
        assert found["answerdesk_stage_seconds_bucket", ("0.05", "evidence")] == 1
        assert found["answerdesk_stage_seconds_bucket", ("1.0", "evidence")] == 1
        assert found["answerdesk_stage_seconds_count", ("evidence",)] == 2
        assert found["answerdesk_stage_seconds_sum", ("wait",)] == 6.0
        assert found["answerdesk_generated_tokens_total", ()] == 80
        assert found["answerdesk_generation_seconds_total", ()] == 5.0
        assert [found[f"answerdesk_{name}", ()] for name in ("slots", "slots_busy", "queue_length")] == [1, 1, 2]
        assert found["answerdesk_model_memory_bytes", ("m:1", "gpu")] == 400
        assert found["answerdesk_model_memory_bytes", ("m:1", "host")] == 600
        assert found["answerdesk_process_memory_bytes", ()] > 1e6
        assert QUESTION not in text
        assert "agent 7" not in text
        record(settings, 40.0)
        _, again = scraped(settings)
        assert again["answerdesk_stage_seconds_count", ("evidence",)] == 3
    for ticket in tickets:
        ticket.close()


def test_without_a_model_server_the_rest_is_told(settings: Settings) -> None:
    gone = settings.changed(ollama_host=f"127.0.0.1:{free_port()}")
    with serve_metrics(gone):
        _, found = scraped(gone)
    assert found["answerdesk_model_server_up", ()] == 0
    assert found["answerdesk_turns_total", ("done",)] == 0
    assert not [name for name, _ in found if name == "answerdesk_model_memory_bytes"]


def test_of_several_hosts_those_that_answer_are_counted(settings: Settings) -> None:
    with serve_metrics(settings):
        _, found = scraped(settings)
    assert ("answerdesk_model_hosts_usable", ()) not in found
    with OllamaStub(models=["m"]) as other:
        row = {"name": "m:1", "size": 500, "size_vram": 0, "context_length": 4096}
        other.answers["/api/ps"] = lambda _: (200, [{"models": [row]}])
        hosts = f"{settings.ollama_host},{other.url},127.0.0.1:{free_port()}"
        several = settings.changed(ollama_host=hosts, model="m")
        with serve_metrics(several):
            _, found = scraped(several)
    assert found["answerdesk_model_server_up", ()] == 1
    assert found["answerdesk_model_hosts_usable", ()] == 2
    assert found["answerdesk_slots", ()] == 2
    assert found["answerdesk_model_memory_bytes", ("m:1", "host")] == 1100


def test_a_taken_port_is_said(settings: Settings) -> None:
    with serve_metrics(settings), pytest.raises(MetricsPortTaken) as error, serve_metrics(settings):
        pass
    assert "ANSWERDESK_METRICS_PORT" in error.value.text("en")
    assert str(settings.metrics_port) in error.value.text("zh")


def test_buckets_are_cumulative() -> None:
    histogram = StageHistogram()
    for seconds in (0.005, 0.0051, 1.0, 1000.0):
        histogram.add(seconds)
    buckets = dict(histogram.cumulative())
    assert (buckets["0.005"], buckets["0.01"], buckets["1.0"], buckets["300.0"], buckets["+Inf"]) == (1, 2, 3, 3, 4)


def test_under_a_strangers_name_nothing_is_told(settings: Settings) -> None:
    with serve_metrics(settings.changed(host_names="desk.example.org")):
        url = f"http://127.0.0.1:{settings.metrics_port}/metrics"
        statuses = {}
        for host in ("evil.example", "evil.example:8501", "", "[", "localhost", "desk.example.org:80", "[::1]:9"):
            answer = httpx.get(url, headers={"Host": host}, trust_env=False)
            statuses[host] = answer.status_code
            assert ("answerdesk" in answer.text) == (answer.status_code == 200)
    assert list(statuses.values()) == [403] * 4 + [200] * 3
