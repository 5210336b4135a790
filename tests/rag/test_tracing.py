"""Spans are ordered by stage, add up, and survive an error inside."""

import pytest

from rag.generation.answer import GenerationClock
from rag.protocols import GeneratedText
from rag.tracing import STAGES, Trace


def test_spans_come_in_the_order_of_the_stages_and_add_up() -> None:
    trace = Trace()
    trace.record("search", 2.0)
    trace.record("embed", 1.0)
    trace.record("search", 3.0)
    assert [(span.name, span.duration_ms) for span in trace.spans()] == [("embed", 1.0), ("search", 5.0)]


def test_a_span_is_kept_when_its_block_raises() -> None:
    trace = Trace()
    with pytest.raises(RuntimeError), trace.span("pack"):
        raise RuntimeError
    assert [span.name for span in trace.spans()] == ["pack"]
    assert 0 <= trace.spans()[0].duration_ms <= trace.elapsed_ms()


def test_the_time_of_the_citations_is_none_of_the_answers() -> None:
    trace, clock = Trace(), GenerationClock()
    clock.stamp(GeneratedText("Within 30 days."))
    trace.record("citations", 60_000.0)  # longer than the test
    clock.record(trace)
    assert (trace.recorded_ms("answer"), trace.recorded_ms("citations")) == (0.0, 60_000.0)


def test_an_unknown_stage_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown stage 'lunch'"):
        Trace().record("lunch", 1.0)
    assert STAGES[-1] == "total"
