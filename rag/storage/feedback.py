"""Stores agents' feedback and the outcome of each answer, counted by topic and team.

    feedback.record(turn_id, "edited", 0.2, OutcomeOrigin("model", "en/returns", "shop"))
    feedback.by("topic")            # accepted, edited, discarded and handed over, the largest topic first

Teams and topics are counted, never persons.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from rag.storage.connection import SharedDatabase

FeedbackReason = Literal["wrong", "outdated", "incomplete", "source", "tone", "language"]
Outcome = Literal["copied", "edited", "discarded", "handed_over"]
Grouping = Literal["topic", "agent_group", "lane"]
Standing = Literal["colleague", "asker", "lead"]
"""The author of an opinion; later ones here take precedence."""

_STANDINGS = get_args(Standing)


@dataclass(frozen=True, slots=True)
class Opinion:
    """Whether an answer was useful; ``reason`` is None if none was given."""

    useful: bool
    reason: FeedbackReason | None = None


@dataclass(frozen=True, slots=True)
class OutcomeOrigin:
    """Of which lane an answer was, of which topic of the knowledge base, and of which team its agent."""

    lane: str
    topic: str
    agent_group: str


@dataclass(frozen=True, slots=True)
class OutcomeCounts:
    """The outcomes of the answers of one topic, team or lane.

    ``changed_share`` in [0, 1] is the mean over those that were edited, None where none was.  ``useful`` and
    ``not_useful`` count opinions on the same answers.
    """

    name: str
    copied: int
    edited: int
    discarded: int
    handed_over: int
    changed_share: float | None
    useful: int
    not_useful: int


class TurnFeedback:
    """The tables ``turn_opinion``, ``turn_feedback`` (of each turn the opinion that counts) and ``turn_outcome``."""

    def __init__(self, database: SharedDatabase) -> None:
        self._database = database

    def judge(
        self,
        turn_id: str,
        person: str,
        *,
        useful: bool,
        reason: FeedbackReason | None = None,
        standing: Standing = "asker",
    ) -> None:
        """Record a person's opinion of a turn's answer, in place of their earlier one.

        Counted is one opinion a turn: a lead's before the asker's, the asker's before a colleague's, and of several of
        one standing the latest.
        """
        values = {"at": _now(), "person": person, "useful": int(useful), "reason": "" if useful else reason or ""}
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO turn_opinion (turn_number, person, at, useful, reason, standing) "
                "SELECT turn_number, :person, :at, :useful, :reason, :standing FROM turn WHERE turn_id = :turn "
                "ON CONFLICT (turn_number, person) DO UPDATE SET at = excluded.at, useful = excluded.useful, "
                "reason = excluded.reason, standing = excluded.standing",
                {**values, "standing": _STANDINGS.index(standing), "turn": turn_id},
            )
            connection.execute(
                "INSERT INTO turn_feedback (turn_number, at, person, useful, reason) "
                "SELECT turn_number, at, person, useful, reason FROM turn_opinion JOIN turn USING (turn_number) "
                "WHERE turn_id = ? ORDER BY standing DESC, at DESC LIMIT 1 "
                "ON CONFLICT (turn_number) DO UPDATE SET at = excluded.at, person = excluded.person, "
                "useful = excluded.useful, reason = excluded.reason",
                (turn_id,),
            )

    def opinion(self, turn_id: str, person: str = "") -> Opinion | None:
        """Return a person's opinion of a turn's answer or, without one, the opinion that counts.

        None where nobody said anything.
        """
        row = self._database.row(
            "SELECT useful, reason FROM turn_opinion JOIN turn USING (turn_number) "
            "WHERE turn_id = ? ORDER BY person = ? DESC, standing DESC, at DESC LIMIT 1",
            (turn_id, person),
        )
        return None if row is None else Opinion(bool(row["useful"]), row["reason"] or None)

    def record(self, turn_id: str, outcome: Outcome, changed_share: float, origin: OutcomeOrigin) -> None:
        """Record the outcome of a turn's answer.

        The last use counts; an answer that was used is not discarded afterwards.  Raises ``ValueError`` for a share
        outside of [0, 1].
        """
        if not 0 <= changed_share <= 1:
            raise ValueError(f"changed_share must be between 0 and 1, not {changed_share}")
        columns = ("at", "outcome", "changed_share", "lane", "topic", "agent_group")
        over = f"UPDATE SET {', '.join(f'{column} = excluded.{column}' for column in columns)}"
        with self._database.transaction() as connection:
            connection.execute(
                f"INSERT INTO turn_outcome (turn_number, {', '.join(columns)}) "
                "SELECT turn_number, ?, ?, ?, ?, ?, ? FROM turn WHERE turn_id = ? "
                f"ON CONFLICT (turn_number) DO {'NOTHING' if outcome == 'discarded' else over}",
                (_now(), outcome, changed_share, origin.lane, origin.topic, origin.agent_group, turn_id),
            )

    def outcome(self, turn_id: str) -> tuple[Outcome, float] | None:
        """Return the outcome of a turn's answer, and the share that was changed; None if unknown."""
        row = self._database.row(
            "SELECT outcome, changed_share FROM turn_outcome JOIN turn USING (turn_number) WHERE turn_id = ?",
            (turn_id,),
        )
        return None if row is None else (row["outcome"], row["changed_share"])

    def by(
        self, grouping: Grouping, *, since: datetime | None = None, knowledge_base: str | None = None
    ) -> list[OutcomeCounts]:
        """Count outcomes by topic, team or lane, the one with most of them first."""
        if grouping not in get_args(Grouping):
            raise ValueError(f"unknown grouping {grouping!r}; known: {get_args(Grouping)}")
        counts = ", ".join(f"sum(CASE outcome WHEN '{outcome}' THEN 1 ELSE 0 END)" for outcome in get_args(Outcome))
        rows = self._database.rows(
            f"SELECT turn_outcome.{grouping}, {counts}, avg(CASE outcome WHEN 'edited' THEN changed_share END), "
            "coalesce(sum(useful), 0), coalesce(sum(1 - useful), 0) "
            "FROM turn_outcome JOIN turn USING (turn_number) LEFT JOIN turn_feedback USING (turn_number) "
            "WHERE turn_outcome.at >= ? AND knowledge_base = coalesce(CAST(? AS TEXT), knowledge_base) "
            f"GROUP BY turn_outcome.{grouping} ORDER BY count(*) DESC, turn_outcome.{grouping}",
            (since.astimezone(UTC).isoformat() if since is not None else "", knowledge_base),
        )
        return [OutcomeCounts(*row) for row in rows]


def _now() -> str:
    return datetime.now(UTC).isoformat()
