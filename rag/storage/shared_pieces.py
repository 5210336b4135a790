"""Keeps what desks share of their knowledge bases on a PostgreSQL server: the served revision, and pieces of its files.

A file is cut into pieces, and a piece is named by its SHA-256: what two revisions have in common is there once.  The
row of a knowledge base in ``shared_base`` is the truth.  A transaction moves it to the next revision, and tells all
desks; before it, nobody sees anything of what was put, and after it everything is there.

    head       the row: generation, format of the database, files and their pieces
    place      where the head's pieces lie: in rows of the server, or in a bucket (``bucket.py``)
    former     the files of the revision before, and their place: a desk may be fetching them
    collect    deletes the pieces that neither of the two has there

Rows of the server are in the same transactions as the pointer.  A bucket is not, so the server keeps a row about each
object in it (``shared_object``), and that row decides.  No collection takes a piece from a publication that relies on
it, in whatever order the two do their steps, and whatever clocks say:

1. An object is written once, under a key of its own (the piece's name and 16 random digits).  It is ``coming`` before
   it is sent and ``there`` after the bucket has confirmed it.
2. A pointer moves in a transaction that finds every piece ``there`` (``has_all``).  A collection makes rows ``doomed``
   in a transaction that reads the pointer.  The server does one after the other: either the collection sees the new
   pointer and spares its pieces, or the move finds them doomed, does nothing, and the publication sends them again.
3. Sent again, they get other keys.  So a deletion of doomed objects, however late it arrives, meets none that serves.

Rows of doomed objects go after their objects: what a killed collection left is deleted by the next one, and so is what
a killed publication had ``coming``.  Objects without a row on the server are never deleted.
"""

import json
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from rag.errors import DatabaseUnavailable, ExtraMissing, IngestRunning, PiecesElsewhere
from rag.settings import ServerDatabase
from rag.storage.access import is_name
from rag.storage.connection import Connection, open_server_database

if TYPE_CHECKING:
    from rag.storage.bucket import Bucket
    from rag.storage.postgres import Notices, PostgresDatabase, ServerLock

CHANNEL = "answerdesk_knowledge"
"""The channel on which the server announces new revisions."""

_TOKEN_BYTES = 16
_ATTEMPTS = 5
"""How often a small file is put again if a collection takes it before the pointer names it."""

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
        """The name of the place in a ``Head``."""

    @property
    def batch_bytes(self) -> int:
        """The bytes to put or take at once."""

    def missing(self, name: str, digests: Iterable[str]) -> set[str]:
        """Return the missing pieces."""

    def put(self, name: str, pieces: Sequence[bytes]) -> None:
        """Store some megabytes of pieces, each once; repeating it changes nothing."""

    def take(self, name: str, digests: Sequence[str]) -> dict[str, bytes]:
        """Return the existing, intact pieces, some megabytes, by their names."""

    def has_all(self, connection: Connection, name: str, digests: Collection[str]) -> bool:
        """Tell, within the caller's transaction, whether all pieces were put and none was collected."""

    def collect(self, name: str, kept: Callable[[Connection], Collection[str]]) -> int:
        """Delete the pieces that ``kept`` does not name within the collection's transaction; return how many."""


class RowPieces:
    """Pieces in rows of the server; see ``PieceStore``."""

    place = IN_ROWS
    batch_bytes = 2 << 20  # one transaction, which has six seconds

    def __init__(self, database: "PostgresDatabase") -> None:
        self._database = database

    def missing(self, name: str, digests: Iterable[str]) -> set[str]:
        """See ``PieceStore``."""
        rows = self._database.contents("SELECT digest FROM shared_piece WHERE name = ?", (name,))
        return {*digests} - {bytes(row[0]).hex() for row in rows}

    def put(self, name: str, pieces: Sequence[bytes]) -> None:
        """See ``PieceStore``; one transaction."""
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT INTO shared_piece (name, digest, content) VALUES (?, ?, ?) "
                "ON CONFLICT (name, digest) DO NOTHING",
                [(name, sha256(piece).digest(), piece) for piece in pieces],
            )

    def take(self, name: str, digests: Sequence[str]) -> dict[str, bytes]:
        """See ``PieceStore``."""
        found: dict[str, bytes] = {}
        for begin in range(0, len(digests), _ROWS_AT_ONCE):
            rows = self._database.contents(
                "SELECT content FROM shared_piece WHERE name = ? AND digest = ANY(?)",
                (name, _raw(digests[begin : begin + _ROWS_AT_ONCE])),
            )
            found.update((sha256(row[0]).hexdigest(), bytes(row[0])) for row in rows)
        return found

    def has_all(self, connection: Connection, name: str, digests: Collection[str]) -> bool:
        """See ``PieceStore``."""
        found = connection.execute(
            "SELECT count(*) FROM shared_piece WHERE name = ? AND digest = ANY(?)", (name, _raw(digests))
        ).fetchone()
        return int(found[0]) == len(digests)

    def collect(self, name: str, kept: Callable[[Connection], Collection[str]]) -> int:
        """See ``PieceStore``; one transaction."""
        with self._database.transaction() as connection:
            return connection.execute(
                "DELETE FROM shared_piece WHERE name = ? AND NOT digest = ANY(?)", (name, _raw(kept(connection)))
            ).rowcount


