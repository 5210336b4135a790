"""Keeps passages that repeat one another from using up a question's candidates.

Where forty pages ask and answer the same questions, or one form was filled in forty times, their chunks are all that
both legs find, and the page that differs is not even compared.  There both legs are searched for more hits, and only
the best few chunks of each kind stay candidates.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from zlib import crc32

from rag.retrieval.generation_view import LanguageCandidates, Search
from rag.retrieval.ranking import fuse
from rag.storage.store import KnowledgeStore

RANKED_CHUNKS = 40
"""Chunks of the fused legs, in each language, that are compared token by token."""

CHUNKS_OF_A_KIND = 2
ALIKE = 0.6
"""Two chunks are of one kind if they share at least this part of their terms, those of titles included (Jaccard).

With .75 copies under fourteen different titles filled 26 to 29 of the 40 places, with .6 they have 9 to 15.
"""

CROWDED = 12
"""So many of the ``RANKED_CHUNKS`` beyond the first ones of their kinds are a crowd.

Of 1,652 searches in seven companies' pages and the sample, one in each language, one had more (14), and all but 18 less
than 8.  With forty copies of one page there are 30 and more.
"""

_TIMES_AS_MANY, _MOST_TIMES = 4, 16


_BITS, _ALIKE_BITS = 512, 0.5
"""Terms are first compared as bits, ten times as quickly; two terms on one bit only make chunks look more alike."""


@dataclass(frozen=True, slots=True)
class Terms:
    """A chunk's terms, and a bit for each."""

    words: frozenset[str]
    bits: int


def distinct_candidates(search: Search, store: KnowledgeStore, limit: int) -> LanguageCandidates:
    """Search as ``search.run(limit)`` does, and, in a crowd, replace chunks beyond ``CHUNKS_OF_A_KIND`` by others.

    These are among ``_MOST_TIMES`` as many hits.  Raises ``VectorEngineError``.
    """
    candidates, times = search.run(limit), 1
    languages = _sort_out(candidates, store)
    if not any(one.is_crowded for one in languages):
        return candidates
    while any(one.has_room for one in languages) and times < _MOST_TIMES:
        times *= _TIMES_AS_MANY
        more = search.run(limit * times)
        if len(more.seen) == len(candidates.seen):
            break
        candidates, languages = more, _sort_out(more, store)
    return _without_crowd(candidates, languages)


@dataclass(frozen=True, slots=True)
class _Sorted:
    """The first chunks of one language's fused legs: those that stay, and those beyond enough of their kinds."""

    kept: Sequence[int]
    surplus: Sequence[int]

    @property
    def is_crowded(self) -> bool:
        return len(self.surplus) >= CROWDED

    @property
    def has_room(self) -> bool:
        return self.is_crowded and len(self.kept) < RANKED_CHUNKS


def _sort_out(candidates: LanguageCandidates, store: KnowledgeStore) -> list[_Sorted]:
    found = []
    for foreign in (False, True):
        by_meaning = [hit for hit in candidates.by_meaning if hit.foreign == foreign]
        by_words = {one: bm25 for one, bm25 in candidates.by_words.items() if candidates.seen[one].foreign == foreign}
        found.append(_sort_out_language(fuse(by_meaning, by_words), store))
    return found


def _sort_out_language(order: Sequence[int], store: KnowledgeStore) -> _Sorted:
    """Sort chunks, best first, until ``RANKED_CHUNKS`` stay."""
    kept, surplus = list[int](), list[int]()
    kinds: list[tuple[Terms, list[int]]] = []
    for chunk_id, terms in _with_terms(order, store):
        members = next((members for first, members in kinds if are_alike(first, terms)), None)
        if members is None:
            members = []
            kinds.append((terms, members))
        members.append(chunk_id)
        (kept if len(members) <= CHUNKS_OF_A_KIND else surplus).append(chunk_id)
        if len(kept) == RANKED_CHUNKS:
            break
    return _Sorted(kept, surplus)


def _with_terms(order: Sequence[int], store: KnowledgeStore) -> Iterator[tuple[int, Terms]]:
    for begin in range(0, len(order), RANKED_CHUNKS):
        batch = order[begin : begin + RANKED_CHUNKS]
        terms = store.chunk_terms(batch)
        yield from ((chunk_id, read_terms(terms[chunk_id])) for chunk_id in batch if chunk_id in terms)


@lru_cache(maxsize=8192)
def read_terms(terms: str) -> Terms:
    """Read a chunk's terms, joined by blanks.  Cached: it takes as long as thirty comparisons."""
    found = frozenset(terms.split())
    bits = 0
    for term in found:
        bits |= 1 << crc32(term.encode()) % _BITS
    return Terms(found, bits)


def are_alike(one: Terms, other: Terms) -> bool:
    """Tell whether two chunks with these terms are of one kind."""
    if (one.bits & other.bits).bit_count() < _ALIKE_BITS * (one.bits | other.bits).bit_count():
        return False
    shared = len(one.words & other.words)
    return shared >= ALIKE * (len(one.words) + len(other.words) - shared)


def _without_crowd(candidates: LanguageCandidates, languages: Sequence[_Sorted]) -> LanguageCandidates:
    kept = {chunk_id for one in languages for chunk_id in one.kept}
    surplus = {chunk_id for one in languages for chunk_id in one.surplus}
    return replace(
        candidates,
        by_meaning=[hit for hit in candidates.by_meaning if hit.chunk_id in kept],
        by_words={chunk_id: bm25 for chunk_id, bm25 in candidates.by_words.items() if chunk_id in kept},
        wider=tuple(one for one in candidates.wider if one not in surplus or one in candidates.numbered),
    )
