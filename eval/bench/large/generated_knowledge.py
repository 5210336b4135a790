"""A knowledge base of any size, generated from a small real one: for measuring speed and recall, not answers.

Words: a generated passage is spliced from stretches of real passages of its language, cut at random, until it is as
long as a real passage drawn at random.  So every word and pair of Chinese characters is as frequent among the generated
passages as among the real ones, and most neighbours are real ones; a quarter of the passages has a code of its own, as
new words keep coming in a real one.

Vectors: of a real one, less the mean of its language, 0.6 to 0.9 is kept; what is missing to the same variance is
filled with parts of four others, in either direction.  So generated vectors have the mean and the covariance of the
embedder's own, and crowd around the real ones; vectors drawn evenly from the sphere would be no test of an index.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rag.protocols import FloatMatrix, PassageTokens, PassageVectors
from rag.retrieval.lexical_index import indexed_terms
from rag.schema import Chunk, Document, Language
from rag.storage.embeddings import EmbeddingTable, embedding_hash
from rag.storage.store import KnowledgeStore, StoredDocument
from rag.storage.writer import KnowledgeWriter, NewChunk, NewDocument

CHUNKS_OF_DOCUMENT = 4
_DOCUMENTS_AT_ONCE = 256
_STRETCH = {"en": (40, 160), "zh": (10, 40)}
"""Characters of a stretch, at least and at most."""

_OWN_PART = (0.6, 0.9)
_PARTS = 4
_CODED_SHARE = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Real passages of one language: their texts, vectors, float32 [n, dimension], and distinct tokens, int32."""

    language: Language
    texts: tuple[str, ...]
    vectors: FloatMatrix
    tokens: tuple[NDArray[np.int32], ...]

    @classmethod
    def of(cls, store: KnowledgeStore, model_id: str, dimension: int) -> dict[Language, Self]:
        """Take the passages of the current generation, by language."""
        generation = store.require_generation()
        table = EmbeddingTable(store, model_id, dimension)
        chunk_ids, vectors = table.visible(generation)
        chunks = store.chunks(chunk_ids.tolist(), generation)
        samples = {}
        for language in store.languages(generation):
            rows = [row for row, number in enumerate(chunk_ids.tolist()) if chunks[number].language == language]
            samples[language] = cls(
                language,
                tuple(chunks[int(chunk_ids[row])].text for row in rows),
                vectors[rows],
                tuple(table.token_numbers([int(chunk_ids[row])]) for row in rows),
            )
        return samples

    def mixed(self, real: FloatMatrix, numbers: np.random.Generator) -> FloatMatrix:
        """Return a generated vector for each of n real ones, float32 [n, dimension]."""
        centre, own_centre = self.vectors.mean(axis=0), real.mean(axis=0)
        own = numbers.uniform(*_OWN_PART, (len(real), 1)).astype(np.float32)
        parts = numbers.standard_normal((_PARTS, len(real), 1)).astype(np.float32)
        parts *= np.sqrt(1 - own**2) / np.linalg.norm(parts, axis=0)
        rows = own_centre + own * (real - own_centre)
        for part in parts:
            rows += part * (self.vectors[numbers.integers(0, len(self.vectors), len(real))] - centre)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)

    def drawn_vectors(self, count: int, numbers: np.random.Generator) -> FloatMatrix:
        """Return generated vectors, float32 [count, dimension]."""
        return self.mixed(self.vectors[numbers.integers(0, len(self.vectors), count)], numbers)

    def spliced(self, draw: random.Random, code: str = "") -> str:
        """Return a generated passage, ending with ``code``."""
        length = len(draw.choice(self.texts))
        parts, total = [], 0
        while total < length:
            text, stretch = draw.choice(self.texts), draw.randint(*_STRETCH[self.language])
            begin = draw.randrange(max(1, len(text) - stretch))
            parts.append(self._whole_words(text[begin : begin + stretch]))
            total += len(parts[-1]) + 1
        return ("" if self.language == "zh" else " ").join(parts)[: max(1, length)] + (f" {code}" if code else "")

    def _whole_words(self, stretch: str) -> str:
        words = stretch.split(" ")
        return " ".join(words[1:-1]) if self.language == "en" and len(words) > 3 else stretch


def write_generated(
    writer: KnowledgeWriter,
    table: EmbeddingTable,
    generation: int,
    samples: Mapping[Language, Sample],
    *,
    chunks: int,
    chunker_version: str,
    seed: int = 0,
) -> Iterator[int]:
    """Write documents of ``CHUNKS_OF_DOCUMENT`` chunks, languages alike; yield how many chunks are written.

    ``chunker_version`` is the version by which the next ingest knows that it need not cut them again.
    """
    source = _Source(samples, chunker_version, random.Random(seed), np.random.default_rng(seed))
    documents = -(-chunks // CHUNKS_OF_DOCUMENT)
    written = 0
    for begin in range(0, documents, _DOCUMENTS_AT_ONCE):
        numbers = range(begin, min(begin + _DOCUMENTS_AT_ONCE, documents))
        new = [
            source.document(number, min(CHUNKS_OF_DOCUMENT, chunks - number * CHUNKS_OF_DOCUMENT)) for number in numbers
        ]
        writer.replace(new, generation)
        passages = [source.passages(document) for document in new]
        table.add(
            [chunk.embedding_hash for document in new for chunk in document.chunks],
            PassageVectors(
                np.concatenate([one.vectors for one in passages]),
                tuple(tokens for one in passages for tokens in one.tokens),
            ),
        )
        written += sum(len(document.chunks) for document in new)
        yield written


def generated_question(sample: Sample, draw: random.Random) -> str:
    """Return the beginning of a generated passage, as long as a question."""
    text = sample.spliced(draw)
    return " ".join(text.split()[:12]) if sample.language == "en" else text[:18]


@dataclass(frozen=True, slots=True)
class _Source:
    samples: Mapping[Language, Sample]
    chunker_version: str
    draw: random.Random
    numbers: np.random.Generator

    def document(self, number: int, size: int) -> NewDocument:
        languages = sorted(self.samples)
        sample = self.samples[languages[number % len(languages)]]
        name = f"generated/{number:07d}.md"
        codes = [f"G{number}-{position}" if self.draw.random() < _CODED_SHARE else "" for position in range(size)]
        texts = [sample.spliced(self.draw, code) for code in codes]
        chunks, start = [], 0
        for ordinal, text in enumerate(texts):
            end = start + len(text)
            chunks.append(Chunk(name, f"/{name}", str(number), (), text, start, end, ordinal, sample.language))
            start = end + 1
        return NewDocument(
            Document(name, f"/{name}", str(number), "\n".join(texts), sample.language),
            StoredDocument(name, "/generated", name, f"/{name}", number.to_bytes(32, "big"), self.chunker_version),
            tuple(NewChunk(chunk, embedding_hash(chunk), indexed_terms(chunk)) for chunk in chunks),
        )

    def passages(self, document: NewDocument) -> PassageVectors:
        sample = self.samples[document.document.language]
        vectors = sample.drawn_vectors(len(document.chunks), self.numbers)
        return PassageVectors(vectors, tuple(self._tokens(sample, vectors.shape[1]) for _ in document.chunks))

    def _tokens(self, sample: Sample, dimension: int) -> PassageTokens:
        """Return the distinct tokens of a real passage, with signs that say nothing."""
        numbers = self.draw.choice(sample.tokens)
        width = -(-dimension // 8)
        signs = np.frombuffer(self.draw.randbytes(len(numbers) * width), dtype=np.uint8).reshape(-1, width)
        return PassageTokens(numbers, signs)