class BucketPieces:
    """Pieces in a bucket, and a row of the server about each; see ``PieceStore`` and the order at the top."""

    batch_bytes = 8 << 20  # eight pieces of index files travel at once

    def __init__(self, database: "PostgresDatabase", bucket: "Bucket") -> None:
        self._database = database
        self._bucket = bucket
        self.place = bucket.place

    def missing(self, name: str, digests: Iterable[str]) -> set[str]:
        """See ``PieceStore``; a piece that was deleted from the bucket, or truncated, is missing too."""
        rows = self._database.rows(
            "SELECT digest, object, size FROM shared_object WHERE name = ? AND place = ? AND state = 'there'",
            (name, self.place),
        )
        sizes = self._bucket.sizes(f"{name}/") if rows else {}
        there = {bytes(row["digest"]).hex() for row in rows if sizes.get(row["object"]) == row["size"]}
        return {*digests} - there

    def put(self, name: str, pieces: Sequence[bytes]) -> None:
        """See ``PieceStore``; an object that had the piece before is doomed."""
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
        """See ``PieceStore``."""
        rows = self._database.rows(
            "SELECT object FROM shared_object WHERE name = ? AND place = ? AND state = 'there' AND digest = ANY(?)",
            (name, self.place, _raw(digests)),
        )
        contents = self._bucket.get([str(row["object"]) for row in rows])
        return {sha256(content).hexdigest(): content for content in contents}

    def has_all(self, connection: Connection, name: str, digests: Collection[str]) -> bool:
        """See ``PieceStore``."""
        found = connection.execute(
            "SELECT count(DISTINCT digest) FROM shared_object "
            "WHERE name = ? AND place = ? AND state = 'there' AND digest = ANY(?)",
            (name, self.place, _raw(digests)),
        ).fetchone()
        return int(found[0]) == len(digests)

    def collect(self, name: str, kept: Callable[[Connection], Collection[str]]) -> int:
        """See ``PieceStore``; where the bucket does not delete them, the next collection does."""
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


def _shared_tables(connection: Connection) -> None:
    """One row a knowledge base, and the pieces of its files; ``files`` and ``former`` are JSON (``SharedFile``)."""
    for statement in (
        """CREATE TABLE shared_base (
            name TEXT PRIMARY KEY,
            token TEXT NOT NULL,
            generation INTEGER NOT NULL,
            format INTEGER NOT NULL,
            files TEXT NOT NULL,
            former TEXT NOT NULL,
            scope TEXT NOT NULL,
            audience TEXT NOT NULL,
            publisher TEXT NOT NULL,
            published_at TEXT NOT NULL
        )""",
        """CREATE TABLE shared_piece (
            name TEXT NOT NULL,
            digest BLOB NOT NULL,
            content BLOB NOT NULL,
            PRIMARY KEY (name, digest)
        )""",
        # vectors do not become smaller, and texts travel as they are
        "ALTER TABLE shared_piece ALTER COLUMN content SET STORAGE EXTERNAL",
    ):
        connection.execute(statement)


def _places(connection: Connection) -> None:
    """Where a revision's pieces lie; one row an object of a bucket, ``size`` in bytes."""
    for statement in (
        "ALTER TABLE shared_base ADD COLUMN place TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE shared_base ADD COLUMN former_place TEXT NOT NULL DEFAULT ''",
        """CREATE TABLE shared_object (
            object TEXT PRIMARY KEY,
            place TEXT NOT NULL,
            name TEXT NOT NULL,
            digest BLOB NOT NULL,
            size INTEGER NOT NULL,
            state TEXT NOT NULL
        )""",
        "CREATE INDEX shared_object_by_piece ON shared_object (name, digest)",
    ):
        connection.execute(statement)


