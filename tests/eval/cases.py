"""Small questions and records that the evaluation's tests share."""

from eval.answers.asking import Record
from ingest.golden import GoldenQuestion
from rag.schema import Answer


def question(question_id: str, *, answerable: bool = True) -> GoldenQuestion:
    """Ask something that document ``d1`` answers with "7 days", or that nothing answers."""
    return GoldenQuestion(
        question_id=question_id,
        question=f"question {question_id}",
        language="en",
        answerable=answerable,
        answers=("7 days",) if answerable else (),
        key_points=(("7 days",),) if answerable else (),
        relevant=("d1",) if answerable else (),
        kind="plain",
    )


def record(question_id: str, answer: Answer | None, *, documents: tuple[str, ...] = (), error: str = "") -> Record:
    """Record an answer that took 100 ms, with evidence after 10."""
    return Record(
        question_id=question_id,
        answer=answer,
        error=error,
        evidence_documents=documents,
        answerable_probability=0.5,
        evidence_ms=10.0,
        first_token_ms=20.0,
        first_answer_ms=30.0,
        total_ms=100.0,
    )
