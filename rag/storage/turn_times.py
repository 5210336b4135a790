"""Stores stage durations of recorded turns in small tables of their own, without any answer text."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from rag.errors import AnswerInterrupted
from rag.schema import Language, SpanTime
from rag.settings import DatabasePlace
from rag.storage.connection import Connection, SharedStore, one_of_condition, open_database
from rag.storage.migrations import TURN_MIGRATIONS
from rag.tracing import UNTIL_EVIDENCE

EVIDENCE = "evidence"
"""The stage of all that is done until the passages are shown."""


@dataclass(frozen=True, slots=True)
class TurnTimes:
    """One turn: its spans, and how many tokens the model generated in how many milliseconds."""

    spans: tuple[SpanTime, ...] = ()
    generated_tokens: int = 0
    generation_ms: float = 0.0

    def evidence_ms(self) -> float | None:
        """Return the milliseconds until the passages were found; None if they never were."""
        times = [span.duration_ms for span in self.spans if span.name in UNTIL_EVIDENCE]
        return sum(times) if times else None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The outcomes of turns: their number by state, and the tokens generated for them."""

    turns: dict[str, int]
    generated_tokens: int
    generation_ms: float


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """The outcomes of a window, the turns that failed without passages, and the models (name, stand-in?)."""

    outcomes: Outcomes
    failed_without_evidence: int
    models: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class SlowTurn:
    """A turn that took ``total_ms``, and the stage that took most of them."""

    turn_id: str
    asked_at: datetime
    question: str
    language: Language
    state: str
    total_ms: float
    worst: SpanTime


def write_times(connection: Connection, turn_id: str, times: TurnTimes) -> None:
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


