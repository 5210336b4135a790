"""Where the time of the recorded turns went, read from its own small tables and never from the answers."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rag.errors import AnswerInterrupted
from rag.schema import SpanTime
from rag.storage.connection import Database
from rag.storage.migrations import TURN_MIGRATIONS

EVIDENCE = "evidence"
"""The stage of all that is done until the passages are shown."""

_UNTIL_EVIDENCE = frozenset({"embed", "search", "pack"})


@dataclass(frozen=True, slots=True)
class TurnTimes:
    """One turn: its spans, and how many tokens the model generated in how many milliseconds."""

    spans: tuple[SpanTime, ...] = ()
    generated_tokens: int = 0
    generation_ms: float = 0.0

    def evidence_ms(self) -> float | None:
        """Return the milliseconds until the passages were there; None where they never were."""
        times = [span.duration_ms for span in self.spans if span.name in _UNTIL_EVIDENCE]
        return sum(times) if times else None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of turns: their number by state, and what the model generated for them."""

    turns: dict[str, int]
    generated_tokens: int
    generation_ms: float


def write_times(connection: sqlite3.Connection, turn_id: str, times: TurnTimes) -> None:
    """Write a turn's times over its older ones, within the caller's transaction."""
    number, asked_at = connection.execute(
        "SELECT turn_number, created_at FROM turn WHERE turn_id = ?", (turn_id,)
    ).fetchone()
    evidence_ms = times.evidence_ms()
    rows = [(number, asked_at, span.name, span.duration_ms) for span in times.spans]
    rows += [(number, asked_at, EVIDENCE, evidence_ms)] if evidence_ms is not None else []
    connection.execute("DELETE FROM turn_span WHERE turn_number = ?", (number,))
    connection.executemany(
        "INSERT INTO turn_span (turn_number, asked_at, stage, duration_ms) VALUES (?, ?, ?, ?)", rows
    )
    connection.execute(
        "UPDATE turn SET generated_tokens = ?, generation_ms = ? WHERE turn_number = ?",
        (times.generated_tokens, times.generation_ms, number),
    )


class TurnTimesTable:
    """Reads the times in the database of turns at ``path``, which is made when it is missing."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, TURN_MIGRATIONS, create=True)

    def durations_ms(self, stage: str, since: datetime | None = None) -> list[float]:
        """Return the milliseconds of a stage in all turns that were asked at ``since`` or later."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT duration_ms FROM turn_span WHERE stage = ? AND asked_at >= ?", (stage, _bound(since))
            ).fetchall()
        return [float(row[0]) for row in rows]

    def spans_after(self, span: int) -> Iterator[tuple[int, str, float]]:
        """Yield number, stage and milliseconds of the spans that were written after the one with this number."""
        with self._database.reading() as connection:
            for row in connection.execute(
                "SELECT span, stage, duration_ms FROM turn_span WHERE span > ? ORDER BY span", (span,)
            ):
                yield int(row[0]), str(row[1]), float(row[2])

    def outcomes(self, since: datetime | None = None) -> Outcomes:
        """Count the turns that were asked at ``since`` or later."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT state, count(*), sum(generated_tokens), sum(generation_ms) FROM turn "
                "WHERE created_at >= ? GROUP BY state",
                (_bound(since),),
            ).fetchall()
        return Outcomes(
            {str(row[0]): int(row[1]) for row in rows},
            sum(int(row[2]) for row in rows),
            sum(float(row[3]) for row in rows),
        )

    def failed_without_evidence(self, since: datetime | None = None) -> int:
        """Count the turns that failed before any passage was there, so far as their program lived to tell."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT count(*) FROM turn WHERE state = 'failed' AND created_at >= ? AND error_class != ? "
                "AND NOT EXISTS (SELECT 1 FROM turn_span WHERE turn_span.turn_number = turn.turn_number AND stage = ?)",
                (_bound(since), AnswerInterrupted.__name__, EVIDENCE),
            ).fetchone()
        return int(row[0])

    def close(self) -> None:
        """Close the connections of all threads."""
        self._database.close()


def _bound(since: datetime | None) -> str:
    """Return the time as the turns keep theirs: as text, in UTC."""
    return since.astimezone(UTC).isoformat() if since is not None else ""
