"""API keys: other programs' way in, each with rights, knowledge bases, an audience and perhaps an end."""

import hashlib
import json
import secrets
import string
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, get_args

from rag.errors import ApiKeyRefused, ApiKeyUnknown, ApiKeyUnusable, PersonUnknown
from rag.people.audit import Change, Detail, scopes_detail, write_change
from rag.schema import Audience
from rag.settings import DatabasePlace
from rag.storage.access import KEY_PREFIX, ROLES, Role, User
from rag.storage.connection import Connection, Row, SharedStore, open_database
from rag.storage.migrations import PEOPLE_MIGRATIONS

Right = Literal[
    "ask",
    "users",
    "retrieve",
    "feedback",
    "documents:read",
    "documents:write",
    "publish",
    "curated:write",
    "turns:read",
    "turns:write",
    "evaluate",
    "metrics",
    "models",
    "people",
]
RIGHTS: tuple[Right, ...] = get_args(Right)
"""The rights of a key.  What it may read is in ``ApiKey.scopes`` and ``ApiKey.audience``."""

PUBLIC_RIGHTS: tuple[Right, ...] = ("ask", "users", "retrieve", "feedback", "documents:read")
"""The rights that a key for customers can have: all others show or change colleagues' work."""

SECRET_PREFIX = "ad_"
"""The common prefix of all secrets, by which leaked ones can be searched for."""
LONGEST_NAME = 64

_LEAST_ROLES: dict[Right, Role] = {
    "documents:write": "lead",
    "publish": "admin",
    "curated:write": "lead",
    "turns:read": "lead",
    "turns:write": "lead",
    "evaluate": "lead",
    "metrics": "lead",
    "models": "admin",
    "people": "admin",
}
_ID_SIGNS = string.ascii_lowercase + string.digits
_SELECT = (
    "SELECT api_key.*, person.role AS owner_role, person.scopes AS owner_scopes, person.disabled AS owner_disabled "
    "FROM api_key LEFT JOIN person ON person.name = api_key.owner"
)


