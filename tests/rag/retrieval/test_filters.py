"""Only documents that the filters let pass are found, and those are found however far down they would stand."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from rag.retrieval.filters import EVERYTHING, Filters, SearchOptions
from rag.retrieval.ranking import KEPT_CHUNKS
from rag.retrieval.retriever import Retriever
from rag.retrieval.vector_index import FaissVectorIndex, Selection, VectorIndexBuilder
from rag.schema import Document, Language
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.testing import HashEmbedder, build_offline_pipeline, publish_documents
from rag.tracing import Trace

pytestmark = pytest.mark.slow

OLD, NEW = date(2025, 5, 1), date(2026, 5, 1)
QUESTION = "how do I clean the brush of the robot"


def article(name: str, text: str, language: Language = "en", updated_on: date | None = None, **fields: str) -> Document:
    return Document(name, f"/kb/{name}", "", text, language, updated_on=updated_on, metadata=fields)


def _own_words(number: int) -> str:
    """Return words of one article only: of sixty copies few would be searched."""
    return " ".join(f"{word}{number}" for word in ("north", "east", "south", "west", "noon", "dusk", "dawn", "night"))


ARTICLES = (
    *(article(f"crowd-{number}", f"{QUESTION} {_own_words(number)}", updated_on=OLD) for number in range(60)),
    article("r2", "the brush of the R2 comes off", updated_on=OLD, product="Drift R2"),
    article("r3", "wash the brush every week", updated_on=NEW, products="Ｄｒｉｆｔ R3, Drift R3 Plus"),
    article("刷子", "每周清洗刷子", "zh", NEW, **{"meta.product": "Drift R3"}),
    article("undated", "nothing is known of it", product="lock"),
)


@pytest.fixture
def retriever(tmp_path: Path) -> Retriever:
    settings = Settings(data_dir=tmp_path)
    publish_documents(settings.knowledge_dir, ARTICLES, HashEmbedder())
    return Retriever(KnowledgeStore(settings.knowledge_dir), HashEmbedder(), settings)


def found(retriever: Retriever, filters: Filters) -> set[str]:
    return {
        one.chunk.document_id for one in retriever.find(QUESTION, "en", Trace(), SearchOptions(filters=filters)).chunks
    }


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(product="drift r3"), {"r3", "刷子"}),
        (Filters(product="Drift R3", language="en"), {"r3"}),
        (Filters(product="Drift R2"), {"r2"}),
        (Filters(since=date(2025, 5, 2)), {"r3", "刷子"}),
        (Filters(since=NEW, language="zh"), {"刷子"}),
        (Filters(language="zh"), {"刷子"}),
        (Filters(since=date(2026, 5, 2)), set()),
        (Filters(product="Drift"), set()),
        (Filters(product="lock", since=OLD), set()),
        (Filters(product="drift r3", without=frozenset({"r3"})), {"刷子"}),
        (Filters(language="zh", without=frozenset({"刷子"})), set()),
    ],
)
def test_only_what_passes_is_found_by_meaning_and_by_words(
    retriever: Retriever, filters: Filters, expected: set[str]
) -> None:
    assert found(retriever, filters) == expected
    crowd = {name for name in found(retriever, EVERYTHING) if name.startswith("crowd")}
    assert len(crowd) == KEPT_CHUNKS - 1  # of the few there is the one in the other language, which has a place


def test_filters_of_one_question_do_not_stay_for_the_next(retriever: Retriever) -> None:
    before = found(retriever, EVERYTHING)
    for number in range(20):
        assert found(retriever, Filters(product=f"product {number}")) == set()
    assert found(retriever, Filters(product="Drift R2")) == {"r2"}
    assert found(retriever, EVERYTHING) == before


def test_nothing_left_is_an_honest_refusal(tmp_path: Path) -> None:
    pipeline = build_offline_pipeline(tmp_path)
    answer = pipeline.answer("How long can I send it back?", filters=Filters(product="nothing like it"))
    assert answer.refused
    assert answer.citations == ()


def test_a_clustered_index_compares_the_few_that_may_be_found() -> None:
    vectors = np.random.default_rng(0).normal(size=(2000, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    builder = VectorIndexBuilder(16, vectors, len(vectors))
    builder.add(np.arange(2000), vectors)
    clustered = builder.finish()
    assert clustered.probes
    clustered.probes = 1
    kept = np.zeros(2000, np.bool_)
    kept[[3, 700, 1999]] = True
    query = vectors[:1]
    exact = FaissVectorIndex.build(np.array([3, 700, 1999]), vectors[[3, 700, 1999]]).search(query, 9)
    hits = clustered.search(query, 9, Selection(kept))
    assert [hit.chunk_id for hit in hits] == [hit.chunk_id for hit in exact]
    assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in exact], abs=1e-6)
