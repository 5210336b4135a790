"""Stores the contact details found in a knowledge base's documents, and which of them are confirmed.

An address is a key of ``rag/grounding/contact_details.py``.  A document that was looked through has a row in any case,
with an empty key where it names none.  What is confirmed stays confirmed, also where its document is written again.
So that it outlives the database, it is kept in ``confirmed.json`` beside it as well.
"""

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rag.files import read_json, write_whole
from rag.storage.connection import Database, storage_errors
from rag.storage.store import VISIBLE

CONFIRMED_NAME = "confirmed.json"

_TEXTS_AT_ONCE = 256
_NOT_CONFIRMED = "detail <> '' AND detail NOT IN (SELECT detail FROM confirmed_detail)"


@dataclass(frozen=True, slots=True)
class NewDetail:
    """An unconfirmed address, and the documents that name it, in alphabetical order."""

    detail: str
    document_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Somebody looked at all addresses of a generation.  ``at`` is in UTC; ``person`` is empty for a first ingest."""

    generation: int
    at: datetime
    person: str


class ContactDetailTable:
    """The addresses of one knowledge base.

    Until the first confirmation, which the first publication is, nothing counts as new.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def unread(self, generation: int) -> Iterator[list[tuple[int, str]]]:
        """Yield keys and texts of the generation's documents not searched yet, some hundreds at a time."""
        keys = [
            row[0]
            for row in self._database.rows(
                f"SELECT document_key FROM document INDEXED BY document_visible WHERE {VISIBLE.format('document')} "
                "AND NOT EXISTS (SELECT 1 FROM contact_detail WHERE contact_detail.document_key = "
                "document.document_key) ORDER BY document_key",
                {"generation": generation},
            )
        ]
        for begin in range(0, len(keys), _TEXTS_AT_ONCE):
            rows = self._database.rows(
                "SELECT document_key, title || char(10, 10) || text FROM document "
                "WHERE document_key IN (SELECT value FROM json_each(?))",
                (json.dumps(keys[begin : begin + _TEXTS_AT_ONCE]),),
            )
            yield [(row[0], row[1]) for row in rows]

    def add(self, details: Mapping[int, Sequence[str]]) -> None:
        """Keep the addresses of documents, by the documents' keys, in one transaction."""
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO contact_detail (document_key, detail) VALUES (?, ?)",
                [(key, detail) for key, found in details.items() for detail in found or ("",)],
            )

    def unconfirmed(self, generation: int) -> tuple[NewDetail, ...]:
        """Return the unconfirmed addresses of a generation, published or not."""
        with self._database.reading() as connection:
            if _latest(connection) is None:
                return ()
            rows = connection.execute(
                "SELECT detail, json_group_array(document_id) FROM (SELECT DISTINCT detail, document_id "
                f"FROM contact_detail JOIN document USING (document_key) WHERE {VISIBLE.format('document')} "
                f"AND {_NOT_CONFIRMED} ORDER BY detail, document_id) GROUP BY detail ORDER BY detail",
                {"generation": generation},
            ).fetchall()
        return tuple(NewDetail(row[0], tuple(json.loads(row[1]))) for row in rows)

    def unconfirmed_of(self, document_ids: Sequence[str], generation: int) -> dict[str, frozenset[str]]:
        """Return the unconfirmed addresses of some documents, by their ids; documents without any are left out."""
        rows = self._database.rows(
            "SELECT document_id, detail FROM document JOIN contact_detail USING (document_key) "
            f"WHERE document_id IN (SELECT value FROM json_each(:ids)) AND {VISIBLE.format('document')} "
            f"AND {_NOT_CONFIRMED} AND EXISTS (SELECT 1 FROM confirmation)",
            {"ids": json.dumps(list(document_ids)), "generation": generation},
        )
        found: dict[str, set[str]] = {}
        for document_id, detail in rows:
            found.setdefault(document_id, set()).add(detail)
        return {document_id: frozenset(details) for document_id, details in found.items()}

    def filter_unconfirmed(self, details: Sequence[str]) -> frozenset[str]:
        """Return the unconfirmed ones of some addresses, in any document."""
        with self._database.reading() as connection:
            if _latest(connection) is None:
                return frozenset()
            rows = connection.execute(
                "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT detail FROM confirmed_detail)",
                (json.dumps(sorted(details)),),
            ).fetchall()
        return frozenset(row[0] for row in rows)

    def recorded_unconfirmed(self, details: Collection[str]) -> frozenset[str]:
        """Return those of some addresses that a document has, or had, and that nobody has confirmed."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT DISTINCT detail FROM contact_detail WHERE detail IN (SELECT value FROM json_each(?)) "
                "AND detail NOT IN (SELECT detail FROM confirmed_detail)",
                (json.dumps(sorted(details)),),
            ).fetchall()
        return frozenset(row[0] for row in rows)

    def confirm(self, generation: int, person: str, details: Collection[str] | None = None) -> int:
        """Confirm addresses of a generation, all or only ``details``; return how many are new."""
        with self._database.transaction() as connection:
            confirmed = connection.execute(
                "INSERT OR IGNORE INTO confirmed_detail (detail) SELECT DISTINCT detail FROM contact_detail "
                f"JOIN document USING (document_key) WHERE {VISIBLE.format('document')} AND detail <> '' "
                "AND (:details IS NULL OR detail IN (SELECT value FROM json_each(:details)))",
                {"generation": generation, "details": None if details is None else json.dumps(sorted(details))},
            ).rowcount
            _record(connection, generation, person)
        self._write_file()
        return confirmed

    def keep(self) -> None:
        """Write ``confirmed.json`` if it is missing, as for knowledge bases of older versions."""
        if not (self._database.path.parent / CONFIRMED_NAME).exists():
            self._write_file()

    def restore_confirmed(self) -> None:
        """Confirm the addresses in ``confirmed.json`` if the database has no confirmation: it is new."""
        kept = read_confirmed(self._database.path.parent)
        if kept is None or self.latest() is not None:
            return
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO confirmed_detail (detail) VALUES (?)", [(one,) for one in kept]
            )
            _record(connection, 0, "")

    def _write_file(self) -> None:
        details = [row[0] for row in self._database.rows("SELECT detail FROM confirmed_detail ORDER BY detail")]
        write_confirmed(self._database.path.parent, details)

    def latest(self) -> Confirmation | None:
        """Return the last confirmation; None before the first one."""
        with self._database.reading() as connection:
            return _latest(connection)


def _latest(connection: sqlite3.Connection) -> Confirmation | None:
    row = connection.execute("SELECT generation, at, person FROM confirmation ORDER BY rowid DESC LIMIT 1").fetchone()
    return None if row is None else Confirmation(row[0], datetime.fromisoformat(row[1]), row[2])


def _record(connection: sqlite3.Connection, generation: int, person: str) -> None:
    connection.execute(
        "INSERT INTO confirmation (generation, at, person) VALUES (?, ?, ?)",
        (generation, datetime.now(UTC).isoformat(), person),
    )


def write_confirmed(folder: Path, details: Sequence[str]) -> None:
    """Write ``confirmed.json`` of a knowledge base in one step."""
    with storage_errors(folder):
        write_whole(folder / CONFIRMED_NAME, json.dumps(details, ensure_ascii=False) + "\n", durable=True)


def read_confirmed(folder: Path) -> tuple[str, ...] | None:
    """Read ``confirmed.json``: None if there is no such file, () if it is unreadable."""
    try:
        found = read_json(folder / CONFIRMED_NAME)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return ()
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()
