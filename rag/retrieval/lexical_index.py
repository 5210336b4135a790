"""Passages that share words, codes or pairs of Chinese characters with the question: BM25 in SQLite's FTS5."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rag.retrieval.terms import terms
from rag.schema import Chunk, Hit, Language
from rag.storage.store import VISIBLE, KnowledgeStore

_LONGEST_QUERY_TERMS = 64
"""A question has a dozen; what is pasted in beyond that is searched by meaning alone."""


def indexed_terms(chunk: Chunk) -> str:
    """Return what the full-text index keeps of a chunk: the terms of its titles and text, joined by blanks."""
    return " ".join(terms(chunk.embedded_text))


@dataclass(frozen=True, slots=True)
class TermWeight:
    """In how many chunks a term is (df of N), and its inverse document frequency, ln(1 + (N - df + .5) / (df + .5))."""

    chunks: int
    idf: float


class SqliteLexicalIndex:
    """BM25 over the chunks that one generation shows.  Safe to call from several threads.

    Frequencies are counted over every chunk that is stored, also those of older generations: they change slowly.
    """

    def __init__(self, store: KnowledgeStore, generation: int) -> None:
        self._store = store
        self._generation = generation

    def search(self, query: str, limit: int) -> list[Hit]:
        """Return up to ``limit`` hits, best first; none when no term of the query is indexed."""
        return self.search_terms(terms(query), limit)

    def search_terms(self, wanted: Sequence[str], limit: int, language: Language | None = None) -> list[Hit]:
        """Search for any of the terms, among the chunks of one language if it is given."""
        distinct = list(dict.fromkeys(wanted))[:_LONGEST_QUERY_TERMS]
        if not distinct or limit < 1:
            return []
        # FTS5 gives bm25 as a negative number, the best first; a term is letters and digits, so quotes suffice
        with self._store.reading() as connection:
            rows = connection.execute(
                "SELECT chunk_id, -bm25(chunk_terms) AS score "
                "FROM chunk_terms JOIN chunk ON chunk_id = chunk_terms.rowid "
                f"WHERE chunk_terms MATCH :match AND {VISIBLE.format('chunk')} "
                "AND language = ifnull(:language, language) ORDER BY score DESC, chunk_id LIMIT :limit",
                {
                    "match": " OR ".join(f'"{term}"' for term in distinct),
                    "generation": self._generation,
                    "language": language,
                    "limit": limit,
                },
            ).fetchall()
        return [Hit(row["chunk_id"], max(0.0, row["score"])) for row in rows]

    def term_weights(self, wanted: Sequence[str]) -> dict[str, TermWeight]:
        """Return the distinct terms with their weights over all chunks that are stored."""
        distinct = list(dict.fromkeys(wanted))[:_LONGEST_QUERY_TERMS]
        with self._store.reading() as connection:
            (count,) = connection.execute("SELECT count(*) FROM chunk").fetchone()
            frequencies = {
                term: connection.execute(
                    "SELECT count(*) FROM chunk_terms WHERE chunk_terms MATCH ?", (f'"{term}"',)
                ).fetchone()[0]
                for term in distinct
            }
        return {term: TermWeight(df, math.log(1 + (count - df + 0.5) / (df + 0.5))) for term, df in frequencies.items()}
