"""Sends spans by OTLP over HTTP from a background thread, in batches; failed batches are dropped.

OpenTelemetry's further variables hold: ``OTEL_EXPORTER_OTLP_HEADERS``, ``OTEL_EXPORTER_OTLP_TIMEOUT``,
``OTEL_SERVICE_NAME``, ``OTEL_RESOURCE_ATTRIBUTES``, ``OTEL_TRACES_SAMPLER``, ``OTEL_BSP_*``, ``OTEL_SDK_DISABLED``.
"""

import logging
import os
import threading
from collections.abc import Sequence
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer, set_span_in_context

from rag.telemetry.traced_pipeline import AnswerSpan
from rag.terminal import terminal_language
from rag.translate import translate

logger = logging.getLogger(__name__)

_TIMEOUT_SECONDS = 3.0  # also what a dead collector costs a command at its end
_KINDS = {"internal": SpanKind.INTERNAL, "client": SpanKind.CLIENT, "server": SpanKind.SERVER}


class OtlpExport:
    """Sends the spans of answers to the collector at ``endpoint``, OTLP's base address; what is left goes at exit.

    Calling it returns at once.  Nothing global is set: other OpenTelemetry of the same process is left alone.
    """

    def __init__(self, endpoint: str) -> None:
        timeout = None if "OTEL_EXPORTER_OTLP_TIMEOUT" in os.environ else _TIMEOUT_SECONDS
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=timeout)
        service = os.environ.get("OTEL_SERVICE_NAME", "answerdesk")
        self._provider = TracerProvider(resource=Resource.create({"service.name": service}))
        self._provider.add_span_processor(BatchSpanProcessor(_SaidOnce(exporter, _without_secrets(endpoint))))
        self._tracer = self._provider.get_tracer("answerdesk")

    def __call__(self, span: AnswerSpan) -> None:
        """Send a tree of spans."""
        _send(self._tracer, span, None)

    def flush(self) -> None:
        """Send all spans, and wait for it."""
        self._provider.force_flush()

    def close(self) -> None:
        """Send the remaining spans and end the thread."""
        self._provider.shutdown()


def _send(tracer: Tracer, span: AnswerSpan, parent: object) -> None:
    context = None if parent is None else set_span_in_context(parent)  # type: ignore[arg-type]
    sent = tracer.start_span(
        span.name,
        context,
        _KINDS[span.kind],
        dict(span.attributes),
        start_time=span.started_ns,
        record_exception=False,
    )
    if span.error:
        sent.set_status(Status(StatusCode.ERROR))
    for child in span.children:
        _send(tracer, child, sent)
    sent.end(span.ended_ns)


class _SaidOnce(SpanExporter):
    """Sends, and says once that it cannot, where the library would say it each time and at length."""

    def __init__(self, exporter: SpanExporter, collector: str) -> None:
        self._exporter = exporter
        self._collector = collector
        self._is_said = False
        self._here = threading.local()
        self._library = logging.getLogger(type(exporter).__module__)
        self._library.addFilter(self._is_others)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch."""
        self._here.sends = True
        try:
            result = self._exporter.export(spans)
        finally:
            self._here.sends = False
        if result is not SpanExportResult.SUCCESS and not self._is_said:
            self._is_said = True
            logger.warning("%s", translate("telemetry.collector_fails", terminal_language(), collector=self._collector))
        return result

    def shutdown(self) -> None:
        """End."""
        self._exporter.shutdown()
        self._library.removeFilter(self._is_others)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is kept here."""
        return self._exporter.force_flush(timeout_millis)

    def _is_others(self, record: logging.LogRecord) -> bool:
        del record
        return not getattr(self._here, "sends", False)


def _without_secrets(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
