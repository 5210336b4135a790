"""Ask every question in every arm, and save each answer before it is scored."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from eval.answers.conditions import Arm, Asks, MeteredGenerator, WatchedRetriever
from eval.core.runs import keep_asking
from ingest.golden import GoldenQuestion
from rag.errors import ModelSaidNothing, ModelStoppedHalfway, ModelTimedOut, OllamaRefused, QuestionError
from rag.schema import Answer, AnswerDelta, Completed, Evidence, Retrieved, ThinkingDelta

# These end one question; anything else (no knowledge base, no model server) ends the run, which can be resumed.
_ONE_QUESTION_ONLY = (QuestionError, ModelSaidNothing, ModelStoppedHalfway, ModelTimedOut, OllamaRefused)

NO_PASSAGE = "NoGoldPassage"
"""The error of a question whose own passage is not in the knowledge base, so that it has no ceiling."""


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """``prompt`` of the last request, ``generated`` by all of them, both by the model; ``evidence`` by the embedder.

    Evidence counts what of the passages was sent, without titles, examples and instructions.
    """

    prompt: int = 0
    generated: int = 0
    evidence: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """What came of one question.  Times are milliseconds since the question was asked; None where it never came.

    ``found_documents`` are the ids in the order of the ranking, ``evidence_documents`` in that of the evidence, and
    ``sent_documents`` those of which the model read something: ``sent``.  ``error`` is the error's class name.
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
    arm: Arm = "own"
    found_documents: tuple[str, ...] = ()
    sent_documents: tuple[str, ...] = ()
    sent: str = ""
    tokens: TokenCounts = TokenCounts()


RECORDS = TypeAdapter(Record)


@dataclass(frozen=True, slots=True)
class Instruments:
    """What is read off while questions are asked: the requests to the model, and what retrieval found."""

    meter: MeteredGenerator
    retriever: WatchedRetriever
    count_tokens: Callable[[str], int]


def ask(
    asks: Asks, question: GoldenQuestion, *, think: bool | None, instruments: Instruments, arm: Arm = "own"
) -> Record:
    """Ask one question.  An error of this question alone is recorded; an error of the surroundings is raised."""
    instruments.meter.start()
    instruments.retriever.start()
    started_at = time.perf_counter()
    times: dict[str, float] = {}
    evidence: tuple[Evidence, ...] = ()
    probability, answer, error = 0.0, None, ""

    def mark(name: str) -> None:
        times.setdefault(name, (time.perf_counter() - started_at) * 1000)

    try:
        for event in asks(question, think=think):
            match event:
                case Retrieved():
                    mark("evidence")
                    evidence, probability = event.evidence, event.answerable_probability
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
    sent = "\n".join(passage.sent_text for passage in evidence if passage.sent)
    return Record(
        question_id=question.question_id,
        answer=answer,
        error=error if error or answer is not None else NO_PASSAGE,
        evidence_documents=_each_once(evidence),
        answerable_probability=probability,
        evidence_ms=times.get("evidence"),
        first_token_ms=times.get("first_token"),
        first_answer_ms=times.get("first_answer"),
        total_ms=times["total"],
        arm=arm,
        found_documents=instruments.retriever.documents,
        sent_documents=_each_once([passage for passage in evidence if passage.sent]),
        sent=sent,
        tokens=_counted(instruments, sent),
    )


def run(
    arms: Mapping[Arm, Asks],
    questions: Sequence[GoldenQuestion],
    records_path: Path,
    instruments: Instruments,
    *,
    think: bool | None,
    progress: Callable[[Record], None] = lambda record: None,
) -> tuple[Record, ...]:
    """Ask what ``records_path`` does not hold yet, one JSONL line a question and arm; return all records in order.

    A question is asked in all arms before the next one, so that what was cut off compares the same questions.
    """

    def ask_one(item: tuple[Arm, GoldenQuestion]) -> Record:
        name, question = item
        return ask(arms[name], question, think=think, instruments=instruments, arm=name)

    items = [((name, question.question_id), (name, question)) for question in questions for name in arms]
    records = keep_asking(
        records_path, RECORDS, items, ask_one, lambda record: (record.arm, record.question_id), progress
    )
    return tuple(records)


def _each_once(evidence: Sequence[Evidence]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(passage.document_id for passage in evidence))


def _counted(instruments: Instruments, sent: str) -> TokenCounts:
    finished = instruments.meter.finished
    return TokenCounts(
        prompt=finished[-1].prompt_tokens if finished else 0,
        generated=sum(one.generated_tokens for one in finished),
        evidence=instruments.count_tokens(sent) if finished and sent else 0,
    )
