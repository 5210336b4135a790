"""Where the pieces of shared knowledge bases lie: in rows of the PostgreSQL server, or in a bucket (``bucket.py``).

A piece is some bytes of a file, named by its SHA-256.  What is published, and when, is ``shared_pieces.py``'s; a store
keeps pieces, tells which it lacks, gives them back, and deletes those that nobody names any more.

Rows of the server are in the same transactions as the pointer.  A bucket is not, so the server keeps a row about each
object in it (``shared_object``), and that row decides.  No collection takes a piece from a publication that relies on
it, whatever the order in which the two do their steps, and whatever clocks say:

1. An object is written once, under a key that no other has (the piece's name and 16 digits drawn by chance), and is
   ``coming`` before it is sent and ``there`` after the bucket has confirmed it.
2. A pointer moves in a transaction that finds every piece ``there`` (``has_all``).  A collection makes rows ``doomed``
   in a transaction that reads the pointer.  The server does one after the other: either the collection sees the new
   pointer and spares its pieces, or the move finds them doomed, does nothing, and the publication sends them again.
3. Sent again, they get other keys.  So a deletion of doomed objects, however late it arrives, meets none that serves.

Rows of doomed objects go after their objects: what a killed collection left is deleted by the next one, and so is what
a killed publication had ``coming``.  No object is deleted of which the server keeps no row, so whatever else lies in
the bucket stays.
"""

import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from rag.storage.connection import Connection

if TYPE_CHECKING:
    from rag.storage.bucket import Bucket
    from rag.storage.postgres import PostgresDatabase

IN_ROWS = ""
"""The place of pieces that lie in rows of the server."""

_ROWS_AT_ONCE = 256
_NONCE_BYTES = 8


class PieceStore(Protocol):
    """Pieces of shared knowledge bases (``name``) in one place.  Safe from many threads.

    Methods raise ``DatabaseUnavailable``, and of a bucket ``BucketUnavailable``, ``BucketRefused`` and ``StorageFull``.
    """

    @property
    def place(self) -> str:
        """What heads call it."""

    @property
    def batch_bytes(self) -> int:
        """How much is put or taken at once."""

    def lacking(self, name: str, digests: Iterable[str]) -> set[str]:
        """Return those of the pieces that are not there."""

    def put(self, name: str, pieces: Sequence[bytes]) -> None:
        """Keep some megabytes of pieces, each once; doing it again changes nothing."""

    def take(self, name: str, digests: Sequence[str]) -> dict[str, bytes]:
        """Return those of the pieces that are there and whole, some megabytes, by their names."""

    def has_all(self, connection: Connection, name: str, digests: Collection[str]) -> bool:
        """Tell, within the caller's transaction, whether all of the pieces were put and none was collected."""

    def collect(self, name: str, kept: Callable[[Connection], Collection[str]]) -> int:
        """Delete the pieces that ``kept`` does not name within the collection's transaction; return how many."""


class RowPieces:
    """Pieces in rows of the server; see ``PieceStore``."""

    place = IN_ROWS
    batch_bytes = 2 << 20  # one transaction, which has six seconds

    def __init__(self, database: "PostgresDatabase") -> None:
        self._database = database

    def lacking(self, name: str, digests: Iterable[str]) -> set[str]:
        """Do as ``PieceStore`` says."""
        rows = self._database.contents("SELECT digest FROM shared_piece WHERE name = ?", (name,))
        return {*digests} - {bytes(row[0]).hex() for row in rows}

    def put(self, name: str, pieces: Sequence[bytes]) -> None:
        """Do as ``PieceStore`` says, in one transaction."""
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT INTO shared_piece (name, digest, content) VALUES (?, ?, ?) "
                "ON CONFLICT (name, digest) DO NOTHING",
                [(name, sha256(piece).digest(), piece) for piece in pieces],
            )

    def take(self, name: str, digests: Sequence[str]) -> dict[str, bytes]:
        """Do as ``PieceStore`` says."""
        found: dict[str, bytes] = {}
        for begin in range(0, len(digests), _ROWS_AT_ONCE):
            rows = self._database.contents(
                "SELECT content FROM shared_piece WHERE name = ? AND digest = ANY(?)",
                (name, _raw(digests[begin : begin + _ROWS_AT_ONCE])),
            )
            found.update((sha256(row[0]).hexdigest(), bytes(row[0])) for row in rows)
        return found

    def has_all(self, connection: Connection, name: str, digests: Collection[str]) -> bool:
        """Do as ``PieceStore`` says."""
        found = connection.execute(
            "SELECT count(*) FROM shared_piece WHERE name = ? AND digest = ANY(?)", (name, _raw(digests))
        ).fetchone()
        return int(found[0]) == len(digests)

    def collect(self, name: str, kept: Callable[[Connection], Collection[str]]) -> int:
        """Do as ``PieceStore`` says, in one transaction."""
        with self._database.transaction() as connection:
            return connection.execute(
                "DELETE FROM shared_piece WHERE name = ? AND NOT digest = ANY(?)", (name, _raw(kept(connection)))
            ).rowcount


