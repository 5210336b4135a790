"""Spans reach a collector, without a word of what was asked; and a collector that fails fails nobody's answer."""

import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from rag.errors import OllamaUnavailable, SettingsError
from rag.factory import build_pipeline
from rag.pipeline import Pipeline
from rag.protocols import GeneratedText, GeneratedThinking, GenerationFinished
from rag.schema import Answer
from rag.settings import Settings, load_settings
from rag.telemetry import traced_pipeline
from rag.telemetry.otlp import OtlpExport
from rag.telemetry.traced_pipeline import TracedPipeline, span_export
from rag.testing import SAMPLE_DOCUMENTS, HashEmbedder, Script, ScriptedGenerator, offline_parts, publish_documents
from rag.tracing import STAGES
from tests.conftest import free_port
from tests.rag.command import CHECKOUT
from tests.rag.telemetry.collector import Collector

pytestmark = pytest.mark.slow

QUESTION = "How many days do I have to send the kettle Xanthippe back?"
LIBRARY = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("ANSWERDESK_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SERVICE_NAME"):
        monkeypatch.delenv(name, raising=False)
    traced_pipeline._export_to.cache_clear()
    load_settings.cache_clear()
    yield
    traced_pipeline._export_to.cache_clear()
    load_settings.cache_clear()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        yield server


def thoughtful(text: str = "You can send it back within 30 days of delivery.") -> Script:
    finished = GenerationFinished(generated_tokens=21, generation_ms=400.0)
    return lambda messages: [GeneratedThinking("Let me see, Xanthippe."), GeneratedText(text), finished]


def traced(folder: Path, url: str, script: Script | None = None, **changes: float) -> tuple[TracedPipeline, OtlpExport]:
    parts = offline_parts(folder, generator=ScriptedGenerator(script or thoughtful()), **changes)  # type: ignore[arg-type]
    export = OtlpExport(url)
    return TracedPipeline(parts, export), export


def attributes(span: Span) -> dict[str, object]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def passages_of(pipeline: Pipeline) -> int:
    return len(pipeline.prepare(QUESTION)[0].evidence)


def asked(pipeline: Pipeline, export: OtlpExport) -> Answer:
    answer = pipeline.answer(QUESTION, think=True)
    export.flush()
    return answer


def test_every_stage_is_a_span_within_its_answer(tmp_path: Path, collector: Collector) -> None:
    pipeline, export = traced(tmp_path, collector.url)
    answer = asked(pipeline, export)
    export.close()
    assert [path for path, _ in collector.posted] == ["/v1/traces"]
    spans = {span.span_id: span for span in collector.spans()}
    [root] = [span for span in spans.values() if not span.parent_span_id]
    assert len({span.trace_id for span in spans.values()}) == 1

    def below(parent: Span) -> list[str]:
        children = [span for span in spans.values() if span.parent_span_id == parent.span_id]
        return [span.name for span in sorted(children, key=lambda span: (span.start_time_unix_nano, span.name))]

    assert root.name == "answerdesk.answer"
    stages = {*STAGES} - {"total", "rerank", "expand"}
    assert {span.name for span in spans.values()} == {root.name, "chat scripted", *stages}
    assert sorted(below(root)) == sorted(["embed", "search", "pack", "wait", "chat scripted", "citations"])
    [call] = [span for span in spans.values() if span.name == "chat scripted"]
    assert sorted(below(call)) == sorted(["load", "prompt", "thinking", "answer"])
    for span in spans.values():
        assert root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= root.end_time_unix_nano
    durations = {one.name: one.duration_ms for one in answer.spans}
    [thinking] = [span for span in spans.values() if span.name == "thinking"]
    taken_ms = (thinking.end_time_unix_nano - thinking.start_time_unix_nano) / 1e6
    assert taken_ms == pytest.approx(durations["thinking"], abs=0.001)
    assert abs(root.end_time_unix_nano - time.time_ns()) < 60e9