SHARED_MIGRATIONS = (_shared_tables, _places)


@dataclass(frozen=True, slots=True)
class SharedFile:
    """A file: its size, the size of all its pieces but the last, in bytes, and their names in order, 64 digits each."""

    size: int
    piece_bytes: int
    pieces: tuple[str, ...]


Files = Mapping[str, SharedFile]
"""The files of a revision by their paths in the knowledge base's folder, with ``/``."""


@dataclass(frozen=True, slots=True)
class Head:
    """The served revision.  ``token`` names it; ``format`` is the number of its database's migrations.

    ``publisher`` is who published it, for people; ``place`` is where the pieces lie.
    """

    token: str
    generation: int
    format: int
    files: Files
    scope: str
    audience: str
    publisher: str
    place: str = IN_ROWS

    @property
    def digests(self) -> set[str]:
        """The names of all pieces."""
        return _digests(self.files)


@dataclass(frozen=True, slots=True)
class HeadLine:
    """The served revision and its readers; ``scope`` is ``UNKNOWN_SCOPE`` if they are no longer known."""

    token: str
    scope: str
    audience: str


UNKNOWN_SCOPE = "?"
"""No scope has this name."""


def new_token() -> str:
    """Return a name for a revision that no other has."""
    return secrets.token_hex(_TOKEN_BYTES)


class SharedKnowledge:
    """The shared knowledge bases of one server.  Safe from many threads; making one asks the server nothing.

    ``own`` is where this desk puts what it publishes.  Every method raises ``DatabaseUnavailable`` where the server
    cannot be used, and those that touch pieces what ``PieceStore`` raises.
    """

    def __init__(self, place: ServerDatabase) -> None:
        self._database = open_server_database(place, SHARED_MIGRATIONS)
        self.own = _own_store(self._database, place)
        self._stores: dict[str, PieceStore] = {store.place: store for store in (RowPieces(self._database), self.own)}
        self._blob_url = place.blob_url

    def store(self, name: str, place: str) -> PieceStore:
        """Return the store of a revision's pieces.  Raises ``PiecesElsewhere``: another bucket than this desk's."""
        if place not in self._stores:
            raise PiecesElsewhere(name=name, place=place, own=self._blob_url)
        return self._stores[place]

    def tokens(self) -> dict[str, str]:
        """Return the revision of each knowledge base, by its name."""
        return {name: line.token for name, line in self.lines().items()}

    def lines(self) -> dict[str, HeadLine]:
        """Return the line of each knowledge base by its name, unless the name cannot be a folder's."""
        rows = self._database.rows("SELECT name, token, scope, audience FROM shared_base")
        return {
            row["name"]: HeadLine(row["token"], row["scope"], row["audience"]) for row in rows if is_name(row["name"])
        }

    def head(self, name: str) -> Head | None:
        """Return the served revision; None if the knowledge base is not shared."""
        with self._database.reading() as connection:
            return _head(connection, name)

    def move(self, name: str, head: Head, before: str) -> bool:
        """Replace the served revision ``before`` (its token; empty: none), and notify all desks.

        All pieces of it must have been put; where some are not there (any more), nothing is changed, and False
        returned.  To move to what serves already does nothing.  Raises ``IngestRunning`` where another one serves by
        now.
        """
        store = self.store(name, head.place)
        with self._database.transaction() as connection:
            current = _head(connection, name)
            if current is not None and current.token == head.token:
                return True
            if (current.token if current is not None else "") != before:
                raise IngestRunning(holder=current.publisher if current is not None else "?")
            if not store.has_all(connection, name, head.digests):
                return False
            _write_head(connection, name, head)
        return True

    def replace_file(self, name: str, path: str, content: bytes, publisher: str) -> str:
        """Replace a small file of the served revision; return the new revision, or "" if it is not shared.

        It lies where the other files of what serves lie.
        """
        digest = sha256(content).hexdigest()
        file = SharedFile(len(content), max(len(content), 1), (digest,))
        for _ in range(_ATTEMPTS):
            found = self.head(name)
            if found is None:
                return ""
            store = self.store(name, found.place)
            store.put(name, [content])
            with self._database.transaction() as connection:
                current = _head(connection, name)
                if current is None:
                    return ""
                if current.place == found.place and store.has_all(connection, name, {digest}):
                    files = {**current.files, path: file}
                    head = replace(current, token=new_token(), files=files, publisher=publisher)
                    _write_head(connection, name, head)
                    return head.token
        raise DatabaseUnavailable(server=name, reason="pieces that were put are not there")

    def collect(self, name: str, *, former: bool = True) -> int:
        """Delete unused pieces; without ``former`` also those of the previous revision.  Return how many.

        Those in a bucket that is not this desk's stay.
        """
        if not former:
            with self._database.transaction() as connection:
                connection.execute("UPDATE shared_base SET former = '{}' WHERE name = ?", (name,))
        return sum(
            store.collect(name, lambda connection, place=place: _kept_pieces(connection, name, place))  # type: ignore[misc]
            for place, store in self._stores.items()
        )

    def delete(self, name: str) -> None:
        """Stop sharing a knowledge base; the desks' folders stay as they are."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM shared_base WHERE name = ?", (name,))
        self.collect(name)

    def settle(self) -> bool:
        """Erase the traces of deleted pieces in the server's tables; see ``SharedDatabase.settle``."""
        return self._database.settle(compact=True)

    def lock(self, name: str, holder: str) -> "ServerLock":
        """Return the lock of a knowledge base's one writer on all machines."""
        return self._database.lock(name, holder)

    def notices(self) -> "Notices":
        """Return the notices of new revisions."""
        return self._database.notices(CHANNEL)

    def close(self) -> None:
        """Close the connections that nothing else in this process uses."""
        self._database.close()