def least_role(rights: Iterable[Right]) -> Role:
    """Return the least role that has all these rights.

    >>> least_role(["ask", "retrieve"]), least_role(["ask", "turns:read"]), least_role(["publish"])
    ('agent', 'lead', 'admin')
    """
    return max((_LEAST_ROLES.get(right, "agent") for right in rights), key=ROLES.index, default="agent")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret.  Times are in UTC.

    ``owner`` is the person who made it; empty: nobody in particular.  ``scopes`` are as in ``User.scopes``, None: every
    knowledge base.  ``used_at`` is the hour of its last use.  ``questions_a_minute`` None: as many as the settings say.
    """

    key_id: str
    name: str
    owner: str
    rights: frozenset[Right]
    scopes: frozenset[str] | None
    audience: Audience
    created_at: datetime
    expires_at: datetime | None = None
    used_at: datetime | None = None
    revoked: bool = False
    questions_a_minute: int | None = None

    @property
    def user(self) -> User:
        """Return the user for services: no person can have a name with a colon."""
        return User(f"{KEY_PREFIX}{self.key_id}", least_role(self.rights), self.scopes, self.audience)

    def has_expired(self, now: datetime) -> bool:
        """Tell whether it has expired."""
        return self.expires_at is not None and self.expires_at <= now


class ApiKeys(SharedStore):
    """The keys in the database of people at ``place``.  Safe from threads and processes.

    A key never does more than its owner may at that moment.  No key is ever removed, so that its id in the record of
    changes and beside a turn stays the same key's.  ``by`` is who makes a change; it is recorded together with it.
    ``clock`` gives seconds since 1970.

    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = tempfile.TemporaryDirectory()
    >>> keys = ApiKeys(Path(folder.name) / "people.db")
    >>> secret, key = keys.add("shop", ["ask"], ["default"], audience="public", expires_at=None, owner="", by="lin")
    >>> secret[:3], keys.key_of(secret) == key, key.user.role, key.user.audience
    ('ad_', True, 'agent', 'public')
    >>> keys.revoke(key.key_id, by="lin")
    >>> keys.close()
    >>> folder.cleanup()
    """

    def __init__(
        self, place: DatabasePlace, *, clock: Callable[[], float] = time.time, reads_only: bool = False
    ) -> None:
        super().__init__(open_database(place, PEOPLE_MIGRATIONS, create=True, reads_only=reads_only))
        self._clock = clock
        self._local = threading.local()
        self._noted: dict[str, datetime] = {}
        self._has_any = False
        self._lock = threading.Lock()

    def list(self) -> tuple[ApiKey, ...]:
        """Return all keys as they were made, revoked ones too, oldest first."""
        rows = self._database.rows("SELECT * FROM api_key ORDER BY rowid")
        return tuple(_key(row) for row in rows)

    def has_any(self) -> bool:
        """Tell whether a key was ever made, be it revoked by now; none is ever removed, so yes stays yes."""
        if not self._has_any:
            self._has_any = self._database.row("SELECT 1 FROM api_key LIMIT 1") is not None
        return self._has_any

    def find(self, key_id: str) -> ApiKey:
        """Return a key that is not revoked, as it was made.  Raises ``ApiKeyUnknown``."""
        with self._database.reading() as connection:
            return _require_key(connection, key_id)

    def add(
        self,
        name: str,
        rights: Iterable[Right],
        scopes: Iterable[str] | None,
        *,
        audience: Audience,
        expires_at: datetime | None,
        owner: str,
        by: str,
        questions_a_minute: int | None = None,
    ) -> tuple[str, ApiKey]:
        """Make a key and return its secret, which is shown only once, with the key.

        Raises ``ApiKeyUnusable``, and ``PersonUnknown`` where nobody is called ``owner``.
        """
        now = self._now()
        key = ApiKey(
            key_id="".join(secrets.choice(_ID_SIGNS) for _ in range(8)),
            name=name.strip(),
            owner=owner,
            rights=frozenset(rights),
            scopes=frozenset(scopes) if scopes is not None else None,
            audience=audience,
            created_at=now,
            expires_at=expires_at.astimezone(UTC) if expires_at is not None else None,
            questions_a_minute=questions_a_minute,
        )
        _require_usable(key, now)
        secret = _new_secret()
        with self._database.transaction() as connection:
            if owner:
                key = replace(key, owner=_person_name(connection, owner))
            _insert(connection, key, secret)
            _record(connection, by, "key_added", key, rights=", ".join(in_order(key.rights)),
                    scopes=scopes_detail(key.scopes), audience=audience)  # fmt: skip
        return secret, key

    def key_of(self, secret: str) -> ApiKey:
        """Return the key of a secret, with the rights and scopes that its owner's of this moment leave it.

        What was read is kept as long as nobody changed anything about people or keys.  Raises ``ApiKeyRefused``.
        """
        digest, version = _hash(secret), self._database.version()
        if getattr(self._local, "version", None) != version:
            self._local.version, self._local.keys = version, {}
        keys: dict[bytes, ApiKey] = self._local.keys
        if digest not in keys:
            keys[digest] = self._read(digest)
        key = keys[digest]
        if key.has_expired(self._now()):
            raise ApiKeyRefused
        return key

    def revoke(self, key_id: str, by: str) -> None:
        """End a key at once and for ever.  Raises ``ApiKeyUnknown``."""
        with self._database.transaction() as connection:
            key = _require_key(connection, key_id)
            connection.execute("UPDATE api_key SET revoked = 1 WHERE key_id = ?", (key_id,))
            _record(connection, by, "key_revoked", key)

    def roll(self, key_id: str, by: str) -> str:
        """Give a key a new secret, and return it; the old one opens nothing any more.  Raises ``ApiKeyUnknown``."""
        secret = _new_secret()
        with self._database.transaction() as connection:
            key = _require_key(connection, key_id)
            connection.execute("UPDATE api_key SET secret_hash = ? WHERE key_id = ?", (_hash(secret), key_id))
            _record(connection, by, "key_rolled", key)
        return secret

    def note_use(self, key_id: str) -> None:
        """Note that a key was used in this hour; writes once an hour for each key."""
        hour = self._now().replace(minute=0, second=0, microsecond=0)
        with self._lock:
            if self._noted.get(key_id) == hour:
                return
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE api_key SET used_at = :hour WHERE key_id = :key_id AND (used_at IS NULL OR used_at < :hour)",
                {"hour": hour.isoformat(), "key_id": key_id},
            )
        with self._lock:
            self._noted[key_id] = hour

    def _read(self, digest: bytes) -> ApiKey:
        row = self._database.row(f"{_SELECT} WHERE secret_hash = ? AND revoked = 0", (digest,))
        if row is None or row["owner_disabled"]:
            raise ApiKeyRefused
        key = _key(row)
        return key if row["owner"] is None else _limit_to_owner(key, row["owner_role"], _scopes(row["owner_scopes"]))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def in_order(rights: Iterable[Right]) -> tuple[Right, ...]:
    """Return rights in the order of ``RIGHTS``."""
    return tuple(sorted(rights, key=RIGHTS.index))


def _require_usable(key: ApiKey, now: datetime) -> None:
    if not 1 <= len(key.name) <= LONGEST_NAME or not key.name.isprintable():
        raise ApiKeyUnusable(reason="name")
    if not key.rights or not key.rights <= set(RIGHTS):
        raise ApiKeyUnusable(reason="rights", known=", ".join(RIGHTS))
    if key.audience == "public" and not key.rights <= set(PUBLIC_RIGHTS):
        raise ApiKeyUnusable(reason="public", known=", ".join(PUBLIC_RIGHTS))
    if key.scopes is not None and not key.scopes:
        raise ApiKeyUnusable(reason="scopes")
    if key.has_expired(now):
        raise ApiKeyUnusable(reason="expired")
    if key.questions_a_minute is not None and key.questions_a_minute < 1:
        raise ApiKeyUnusable(reason="pace")


def _limit_to_owner(key: ApiKey, role: Role, scopes: frozenset[str] | None) -> ApiKey:
    """Return a key with no more rights and scopes than its owner's role and scopes."""
    allowed = ROLES[: ROLES.index(role) + 1]
    rights = frozenset(right for right in key.rights if least_role([right]) in allowed)
    if key.scopes is not None and scopes is not None:
        scopes &= key.scopes
    return replace(key, rights=rights, scopes=key.scopes if scopes is None else scopes)


