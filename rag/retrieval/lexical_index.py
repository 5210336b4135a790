"""Lexical search: BM25 over words, codes and pairs of Chinese characters, on arrays in memory."""

import math
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from rag.retrieval.generation_index import LanguageIndex, Part
from rag.retrieval.postings import term_number
from rag.schema import Chunk, Hit, Language
from rag.text.terms import terms

_LONGEST_QUERY_TERMS = 64
"""A question has about a dozen; pasted text beyond this limit takes part in dense search only."""

_SMALLEST_IDF = 1e-6
"""For a term in half of the passages or more, as in SQLite's FTS5."""


_FEWEST_ELSEWHERE = 2
"""Chunks of the other language that must have a name which the own one lacks: one might mention it in passing."""


def indexed_terms(chunk: Chunk) -> str:
    """Return the indexed terms of a chunk's titles and text, joined by blanks."""
    return " ".join(terms(chunk.embedded_text))


@dataclass(frozen=True, slots=True)
class TermWeight:
    """A term's document frequency df among N chunks, and its inverse: ln(1 + (N - df + .5) / (df + .5))."""

    chunks: int
    idf: float


@dataclass(frozen=True, slots=True, eq=False)
class _PartScores:
    """The BM25 of a part's chunks, float32 [n]; 0 for chunks without any term and for retired ones."""

    chunk_ids: NDArray[np.int64]
    scores: NDArray[np.float32]

    def best(self, limit: int) -> list[Hit]:
        rows = np.flatnonzero(self.scores)
        if limit < len(rows):
            least = np.partition(self.scores[rows], len(rows) - limit)[len(rows) - limit]
            rows = rows[self.scores[rows] >= least]
        return [Hit(int(self.chunk_ids[row]), float(self.scores[row])) for row in rows]

    def of(self, chunk_ids: NDArray[np.int64]) -> Iterable[Hit]:
        """Yield the scores of the given chunks that are in this part and share a term."""
        rows = np.searchsorted(self.chunk_ids, chunk_ids)
        for row, chunk_id in zip(rows.tolist(), chunk_ids.tolist(), strict=True):
            if row < len(self.chunk_ids) and self.chunk_ids[row] == chunk_id and self.scores[row] > 0:
                yield Hit(chunk_id, float(self.scores[row]))


@dataclass(frozen=True, slots=True)
class TermScores:
    """The BM25 of every chunk for one question."""

    parts: tuple[_PartScores, ...]

    def best(self, limit: int) -> list[Hit]:
        """Return up to ``limit`` hits, best first."""
        hits = [hit for part in self.parts for hit in part.best(limit)] if limit > 0 else []
        return sorted(hits, key=lambda hit: (-hit.score, hit.chunk_id))[:limit]

    def of(self, chunk_ids: Sequence[int]) -> dict[int, float]:
        """Return the scores of the given chunks that share a term with the question."""
        wanted = np.asarray(chunk_ids, dtype=np.int64)
        return {hit.chunk_id: hit.score for part in self.parts for hit in part.of(wanted)}


class Bm25Index:
    """BM25 over the chunks of one generation.  Safe to call from several threads.

    Frequencies are counted over all languages, and include retired chunks until the index is rebuilt: they change
    slowly.
    """

    def __init__(self, languages: Mapping[Language, LanguageIndex]) -> None:
        self._parts: dict[Language, tuple[tuple[Part, NDArray[np.int64]], ...]] = {
            language: (
                (one.base.loaded({}), one.retired),
                (one.fresh.loaded({}), np.empty(0, np.int64)),
            )
            for language, one in languages.items()
        }
        self._count = sum(part.count for parts in self._parts.values() for part, _ in parts)

    def only(self, permitted: NDArray[np.int64]) -> "Bm25Index":
        """Return an index of which only these chunks (ascending) are found; frequencies stay those of all."""
        fewer = copy(self)
        fewer._parts = {
            language: tuple(
                (part, np.union1d(retired, np.flatnonzero(~np.isin(part.chunk_ids, permitted))))
                for part, retired in parts
            )
            for language, parts in self._parts.items()
        }
        return fewer

    def search(self, query: str, limit: int) -> list[Hit]:
        """Return up to ``limit`` hits, best first; none if no term of the query is indexed."""
        return self.search_terms(terms(query), limit)

    def search_terms(self, wanted: Sequence[str], limit: int, language: Language | None = None) -> list[Hit]:
        """Search for any of the terms, among the chunks of one language if it is given."""
        return self.scores(dict.fromkeys(wanted, 1.0), language).best(limit)

    def scores(self, wanted: Mapping[str, float], language: Language | None = None) -> TermScores:
        """Score every chunk, of one language if given, that has any of the terms; terms count by their shares."""
        frequencies = self._frequencies(wanted)
        weights = {
            term_number(term): wanted[term] * max(_SMALLEST_IDF, math.log((self._count - df + 0.5) / (df + 0.5)))
            for term, df in frequencies.items()
            if df
        }
        if not weights:
            return TermScores(())
        found = []
        for own, parts in self._parts.items():
            for part, retired in parts if language in (None, own) else ():
                scores = part.postings.scores(weights)
                scores[retired] = 0
                found.append(_PartScores(part.chunk_ids, scores))
        return TermScores(tuple(found))

    def term_weights(self, wanted: Sequence[str]) -> dict[str, TermWeight]:
        """Return the distinct terms with their weights over all chunks."""
        return {
            term: TermWeight(df, math.log(1 + (self._count - df + 0.5) / (df + 0.5)))
            for term, df in self._frequencies(wanted).items()
        }

    def frequencies(self, wanted: Sequence[str]) -> list[int]:
        """Return the document frequency of each term."""
        counts: list[int] = _frequencies_in(chain.from_iterable(self._parts.values()), wanted).tolist()
        return counts

    def are_elsewhere(self, names: Sequence[str], language: str) -> bool:
        """Tell whether only the other language's documents have one of the names, which are terms.

        They have it in ``_FEWEST_ELSEWHERE`` chunks or more.  False where a language has no document.
        """
        own = [part for one, parts in self._parts.items() if one == language for part in parts]
        others = [part for one, parts in self._parts.items() if one != language for part in parts]
        if not names or not own or not others:
            return False
        here, there = (_frequencies_in(parts, names) for parts in (own, others))
        return bool(np.any((here == 0) & (there >= _FEWEST_ELSEWHERE)))

    def _frequencies(self, wanted: Iterable[str]) -> dict[str, int]:
        """Return the document frequencies of the distinct terms."""
        distinct = list(dict.fromkeys(wanted))[:_LONGEST_QUERY_TERMS]
        return dict(zip(distinct, self.frequencies(distinct), strict=True))


def _frequencies_in(parts: Iterable[tuple[Part, NDArray[np.int64]]], wanted: Sequence[str]) -> NDArray[np.int64]:
    numbers = np.array([term_number(term) for term in wanted], dtype=np.uint64)
    found = np.zeros(len(numbers), dtype=np.int64)
    for part, _ in parts:
        found += part.postings.frequencies(numbers)
    return found