def test_attributes_are_counts_model_language_refused_and_generation(tmp_path: Path, collector: Collector) -> None:
    pipeline, export = traced(tmp_path, collector.url)
    answer = asked(pipeline, export)
    export.close()
    spans = collector.spans()
    [root] = [span for span in spans if not span.parent_span_id]
    assert attributes(root) == {
        "answerdesk.language": "en",
        "answerdesk.refused": False,
        "answerdesk.generation": 1,
        "answerdesk.passages": passages_of(pipeline),
        "answerdesk.citations": len(answer.citations),
        "answerdesk.unsupported": len(answer.unsupported),
        "answerdesk.conflicts": 0,
        "gen_ai.response.model": "scripted",
    }
    found = {span.name: attributes(span) for span in spans if span.parent_span_id}
    assert found.pop("chat scripted") == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "ollama",
        "gen_ai.request.model": "scripted",
        "gen_ai.usage.output_tokens": 21,
    }
    assert found.pop("embed") == {"gen_ai.operation.name": "embeddings"}
    assert found.pop("search") == {"gen_ai.operation.name": "retrieval"}
    assert all(values == {} for values in found.values())


def test_no_word_of_question_thought_answer_or_document_leaves(tmp_path: Path, collector: Collector) -> None:
    pipeline, export = traced(tmp_path, collector.url)
    asked(pipeline, export)
    pipeline.answer("信用卡退款多久到账？", earlier=("微信呢？",))
    export.close()
    words = ("kettle", "xanthippe", "days", "30", "delivery", "returns", "信用卡", "微信", "refund", str(tmp_path))
    sent = collector.texts()
    assert "answerdesk.answer" in sent
    assert [(word, text) for text in sent for word in words if word in text.lower()] == []


def test_a_refusal_has_no_call_of_a_model(tmp_path: Path, collector: Collector) -> None:
    pipeline, export = traced(tmp_path, collector.url, refusal_threshold=1.0)
    assert asked(pipeline, export).refused
    export.close()
    [root] = [span for span in collector.spans() if not span.parent_span_id]
    assert attributes(root)["answerdesk.refused"] is True
    assert "gen_ai.response.model" not in attributes(root)
    assert {span.name for span in collector.spans()} == {"answerdesk.answer", "embed", "search", "pack"}


def test_what_failed_and_what_was_left_is_told_by_its_errors_name(tmp_path: Path, collector: Collector) -> None:
    pipeline, export = traced(tmp_path, collector.url)

    def fails() -> None:
        raise OllamaUnavailable(host="gpu-box-of-somebody")

    gateway = replace(pipeline.parts.gateway, ensure_server=fails)
    broken = TracedPipeline(replace(pipeline.parts, gateway=gateway), export)
    with pytest.raises(OllamaUnavailable):
        broken.answer(QUESTION)
    left = pipeline.stream(QUESTION)
    next(left)
    left.close()
    export.close()
    spans = collector.spans()
    assert [attributes(span) for span in spans] == [
        {"error.type": kind, "answerdesk.generation": 1, "answerdesk.passages": passages_of(pipeline)}
        for kind in ("OllamaUnavailable", "AnswerCancelled")
    ]
    assert all(span.status.code == Status.STATUS_CODE_ERROR and not span.status.message for span in spans)
    assert b"gpu-box" not in b"".join(body for _, body in collector.posted)


@pytest.mark.parametrize("status", [None, 400, 500], ids=["nobody", "refuses", "is broken"])
@pytest.mark.parametrize(
    ("language", "words"), [("C", "does not take the traces"), ("zh_CN.UTF-8", "未接收回答的追踪数据")]
)
def test_a_collector_that_fails_is_said_once_and_stops_no_answer(
    tmp_path: Path,
    collector: Collector,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    status: int | None,
    language: str,
    words: str,
) -> None:
    monkeypatch.setenv("LC_ALL", language)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.3")
    collector.status = status or 200
    address = f"127.0.0.1:{free_port()}" if status is None else collector.url.removeprefix("http://")
    pipeline, export = traced(tmp_path, f"http://somebody:secret@{address}/otlp")
    for _ in range(2):
        assert asked(pipeline, export).model == "scripted"
    export.close()
    [record] = caplog.records
    assert (record.levelno, record.name) == (logging.WARNING, "rag.telemetry.otlp")
    assert words in record.message and f"http://{address}" in record.message
    assert "secret" not in record.message


