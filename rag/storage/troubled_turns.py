"""Finds turns that went badly, and answers based on conflicting or expired passages.

    troubled = TroubledTurns(settings.turns_database)
    troubled.unmet("shop", since)       # refused, left without an answer, or of no use to the agent
    troubled.doubtful("shop", since)    # answers with conflicts, or with passages that held no more

Reads only; without the file there are none.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pydantic import TypeAdapter

from rag.schema import Answer, Evidence, Language
from rag.settings import DatabasePlace
from rag.storage.connection import Row, SharedStore, open_database
from rag.storage.migrations import TURN_MIGRATIONS

Trouble = Literal["refused", "unanswered", "disliked", "left_open"]

_OF_ONE_QUESTION = "'ModelSaidNothing', 'ModelTimedOut', 'ModelStoppedHalfway'"
"""Errors of one question; with any other the server was away, which says nothing about the knowledge base."""

_MOST_TURNS = 5000
_NO_MATTER_OF_KNOWLEDGE = "'tone', 'language'"

_ASKED = "knowledge_base = :base AND created_at >= :since"
_UNMET = f"""SELECT turn_number, turn_id, created_at, question, language, CASE
        WHEN state = 'refused' THEN 'refused'
        WHEN state = 'failed' OR outcome = 'handed_over' THEN 'unanswered'
        ELSE 'disliked' END AS trouble
    FROM turn LEFT JOIN turn_feedback USING (turn_number) LEFT JOIN turn_outcome USING (turn_number)
    WHERE {_ASKED} AND (state = 'refused'
        OR (state = 'failed' AND error_class IN ({_OF_ONE_QUESTION}))
        OR (state = 'done' AND (outcome = 'handed_over'
            OR (useful = 0 AND reason NOT IN ({_NO_MATTER_OF_KNOWLEDGE})))))
    UNION ALL
    SELECT turn_number, turn_id, created_at, part.value, language, 'left_open'
    FROM turn CROSS JOIN json_each(turn.answer, '$.left_open') AS part
    WHERE {_ASKED} AND state = 'done'
    ORDER BY turn_number DESC LIMIT :limit"""

_DOUBTFUL = f"""SELECT turn_id, created_at, question, language, answer, evidence FROM turn
    WHERE {_ASKED} AND state = 'done' AND (json_array_length(answer, '$.conflicts') > 0
        OR instr(evidence, '"expired_on":"') > 0)
    ORDER BY turn_number DESC LIMIT :limit"""

_EVIDENCE = TypeAdapter(tuple[Evidence, ...])


@dataclass(frozen=True, slots=True)
class UnmetQuestion:
    """A question that went badly.  ``asked_at`` is in UTC.

    ``refused``: nothing was found that holds the answer; ``unanswered``: the model said nothing in time, or the agent
    handed the customer over; ``disliked``: an agent found the answer wrong, outdated, incomplete or badly founded;
    ``left_open``: a part of a question, whose answer left it open.
    """

    turn_id: str
    asked_at: datetime
    question: str
    language: Language
    trouble: Trouble


@dataclass(frozen=True, slots=True)
class DoubtfulTurn:
    """A turn whose passages contradict each other, or of which some had expired."""

    turn_id: str
    asked_at: datetime
    question: str
    language: Language
    answer: Answer
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class QuestionCounts:
    """The counts of questions, and of those that failed for reasons outside the knowledge base."""

    asked: int
    failed_elsewhere: int


class TroubledTurns(SharedStore):
    """The turns in the database at ``place`` that say what the knowledge base lacks.

    ``since`` is a time with a zone, or None for all; at most the newest 5,000 turns are looked at.
    """

    def __init__(self, place: DatabasePlace) -> None:
        super().__init__(open_database(place, TURN_MIGRATIONS))

    def unmet(self, knowledge_base: str, since: datetime | None) -> list[UnmetQuestion]:
        """Return the questions that went badly, the newest first."""
        return [
            UnmetQuestion(row[1], datetime.fromisoformat(row[2]), row[3], row[4], row[5])
            for row in self._rows(_UNMET, knowledge_base, since, _MOST_TURNS)
        ]

    def doubtful(self, knowledge_base: str, since: datetime | None) -> list[DoubtfulTurn]:
        """Return the turns with contradicting or expired passages, the newest first."""
        return [
            DoubtfulTurn(
                row[0],
                datetime.fromisoformat(row[1]),
                row[2],
                row[3],
                Answer.from_json(json.loads(row[4])),
                _EVIDENCE.validate_json(row[5]),
            )
            for row in self._rows(_DOUBTFUL, knowledge_base, since, _MOST_TURNS)
        ]

    def counts(self, knowledge_base: str, since: datetime | None) -> QuestionCounts:
        """Count the questions."""
        elsewhere = f"state = 'failed' AND error_class NOT IN ({_OF_ONE_QUESTION})"
        failed = f"coalesce(sum(CASE WHEN {elsewhere} THEN 1 ELSE 0 END), 0)"
        select = f"SELECT count(*), {failed} FROM turn WHERE {_ASKED} LIMIT :limit"
        return next(
            (QuestionCounts(*row) for row in self._rows(select, knowledge_base, since, 1)), QuestionCounts(0, 0)
        )

    def _rows(self, select: str, knowledge_base: str, since: datetime | None, limit: int) -> Iterator[Row]:
        if not self._database.exists():
            return
        asked_since = since.astimezone(UTC).isoformat() if since is not None else ""
        yield from self._database.stream(select, {"base": knowledge_base, "since": asked_since, "limit": limit})
