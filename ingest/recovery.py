"""What a rebuild does about a database that SQLite itself cannot read any more."""

from pathlib import Path

from rag.errors import IndexDamaged
from rag.storage.access import UNSETTLED, keep_access, kept_access
from rag.storage.connection import Database, storage_errors
from rag.storage.migrations import KNOWLEDGE_MIGRATIONS
from rag.storage.store import DATABASE_NAME

_SUFFIXES = ("", "-wal", "-shm")


def set_aside_if_damaged(folder: Path) -> bool:
    """Rename a damaged database to ``knowledge.db.damaged``, so that a new one is made from the files.

    Who may read the new one is what ``access.json`` says; where there is no such file yet, nobody knows.  The caller
    holds the writer's lock.  Return whether that was necessary.
    """
    database = Database(folder / DATABASE_NAME, KNOWLEDGE_MIGRATIONS)
    if not database.exists():
        return False
    try:
        with database.reading() as connection:
            sound = connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
    except IndexDamaged:
        sound = False
    finally:
        database.close()
    if not sound:
        if kept_access(folder) is None:
            keep_access(folder, UNSETTLED)  # before the new database: ended in between, nobody reads either
        with storage_errors(folder):
            for suffix in _SUFFIXES:
                path = folder / f"{DATABASE_NAME}{suffix}"
                if path.exists():
                    path.replace(folder / f"{DATABASE_NAME}.damaged{suffix}")
    return not sound
