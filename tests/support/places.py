"""Where a test's databases lie: the tests of what desks share run over SQLite and over a real PostgreSQL server.

A test that takes the fixture ``places`` (``tests/conftest.py``) runs twice; over the server it is marked ``real``.
"""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rag.settings import DatabasePlace, ServerDatabase, Settings

Name = Literal["people", "turns", "requests", "queue"]


@dataclass(frozen=True)
class Places:
    """Databases in a folder, or on a server where ``url`` names one."""

    folder: Path
    url: str = ""

    def __call__(self, name: Name) -> DatabasePlace:
        return ServerDatabase(name, self.url) if self.url else self.folder / f"{name}.db"

    def settings(self, **values: Any) -> Settings:
        """Return settings of a desk whose databases lie here."""
        return Settings(data_dir=self.folder, database_url=self.url, **values)

    def environment(self) -> dict[str, str]:
        """Return the environment of a program whose databases lie here."""
        return {**os.environ, "ANSWERDESK_DATA_DIR": str(self.folder), "ANSWERDESK_DATABASE_URL": self.url}

    def ask(self, name: Name, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Do a statement behind the product's back, with ``?`` for values, and return what it finds."""
        if not self.url:
            with closing(sqlite3.connect(self.folder / f"{name}.db")) as connection, connection:
                return connection.execute(statement, values).fetchall()
        import psycopg

        with psycopg.connect(self.url) as server:
            cursor = server.execute(statement.replace("?", "%s").encode(), values)
            return cursor.fetchall() if cursor.description else []
