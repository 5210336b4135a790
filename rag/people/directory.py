"""The user directory: accounts, roles and readable knowledge bases."""

import json
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rag.errors import (
    LastAdmin,
    PeopleMissing,
    PersonOutOfReach,
    PersonTaken,
    PersonUnknown,
    PersonUnusable,
    ScopeNotHeld,
)
from rag.people.audit import Change, Detail, scopes_detail, write_change
from rag.people.names import skeleton, usable_name
from rag.settings import DatabasePlace, Settings
from rag.storage.access import KnowledgeBases, Role, User
from rag.storage.connection import Connection, Row, SharedStore, open_database, storage_errors
from rag.storage.migrations import PEOPLE_MIGRATIONS

MARK_NAME = "people.mark"
"""An empty file beside ``people.db``, made with the first admin: without them the desk does not open to everybody."""

_AN_ADMIN = "SELECT 1 FROM person WHERE role = 'admin' AND disabled = 0"


@dataclass(frozen=True, slots=True)
class Person:
    """A stored user.  ``scopes`` None: every knowledge base."""

    name: str
    role: Role
    scopes: frozenset[str] | None
    disabled: bool
    has_password: bool

    @property
    def user(self) -> User:
        """Return the user that pages and services work with."""
        return User(self.name, self.role, self.scopes)


def known_scopes(settings: Settings, names: Sequence[str]) -> tuple[str, ...]:
    """Return the scopes, each the name or the scope of a knowledge base.  Raises ``PersonUnusable``."""
    known = {settings.knowledge_base, *KnowledgeBases(settings.knowledge_folder).scopes()}
    for name in names:
        if name not in known:
            raise PersonUnusable(reason="scope", name=name)
    return tuple(names)


class People(SharedStore):
    """The directory in the database at ``place``, which is made when it is missing.  Safe from threads and processes.

    Nobody is ever removed, so that a name in the record and beside a turn stays the same person's.  ``by`` is who makes
    a change; it is recorded together with it.
    """

    def __init__(self, place: DatabasePlace, *, reads_only: bool = False) -> None:
        super().__init__(open_database(place, PEOPLE_MIGRATIONS, create=True, reads_only=reads_only))
        self._mark = place.with_name(MARK_NAME) if isinstance(place, Path) else None
        self._place = place
        self._local = threading.local()

    @property
    def on_server(self) -> bool:
        """Whether a query may take long, because a server is asked."""
        return self._database.on_server

    def list(self) -> tuple[Person, ...]:
        """Return everybody, by name."""
        return tuple(_person(row) for row in self._database.rows("SELECT * FROM person ORDER BY lower(name)"))

    def find(self, name: str) -> Person:
        """Return a user, in any case of the name.  Raises ``PersonUnknown``."""
        with self._database.reading() as connection:
            return _require_person(connection, name)

    def require_new(self, name: str) -> None:
        """Raise ``PersonTaken`` for a user's name, ``PersonUnusable`` for what is no name or looks like a user's."""
        name = usable_name(name)
        with self._database.reading() as connection:
            _require_untaken(connection, name)

    def has_admin(self) -> bool:
        """Tell whether anybody can let others in."""
        version = self._database.version()  # asked with each request
        kept: tuple[tuple[int, int, int], bool] | None = getattr(self._local, "has_admin", None)
        if kept is not None and kept[0] == version:
            return kept[1]
        found = self._database.row(_AN_ADMIN) is not None
        self._local.has_admin = (version, found)
        return found

    def require_kept(self) -> None:
        """Raise ``PeopleMissing`` where there was an admin and is none now: the file was emptied or lost.

        On a server there is no telling, and whoever runs it looks after what it holds.
        """
        if self._mark is not None and self._mark.exists() and not self.has_admin():
            raise PeopleMissing(path=self._place, mark=self._mark)

    def mark_admin(self) -> None:
        """Leave the mark for ``require_kept`` as soon as there is an admin."""
        if self._mark is not None and self.has_admin() and not self._mark.exists():
            with storage_errors(self._mark.parent):
                self._mark.touch()

    def add(self, name: str, role: Role, scopes: Iterable[str] | None, password_hash: str, by: str) -> Person:
        """Add a user; an empty ``password_hash`` is for those who sign in elsewhere.

        The name is stored without wide and decorated letters.  Raises as ``require_new``.
        """
        name = usable_name(name)
        with self._record_change(by, "person_added", name, role=role, scopes=scopes_detail(scopes)) as connection:
            _require_untaken(connection, name)
            connection.execute(
                "INSERT INTO person (name, role, scopes, password, added_at) VALUES (?, ?, ?, ?, ?)",
                (name, role, _scopes_text(scopes), password_hash, datetime.now(UTC).isoformat()),
            )
            return _require_person(connection, name)

    def set_role(self, name: str, role: Role, by: str) -> None:
        """Give another role.  Raises ``PersonUnknown`` or ``LastAdmin``."""
        with self._record_change(by, "person_role", name, role=role) as connection:
            connection.execute(
                "UPDATE person SET role = ? WHERE name = ?", (role, _require_person(connection, name).name)
            )
            _require_admin(connection, name)

    def set_scopes(self, name: str, scopes: Iterable[str] | None, by: str) -> None:
        """Set a user's scopes; None: everything.  Raises ``PersonUnknown``."""
        with self._record_change(by, "person_scopes", name, scopes=scopes_detail(scopes)) as connection:
            _write_scopes(connection, _require_person(connection, name).name, scopes)

    def set_scopes_within(self, name: str, scopes: Collection[str], held: frozenset[str], by: str) -> None:
        """Set a user's scopes within ``held``; their other ones stay as they are.

        Raises ``PersonUnknown``; ``ScopeNotHeld`` for a scope to be given that is not among ``held``; and
        ``PersonOutOfReach`` for a person who may read everything.
        """
        with self._database.transaction() as connection:
            person = _require_person(connection, name)
            if person.scopes is None:
                raise PersonOutOfReach(name=person.name)
            beyond = set(scopes) - held - person.scopes
            if beyond:
                raise ScopeNotHeld(scopes=scopes_detail(beyond))
            left = (held & set(scopes)) | (person.scopes - held)
            _write_scopes(connection, person.name, left)
            write_change(connection, by, "person_scopes", name, {"scopes": scopes_detail(left)})

    def set_disabled(self, name: str, disabled: bool, by: str) -> None:
        """Disable a user and end their sessions, or enable them.  Raises ``PersonUnknown`` or ``LastAdmin``."""
        with self._record_change(by, "person_disabled" if disabled else "person_enabled", name) as connection:
            known = _require_person(connection, name).name
            connection.execute("UPDATE person SET disabled = ? WHERE name = ?", (int(disabled), known))
            _require_admin(connection, name)
            if disabled:
                _end_sign_ins(connection, known)
                _forget_browsers(connection, known)

    def set_password(self, name: str, password_hash: str, by: str) -> None:
        """Give a new password, which ends all sign-ins with the old one and any lock-out for wrong ones.

        Raises ``PersonUnknown``.
        """
        with self._record_change(by, "password_set", name) as connection:
            known = _require_person(connection, name).name
            connection.execute("UPDATE person SET password = ? WHERE name = ?", (password_hash, known))
            connection.execute("DELETE FROM attempt WHERE name = ? COLLATE NOCASE", (known,))
            _end_sign_ins(connection, known)

    def sign_out_everywhere(self, name: str, by: str) -> None:
        """End all sessions of a user, also those of another provider.  Raises ``PersonUnknown``."""
        with self._record_change(by, "signed_out_everywhere", name) as connection:
            known = _require_person(connection, name).name
            _end_sign_ins(connection, known)
            _forget_browsers(connection, known)

    def password_of(self, name: str) -> str:
        """Return the hash of a user's password; empty if there is no such user or no password."""
        row = self._database.row("SELECT password FROM person WHERE name = ? COLLATE NOCASE", (name,))
        return str(row["password"]) if row is not None else ""

    @contextmanager
    def _record_change(self, by: str, what: Change, name: str, **details: Detail) -> Iterator[Connection]:
        with self._database.transaction() as connection:
            yield connection
            write_change(connection, by, what, name, details)
        self.mark_admin()