class TurnTimesTable(SharedStore):
    """Reads the times in the database of turns at ``place``.  A missing one is made, unless ``reads_only``."""

    def __init__(self, place: DatabasePlace, *, reads_only: bool = False) -> None:
        super().__init__(open_database(place, TURN_MIGRATIONS, create=True, reads_only=reads_only))

    def durations_ms(self, stage: str, since: datetime | None = None) -> list[float]:
        """Return the milliseconds of a stage in all turns that were asked at ``since`` or later."""
        rows = self._database.rows(
            "SELECT duration_ms FROM turn_span WHERE stage = ? AND asked_at >= ?", (stage, _since_text(since))
        )
        return [float(row[0]) for row in rows]

    def spans_after(self, span: int) -> Iterator[tuple[int, str, float]]:
        """Yield number, stage and milliseconds of the spans that were written after the one with this number."""
        for row in self._database.stream(
            "SELECT span, stage, duration_ms FROM turn_span WHERE span > ? ORDER BY span", (span,)
        ):
            yield int(row[0]), str(row[1]), float(row[2])

    def outcomes(self, since: datetime | None = None, bases: Collection[str] | None = None) -> Outcomes:
        """Count the turns that were asked at ``since`` or later, of some knowledge bases; None: of all."""
        of_bases, values = one_of_condition("knowledge_base", bases)
        rows = self._database.rows(
            "SELECT state, count(*), sum(generated_tokens), sum(generation_ms) FROM turn "
            f"WHERE created_at >= :since AND {of_bases} GROUP BY state",
            {"since": _since_text(since), **values},
        )
        return Outcomes(
            {str(row[0]): int(row[1]) for row in rows},
            sum(int(row[2]) for row in rows),
            sum(float(row[3]) for row in rows),
        )

    def failed_without_evidence(self, since: datetime | None = None, bases: Collection[str] | None = None) -> int:
        """Count the turns that failed before any passage was found, unless their program died."""
        of_bases, values = one_of_condition("knowledge_base", bases)
        return int(
            self._database.value(
                "SELECT count(*) FROM turn WHERE state = 'failed' AND created_at >= :since AND error_class != :failed "
                f"AND {of_bases} AND NOT EXISTS (SELECT 1 FROM turn_span "
                f"WHERE turn_span.turn_number = turn.turn_number AND stage = '{EVIDENCE}')",
                {"since": _since_text(since), "failed": AnswerInterrupted.__name__, **values},
            )
        )

    def timed_spans(self, since: datetime, bases: Collection[str] | None = None) -> Iterator[tuple[str, float, float]]:
        """Yield stage, time of asking (seconds since 1970) and milliseconds, oldest first; ``bases`` None: of all."""
        of_bases, values = _bases_condition(bases)
        rows = self._database.rows(
            f"SELECT stage, asked_at, duration_ms FROM turn_span WHERE asked_at >= :since AND {of_bases} "
            "ORDER BY asked_at",
            {"since": _since_text(since), **values},
        )
        for stage, asked_at, duration_ms in rows:
            yield stage, datetime.fromisoformat(asked_at).timestamp(), duration_ms

    def counts(self, since: datetime, bases: Collection[str] | None = None) -> WindowCounts:
        """Count the turns of some knowledge bases; None: of all.  ``models`` are those of the newest 200."""
        of_bases, values = one_of_condition("knowledge_base", bases)
        models = self._database.rows(
            "SELECT DISTINCT json_extract(answer, '$.model'), json_extract(answer, '$.stand_in') FROM "
            f"(SELECT answer FROM turn WHERE created_at >= :since AND answer IS NOT NULL AND {of_bases} "
            "ORDER BY turn_number DESC LIMIT 200) AS newest WHERE json_extract(answer, '$.model') != '' ORDER BY 1",
            {"since": _since_text(since), **values},
        )
        return WindowCounts(
            outcomes=self.outcomes(since, bases),
            failed_without_evidence=self.failed_without_evidence(since, bases),
            models=tuple((str(row[0]), bool(int(row[1] or 0))) for row in models),
        )

    def slowest(self, since: datetime, limit: int, bases: Collection[str] | None = None) -> tuple[SlowTurn, ...]:
        """Return the turns that took longest, slowest first, each with the stage that took most of it."""
        of_bases, values = _bases_condition(bases)
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT turn_number, duration_ms FROM turn_span WHERE stage = 'total' AND asked_at >= :since "
                f"AND {of_bases} ORDER BY duration_ms DESC LIMIT :limit",
                {"since": _since_text(since), "limit": limit, **values},
            ).fetchall()
            return tuple(_slow_turn(connection, int(row[0]), float(row[1])) for row in rows)


def _bases_condition(bases: Collection[str] | None) -> tuple[str, dict[str, str]]:
    """Return a condition on a span's turn, and its placeholders' values."""
    condition, values = one_of_condition("knowledge_base", bases)
    return condition if bases is None else f"turn_number IN (SELECT turn_number FROM turn WHERE {condition})", values


def _slow_turn(connection: Connection, number: int, total_ms: float) -> SlowTurn:
    turn = connection.execute(
        "SELECT turn_id, created_at, question, language, state FROM turn WHERE turn_number = ?", (number,)
    ).fetchone()
    worst = connection.execute(
        "SELECT stage, duration_ms FROM turn_span WHERE turn_number = ? AND stage NOT IN ('total', ?) "
        "ORDER BY duration_ms DESC LIMIT 1",
        (number, EVIDENCE),
    ).fetchone()
    return SlowTurn(
        turn_id=turn["turn_id"],
        asked_at=datetime.fromisoformat(turn["created_at"]),
        question=turn["question"],
        language=turn["language"],
        state=turn["state"],
        total_ms=total_ms,
        worst=SpanTime(worst["stage"], worst["duration_ms"]) if worst is not None else SpanTime("total", total_ms),
    )


def _since_text(since: datetime | None) -> str:
    """Return the time in the turns' form: as text, in UTC."""
    return since.astimezone(UTC).isoformat() if since is not None else ""
