"""Tables for users and sign-ins, in a database of their own that holds no customer text."""

from rag.storage.connection import Connection, append_only, number_rows, unique_in_any_case


def _people_tables(connection: Connection) -> None:
    """People, what they may read, their sign-ins, wrong attempts, and the record of changes.

    A sign-in is kept by the SHA-256 of its token, so that who reads this file can sign in as nobody.  ``scopes`` is a
    JSON list, or NULL for every knowledge base.  ``password`` is an Argon2 hash; empty: another provider signs them in.
    The record can be added to and read, and nothing else: triggers refuse the rest.
    """
    for statement in (
        """CREATE TABLE person (
            name TEXT PRIMARY KEY COLLATE NOCASE,
            role TEXT NOT NULL CHECK (role IN ('agent', 'lead', 'admin')),
            scopes TEXT,
            password TEXT NOT NULL DEFAULT '',
            disabled INTEGER NOT NULL DEFAULT 0,
            added_at TEXT NOT NULL,
            sign_ins_after TEXT NOT NULL DEFAULT ''
        )""",
        """CREATE TABLE sign_in (
            token_hash BLOB PRIMARY KEY,
            name TEXT NOT NULL REFERENCES person (name),
            begun_at TEXT NOT NULL,
            ends_at TEXT NOT NULL
        )""",
        "CREATE INDEX sign_in_of ON sign_in (name)",
        """CREATE TABLE attempt (
            attempt INTEGER PRIMARY KEY,
            at REAL NOT NULL,
            name TEXT NOT NULL COLLATE NOCASE,
            address TEXT NOT NULL
        )""",
        "CREATE INDEX attempt_at ON attempt (at)",
        """CREATE TABLE change (
            change INTEGER PRIMARY KEY AUTOINCREMENT,
            at TEXT NOT NULL,
            who TEXT NOT NULL,
            what TEXT NOT NULL,
            about TEXT NOT NULL,
            details TEXT NOT NULL
        )""",
    ):
        connection.execute(statement)
    unique_in_any_case(connection, "person", "name")
    append_only(connection, "change")


def _known_browsers_and_use(connection: Connection) -> None:
    """When a sign-in was last used, and the browsers that somebody has signed in with before.

    ``sign_in_use`` is keyed as ``rag/people/sign_ins.py`` does, for passwords and for other providers alike.  A browser
    is kept by the SHA-256 of its token.  Times are seconds since 1970.
    """
    for statement in (
        "CREATE TABLE sign_in_use (key BLOB PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID",
        """CREATE TABLE known_browser (
            token_hash BLOB NOT NULL,
            name TEXT NOT NULL COLLATE NOCASE REFERENCES person (name),
            at REAL NOT NULL,
            PRIMARY KEY (token_hash, name)
        ) WITHOUT ROWID""",
        "CREATE INDEX known_browser_of ON known_browser (name)",
    ):
        connection.execute(statement)


def _api_keys(connection: Connection) -> None:
    """Keys of other programs, each kept by the SHA-256 of its secret.

    ``owner`` is NULL for a key of nobody in particular (made in a terminal, or where nobody signs in).  ``rights`` is a
    JSON list, ``scopes`` too, or NULL for every knowledge base.  Times are in UTC; ``used_at`` is to the hour.
    """
    connection.execute(
        """CREATE TABLE api_key (
            key_id TEXT PRIMARY KEY,
            secret_hash BLOB NOT NULL UNIQUE,
            name TEXT NOT NULL,
            owner TEXT COLLATE NOCASE REFERENCES person (name),
            rights TEXT NOT NULL,
            scopes TEXT,
            audience TEXT NOT NULL CHECK (audience IN ('public', 'internal')),
            created_at TEXT NOT NULL,
            expires_at TEXT,
            used_at TEXT,
            revoked INTEGER NOT NULL DEFAULT 0,
            questions_a_minute INTEGER
        )"""
    )
    number_rows(connection, "api_key")


PEOPLE_MIGRATIONS = (_people_tables, _known_browsers_and_use, _api_keys)
