"""Dense and lexical search, each language apart; every chunk found gets its exact cosine."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rag.protocols import FloatMatrix
from rag.retrieval.generation_view import GenerationView
from rag.retrieval.ranking import DenseHit, by_standout
from rag.schema import Hit, Language
from rag.text.terms import is_code

WIDER_CHUNKS = 20
"""Chunks of each language near a query's second vector that are ranked with the others."""


@dataclass(frozen=True, slots=True)
class LanguageCandidates:
    """What a search found: ``by_meaning`` is best first, and ``by_words`` has the BM25 of the best by words.

    ``bm25`` has those that meaning found as well; ``seen`` has the chunks of both, and those of ``wider``.
    """

    by_meaning: list[DenseHit]
    by_words: dict[int, float]
    bm25: dict[int, float]
    seen: dict[int, DenseHit]
    wider: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """Searches one generation with one question: its language, its vector, float32 [1, dimension], and its terms.

    ``wanted`` says by how much each term counts.  The chunks nearest to ``wider`` are seen as well.
    """

    view: GenerationView
    language: Language
    query: FloatMatrix
    wanted: Mapping[str, float]
    wider: FloatMatrix | None = None

    def run(self, limit: int) -> LanguageCandidates:
        """Return up to ``limit`` hits of each leg in each language."""
        by_meaning: list[DenseHit] = []
        others_only: list[DenseHit] = []
        wider: list[int] = []
        by_words: dict[int, float] = {}
        bm25: dict[int, float] = {}
        for language, vectors in self.view.vectors.items():
            nearest = vectors.search(self.query, limit)
            scores = self.view.lexical.scores(self._terms_in(language), language)
            worded = {hit.chunk_id: hit.score for hit in scores.best(limit)}
            by_words.update(worded)
            also = [] if self.wider is None else [hit.chunk_id for hit in vectors.search(self.wider, WIDER_CHUNKS)]
            wider += also
            bm25.update(worded | scores.of([*(hit.chunk_id for hit in nearest), *also]))
            others = sorted({*worded, *also} - {hit.chunk_id for hit in nearest})
            cosines = vectors.cosines(self.query, others)
            seen = self._dense_hits([*nearest, *map(Hit, others, cosines)], language)
            by_meaning += seen[: len(nearest)]
            others_only += seen[len(nearest) :]
        by_chunk = {hit.chunk_id: hit for hit in (*by_meaning, *others_only)}
        return LanguageCandidates(by_standout(by_meaning), by_words, bm25, by_chunk, tuple(wider))

    def _terms_in(self, language: Language) -> Mapping[str, float]:
        """Return all terms for the question's language, and for another one those that are written alike in both."""
        if language == self.language:
            return self.wanted
        return {term: share for term, share in self.wanted.items() if is_code(term)}

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
