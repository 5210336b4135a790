"""Table definitions for cached and curated answers, as numbered migrations (see ``migrations.py``)."""

import sqlite3


def _curated_tables(connection: sqlite3.Connection) -> None:
    """Answers that persons wrote, what each rests on, and who did what to it.

    ``form`` is the question's (``rag/reuse/question_key.py``); at most one answer of a form is ``serving``.
    ``content_hash`` is the document's as it was when the answer was written or last looked at.
    """
    for statement in (
        """CREATE TABLE curated (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            form TEXT NOT NULL,
            question TEXT NOT NULL,
            language TEXT NOT NULL,
            answer TEXT NOT NULL,
            state TEXT NOT NULL,
            author TEXT NOT NULL,
            written_at TEXT NOT NULL,
            generation INTEGER NOT NULL,
            valid_until TEXT,
            gated INTEGER NOT NULL DEFAULT 0
        )""",
        "CREATE UNIQUE INDEX curated_serving ON curated (form) WHERE state = 'serving'",
        "CREATE INDEX curated_of_form ON curated (form)",
        """CREATE TABLE curated_source (
            number INTEGER NOT NULL REFERENCES curated (number) ON DELETE CASCADE,
            document_id TEXT NOT NULL,
            content_hash BLOB NOT NULL,
            start_offset INTEGER NOT NULL,
            end_offset INTEGER NOT NULL
        )""",
        "CREATE INDEX curated_source_of ON curated_source (number)",
        """CREATE TABLE curated_event (
            event INTEGER PRIMARY KEY AUTOINCREMENT,
            number INTEGER NOT NULL REFERENCES curated (number) ON DELETE CASCADE,
            at TEXT NOT NULL,
            person TEXT NOT NULL,
            what TEXT NOT NULL,
            note TEXT NOT NULL
        )""",
        "CREATE INDEX curated_event_of ON curated_event (number)",
    ):
        connection.execute(statement)


ANSWER_MIGRATIONS = (_curated_tables,)


def _cached_table(connection: sqlite3.Connection) -> None:
    """Answers that a model gave, to be given again; ``profile`` says how it was asked."""
    connection.execute(
        """CREATE TABLE cached (
            entry INTEGER PRIMARY KEY AUTOINCREMENT,
            form TEXT NOT NULL,
            profile TEXT NOT NULL,
            generation INTEGER NOT NULL,
            model TEXT NOT NULL,
            answer TEXT NOT NULL,
            evidence TEXT NOT NULL,
            made_at TEXT NOT NULL,
            last_day TEXT,
            UNIQUE (form, profile)
        )"""
    )


CACHE_MIGRATIONS = (_cached_table,)
