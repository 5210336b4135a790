"""The differences between two generations, document by document and line by line."""

import difflib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

from rag.schema import Language
from rag.storage.connection import Database
from rag.storage.store import VISIBLE

ChangeKind = Literal["added", "changed", "moved", "retired"]

DOCUMENTS_LISTED = 200
LINES_LISTED = 60
"""Of a document; a replaced line counts twice."""

_LINE_CHARACTERS = 300
_LINES_COMPARED = 4000
_VISIBLE_THEN = VISIBLE.format("document").replace(":generation", ":earlier")
_VISIBLE_NOW = VISIBLE.format("document").replace(":generation", ":later")


@dataclass(frozen=True, slots=True)
class Line:
    """An added (``+``) or removed (``-``) line, truncated where it is very long."""

    sign: Literal["+", "-"]
    text: str


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """One document's change; ``former_id`` is set where it ``moved``.

    ``passages_before`` and ``passages_after`` count its chunks, 0 where it did not exist.  ``lines_came`` and
    ``lines_gone`` count all, ``lines`` holds the first of them; of a document that is retired or has moved, none.
    """

    document_id: str
    title: str
    language: Language
    kind: ChangeKind
    passages_before: int = 0
    passages_after: int = 0
    lines_came: int = 0
    lines_gone: int = 0
    lines: tuple[Line, ...] = ()
    former_id: str = ""


@dataclass(frozen=True, slots=True)
class Changes:
    """Counts of documents, and the first ``DOCUMENTS_LISTED`` of them: changed ones first, then added and retired."""

    added: int = 0
    changed: int = 0
    moved: int = 0
    retired: int = 0
    documents: tuple[DocumentChange, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether both generations hold the same documents."""
        return not (self.added or self.changed or self.moved or self.retired)


NO_CHANGES = Changes()


def changes_between(database: Database, earlier: int, later: int) -> Changes:
    """Compare two generations, the later one published or not; an ``earlier`` 0 has no documents.

    A document that was only cut again has not changed.  Where a document of the same title and text is gone under
    another name, it has moved.
    """
    with database.reading() as connection:
        gone = _rows_only_in(connection, _VISIBLE_THEN, _VISIBLE_NOW, earlier, later)
        came = _rows_only_in(connection, _VISIBLE_NOW, _VISIBLE_THEN, earlier, later)
        both = sorted(gone.keys() & came.keys())
        changed = [name for name in both if gone[name]["content_hash"] != came[name]["content_hash"]]
        added, retired = sorted(came.keys() - gone.keys()), sorted(gone.keys() - came.keys())
        moved = dict(_find_moves(connection, gone, retired, came, added))
        added = [name for name in added if name not in moved]
        retired = [name for name in retired if name not in moved.values()]
        listed = [
            *(_changed_document(connection, gone[name], came[name]) for name in changed[:DOCUMENTS_LISTED]),
            *(_document_change(came[name], "moved", former_id=former) for name, former in moved.items()),
            *(_added_document(connection, came[name]) for name in added[:DOCUMENTS_LISTED]),
            *(_document_change(gone[name], "retired") for name in retired[:DOCUMENTS_LISTED]),
        ]
    return Changes(len(added), len(changed), len(moved), len(retired), tuple(listed[:DOCUMENTS_LISTED]))


def _rows_only_in(
    connection: sqlite3.Connection, here: str, not_there: str, earlier: int, later: int
) -> dict[str, sqlite3.Row]:
    """Return the rows that are visible in one generation and not in the other, by document_id, without their texts."""
    rows = connection.execute(
        "SELECT document_key, document_id, title, language, content_hash, length(text) AS characters, "
        "(SELECT count(*) FROM chunk WHERE chunk.document_key = document.document_key) AS passages "
        f"FROM document WHERE ({here}) AND NOT ({not_there})",
        {"earlier": earlier, "later": later},
    )
    return {row["document_id"]: row for row in rows}


def _find_moves(
    connection: sqlite3.Connection,
    gone: dict[str, sqlite3.Row],
    retired: list[str],
    came: dict[str, sqlite3.Row],
    added: list[str],
) -> Iterator[tuple[str, str]]:
    """Yield the new and the former id of documents with the same title and text."""
    former: dict[tuple[str, int], list[str]] = {}
    for name in retired:
        former.setdefault((gone[name]["title"], gone[name]["characters"]), []).append(name)
    for name in added:
        candidates = former.get((came[name]["title"], came[name]["characters"]), [])
        for candidate in candidates:
            if _text(connection, gone[candidate]) == _text(connection, came[name]):
                candidates.remove(candidate)
                yield name, candidate
                break


def _document_change(row: sqlite3.Row, kind: ChangeKind, former_id: str = "") -> DocumentChange:
    before, after = (row["passages"], 0) if kind == "retired" else (0, row["passages"])
    if kind == "moved":
        before = after
    return DocumentChange(row["document_id"], row["title"], row["language"], kind, before, after, former_id=former_id)


def _added_document(connection: sqlite3.Connection, row: sqlite3.Row) -> DocumentChange:
    lines = list(changed_lines("", _text(connection, row)))
    return replace(_document_change(row, "added"), lines_came=len(lines), lines=tuple(lines[:LINES_LISTED]))


def _changed_document(connection: sqlite3.Connection, before: sqlite3.Row, after: sqlite3.Row) -> DocumentChange:
    lines = list(changed_lines(_text(connection, before), _text(connection, after)))
    return DocumentChange(
        after["document_id"],
        after["title"],
        after["language"],
        "changed",
        before["passages"],
        after["passages"],
        lines_came=sum(line.sign == "+" for line in lines),
        lines_gone=sum(line.sign == "-" for line in lines),
        lines=tuple(lines[:LINES_LISTED]),
    )


def changed_lines(before: str, after: str) -> Iterator[Line]:
    r"""Yield removed and added lines in the order of the text; blank lines are ignored.

    >>> [(line.sign, line.text) for line in changed_lines("Fees\n3 EUR\nAsk us", "Fees\n4 EUR\nAsk us")]
    [('-', '3 EUR'), ('+', '4 EUR')]
    """
    old, new = ([line for line in text.splitlines() if line.strip()] for text in (before, after))
    compared = difflib.unified_diff(old[:_LINES_COMPARED], new[:_LINES_COMPARED], n=0, lineterm="")
    for line in islice(compared, 2, None):  # its first two lines name files
        if line.startswith("+"):
            yield Line("+", line[1 : _LINE_CHARACTERS + 1])
        elif line.startswith("-"):
            yield Line("-", line[1 : _LINE_CHARACTERS + 1])


def _text(connection: sqlite3.Connection, row: sqlite3.Row) -> str:
    found = connection.execute("SELECT text FROM document WHERE document_key = ?", (row["document_key"],)).fetchone()
    return str(found[0])
