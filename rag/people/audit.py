"""The audit log of changes: append-only, without customers' text."""

import getpass
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from rag.settings import DatabasePlace
from rag.storage.connection import Connection, Row, SharedStore, open_database
from rag.storage.migrations import PEOPLE_MIGRATIONS

Change = Literal[
    "person_added",
    "person_role",
    "person_scopes",
    "person_disabled",
    "person_enabled",
    "password_set",
    "signed_out_everywhere",
    "key_added",
    "key_revoked",
    "key_rolled",
    "published",
    "rolled_back",
    "confirmed",
    "correction",
    "setting",
    "model",
    "turns_deleted",
    "customer_forgotten",
]
"""The recorded actions.  The words for each are in ``locale/*/ui/people.toml`` under ``change_``."""

Detail = str | int | float | bool | None
_LONGEST_DETAIL = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """One change: ``who`` did ``what`` to ``about`` (a person, a setting, a model, ...), at ``at``, in UTC."""

    number: int
    at: datetime
    who: str
    what: Change
    about: str
    details: Mapping[str, Detail]

    def to_json(self) -> dict[str, object]:
        """Return plain values, ready for ``json.dumps``."""
        return asdict(self) | {"at": self.at.isoformat()}


def write_change(connection: Connection, who: str, what: Change, about: str, details: Mapping[str, Detail]) -> None:
    """Add an entry within the caller's transaction: either both the change and its entry are kept, or neither."""
    if what not in get_args(Change):
        raise ValueError(f"unknown change {what!r}")
    too_long = [name for name, value in details.items() if isinstance(value, str) and len(value) > _LONGEST_DETAIL]
    if too_long:
        raise ValueError(f"a detail is a name or a number, not a text: {too_long}")
    connection.execute(
        "INSERT INTO change (at, who, what, about, details) VALUES (?, ?, ?, ?, ?)",
        (datetime.now(UTC).isoformat(), who, what, about, json.dumps(dict(details), ensure_ascii=False)),
    )


def scopes_detail(scopes: Iterable[str] | None) -> str:
    """Return the names of knowledge bases as a detail of an entry, cut at its limit; "*": all of them."""
    return ", ".join(sorted(scopes))[:_LONGEST_DETAIL] if scopes is not None else "*"


def terminal_user() -> str:
    """Return the name for actions in a terminal: the operating system's user, marked as such."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user who is in no list of users
        name = str(os.getuid())
    return f"terminal ({name})"


class AuditTrail(SharedStore):
    """The record in the database of people at ``place``, which is made when it is missing.

    ``details`` are names and numbers (a generation, a role), at most 200 characters each; never a question, an answer
    or a passage.

    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = tempfile.TemporaryDirectory()
    >>> trail = AuditTrail(Path(folder.name) / "people.db")
    >>> trail.record("lin", "published", "default", generation=12, added=3)
    >>> [(entry.who, entry.what, entry.about) for entry in trail.entries()]
    [('lin', 'published', 'default')]
    >>> trail.close()
    >>> folder.cleanup()
    """

    def __init__(self, place: DatabasePlace, *, reads_only: bool = False) -> None:
        super().__init__(open_database(place, PEOPLE_MIGRATIONS, create=True, reads_only=reads_only))

    def exists(self) -> bool:
        """Whether there is a record already."""
        return self._database.exists()

    def record(self, who: str, what: Change, about: str, **details: Detail) -> None:
        """Add an entry."""
        with self._database.transaction() as connection:
            write_change(connection, who, what, about, details)

    def entries(self, limit: int = 200) -> tuple[Entry, ...]:
        """Return the newest entries first."""
        rows = self._database.rows("SELECT * FROM change ORDER BY change DESC LIMIT ?", (limit,))
        return tuple(_entry(row) for row in rows)

    def lines(self) -> Iterator[str]:
        """Yield every entry as a line of JSON, oldest first."""
        for row in self._database.stream("SELECT * FROM change ORDER BY change"):
            yield json.dumps(_entry(row).to_json(), ensure_ascii=False) + "\n"


def _entry(row: Row) -> Entry:
    return Entry(
        number=row["change"],
        at=datetime.fromisoformat(row["at"]),
        who=row["who"],
        what=row["what"],
        about=row["about"],
        details=json.loads(row["details"]),
    )
