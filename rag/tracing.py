"""Where the time of one answer goes, and of many.  A trace is passed as an argument, never ambient.

Stage names, in the order in which they happen: ``embed``, ``search``, ``rerank`` (where there is a cross-encoder),
``pack``, ``wait`` (for a free model slot), ``expand`` (a second search with the model's words), ``load``, ``prompt``
(until the first token of either kind), ``thinking``, ``answer``, ``citations``, and ``total``.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from rag.schema import SpanTime

STAGES = (
    "embed",
    "search",
    "rerank",
    "pack",
    "wait",
    "expand",
    "load",
    "prompt",
    "thinking",
    "answer",
    "citations",
    "total",
)
UNTIL_EVIDENCE = ("embed", "search", "rerank", "pack")
"""The stages before the passages are shown."""


class Trace:
    """Collects the spans of one answer.

    >>> trace = Trace()
    >>> trace.record("embed", 5.0)
    >>> [(span.name, span.duration_ms) for span in trace.spans()]
    [('embed', 5.0)]
    """

    def __init__(self) -> None:
        self._started_at = time.perf_counter()
        self._spans: list[SpanTime] = []

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """Time a block, also when it raises."""
        started_at = time.perf_counter()
        try:
            yield
        finally:
            self.record(name, (time.perf_counter() - started_at) * 1000)

    def record(self, name: str, duration_ms: float) -> None:
        """Keep a duration that was measured elsewhere, in milliseconds; durations of the same name add up."""
        if name not in STAGES:
            raise ValueError(f"unknown stage {name!r}; known: {STAGES}")
        for position, span in enumerate(self._spans):
            if span.name == name:
                self._spans[position] = SpanTime(name, span.duration_ms + duration_ms)
                return
        self._spans.append(SpanTime(name, duration_ms))

    def recorded_ms(self, name: str) -> float:
        """Return a stage's milliseconds so far."""
        return sum(span.duration_ms for span in self._spans if span.name == name)

    def elapsed_ms(self) -> float:
        """Return milliseconds since the trace began."""
        return (time.perf_counter() - self._started_at) * 1000

    def spans(self) -> tuple[SpanTime, ...]:
        """Return the spans so far, in the order of ``STAGES``."""
        return tuple(sorted(self._spans, key=lambda span: STAGES.index(span.name)))


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds, by linear interpolation between the two nearest ranks (numpy's default); None without a sample."""

    n: int
    p50: float | None
    p95: float | None
    p99: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Percentiles":
        """Compute them; the empty case has n 0 and no numbers."""
        if not values:
            return cls(n=0, p50=None, p95=None, p99=None)
        p50, p95, p99 = (round(float(value), 1) for value in np.percentile(values, [50, 95, 99]))
        return cls(n=len(values), p50=p50, p95=p95, p99=p99)
