"""The record of every question, written at once and before anything is computed."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from pydantic import TypeAdapter

from eval.answers.metrics import is_right_reply
from eval.core.runs import read_records
from ingest.golden import GoldenQuestion
from rag.errors import SettingsError
from rag.schema import SpanTime
from rag.terminal import terminal_language
from rag.translate import translate

Outcome = Literal["answered", "refused", "failed", "unfinished", "lost"]
"""``failed`` was said in words; ``unfinished`` was stopped by us when time was up; ``lost`` has no end at all."""


PRODUCT_ARMS = ("desks", "desk", "page")
"""The arms that are the product; a run has one of them, and holds it against the others."""


@dataclass(frozen=True, slots=True)
class WaitEstimate:
    """A remaining wait as it was estimated, and as it came."""

    told_seconds: float
    real_seconds: float


MODEL_STAGES = ("expand", "load", "prompt", "thinking", "answer")
"""The stages in which the model works."""


@dataclass(frozen=True, slots=True)
class LoadRecord:
    """One question.  Times are milliseconds since the moment for which it was planned; None where it never came.

    ``late_ms`` is how much after that moment it was sent.  ``asked_model`` is False where the product refused alone.
    """

    arm: str
    round: int
    session: int
    question_id: str
    late_ms: float
    evidence_ms: float | None
    first_word_ms: float | None
    total_ms: float
    outcome: Outcome
    error: str = ""
    right: bool | None = None
    asked_model: bool = True
    generated_tokens: int = 0
    prompt_tokens: int = 0
    spans: tuple[SpanTime, ...] = ()
    told: tuple[WaitEstimate, ...] = ()

    @property
    def around_model_ms(self) -> float | None:
        """``total_ms`` less the stages of the model itself; None where no stages are known."""
        if not self.spans:
            return None
        return self.total_ms - sum(span.duration_ms for span in self.spans if span.name in MODEL_STAGES)


@dataclass(frozen=True, slots=True)
class Block:
    """One arm for a while: all questions of a round, from the first one's moment to the last one's end.

    Memory and ``processor_seconds`` are those of the arm's own process, the product's; 0 where there is none.
    """

    arm: str
    round: int
    seconds: float
    memory_before_bytes: int = 0
    memory_peak_bytes: int = 0
    processor_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Asking:
    """One question that is due.

    ``due_at`` is in seconds of ``time.perf_counter``; ``stop`` is set when the run no longer waits for the answer.
    ``planned`` tells that the moment was drawn beforehand, so that a late start counts, too.
    """

    round: int
    session: int
    question: GoldenQuestion
    due_at: float
    stop: threading.Event
    planned: bool = False

    def record(self, arm: str, sent_at: float, outcome: Outcome) -> LoadRecord:
        """Return the record of an arm that sent the question at ``sent_at`` and is done with it now."""
        return LoadRecord(
            arm=arm,
            round=self.round,
            session=self.session,
            question_id=self.question.question_id,
            late_ms=(sent_at - self.due_at) * 1000,
            evidence_ms=None,
            first_word_ms=None,
            total_ms=(time.perf_counter() - self.due_at) * 1000,
            outcome=outcome,
        )

    def is_right(self, reply: str) -> bool | None:
        """Tell whether a reply is right; None where nothing is known of the answer."""
        question = self.question
        known = question.answerable and (question.answers or question.key_points)
        return is_right_reply(question, reply) if known else None


Ask = Callable[[Asking], LoadRecord]
OUTCOMES: dict[str, Outcome] = {"done": "answered", "refused": "refused", "failed": "failed", "stopped": "unfinished"}
"""The outcomes by the states of a turn that has ended."""


def warm(ask: Ask, question: GoldenQuestion) -> None:
    """Ask once, so that nothing is loaded while it is measured.  Raises ``SettingsError`` where that fails."""
    ended = ask(Asking(-1, 0, question, time.perf_counter(), threading.Event()))
    if ended.outcome not in ("answered", "refused"):
        raise SettingsError(reason=translate("bench_load.not_warm", terminal_language(), error=ended.error))


LINES: TypeAdapter[LoadRecord | Block] = TypeAdapter(LoadRecord | Block)


def load_records(path: Path) -> list[LoadRecord]:
    """Return a file's records, without its blocks."""
    return [line for line in read_records(path, LINES) if isinstance(line, LoadRecord)]


class RecordFile:
    """Records and blocks, a line each, flushed as they come; safe from many threads."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("ab")
        self._lock = threading.Lock()

    def keep(self, one: LoadRecord | Block) -> None:
        """Write one line."""
        with self._lock:
            self._file.write(LINES.dump_json(one) + b"\n")
            self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()