class BucketPieces:
    """Pieces in a bucket, and a row of the server about each; see ``PieceStore`` and the order above."""

    batch_bytes = 8 << 20  # eight pieces of index files travel at once

    def __init__(self, database: "PostgresDatabase", bucket: "Bucket") -> None:
        self._database = database
        self._bucket = bucket
        self.place = bucket.place

    def lacking(self, name: str, digests: Iterable[str]) -> set[str]:
        """Do as ``PieceStore`` says: also what somebody deleted from the bucket, or cut off, is lacking."""
        rows = self._database.rows(
            "SELECT digest, object, size FROM shared_object WHERE name = ? AND place = ? AND state = 'there'",
            (name, self.place),
        )
        sizes = self._bucket.sizes(f"{name}/") if rows else {}
        there = {bytes(row["digest"]).hex() for row in rows if sizes.get(row["object"]) == row["size"]}
        return {*digests} - there

    def put(self, name: str, pieces: Sequence[bytes]) -> None:
        """Do as ``PieceStore`` says; an object that had the piece before is doomed."""
        nonce = secrets.token_hex(_NONCE_BYTES)
        named = {sha256(piece).digest(): piece for piece in pieces}
        objects = {f"{name}/{digest.hex()}-{nonce}": piece for digest, piece in named.items()}
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT INTO shared_object (object, place, name, digest, size, state) VALUES (?, ?, ?, ?, ?, 'coming')",
                [
                    (key, self.place, name, digest, len(piece))
                    for key, (digest, piece) in zip(objects, named.items(), strict=True)
                ],
            )
        self._bucket.put(objects)
        with self._database.transaction() as connection:
            rows = connection.execute(
                "UPDATE shared_object SET state = 'there' WHERE object = ANY(?) AND state = 'coming' RETURNING object",
                (list(objects),),
            ).fetchall()
            there = {str(row["object"]) for row in rows}
            connection.execute(
                "UPDATE shared_object SET state = 'doomed' WHERE name = ? AND place = ? AND state = 'there' "
                "AND digest = ANY(?) AND NOT object = ANY(?)",
                (name, self.place, list(named), list(objects)),
            )
        if forgotten := objects.keys() - there:  # collected meanwhile, perhaps before they had arrived
            self._bucket.delete(sorted(forgotten))

    def take(self, name: str, digests: Sequence[str]) -> dict[str, bytes]:
        """Do as ``PieceStore`` says."""
        rows = self._database.rows(
            "SELECT object FROM shared_object WHERE name = ? AND place = ? AND state = 'there' AND digest = ANY(?)",
            (name, self.place, _raw(digests)),
        )
        contents = self._bucket.get([str(row["object"]) for row in rows])
        return {sha256(content).hexdigest(): content for content in contents}

    def has_all(self, connection: Connection, name: str, digests: Collection[str]) -> bool:
        """Do as ``PieceStore`` says."""
        found = connection.execute(
            "SELECT count(DISTINCT digest) FROM shared_object "
            "WHERE name = ? AND place = ? AND state = 'there' AND digest = ANY(?)",
            (name, self.place, _raw(digests)),
        ).fetchone()
        return int(found[0]) == len(digests)

    def collect(self, name: str, kept: Callable[[Connection], Collection[str]]) -> int:
        """Do as ``PieceStore`` says; where the bucket does not delete them, the next collection does."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE shared_object SET state = 'doomed' WHERE name = ? AND place = ? "
                "AND (state = 'coming' OR NOT digest = ANY(?))",
                (name, self.place, _raw(kept(connection))),
            )
        rows = self._database.rows(
            "SELECT object FROM shared_object WHERE name = ? AND place = ? AND state = 'doomed'", (name, self.place)
        )
        doomed = [str(row["object"]) for row in rows]
        self._bucket.delete(doomed)
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM shared_object WHERE object = ANY(?)", (doomed,))
        return len(doomed)


def _raw(digests: Iterable[str]) -> list[bytes]:
    return [bytes.fromhex(digest) for digest in digests]
