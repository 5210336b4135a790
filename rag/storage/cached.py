"""Stores model answers for the semantic cache, in ``cached.db`` beside the knowledge base.

A file of its own: deleting it costs nothing but time, and a damaged one harms no answer that a person wrote.
"""

import json
import sqlite3
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from pydantic import TypeAdapter

from rag.schema import Answer, Evidence
from rag.storage.connection import Database, SharedStore

CACHE_NAME = "cached.db"

_ANSWER = TypeAdapter(Answer)
_EVIDENCE = TypeAdapter(tuple[Evidence, ...])


def _cached_table(connection: sqlite3.Connection) -> None:
    """Answers that a model gave, to be given again; ``profile`` says how it was asked."""
    connection.execute(
        """CREATE TABLE cached (
            entry INTEGER PRIMARY KEY AUTOINCREMENT,
            form TEXT NOT NULL,
            profile TEXT NOT NULL,
            generation INTEGER NOT NULL,
            model TEXT NOT NULL,
            answer TEXT NOT NULL,
            evidence TEXT NOT NULL,
            made_at TEXT NOT NULL,
            last_day TEXT,
            UNIQUE (form, profile)
        )"""
    )


CACHE_MIGRATIONS = (_cached_table,)


@dataclass(frozen=True, slots=True)
class CacheKey:
    """``form`` is the question's, ``profile`` how the model was asked, ``generation`` the knowledge base's."""

    form: str
    profile: str
    generation: int


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """An answer with its passages.  ``made_at`` is in UTC; after ``last_day`` it holds no more."""

    answer: Answer
    evidence: tuple[Evidence, ...]
    made_at: datetime
    last_day: date | None = None


class CachedAnswers(SharedStore):
    """The table ``cached``; safe from many threads and processes.  The file is made with the first answer."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Database(folder / CACHE_NAME, CACHE_MIGRATIONS, create=True, wipes=True))

    def get(self, key: CacheKey, model: str = "") -> CachedAnswer | None:
        """Return the answer under a key, of one model where ``model`` is given."""
        if not self._database.exists():
            return None
        row = self._database.row(
            "SELECT answer, evidence, made_at, last_day FROM cached "
            "WHERE form = ? AND profile = ? AND generation = ? AND model = ifnull(nullif(?, ''), model)",
            (key.form, key.profile, key.generation, model),
        )
        if row is None:
            return None
        last_day = row["last_day"]
        return CachedAnswer(
            _ANSWER.validate_json(row["answer"]),
            _EVIDENCE.validate_json(row["evidence"]),
            datetime.fromisoformat(row["made_at"]),
            date.fromisoformat(last_day) if last_day is not None else None,
        )

    def keep(self, key: CacheKey, found: CachedAnswer, limit: int) -> None:
        """Store an answer in place of an older one, and keep only the newest ``limit``.

        Those of other generations, and of other models asked in the same way, can serve no more and are deleted.
        """
        model = found.answer.model
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM cached WHERE (form = ? AND profile = ?) OR generation < ? OR (profile = ? AND model <> ?)",
                (key.form, key.profile, key.generation, key.profile, model),
            )
            connection.execute(
                "INSERT INTO cached (form, profile, generation, model, answer, evidence, made_at, last_day) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    key.form,
                    key.profile,
                    key.generation,
                    model,
                    json.dumps(found.answer.to_json(), ensure_ascii=False),
                    _EVIDENCE.dump_json(found.evidence).decode(),
                    found.made_at.astimezone(UTC).isoformat(),
                    found.last_day.isoformat() if found.last_day is not None else None,
                ),
            )
            connection.execute(
                "DELETE FROM cached WHERE entry <= (SELECT entry FROM cached ORDER BY entry DESC LIMIT 1 OFFSET ?)",
                (limit,),
            )

    def erase(self, forms: Collection[str], holds: Callable[[str], bool], *, dry_run: bool = False) -> int:
        """Delete the answers to questions of these forms, and those whose question or answer ``holds`` something.

        Return how many there are; a ``dry_run`` deletes nothing.
        """
        if not self._database.exists():
            return 0
        with self._database.transaction() as connection:
            rows = connection.execute("SELECT entry, form, answer FROM cached").fetchall()
            found = [
                (row["entry"],)
                for row in rows
                if row["form"] in forms or holds(row["form"]) or holds(json.loads(row["answer"])["text"])
            ]
            if not dry_run:
                connection.executemany("DELETE FROM cached WHERE entry = ?", found)
        return len(found)

    def erase_before(self, made_at: datetime) -> int:
        """Delete the answers that were made before a time; return how many there were."""
        if not self._database.exists():
            return 0
        with self._database.transaction() as connection:
            return connection.execute(
                "DELETE FROM cached WHERE made_at < ?", (made_at.astimezone(UTC).isoformat(),)
            ).rowcount

    def count(self) -> int:
        """Count the stored answers."""
        if not self._database.exists():
            return 0
        return int(self._database.value("SELECT count(*) FROM cached"))
