"""Stores curated answers, written or corrected by people, with their evidence and history.

They are in a file of their own beside the knowledge base, ``answers.db``: there they have the knowledge base's scope,
no ingest that is writing keeps them waiting (they are to serve within a second), and making the base again loses none.
Where several desks share a server, they are its rows, and serve at all desks at once (``docs/scale.md``).
"""

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from rag.schema import Language
from rag.settings import ServerDatabase, Settings
from rag.storage.connection import Connection, Row, SharedStore, number_rows, open_database

ANSWERS_NAME = "answers.db"
_INSERT_SOURCE = (
    "INSERT INTO curated_source (number, document_id, content_hash, start_offset, end_offset) VALUES (?, ?, ?, ?, ?)"
)
_INSERT_EVENT = "INSERT INTO curated_event (number, at, person, what, note) VALUES (?, ?, ?, ?, ?)"

CuratedState = Literal["serving", "waiting", "expired", "retired"]
CuratedAction = Literal["written", "approved", "retired", "replaced", "expired"]


def _curated_tables(connection: Connection) -> None:
    """Curated answers, their sources, and their history.

    ``form`` is the question's (``rag/reuse/question_key.py``); at most one answer of a form is ``serving``.
    ``content_hash`` is the document's as it was when the answer was written or last looked at.
    """
    for statement in (
        """CREATE TABLE curated (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            form TEXT NOT NULL,
            question TEXT NOT NULL,
            language TEXT NOT NULL,
            answer TEXT NOT NULL,
            state TEXT NOT NULL,
            author TEXT NOT NULL,
            written_at TEXT NOT NULL,
            generation INTEGER NOT NULL,
            valid_until TEXT,
            gated INTEGER NOT NULL DEFAULT 0
        )""",
        "CREATE UNIQUE INDEX curated_serving ON curated (form) WHERE state = 'serving'",
        "CREATE INDEX curated_of_form ON curated (form)",
        """CREATE TABLE curated_source (
            number INTEGER NOT NULL REFERENCES curated (number) ON DELETE CASCADE,
            document_id TEXT NOT NULL,
            content_hash BLOB NOT NULL,
            start_offset INTEGER NOT NULL,
            end_offset INTEGER NOT NULL
        )""",
        "CREATE INDEX curated_source_of ON curated_source (number)",
        """CREATE TABLE curated_event (
            event INTEGER PRIMARY KEY AUTOINCREMENT,
            number INTEGER NOT NULL REFERENCES curated (number) ON DELETE CASCADE,
            at TEXT NOT NULL,
            person TEXT NOT NULL,
            what TEXT NOT NULL,
            note TEXT NOT NULL
        )""",
        "CREATE INDEX curated_event_of ON curated_event (number)",
    ):
        connection.execute(statement)
    number_rows(connection, "curated_source")


def _knowledge_bases(connection: Connection) -> None:
    """Add the knowledge base, as a server holds those of all; in a file the name is empty."""
    for statement in (
        "ALTER TABLE curated ADD COLUMN knowledge_base TEXT NOT NULL DEFAULT ''",
        "DROP INDEX curated_serving",
        "DROP INDEX curated_of_form",
        "CREATE UNIQUE INDEX curated_serving ON curated (knowledge_base, form) WHERE state = 'serving'",
        "CREATE INDEX curated_of_form ON curated (knowledge_base, form)",
    ):
        connection.execute(statement)


ANSWER_MIGRATIONS = (_curated_tables, _knowledge_bases)


@dataclass(frozen=True, slots=True)
class CuratedSource:
    """A stretch of a document, in its offsets, and the 32 bytes that tell whether the document is still the same."""

    document_id: str
    content_hash: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class NewCurated:
    """An answer to be kept.  ``form`` is the question's, ``generation`` the one that its sources were read in."""

    form: str
    question: str
    language: Language
    answer: str
    author: str
    generation: int
    sources: tuple[CuratedSource, ...] = ()
    valid_until: date | None = None


@dataclass(frozen=True, slots=True)
class CuratedAnswer:
    """An answer as it is kept.  ``written_at`` is in UTC; ``gated``: its question joined the regression questions."""

    number: int
    kept: NewCurated
    state: CuratedState
    written_at: datetime
    gated: bool


