"""From records to a table's rows, and to the row that wins.  Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eval.answers.runner import Record
from eval.answers.scores import scores_of
from eval.calibrate_model.capacity_simulation import Target, agents_supported
from eval.calibrate_model.configurations import Configuration, Served
from eval.core.bootstrap import mean_interval
from ingest.golden import GoldenQuestion
from rag.percentiles import Percentiles

MARGIN = 0.02
"""By how much less accurate than the most accurate one the winner may be."""


@dataclass(frozen=True, slots=True)
class Row:
    """One configuration's figures: shares in [0, 1], tokens a second, bytes, milliseconds of whole answers.

    ``load_rate`` is the answers' tokens a second of all slots together.  ``accuracy`` is over the ``compared``
    questions that every configuration answered, ``n`` of its own were asked.
    """

    configuration: Configuration
    n: int
    compared: int
    accuracy: float | None
    interval: tuple[float, float] | None
    prompt_rate: float
    generation_rate: float
    load_rate: float
    memory_bytes: int
    p50_ms: float | None
    p99_ms: float | None
    agents: int
    errors: int


def rows_of(
    measured: Mapping[Configuration, tuple[Served, Sequence[Record]]],
    questions: Sequence[GoldenQuestion],
    target: Target,
) -> list[Row]:
    """Return a row for each configuration.

    Where time ran out, some were asked fewer questions: accuracy counts those alone that all were asked.
    """
    asked = [{record.question_id for record in records} for _, records in measured.values()]
    common = set.intersection(*asked) if asked else set()
    shared = [question for question in questions if question.question_id in common]
    return [_row(one, served, records, shared, target) for one, (served, records) in measured.items()]


def _row(
    one: Configuration, served: Served, records: Sequence[Record], shared: Sequence[GoldenQuestion], target: Target
) -> Row:
    right = [float(score.right) for score in scores_of(shared, records, "own")]
    answered = [record.total_ms for record in records if not record.error]
    times = Percentiles.of(answered)
    generated = sum(record.tokens.generated for record in records)
    return Row(
        configuration=one,
        n=len(records),
        compared=len(right),
        accuracy=round(sum(right) / len(right), 4) if right else None,
        interval=mean_interval(right) if right else None,
        prompt_rate=served.prompt_rate,
        generation_rate=served.generation_rate,
        load_rate=round(generated / served.asking_seconds, 1) if served.asking_seconds else 0.0,
        memory_bytes=served.memory_bytes,
        p50_ms=times.p50,
        p99_ms=times.p99,
        agents=agents_supported([value / 1000 for value in answered], one.slots, target),
        errors=sum(bool(record.error) for record in records),
    )


def winner(rows: Sequence[Row], margin: float = MARGIN) -> Row | None:
    """Return the row that serves the most agents among those that are about as accurate as the best one.

    Ties go to the quicker p99, then to less memory.  None where nothing was answered.
    """
    known = [row for row in rows if row.accuracy is not None and row.p99_ms is not None]
    if not known:
        return None
    best = max(row.accuracy or 0.0 for row in known)
    close = [row for row in known if (row.accuracy or 0.0) >= best - margin - 1e-9]
    return min(close, key=lambda row: (-row.agents, row.p99_ms, row.memory_bytes))
