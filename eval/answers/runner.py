"""Ask every question through the same pipeline that serves the desk, and save each answer before it is scored."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter, ValidationError

from ingest.golden import GoldenQuestion
from rag.errors import (
    ModelStoppedHalfway,
    ModelTimedOut,
    OllamaRefused,
    QuestionError,
    SettingsError,
)
from rag.schema import Answer, AnswerDelta, Completed, Event, Retrieved, ThinkingDelta

# These end one question; anything else (no knowledge base, no model server) ends the run, which can be resumed.
_ONE_QUESTION_ONLY = (QuestionError, ModelStoppedHalfway, ModelTimedOut, OllamaRefused)


class Streams(Protocol):
    """What the runner needs of a pipeline."""

    def stream(self, question: str, *, think: bool | None = None) -> Iterator[Event]:
        """Yield the events of one answer."""


@dataclass(frozen=True, slots=True)
class Record:
    """What came of one question.  Times are milliseconds since the question was asked; None where it never came.

    ``evidence_documents`` are the ids in the order of the evidence, each once.  ``error`` is the error's class name.
    """

    question_id: str
    answer: Answer | None
    error: str
    evidence_documents: tuple[str, ...]
    answerable_probability: float
    evidence_ms: float | None
    first_token_ms: float | None
    first_answer_ms: float | None
    total_ms: float


def ask(pipeline: Streams, question: GoldenQuestion, *, think: bool | None) -> Record:
    """Ask one question.  An error of this question alone is recorded; an error of the surroundings is raised."""
    started_at = time.perf_counter()
    times: dict[str, float] = {}
    documents: tuple[str, ...] = ()
    probability = 0.0
    answer: Answer | None = None
    error = ""

    def mark(name: str) -> None:
        times.setdefault(name, (time.perf_counter() - started_at) * 1000)

    try:
        for event in pipeline.stream(question.question, think=think):
            match event:
                case Retrieved():
                    mark("evidence")
                    documents = tuple(dict.fromkeys(item.document_id for item in event.evidence))
                    probability = event.answerable_probability
                case ThinkingDelta():
                    mark("first_token")
                case AnswerDelta():
                    mark("first_token")
                    mark("first_answer")
                case Completed():
                    answer = event.answer
    except _ONE_QUESTION_ONLY as raised:
        error = type(raised).__name__
    mark("total")
    return Record(
        question_id=question.question_id,
        answer=answer,
        error=error,
        evidence_documents=documents,
        answerable_probability=probability,
        evidence_ms=times.get("evidence"),
        first_token_ms=times.get("first_token"),
        first_answer_ms=times.get("first_answer"),
        total_ms=times["total"],
    )


def run(
    pipeline: Streams,
    questions: Sequence[GoldenQuestion],
    records_path: Path,
    *,
    think: bool | None,
    progress: Callable[[Record], None] = lambda record: None,
) -> tuple[Record, ...]:
    """Ask what ``records_path`` does not hold yet, one JSONL line a question, and return all records in order.

    A run that was interrupted, even in mid-line, goes on where it stopped.
    """
    done = {record.question_id: record for record in _whole_records(records_path)}
    records_path.parent.mkdir(parents=True, exist_ok=True)
    with records_path.open("a", encoding="utf-8") as file:
        for question in questions:
            if question.question_id not in done:
                record = ask(pipeline, question, think=think)
                file.write(json.dumps(asdict(record), ensure_ascii=False) + "\n")
                file.flush()
                done[question.question_id] = record
            progress(done[question.question_id])
    return tuple(done[question.question_id] for question in questions)


def _whole_records(path: Path) -> list[Record]:
    """Read a run's records; a last line that was cut off is removed from the file."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    adapter = TypeAdapter(Record)
    try:
        return [adapter.validate_json(line) for line in whole.splitlines()]
    except ValidationError as error:
        raise SettingsError(reason=f"{path} is not a run of this program") from error
