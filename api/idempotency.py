"""``Idempotency-Key``: a request that a program repeats because it got no reply is carried out once.

    earlier = requests.begin(caller, key, body)     # "", or what the first one led to
    requests.keep(caller, key, turn_id)             # or requests.forget(caller, key)

What is kept is a turn's id, for a day, never a body: of that only a hash.
"""

import hashlib
import time

from rag.errors import IdempotencyConflict, IdempotencyRunning
from rag.settings import DatabasePlace
from rag.storage.connection import Connection, SharedStore, open_database

_KEPT_SECONDS = 24 * 3600.0
_RESERVED_SECONDS = 60.0
LONGEST_KEY = 255


def _tables(connection: Connection) -> None:
    connection.execute(
        "CREATE TABLE request (caller TEXT NOT NULL, key_hash BLOB NOT NULL, body_hash BLOB NOT NULL, "
        "reference TEXT NOT NULL DEFAULT '', at REAL NOT NULL, PRIMARY KEY (caller, key_hash)) WITHOUT ROWID"
    )


MIGRATIONS = (_tables,)


class IdempotentRequests(SharedStore):
    """The requests of the last day that brought a key, of each caller its own.  Safe from threads and processes."""

    def __init__(self, place: DatabasePlace) -> None:
        super().__init__(open_database(place, MIGRATIONS, create=True))

    def begin(self, caller: str, key: str, body: bytes) -> str:
        """Reserve a key and return an empty string, or return the outcome of this key's first request.

        Raises ``IdempotencyConflict`` where that one had another body, and ``IdempotencyRunning`` within a minute
        where it has not led to anything yet.
        """
        now, key_hash, body_hash = time.time(), _hash(key.encode()), _hash(body)
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM request WHERE at <= ?", (now - _KEPT_SECONDS,))
            row = connection.execute(
                "SELECT body_hash, reference, at FROM request WHERE caller = ? AND key_hash = ?", (caller, key_hash)
            ).fetchone()
            if row is not None and row["body_hash"] != body_hash:
                raise IdempotencyConflict
            if row is not None and row["reference"]:
                return str(row["reference"])
            if row is not None and row["at"] > now - _RESERVED_SECONDS:
                raise IdempotencyRunning
            connection.execute(
                "INSERT INTO request (caller, key_hash, body_hash, at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (caller, key_hash) DO UPDATE SET body_hash = excluded.body_hash, "
                "reference = excluded.reference, at = excluded.at",
                (caller, key_hash, body_hash, now),
            )
        return ""

    def keep(self, caller: str, key: str, reference: str) -> None:
        """Store a request's outcome."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE request SET reference = ? WHERE caller = ? AND key_hash = ?",
                (reference, caller, _hash(key.encode())),
            )

    def forget(self, caller: str, key: str) -> None:
        """Forget a request that led to nothing: the next one of its key begins again."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM request WHERE caller = ? AND key_hash = ?", (caller, _hash(key.encode())))


def _hash(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
