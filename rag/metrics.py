"""Metrics of the desk for Prometheus, at ``/metrics`` on this machine only (``ANSWERDESK_METRICS_PORT``).

No question, no answer and no name is in it.  Turns, stages and tokens come from the recorded turns, so they go on where
they stood before a restart; the rest is looked at when somebody asks.
"""

import threading
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil
from prometheus_client import CollectorRegistry, make_wsgi_app, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from rag.errors import MetricsPortTaken, ServingError
from rag.ollama.client import LoadedModel
from rag.ollama.hosts import hosts_of, loaded_models
from rag.queue.admission import Admission
from rag.settings import LOOPBACKS, Settings
from rag.storage.turn_times import TurnTimesTable

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0, 120.0, 300.0)
_HOST = "127.0.0.1"


class StageHistogram:
    """The durations of one stage, in seconds."""

    def __init__(self) -> None:
        self.total_seconds = 0.0
        self._counts = [0] * (len(BUCKETS_SECONDS) + 1)

    def add(self, seconds: float) -> None:
        """Count a duration into the first bucket that holds it."""
        self._counts[bisect_left(BUCKETS_SECONDS, seconds)] += 1
        self.total_seconds += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        """Return Prometheus' buckets: each upper bound with the number of durations up to it."""
        bounds = [*(str(bound) for bound in BUCKETS_SECONDS), "+Inf"]
        counts = [sum(self._counts[: place + 1]) for place in range(len(bounds))]
        return [(bound, float(count)) for bound, count in zip(bounds, counts, strict=True)]


class DeskCollector:
    """Gathers the figures when they are asked for.  Safe to call from several threads."""

    def __init__(self, settings: Settings) -> None:
        self._times = TurnTimesTable(settings.turns_database)
        self._admission = Admission.of(settings)
        self._settings = settings
        self._lock = threading.Lock()
        self._last_span = 0
        self._histograms: dict[str, StageHistogram] = {}

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        with self._lock:
            yield from self._turns()
            yield self._stages()
        yield from self._queue_metrics()
        yield from self._model()
        memory = psutil.Process().memory_info().rss
        yield GaugeMetricFamily("answerdesk_process_memory_bytes", "Resident memory of the desk.", value=memory)

    def _turns(self) -> Iterator[Metric]:
        outcomes = self._times.outcomes()
        turns = CounterMetricFamily("answerdesk_turns", "Recorded turns by outcome.", labels=["outcome"])
        for state in ("done", "refused", "failed", "stopped"):
            turns.add_metric([state], outcomes.turns.get(state, 0))
        yield turns
        seconds = outcomes.generation_ms / 1000
        yield CounterMetricFamily(
            "answerdesk_generated_tokens", "Tokens that the model generated.", value=outcomes.generated_tokens
        )
        yield CounterMetricFamily("answerdesk_generation_seconds", "Time that it took for them.", value=seconds)
        yield CounterMetricFamily(
            "answerdesk_turns_without_evidence",
            "Turns that failed before any passage was found.",
            value=self._times.failed_without_evidence(),
        )

    def _stages(self) -> Metric:
        for span, stage, duration_ms in self._times.spans_after(self._last_span):
            self._last_span = span
            self._histograms.setdefault(stage, StageHistogram()).add(duration_ms / 1000)
        family = HistogramMetricFamily("answerdesk_stage_seconds", "Time of each stage of a turn.", labels=["stage"])
        for stage, histogram in sorted(self._histograms.items()):
            family.add_metric([stage], histogram.cumulative(), histogram.total_seconds)
        return family

    def _queue_metrics(self) -> Iterator[Metric]:
        occupancy = self._admission.occupancy()
        for name, meaning, value in (
            ("answerdesk_slots", "Answers that may be generated at once.", occupancy.slots),
            ("answerdesk_slots_busy", "Answers being generated, of all programs.", occupancy.running),
            ("answerdesk_queue_length", "Questions that wait for a slot, of all programs.", occupancy.waiting),
        ):
            yield GaugeMetricFamily(name, meaning, value=value)

    def _model(self) -> Iterator[Metric]:
        loaded: list[LoadedModel] = []
        try:
            loaded = loaded_models(self._settings)
            answers = 1
        except ServingError:
            answers = 0  # which is what the gauge says
        yield GaugeMetricFamily("answerdesk_model_server_up", "Whether Ollama answers.", value=answers)
        hosts = hosts_of(self._settings)
        if hosts is not None:
            yield GaugeMetricFamily(
                "answerdesk_model_hosts_usable",
                "Model servers that answer and have the model, where several are named.",
                value=len(hosts.slots()),
            )
        memory = GaugeMetricFamily(
            "answerdesk_model_memory_bytes", "Memory of a loaded model.", labels=["model", "where"]
        )
        for model in loaded:
            memory.add_metric([model.name, "gpu"], model.gpu_bytes)
            memory.add_metric([model.name, "host"], model.memory_bytes - model.gpu_bytes)
        yield memory


@contextmanager
def serve_metrics(settings: Settings) -> Iterator[None]:
    """Serve ``/metrics`` at ``settings.metrics_port`` during a block, in threads of its own.

    Only under this machine's own names: under another one, a page in a browser here could read it (DNS rebinding).
    Raises ``MetricsPortTaken``.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(DeskCollector(settings))
    try:
        server, thread = start_http_server(settings.metrics_port, _HOST, registry)
    except OSError as error:
        raise MetricsPortTaken(port=settings.metrics_port) from error
    server.set_app(_require_own_name(make_wsgi_app(registry), {*LOOPBACKS, *settings.desk_names()}))
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _require_own_name(application: "WSGIApplication", names: Collection[str]) -> "WSGIApplication":
    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        try:
            name = urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname
        except ValueError:
            name = None
        if name in names:
            return application(environ, start_response)
        start_response("403 Forbidden", [("Content-Length", "0")])
        return []

    return answer
