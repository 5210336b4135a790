"""Erases turns and everything that refers to them, so that their text is gone from the database file."""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rag.settings import DatabasePlace
from rag.storage.connection import SharedStore, open_database
from rag.storage.migrations import TURN_MIGRATIONS
from rag.storage.turn_store import RUNNING_STATES

_RUNNING = ", ".join(f"'{state}'" for state in RUNNING_STATES)


@dataclass(frozen=True, slots=True)
class ErasableTurn:
    """A turn without its passages.  ``running``: somebody still works on it, so that it cannot be erased now."""

    turn_id: str
    knowledge_base: str
    question: str
    follows: str
    running: bool = False
    written: tuple[str, ...] = ()

    def holds(self, test: Callable[[str], bool]) -> bool:
        """Tell whether the question, or anything that was written as an answer, passes a test."""
        return test(self.question) or any(map(test, self.written))


class TurnErasure(SharedStore):
    """Finds and deletes turns in the database at ``place``; without the file there are none, and none is made."""

    def __init__(self, place: DatabasePlace) -> None:
        super().__init__(open_database(place, TURN_MIGRATIONS, wipes=True))

    def all(self) -> Iterator[ErasableTurn]:
        """Yield every turn, oldest first."""
        if not self._database.exists():
            return
        for row in self._database.stream(
            "SELECT turn_id, knowledge_base, question, follows, answer, partial_text, thinking, "
            f"state IN ({_RUNNING}) AS running FROM turn ORDER BY turn_number"
        ):
            answer = json.loads(row["answer"]) if row["answer"] is not None else {}
            yield ErasableTurn(
                row["turn_id"],
                row["knowledge_base"],
                row["question"],
                row["follows"],
                bool(row["running"]),
                (row["partial_text"], row["thinking"], answer.get("text", ""), answer.get("thinking", "")),
            )

    def asked_before(self, moment: datetime, limit: int) -> list[ErasableTurn]:
        """Return the oldest ``limit`` turns that were asked before a moment and have ended."""
        if not self._database.exists():
            return []
        rows = self._database.rows(
            "SELECT turn_id, knowledge_base, question, follows FROM turn "
            f"WHERE created_at < ? AND state NOT IN ({_RUNNING}) ORDER BY created_at LIMIT ?",
            (moment.astimezone(UTC).isoformat(), limit),
        )
        return [ErasableTurn(*row) for row in rows]

    def delete(self, turn_ids: Collection[str]) -> int:
        """Delete turns that have ended, with times, opinions, outcomes and citations; return how many there were."""
        with self._database.transaction() as connection:
            return connection.executemany(
                f"DELETE FROM turn WHERE turn_id = ? AND state NOT IN ({_RUNNING})", [(one,) for one in turn_ids]
            ).rowcount

    def settle(self, *, compact: bool = False) -> bool:
        """Leave nothing of deleted turns on the disk, as ``Database.settle`` does."""
        return not self._database.exists() or self._database.settle(compact=compact)


def whole_conversations(turns: Sequence[ErasableTurn], turn_ids: Collection[str]) -> set[str]:
    """Return the ids with those of all turns that go on from these, or from which these go on, however far."""
    beside: dict[str, list[str]] = {}
    for turn in turns:
        if turn.follows:
            beside.setdefault(turn.follows, []).append(turn.turn_id)
            beside.setdefault(turn.turn_id, []).append(turn.follows)
    known = {turn.turn_id for turn in turns}
    found, waiting = set(turn_ids), list(turn_ids)
    while waiting:
        for other in beside.get(waiting.pop(), ()):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found & known
