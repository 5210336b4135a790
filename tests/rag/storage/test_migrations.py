"""Databases that older versions wrote are brought up to date when they are opened."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from rag.storage.embeddings import IndexSource
from rag.storage.migrations import KNOWLEDGE_MIGRATIONS, keep_known_answers
from rag.storage.regression import RegressionQuestion, RegressionQuestions
from rag.storage.store import DATABASE_NAME, KnowledgeStore

_FULL_TEXT_VERSION = 8
"""The last version of the schema in which a chunk's terms were in an FTS5 table."""


def database_with_full_text_index(folder: Path) -> Path:
    """Two chunks, one of them without terms, in the schema of version 8."""
    path = folder / DATABASE_NAME
    with sqlite3.connect(path) as connection:
        for migration in KNOWLEDGE_MIGRATIONS[:_FULL_TEXT_VERSION]:
            migration(connection)
        connection.execute(f"PRAGMA user_version = {_FULL_TEXT_VERSION}")
        connection.execute(
            "INSERT INTO document VALUES (1, 'a.md', '/m', 'a.md', '/m/a.md', 'Returns', 'Return it. 退款', 'en', '', "
            "NULL, 'public', '{}', x'00', 'recipe-1', 1, NULL)"
        )
        for number, text in ((1, "Return it."), (2, "退款")):
            connection.execute(
                "INSERT INTO chunk VALUES (?, 1, ?, '[]', ?, 0, 0, 'en', ?, 1, NULL)",
                (number, number, text, text.encode()),
            )
            vector = np.eye(1, 8, dtype="<f4").tobytes()
            connection.execute("INSERT INTO embedding VALUES (?, 'fake', ?, x'', x'')", (text.encode(), vector))
        connection.execute("INSERT INTO chunk_terms (rowid, terms) VALUES (1, 'return it')")
        connection.execute("INSERT INTO generation VALUES (1, '2026-11-25', 'fake', 8, 1, 2, 1, 0, 0, 0, 0, 0)")
        connection.execute("UPDATE current SET generation = 1")
    connection.close()
    return path


def test_regression_questions_of_before_have_no_known_answer(tmp_path: Path) -> None:
    before = KNOWLEDGE_MIGRATIONS.index(keep_known_answers)
    with sqlite3.connect(tmp_path / DATABASE_NAME) as connection:
        for migration in KNOWLEDGE_MIGRATIONS[:before]:
            migration(connection)
        connection.execute(f"PRAGMA user_version = {before}")
        connection.execute(
            "INSERT INTO regression_question (question, language, document_ids, quote, origin, created_at) "
            """VALUES ('How?', 'en', '["a.md"]', 'So.', 'file', '2026-11-25T00:00:00+00:00')"""
        )
    connection.close()
    (one,) = RegressionQuestions(KnowledgeStore(tmp_path)).all()
    assert one.asked == RegressionQuestion("How?", "en", ("a.md",), "So.")


@pytest.mark.parametrize("damage", ["", "DELETE FROM chunk_terms_data WHERE id > 10"])
def test_the_full_text_index_becomes_a_plain_column(tmp_path: Path, damage: str) -> None:
    path = database_with_full_text_index(tmp_path)
    with sqlite3.connect(path) as connection:
        connection.execute(damage)
    connection.close()

    store = KnowledgeStore(tmp_path)
    rows = list(IndexSource(store, "fake", 8).index_rows(1))

    assert [(row.chunk_ids.tolist(), row.terms) for row in rows] == [([1, 2], ("return it", ""))]
    with store.reading() as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE name LIKE '%term%'")]
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(KNOWLEDGE_MIGRATIONS)
    assert names == []
    assert store.document("a.md", 1).text == "Return it. 退款"
