"""Counts how often each document is cited, and how often an agent marked such an answer unhelpful.

    uses = DocumentUses(settings.turns_path)
    uses.counts("shop", since)["en/returns.md"]     # DocumentUse(cited=12, disliked=1)

Counted from a small table beside the turns, which their store fills: no answer is read.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rag.storage.connection import Database, Store
from rag.storage.migrations import TURN_MIGRATIONS


@dataclass(frozen=True, slots=True)
class DocumentUse:
    """``cited`` counts the answers that cite a document, ``disliked`` those among them that got a thumb down."""

    cited: int = 0
    disliked: int = 0


class DocumentUses(Store):
    """Reads the database of turns at ``path``; without the file nothing was of use, and none is made."""

    def __init__(self, path: Path) -> None:
        super().__init__(Database(path, TURN_MIGRATIONS))

    def counts(self, knowledge_base: str, since: datetime) -> dict[str, DocumentUse]:
        """Count what was asked of a knowledge base at ``since`` (with a zone) or later, by the documents' ids.

        Documents that no answer cites are left out.  Raises ``KnowledgeError`` where the file cannot be read.
        """
        if not self._database.exists():
            return {}
        rows = self._database.rows(
            "SELECT document_id, count(*), coalesce(sum(useful = 0), 0) "
            "FROM turn_citation LEFT JOIN turn_feedback USING (turn_number) "
            "WHERE knowledge_base = ? AND asked_at >= ? GROUP BY document_id",
            (knowledge_base, since.astimezone(UTC).isoformat()),
        )
        return {row[0]: DocumentUse(row[1], row[2]) for row in rows}


def write_citations(connection: sqlite3.Connection, turn_id: str, document_ids: Iterable[str]) -> None:
    """Write which documents a turn's answer cites over what was written before, within the caller's transaction."""
    connection.execute(
        "DELETE FROM turn_citation WHERE turn_number = (SELECT turn_number FROM turn WHERE turn_id = ?)", (turn_id,)
    )
    connection.executemany(
        "INSERT INTO turn_citation (knowledge_base, asked_at, turn_number, document_id) "
        "SELECT knowledge_base, created_at, turn_number, ? FROM turn WHERE turn_id = ?",
        [(document_id, turn_id) for document_id in sorted(set(document_ids))],
    )
