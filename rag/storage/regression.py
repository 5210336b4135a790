"""Stores the regression questions of a knowledge base and the documents they must find.

They are in its ``knowledge.db``; where several desks share a server, they are its rows, under the knowledge base's
name.  What they look like embedded stays here: it can be computed again.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from rag.protocols import Embedder, QueryTokens, QueryVectors
from rag.schema import Language
from rag.settings import ServerDatabase
from rag.storage.connection import Connection, Database, Row, SharedDatabase, open_database
from rag.storage.migrations import keep_known_answers

Origin = Literal["file", "correction"]

_EMBEDDED_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class RegressionQuestion:
    """A question and the documents any of which holds its answer, at least one.

    ``quote`` is what the answer rests on, word for word, or empty; a passage that holds it is as good as the document.
    ``origin`` says whether it came from a file of questions or from a correction that somebody made.  ``answers`` and
    ``key_points`` are the content of a right answer where it is known, as in ``ingest.golden.GoldenQuestion``.
    """

    question: str
    language: Language
    document_ids: tuple[str, ...]
    quote: str = ""
    origin: Origin = "file"
    answers: tuple[str, ...] = ()
    key_points: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        if not self.question.strip() or not self.document_ids:
            raise ValueError("a regression question needs words and at least one document")

    def texts(self) -> Iterator[str]:
        """Yield all that somebody may have written: the question, and what is known of its answer."""
        yield from (self.question, self.quote, *self.answers)
        for group in self.key_points:
            yield from group


@dataclass(frozen=True, slots=True)
class StoredQuestion:
    """A question as it is kept.

    ``place`` is the rank of the best expected document, from 1, in generation ``placed_in``; None where it was not
    found there.  ``placed_in`` is 0 where nobody has looked yet.
    """

    number: int
    asked: RegressionQuestion
    created_at: datetime
    place: int | None
    placed_in: int


def _questions_on_server(connection: Connection) -> None:
    """Make, for all knowledge bases, the table that ``_regression_questions`` (``migrations.py``) makes in a file."""
    connection.execute(
        """CREATE TABLE regression_question (
            question_key INTEGER PRIMARY KEY,
            knowledge_base TEXT NOT NULL,
            question TEXT NOT NULL,
            language TEXT NOT NULL,
            document_ids TEXT NOT NULL,
            quote TEXT NOT NULL,
            origin TEXT NOT NULL,
            created_at TEXT NOT NULL,
            place INTEGER,
            placed_in INTEGER NOT NULL DEFAULT 0,
            UNIQUE (knowledge_base, question, language)
        )"""
    )


QUESTION_MIGRATIONS = (_questions_on_server, keep_known_answers)


class RegressionQuestions:
    """The tables ``regression_question`` and ``question_vector`` of a knowledge base.

    With a ``server`` the questions are there, under the name of the knowledge base, which is its folder's.
    """

    def __init__(self, database: Database, server: ServerDatabase | None = None) -> None:
        self._database = database
        self._kept: SharedDatabase = database if server is None else open_database(server, QUESTION_MIGRATIONS)
        self._base = "" if server is None else database.path.parent.name
        self._own = "1 = 1" if server is None else "knowledge_base = :base"

    def all(self) -> list[StoredQuestion]:
        """Return the questions in the order in which they came.  Raises ``KnowledgeBaseMissing``."""
        rows = self._kept.rows(
            f"SELECT * FROM regression_question WHERE {self._own} ORDER BY question_key", {"base": self._base}
        )
        return [_from_row(row) for row in rows]

    def take_over(self, others: "RegressionQuestions") -> int:
        """Copy all questions of another store, unless any is here; return how many."""
        if self.all():
            return 0
        found = others.all()
        with self._kept.transaction() as connection:
            for one in found:
                self._insert(connection, one.asked)
                connection.execute(
                    "UPDATE regression_question SET place = :place, placed_in = :placed_in, created_at = :created_at "
                    f"WHERE {self._own} AND question = :question AND language = :language",
                    {
                        **{"base": self._base, "place": one.place, "placed_in": one.placed_in},
                        **{"question": one.asked.question, "language": one.asked.language},
                        "created_at": one.created_at.isoformat(),
                    },
                )
        return len(found)

    def replace_file(self, questions: Iterable[RegressionQuestion]) -> None:
        """Replace the questions of the previous file; corrections stay."""
        with self._kept.transaction() as connection:
            connection.execute(
                f"DELETE FROM regression_question WHERE {self._own} AND origin = 'file'", {"base": self._base}
            )
            for question in questions:
                self._insert(connection, question)

    def erase(self, holds: Callable[[str], bool], *, dry_run: bool = False) -> int:
        """Delete the questions that hold something, and all vectors, which are computed again.

        Return how many there are; a ``dry_run`` deletes nothing.
        """
        found = [one.number for one in self.all() if any(map(holds, one.asked.texts()))]
        if not found or dry_run:
            return len(found)
        if self._kept is not self._database:
            with self._kept.transaction() as rows:
                rows.executemany("DELETE FROM regression_question WHERE question_key = ?", [(key,) for key in found])
            self._kept.settle(compact=True)
        if not self._database.exists():  # nobody has fetched the knowledge base to this machine
            return len(found)
        with self._database.reading() as connection:
            before = connection.execute("PRAGMA secure_delete").fetchone()[0]
            connection.execute("PRAGMA secure_delete = ON")
        with self._database.transaction() as connection:
            if self._kept is self._database:
                keys = [(key,) for key in found]
                connection.executemany("DELETE FROM regression_question WHERE question_key = ?", keys)
            connection.execute("DELETE FROM question_vector")
        with self._database.reading() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute(f"PRAGMA secure_delete = {int(before)}")
        return len(found)

    def add(self, question: RegressionQuestion) -> None:
        """Keep one question; where the same words in the same language are known, the rest is replaced."""
        with self._kept.transaction() as connection:
            self._insert(connection, question)

    def _insert(self, connection: Connection, question: RegressionQuestion) -> None:
        base, placeholder = ("knowledge_base, ", ":base, ") if self._kept.on_server else ("", "")
        connection.execute(
            f"INSERT INTO regression_question ({base}question, language, document_ids, quote, origin, created_at, "
            f"answers, key_points) VALUES ({placeholder}:question, :language, :documents, :quote, :origin, :now, "
            ":answers, :key_points) "
            f"ON CONFLICT ({base}question, language) DO UPDATE SET document_ids = excluded.document_ids, "
            "quote = excluded.quote, answers = excluded.answers, key_points = excluded.key_points, "
            "placed_in = 0, place = NULL",
            {
                **{"base": self._base, "question": question.question, "language": question.language},
                "documents": json.dumps(question.document_ids, ensure_ascii=False),
                **{"quote": question.quote, "origin": question.origin, "now": datetime.now(UTC).isoformat()},
                "answers": json.dumps(question.answers, ensure_ascii=False),
                "key_points": json.dumps(question.key_points, ensure_ascii=False),
            },
        )

    def settle(self, generation: int, places: Mapping[int, int | None], renamed: Mapping[str, str]) -> None:
        """Store the places of the questions' documents in a generation, by ``StoredQuestion.number``.

        The new names of ``renamed`` documents are expected from now on as well as the old ones, which a rollback would
        bring back.
        """
        with self._kept.transaction() as connection:
            connection.executemany(
                "UPDATE regression_question SET place = ?, placed_in = ? WHERE question_key = ?",
                [(place, generation, number) for number, place in places.items()],
            )
            for number, listed in connection.execute(
                f"SELECT question_key, document_ids FROM regression_question WHERE {self._own}", {"base": self._base}
            ).fetchall():
                known = json.loads(listed)
                new = [name for name in map(renamed.get, known) if name is not None and name not in known]
                if new:
                    connection.execute(
                        "UPDATE regression_question SET document_ids = ? WHERE question_key = ?",
                        (json.dumps([*known, *new], ensure_ascii=False), number),
                    )

    def embedded(self, embedder: Embedder, questions: Sequence[str]) -> list[QueryVectors]:
        """Return the questions' vectors, one at a time in their order; each is embedded once and kept by its hash.

        Vectors of another embedder, and of questions that are no longer asked, are deleted.
        """
        hashes = [hashlib.sha256(question.encode()).digest() for question in questions]
        kept = self._stored_vectors(embedder, hashes)
        missing = {digest: text for digest, text in zip(hashes, questions, strict=True) if digest not in kept}
        texts = list(missing.values())
        for begin in range(0, len(texts), _EMBEDDED_AT_ONCE):
            batch = texts[begin : begin + _EMBEDDED_AT_ONCE]
            found = embedder.embed_queries(batch)
            for place, text in enumerate(batch):
                digest = hashlib.sha256(text.encode()).digest()
                kept[digest] = QueryVectors(found.vectors[place : place + 1], (found.tokens[place],))
        self._keep_vectors(embedder.model_id, {digest: kept[digest] for digest in missing}, hashes)
        return [kept[digest] for digest in hashes]

    def _stored_vectors(self, embedder: Embedder, hashes: Sequence[bytes]) -> dict[bytes, QueryVectors]:
        wanted = json.dumps([digest.hex().upper() for digest in hashes])
        rows = self._database.rows(
            "SELECT content_hash, vector, token_numbers, token_vectors FROM question_vector "
            "WHERE model_id = ? AND hex(content_hash) IN (SELECT value FROM json_each(?))",
            (embedder.model_id, wanted),
        )
        return {
            digest: QueryVectors(
                np.frombuffer(vector, dtype="<f4").reshape(1, embedder.dimension),
                (
                    QueryTokens(
                        np.frombuffer(numbers, dtype="<i4"),
                        np.frombuffer(tokens, dtype="<f4").reshape(-1, embedder.dimension),
                    ),
                ),
            )
            for digest, vector, numbers, tokens in rows
        }

    def _keep_vectors(self, model_id: str, new: Mapping[bytes, QueryVectors], asked: Sequence[bytes]) -> None:
        if not new:
            return
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM question_vector WHERE model_id <> ? "
                "OR hex(content_hash) NOT IN (SELECT value FROM json_each(?))",
                (model_id, json.dumps([digest.hex().upper() for digest in asked])),
            )
            connection.executemany(
                "INSERT OR REPLACE INTO question_vector VALUES (?, ?, ?, ?, ?)",
                [
                    (
                        digest,
                        model_id,
                        found.vectors.astype("<f4").tobytes(),
                        found.tokens[0].numbers.astype("<i4").tobytes(),
                        found.tokens[0].vectors.astype("<f4").tobytes(),
                    )
                    for digest, found in new.items()
                ],
            )


def _from_row(row: Row) -> StoredQuestion:
    return StoredQuestion(
        number=row["question_key"],
        asked=RegressionQuestion(
            row["question"],
            row["language"],
            tuple(json.loads(row["document_ids"])),
            row["quote"],
            row["origin"],
            tuple(json.loads(row["answers"])),
            tuple(tuple(group) for group in json.loads(row["key_points"])),
        ),
        created_at=datetime.fromisoformat(row["created_at"]),
        place=row["place"],
        placed_in=row["placed_in"],
    )