def test_another_exporter_of_the_process_still_speaks(
    tmp_path: Path, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    _, export = traced(tmp_path, collector.url)
    logging.getLogger(LIBRARY).warning("somebody else's")
    export.close()
    assert [record.message for record in caplog.records] == ["somebody else's"]


def test_the_variables_name_the_collector(
    monkeypatch: pytest.MonkeyPatch, collector: Collector, tmp_path: Path
) -> None:
    assert span_export(load_settings()) is None
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "desk-of-the-shop")
    settings = Settings(data_dir=tmp_path, cache_dir=tmp_path, refusal_threshold=1.0)
    embedder = HashEmbedder()
    publish_documents(settings.knowledge_dir, SAMPLE_DOCUMENTS, embedder)
    pipeline = build_pipeline(settings, embedder=embedder)
    assert isinstance(pipeline, TracedPipeline)
    pipeline.answer(QUESTION)
    export = span_export(settings)
    assert isinstance(export, OtlpExport)
    export.close()
    [request] = collector.requests()
    resource = {one.key: one.value.string_value for one in request.resource_spans[0].resource.attributes}
    assert resource["service.name"] == "desk-of-the-shop"
    assert {key.split(".")[0] for key in resource} <= {"service", "telemetry"}
    monkeypatch.setenv("ANSWERDESK_OTLP_ENDPOINT", "http://elsewhere:4318")
    load_settings.cache_clear()
    assert load_settings().otlp_endpoint == "http://elsewhere:4318"


@pytest.mark.parametrize("endpoint", ["collector:4318", "grpc://collector:4317", "http://", "http://collector:x"])
def test_an_address_that_cannot_be_one_is_named(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    with pytest.raises(SettingsError, match="OTLP_ENDPOINT"):
        load_settings()


@pytest.mark.parametrize(
    ("language", "words"), [("C", "packages for it are missing"), ("zh_CN.UTF-8", "缺少所需的软件包")]
)
def test_a_missing_extra_is_said_once_and_stops_no_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, language: str, words: str
) -> None:
    monkeypatch.setenv("LC_ALL", language)
    monkeypatch.delitem(sys.modules, "rag.telemetry.otlp")
    monkeypatch.setitem(sys.modules, LIBRARY, None)
    settings = Settings(data_dir=tmp_path, cache_dir=tmp_path, refusal_threshold=1.0, otlp_endpoint="http://c:4318")
    embedder = HashEmbedder()
    publish_documents(settings.knowledge_dir, SAMPLE_DOCUMENTS, embedder)
    pipelines = [build_pipeline(settings, embedder=embedder) for _ in range(2)]
    assert [type(pipeline) for pipeline in pipelines] == [Pipeline, Pipeline]
    assert pipelines[0].answer(QUESTION).refused
    [record] = caplog.records
    assert words in record.message and "answerdesk[otel]" in record.message


def test_without_a_collector_nothing_of_it_is_imported() -> None:
    code = (
        "import sys; from rag.factory import build_pipeline; from rag.settings import load_settings; "
        "from rag.telemetry.traced_pipeline import span_export; assert span_export(load_settings()) is None; "
        "print([name for name in sys.modules if name.startswith('opentelemetry')], 'rag.telemetry.otlp' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[] False\n", "")


def test_a_command_that_ends_sends_what_is_left(tmp_path: Path, collector: Collector) -> None:
    code = (
        "import sys; from rag.telemetry.traced_pipeline import AnswerSpan; from rag.settings import load_settings; "
        "from rag.telemetry.traced_pipeline import span_export; "
        "span_export(load_settings())(AnswerSpan('answer', 1, 2))"
    )
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "ANSWERDESK_DATA_DIR": str(tmp_path), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [span.name for span in collector.spans()] == ["answer"]