def _row_of(connection: Connection, name: str) -> Row | None:
    row: Row | None = connection.execute("SELECT * FROM person WHERE name = ? COLLATE NOCASE", (name,)).fetchone()
    return row


def _require_person(connection: Connection, name: str) -> Person:
    row = _row_of(connection, name)
    if row is None:
        raise PersonUnknown(name=name)
    return _person(row)


def _require_untaken(connection: Connection, name: str) -> None:
    if (row := _row_of(connection, name)) is not None:
        raise PersonTaken(name=row["name"])
    looks = skeleton(name)
    for row in connection.execute("SELECT name FROM person").fetchall():
        if skeleton(row["name"]) == looks:
            raise PersonUnusable(reason="alike", name=row["name"])


def _require_admin(connection: Connection, name: str) -> None:
    if connection.execute(_AN_ADMIN).fetchone() is None:
        raise LastAdmin(name=name)


def _end_sign_ins(connection: Connection, name: str) -> None:
    connection.execute("DELETE FROM sign_in WHERE name = ?", (name,))
    connection.execute("UPDATE person SET sign_ins_after = ? WHERE name = ?", (datetime.now(UTC).isoformat(), name))


def _write_scopes(connection: Connection, name: str, scopes: Iterable[str] | None) -> None:
    connection.execute("UPDATE person SET scopes = ? WHERE name = ?", (_scopes_text(scopes), name))


def _forget_browsers(connection: Connection, name: str) -> None:
    connection.execute("DELETE FROM known_browser WHERE name = ?", (name,))


def _scopes_text(scopes: Iterable[str] | None) -> str | None:
    return json.dumps(sorted(set(scopes))) if scopes is not None else None


def _person(row: Row) -> Person:
    return Person(
        name=row["name"],
        role=row["role"],
        scopes=frozenset(json.loads(row["scopes"])) if row["scopes"] is not None else None,
        disabled=bool(row["disabled"]),
        has_password=bool(row["password"]),
    )
