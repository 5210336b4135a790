"""Divides the time of a generation into the stages of a trace."""

import time

from rag.protocols import GeneratedText, GeneratedThinking, GenerationFinished
from rag.schema import AnswerDelta, Event, ThinkingDelta
from rag.tracing import Trace


class GenerationClock:
    """Tells when the model began to think and to answer, in seconds of ``perf_counter``."""

    def __init__(self) -> None:
        self._began_at = time.perf_counter()
        self._thought_at: float | None = None
        self._answered_at: float | None = None
        self._load_ms = 0.0

    def loaded(self, finished: GenerationFinished) -> None:
        """Count the time in which the server loaded the model."""
        self._load_ms += finished.load_ms

    def saw(self, part: GeneratedThinking | GeneratedText) -> Event:
        """Note the time of a part and return the event that passes it on."""
        if isinstance(part, GeneratedThinking):
            self._thought_at = self._thought_at or time.perf_counter()
            return ThinkingDelta(part.text)
        self._answered_at = self._answered_at or time.perf_counter()
        return AnswerDelta(part.text)

    def record(self, trace: Trace) -> None:
        """Divide the time up to now, without that of the citations, into load, prompt, thinking and answer."""
        ended_at = time.perf_counter()
        answered_at = self._answered_at or ended_at
        first_at = self._thought_at or answered_at
        until_first_ms = (first_at - self._began_at) * 1000
        load_ms = min(self._load_ms, until_first_ms)
        trace.record("load", load_ms)
        trace.record("prompt", until_first_ms - load_ms)
        if self._thought_at is not None:
            trace.record("thinking", (answered_at - self._thought_at) * 1000)
        writing_ms = (ended_at - answered_at) * 1000 - trace.recorded_ms("citations")
        trace.record("answer", max(0.0, writing_ms))  # nothing at all may have been written before the check
