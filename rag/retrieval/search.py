"""Both legs in both languages: each language is searched apart, and every chunk found gets its true cosine."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rag.protocols import FloatMatrix
from rag.retrieval.candidates import DenseHit, by_standout
from rag.retrieval.generation_view import GenerationView
from rag.retrieval.terms import is_code
from rag.schema import Hit, Language


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search found: ``by_meaning`` is best first, ``bm25`` has what words found, ``seen`` the chunks of both."""

    by_meaning: list[DenseHit]
    bm25: dict[int, float]
    seen: dict[int, DenseHit]


@dataclass(frozen=True, slots=True)
class Search:
    """Searches one generation with one question: its language, its vector, float32 [1, dimension], and its terms."""

    view: GenerationView
    language: Language
    query: FloatMatrix
    wanted: Sequence[str]

    def run(self, limit: int) -> Searched:
        """Return up to ``limit`` hits of each leg in each language."""
        by_meaning: list[DenseHit] = []
        by_words: list[DenseHit] = []
        bm25: dict[int, float] = {}
        for language, vectors in self.view.vectors.items():
            nearest = vectors.index.search(self.query, limit)
            worded = self.view.lexical.search_terms(self._terms_in(language), limit, language)
            bm25.update((hit.chunk_id, hit.score) for hit in worded)
            others = sorted({hit.chunk_id for hit in worded} - {hit.chunk_id for hit in nearest})
            cosines = vectors.index.cosines(self.query, others)
            by_meaning += self._dense_hits(nearest, language)
            by_words += self._dense_hits(map(Hit, others, cosines), language)
        seen = {hit.chunk_id: hit for hit in (*by_meaning, *by_words)}
        return Searched(by_standout(by_meaning), bm25, seen)

    def _terms_in(self, language: Language) -> Sequence[str]:
        """Return all terms for the question's language, and for another one those that are written alike in both."""
        return self.wanted if language == self.language else [term for term in self.wanted if is_code(term)]

    def _dense_hits(self, hits: Iterable[Hit], language: Language) -> list[DenseHit]:
        vectors = self.view.vectors[language]
        similarities, closeness = vectors.similarities(self.query), vectors.closeness
        return [
            DenseHit(
                chunk_id=hit.chunk_id,
                cosine=hit.score,
                standardized=similarities.standardized(hit.score),
                gain=hit.score - closeness,
                language=language,
                foreign=language != self.language,
            )
            for hit in hits
        ]