def _person_name(connection: Connection, name: str) -> str:
    row = connection.execute("SELECT name FROM person WHERE name = ? COLLATE NOCASE", (name,)).fetchone()
    if row is None:
        raise PersonUnknown(name=name)
    return str(row["name"])


def _insert(connection: Connection, key: ApiKey, secret: str) -> None:
    connection.execute(
        "INSERT INTO api_key (key_id, secret_hash, name, owner, rights, scopes, audience, created_at, expires_at, "
        "questions_a_minute) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            key.key_id,
            _hash(secret),
            key.name,
            key.owner or None,
            json.dumps(in_order(key.rights)),
            json.dumps(sorted(key.scopes)) if key.scopes is not None else None,
            key.audience,
            key.created_at.isoformat(),
            key.expires_at.isoformat() if key.expires_at is not None else None,
            key.questions_a_minute,
        ),
    )


def _record(connection: Connection, by: str, what: Change, key: ApiKey, **details: Detail) -> None:
    write_change(connection, by, what, key.name, {"key": key.key_id, **details})


def _require_key(connection: Connection, key_id: str) -> ApiKey:
    row = connection.execute("SELECT * FROM api_key WHERE key_id = ? AND revoked = 0", (key_id,)).fetchone()
    if row is None:
        raise ApiKeyUnknown(key_id=key_id)
    return _key(row)


def _key(row: Row) -> ApiKey:
    return ApiKey(
        key_id=row["key_id"],
        name=row["name"],
        owner=row["owner"] or "",
        rights=frozenset(json.loads(row["rights"])),
        scopes=_scopes(row["scopes"]),
        audience=row["audience"],
        created_at=datetime.fromisoformat(row["created_at"]),
        expires_at=_time(row["expires_at"]),
        used_at=_time(row["used_at"]),
        revoked=bool(row["revoked"]),
        questions_a_minute=row["questions_a_minute"],
    )


def _scopes(text: str | None) -> frozenset[str] | None:
    return frozenset(json.loads(text)) if text is not None else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None


def _new_secret() -> str:
    return SECRET_PREFIX + secrets.token_urlsafe(32)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