@dataclass(frozen=True, slots=True)
class CuratedEvent:
    """A change of an answer; ``person`` is empty if its document changed."""

    at: datetime
    person: str
    what: CuratedAction
    note: str


class CuratedAnswers(SharedStore):
    """The tables ``curated*`` of a knowledge base's ``answers.db``; safe from many threads and processes.

    The file is made with the first answer; without it nothing is found.  With a ``server`` they are there, under the
    name of the knowledge base, which is its folder's.
    """

    def __init__(self, folder: Path, server: ServerDatabase | None = None) -> None:
        place = folder / ANSWERS_NAME if server is None else server
        super().__init__(open_database(place, ANSWER_MIGRATIONS, create=True, wipes=True))
        self._base = "" if server is None else folder.name

    @classmethod
    def of(cls, settings: Settings) -> "CuratedAnswers":
        """Return the curated answers of the settings' knowledge base, in a file or on a server."""
        return cls(settings.knowledge_dir, settings.answers_database)

    def add(self, new: NewCurated, state: Literal["serving", "waiting"]) -> CuratedAnswer:
        """Store an answer; a serving one replaces its predecessor."""
        with self._database.transaction() as connection:
            if state == "serving":
                self._retire_serving(connection, new.form, new.author)
            number = self._insert(connection, new, state, _now())
            _record(connection, number, new.author, "written")
        return self.get(number)

    def approve(self, number: int, person: str, sources: Sequence[CuratedSource], generation: int) -> None:
        """Let an answer serve, resting on ``sources`` as they are now.  Raises ``KeyError``."""
        with self._database.transaction() as connection:
            row = connection.execute(
                "SELECT form FROM curated WHERE knowledge_base = ? AND number = ?", (self._base, number)
            ).fetchone()
            if row is None:
                raise KeyError(number)
            self._retire_serving(connection, row["form"], person, but=number)
            connection.execute(
                "UPDATE curated SET state = 'serving', generation = ? WHERE number = ?", (generation, number)
            )
            connection.execute("DELETE FROM curated_source WHERE number = ?", (number,))
            connection.executemany(_INSERT_SOURCE, [(number, *astuple(source)) for source in sources])
            _record(connection, number, person, "approved")

    def retire(self, number: int, person: str, note: str = "") -> None:
        """Retire an answer.  Raises ``KeyError``."""
        self._end(number, "retired", person, note)

    def expire(self, number: int, note: str) -> None:
        """Retire an answer whose sources changed; ``note`` names them.  Raises ``KeyError``."""
        self._end(number, "expired", "", note)

    def erase(self, holds: Callable[[str], bool], *, dry_run: bool = False) -> int:
        """Delete the answers that hold something in question, answer or a note, with their history.

        Return how many there are; a ``dry_run`` deletes nothing.
        """
        found = [one.number for one in self.all() if self._mentions(one, holds)]
        if found and not dry_run:
            with self._database.transaction() as connection:
                connection.executemany("DELETE FROM curated WHERE number = ?", [(number,) for number in found])
        return len(found)

    def _mentions(self, one: CuratedAnswer, holds: Callable[[str], bool]) -> bool:
        kept = one.kept
        return any(
            map(holds, (kept.question, kept.form, kept.answer, *(event.note for event in self.events(one.number))))
        )

    def take_over(self, others: "CuratedAnswers") -> int:
        """Copy all answers of another store, with their history, unless any is here; return how many."""
        if self.all():
            return 0
        found = list(reversed(others.all()))
        with self._database.transaction() as connection:
            for one in found:
                number = self._insert(connection, one.kept, one.state, one.written_at.isoformat(), gated=one.gated)
                events = [
                    (number, each.at.isoformat(), each.person, each.what, each.note)
                    for each in others.events(one.number)
                ]
                connection.executemany(_INSERT_EVENT, events)
        return len(found)

    def _insert(
        self, connection: Connection, new: NewCurated, state: CuratedState, written_at: str, *, gated: bool = False
    ) -> int:
        """Write an answer with its sources, and return its number."""
        last_day = new.valid_until.isoformat() if new.valid_until is not None else None
        number: int = connection.execute(
            "INSERT INTO curated (knowledge_base, form, question, language, answer, state, author, written_at, "
            "generation, valid_until, gated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING number",
            (
                *(self._base, new.form, new.question, new.language, new.answer, state, new.author),
                *(written_at, new.generation, last_day, int(gated)),
            ),
        ).fetchone()[0]
        connection.executemany(_INSERT_SOURCE, [(number, *astuple(source)) for source in new.sources])
        return number

    def mark_gated(self, number: int) -> None:
        """Remember that the question joined the regression questions."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE curated SET gated = 1 WHERE knowledge_base = ? AND number = ?", (self._base, number)
            )

    def serving(self, form: str) -> CuratedAnswer | None:
        """Return the answer that serves a question of this form."""
        found = self._select("AND form = ? AND state = 'serving'", (form,))
        return found[0] if found else None

    def get(self, number: int) -> CuratedAnswer:
        """Return one answer.  Raises ``KeyError``."""
        found = self._select("AND number = ?", (number,))
        if not found:
            raise KeyError(number)
        return found[0]

    def all(self, state: CuratedState | None = None) -> list[CuratedAnswer]:
        """Return the answers in a state, or all of them, the newest first."""
        return self._select("AND state = coalesce(CAST(? AS TEXT), state) ORDER BY number DESC", (state,))

    def events(self, number: int) -> list[CuratedEvent]:
        """Return the history of an answer, oldest first."""
        if not self._database.exists():
            return []
        rows = self._database.rows(
            "SELECT at, person, what, note FROM curated_event WHERE number = ? ORDER BY event", (number,)
        )
        return [CuratedEvent(datetime.fromisoformat(at), person, what, note) for at, person, what, note in rows]

    def _end(self, number: int, state: Literal["retired", "expired"], person: str, note: str) -> None:
        with self._database.transaction() as connection:
            changed = connection.execute(
                "UPDATE curated SET state = ? WHERE knowledge_base = ? AND number = ? AND state <> ?",
                (state, self._base, number, state),
            )
            if changed.rowcount:
                _record(connection, number, person, state, note)
                return
            known = connection.execute(
                "SELECT 1 FROM curated WHERE knowledge_base = ? AND number = ?", (self._base, number)
            )
            if known.fetchone() is None:
                raise KeyError(number)

    def _select(self, condition: str, values: tuple[object, ...]) -> list[CuratedAnswer]:
        if not self._database.exists():
            return []
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT * FROM curated WHERE knowledge_base = ? {condition}", (self._base, *values)
            ).fetchall()
            return [_from_row(row, _sources(connection, row["number"])) for row in rows]

    def _retire_serving(self, connection: Connection, form: str, person: str, but: int = 0) -> None:
        for (number,) in connection.execute(
            "SELECT number FROM curated WHERE knowledge_base = ? AND form = ? AND state = 'serving' AND number <> ?",
            (self._base, form, but),
        ).fetchall():
            connection.execute("UPDATE curated SET state = 'retired' WHERE number = ?", (number,))
            _record(connection, number, person, "replaced")


def _record(connection: Connection, number: int, person: str, what: CuratedAction, note: str = "") -> None:
    connection.execute(_INSERT_EVENT, (number, _now(), person, what, note))


def _sources(connection: Connection, number: int) -> tuple[CuratedSource, ...]:
    rows = connection.execute(
        "SELECT document_id, content_hash, start_offset, end_offset FROM curated_source "
        "WHERE number = ? ORDER BY rowid",
        (number,),
    )
    return tuple(CuratedSource(row[0], bytes(row[1]), row[2], row[3]) for row in rows)


def _from_row(row: Row, sources: tuple[CuratedSource, ...]) -> CuratedAnswer:
    last_day = row["valid_until"]
    return CuratedAnswer(
        number=row["number"],
        kept=NewCurated(
            form=row["form"],
            question=row["question"],
            language=row["language"],
            answer=row["answer"],
            author=row["author"],
            generation=row["generation"],
            sources=sources,
            valid_until=date.fromisoformat(last_day) if last_day is not None else None,
        ),
        state=row["state"],
        written_at=datetime.fromisoformat(row["written_at"]),
        gated=bool(row["gated"]),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat()
