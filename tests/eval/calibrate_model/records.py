"""Questions and records of a calibration, made by hand."""

from eval.answers.asking import Record, TokenCounts
from eval.calibrate_model.results import Configuration, ServingFigures
from ingest.golden import GoldenQuestion
from rag.schema import Answer

SERVING = ServingFigures(memory_bytes=500_000_000, prompt_rate=80.0, generation_rate=12.0, asking_seconds=20.0)


def question(number: int) -> GoldenQuestion:
    """Return a question whose answer is 7 days."""
    return GoldenQuestion(f"q{number}", f"question {number}", "en", True, ("7 days",), (("7 days",),), ("d1",))


def record(number: int, *, right: bool = True, seconds: float = 2.0, error: str = "") -> Record:
    """Return what came of a question."""
    answer = Answer("7 days" if right else "no idea", "en", False, "", (), (), (), "m", True, 1)
    return Record(
        question_id=f"q{number}", answer=None if error else answer, error=error, evidence_documents=(),
        answerable_probability=1.0, evidence_ms=5.0, first_token_ms=500.0, first_answer_ms=500.0,
        total_ms=seconds * 1000, tokens=TokenCounts(100, 30, 50),
    )  # fmt: skip


def configuration(kind: str = "q8_0", slots: int = 1) -> Configuration:
    """Return a configuration of 4,096 tokens."""
    return Configuration(kind, f"m-{kind}", slots, 4096)