def _own_store(database: "PostgresDatabase", place: ServerDatabase) -> PieceStore:
    """Return this desk's own store.  Raises ``ExtraMissing`` if that is a bucket and boto3 is missing."""
    if not place.blob_url:
        return RowPieces(database)
    try:
        from rag.storage.bucket import bucket_of
    except ModuleNotFoundError as error:
        raise ExtraMissing(what="S3", extra="s3") from error
    return BucketPieces(database, bucket_of(place.blob_url))


def _kept_pieces(connection: Connection, name: str, place: str) -> set[str]:
    """Return the pieces of the served and the previous revision in one place."""
    row = connection.execute(
        "SELECT place, files, former_place, former FROM shared_base WHERE name = ?", (name,)
    ).fetchone()
    if row is None:
        return set()
    lists = ((row["place"], row["files"]), (row["former_place"], row["former"]))
    return {digest for where, files in lists if where == place for digest in _digests(_files(files))}


def _head(connection: Connection, name: str) -> Head | None:
    row = connection.execute("SELECT * FROM shared_base WHERE name = ?", (name,)).fetchone()
    if row is None:
        return None
    return Head(
        token=row["token"],
        generation=row["generation"],
        format=row["format"],
        files=_files(row["files"]),
        scope=row["scope"],
        audience=row["audience"],
        publisher=row["publisher"],
        place=row["place"],
    )


def _write_head(connection: Connection, name: str, head: Head) -> None:
    connection.execute(
        "INSERT INTO shared_base (name, token, generation, format, files, former, scope, audience, publisher, "
        "published_at, place) VALUES (?, ?, ?, ?, ?, '{}', ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
        "token = excluded.token, generation = excluded.generation, format = excluded.format, "
        "former = shared_base.files, former_place = shared_base.place, files = excluded.files, "
        "place = excluded.place, scope = excluded.scope, audience = excluded.audience, "
        "publisher = excluded.publisher, published_at = excluded.published_at",
        (
            *(name, head.token, head.generation, head.format, files_json(head.files), head.scope, head.audience),
            *(head.publisher, datetime.now(UTC).isoformat(), head.place),
        ),
    )
    connection.execute("SELECT pg_notify(CAST(? AS TEXT), CAST(? AS TEXT))", (CHANNEL, name))


def _digests(files: Files) -> set[str]:
    return {digest for file in files.values() for digest in file.pieces}


def files_json(files: Files) -> str:
    """Return files as JSON, one list each.

    >>> files_json({"access.json": SharedFile(2, 65536, ("ab",))})
    '{"access.json":[2,65536,["ab"]]}'
    """
    values = {path: (one.size, one.piece_bytes, one.pieces) for path, one in files.items()}
    return json.dumps(values, separators=(",", ":"))


def _files(text: str) -> dict[str, SharedFile]:
    return {path: SharedFile(size, piece, tuple(names)) for path, (size, piece, names) in json.loads(text).items()}


def files_of(text: str) -> Files:
    """Return the files of ``files_json``'s text.  Raises ``ValueError`` for another text."""
    try:
        return _files(text)
    except (TypeError, AttributeError) as error:
        raise ValueError("no list of files") from error
