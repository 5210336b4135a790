"""Stores the state of each ingested file, so that unchanged files are not read again."""

from collections.abc import Mapping

from rag.storage.connection import Database


class SourceFileTable:
    """The table ``source_file`` of a knowledge base: a fingerprint of 32 bytes a file, by its path."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_empty(self) -> bool:
        """Whether no file is known."""
        return self._database.row("SELECT 1 FROM source_file LIMIT 1") is None

    def fingerprint(self, path: str) -> bytes | None:
        """Return what was kept of a file, None where nothing was."""
        row = self._database.row("SELECT fingerprint FROM source_file WHERE path = ?", (path,))
        return None if row is None else bytes(row[0])

    def keep(self, fingerprints: Mapping[str, bytes]) -> None:
        """Keep fingerprints by path, in one transaction."""
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT INTO source_file VALUES (?, ?) ON CONFLICT DO UPDATE SET fingerprint = excluded.fingerprint",
                fingerprints.items(),
            )

    def forget_without_documents(self) -> None:
        """Delete what is kept of files of which no document is live any more."""
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM source_file WHERE path NOT IN (SELECT path FROM document WHERE last_generation IS NULL)"
            )
