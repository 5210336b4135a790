"""The queue's tables: waiting and running tickets, fair shares, and each host's prefix cache."""

import sqlite3
from pathlib import Path

_BUSY_SECONDS = 5.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS ticket (
    ticket INTEGER PRIMARY KEY AUTOINCREMENT,
    server TEXT NOT NULL,
    process TEXT NOT NULL,
    owner TEXT NOT NULL,
    conversation TEXT NOT NULL,
    round INTEGER NOT NULL,
    follows_up INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    thinks INTEGER NOT NULL,
    admitted_at REAL,
    host TEXT,
    avoided TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS recent (
    host TEXT NOT NULL,
    conversation TEXT NOT NULL,
    ticket INTEGER NOT NULL,
    PRIMARY KEY (host, conversation)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS served (
    server TEXT NOT NULL,
    owner TEXT NOT NULL,
    round INTEGER NOT NULL,
    PRIMARY KEY (server, owner)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS finished (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    server TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    thinks INTEGER NOT NULL,
    seconds REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS ticket_of_server ON ticket (server);
CREATE INDEX IF NOT EXISTS finished_of_server ON finished (server, number);
"""


def open_tables(path: Path | None) -> sqlite3.Connection:
    """Open the file, which is made if need be, or tables in memory.  Raises ``sqlite3.Error`` and ``OSError``."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(
        path if path is not None else ":memory:",
        timeout=_BUSY_SECONDS,
        isolation_level=None,  # transactions are begun and ended in words
        check_same_thread=False,  # one thread at a time, see the lock
    )
    try:
        connection.row_factory = sqlite3.Row
        if path is not None:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection
