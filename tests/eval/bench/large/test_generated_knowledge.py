"""Generated passages and vectors are like the real ones that they are made from."""

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from eval.bench.large.generated_knowledge import Sample, generated_question, write_generated
from rag.storage.embeddings import EmbeddingTable
from rag.storage.store import KnowledgeStore
from rag.storage.writer import KnowledgeWriter
from rag.testing import SAMPLE_DOCUMENTS, HashEmbedder, publish_documents
from rag.text.terms import terms

EMBEDDER = HashEmbedder(32)


@pytest.fixture
def samples(tmp_path: Path) -> dict[str, Sample]:
    folder = tmp_path / "sample"
    publish_documents(folder, SAMPLE_DOCUMENTS, EMBEDDER)
    store = KnowledgeStore(folder)
    found = Sample.of(store, EMBEDDER.model_id, EMBEDDER.dimension)
    store.close()
    return found


@pytest.mark.slow
def test_vectors_have_the_mean_and_the_covariance_of_the_real_ones() -> None:
    numbers = np.random.default_rng(0)
    rows = numbers.standard_normal((300, 8)) * [3, 2, 1, 1, 1, 1, 0.2, 0.2] + 10 * np.eye(8)[0]
    real = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    generated = Sample("en", ("text",) * 300, real, ()).drawn_vectors(20_000, numbers)
    assert np.linalg.norm(generated, axis=1) == pytest.approx(np.ones(20_000), abs=1e-5)
    assert generated.mean(axis=0) == pytest.approx(real.mean(axis=0), abs=0.02)
    assert np.cov(generated.T) == pytest.approx(np.cov(real.T), abs=0.02)


@pytest.mark.slow
def test_words_are_as_frequent_as_in_the_real_passages() -> None:
    words = ["the", "the", "the", "the", "rare"] + ["lamp"] * 3
    texts = tuple(" ".join(random.Random(seed).choices(words, k=80)) for seed in range(20))
    sample = Sample("en", texts, np.eye(20, dtype=np.float32), ())
    draw = random.Random(1)
    counts = Counter(term for _ in range(400) for term in terms(sample.spliced(draw)))
    total = sum(counts[word] for word in ("the", "rare", "lamp"))
    assert counts["the"] / total == pytest.approx(1 / 2, abs=0.05)
    assert counts["rare"] / total == pytest.approx(1 / 8, abs=0.05)


@pytest.mark.slow
def test_the_writer_gets_as_many_as_were_asked_for_and_the_same_for_the_same_seed(
    samples: dict[str, Sample], tmp_path: Path
) -> None:
    def written(name: str, seed: int) -> list[str]:
        writer = KnowledgeWriter(tmp_path / name)
        generation = writer.begin()
        table = EmbeddingTable(writer.database, EMBEDDER.model_id, EMBEDDER.dimension)
        steps = list(write_generated(writer, table, generation, samples, chunks=30, chunker_version="r", seed=seed))  # type: ignore[arg-type]
        assert steps[-1] == 30
        assert table.missing(generation, 100) == []
        info = writer.publish(generation, EMBEDDER.model_id, EMBEDDER.dimension)
        assert (info.chunk_count, info.document_count) == (30, 8)
        writer.close()
        store = KnowledgeStore(tmp_path / name)
        texts = [chunk.text for chunk in store.chunks(store.visible_chunk_ids(generation), generation).values()]
        assert store.languages(generation).keys() == {"zh", "en"}
        store.close()
        return texts

    assert written("one", 0) == written("two", 0)
    assert written("one", 0) != written("three", 1)


def test_questions_have_words_of_passages(samples: dict[str, Sample]) -> None:
    draw = random.Random(0)
    assert len(generated_question(samples["zh"], draw)) <= 18
    asked = generated_question(samples["en"], draw)
    assert 0 < len(asked.split()) <= 12
    assert set(terms(asked)) & {term for text in samples["en"].texts for term in terms(text)}
