"""A cross-encoder orders what the search has found, and changes nothing else."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rag.errors import SearchModelMissing, SearchModelUnusable
from rag.factory import build_parts, build_pipeline
from rag.protocols import Reranker
from rag.retrieval.filters import SearchOptions
from rag.retrieval.ranking import KEPT_CHUNKS
from rag.retrieval.reranker import CrossEncoderReranker, open_reranker
from rag.retrieval.retriever import Retriever
from rag.schema import Document
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.testing import HashEmbedder, OverlapReranker, publish_documents
from rag.tracing import Trace
from tests.support.search_models import save_reranker

pytestmark = pytest.mark.slow

QUESTION = "How long is the warranty of the kettle?"
FEW = "The warranty of the kettle is long, and how long a refund is: days."
MANY = "refund refund refund refund kettle"
NONE = "The warranty of the kettle is long and the lamp is sent."


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")
    documents = [Document(str(n), f"/kb/{n}.md", f"Note {n}", text, "en") for n, text in enumerate((FEW, MANY, NONE))]
    publish_documents(settings.knowledge_dir, documents, HashEmbedder())
    return settings


class Recording:
    """A reranker that turns the order around, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def scores(self, question: str, passages: Sequence[str]) -> NDArray[np.float64]:
        self.asked.append((question, len(passages)))
        return np.arange(len(passages), dtype=np.float64)


def retriever(settings: Settings, reranker: Reranker | None) -> Retriever:
    return Retriever(KnowledgeStore(settings.knowledge_dir), HashEmbedder(), settings, reranker=reranker)


def test_the_order_is_the_reranker_s_and_all_else_stays(settings: Settings) -> None:
    trace = Trace()
    before = retriever(settings, None).retrieve(QUESTION, "en", Trace())
    after = retriever(settings, Recording()).retrieve(QUESTION, "en", trace)
    assert [one.chunk for one in after.chunks] == [one.chunk for one in reversed(before.chunks)]
    assert [one.score for one in after.chunks] == [one.score for one in before.chunks]
    assert {one.chunk.chunk_id: one.late for one in after.chunks} == {
        one.chunk.chunk_id: one.late for one in before.chunks
    }
    assert after.answerable_probability == before.answerable_probability
    assert [span.name for span in trace.spans()] == ["embed", "search", "rerank"]


def test_it_reads_no_more_than_is_kept_and_a_follow_up_behind_its_question(settings: Settings) -> None:
    reranker = Recording()
    asked = retriever(settings, reranker)
    asked.find(QUESTION, "en", Trace())
    asked.find("How long does it take?", "en", Trace(), SearchOptions(["Is the kettle sent within days?"]))
    asked.find("Which lamp has the longest warranty period anywhere?", "en", Trace(), SearchOptions([QUESTION]))
    assert [question for question, _ in reranker.asked] == [
        QUESTION,
        "Is the kettle sent within days?\nHow long does it take?",
        "Which lamp has the longest warranty period anywhere?",
    ]
    assert all(count <= KEPT_CHUNKS for _, count in reranker.asked)


def test_a_reranker_that_is_not_there_is_missed_at_the_start(settings: Settings, tmp_path: Path) -> None:
    assert open_reranker(settings) is None
    with pytest.raises(SearchModelMissing, match=r"BAAI/bge-reranker.*python -m rag\.setup embedder"):
        build_pipeline(settings.changed(reranker="BAAI/bge-reranker-v2-m3"), embedder=HashEmbedder())
    with pytest.raises(SearchModelUnusable, match="no such folder") as caught:
        build_pipeline(settings.changed(reranker=str(tmp_path / "gone")), embedder=HashEmbedder())
    assert caught.value.exit_code == 5


def test_the_fake_counts_words(settings: Settings) -> None:
    found = retriever(settings, OverlapReranker()).retrieve("refund refund", "en", Trace()).chunks
    assert {one.chunk.text for one in found[:2]} == {FEW, MANY}
    assert OverlapReranker().scores(QUESTION, []).shape == (0,)


def test_a_cross_encoder_of_known_weights_puts_its_word_first(settings: Settings, tmp_path: Path) -> None:
    folder = save_reranker(tmp_path / "reranker", "refund")
    scores = CrossEncoderReranker(folder, "reranker").scores(QUESTION, [NONE, FEW, MANY])
    assert (scores.dtype, scores.shape) == (np.float64, (3,))
    assert scores[0] == pytest.approx(0)
    assert scores[0] < scores[1] < scores[2]
    assert CrossEncoderReranker(folder, "reranker").scores(QUESTION, []).shape == (0,)

    def order(chosen: Settings) -> list[str]:
        parts = build_parts(chosen, KnowledgeStore(chosen.knowledge_dir), embedder=HashEmbedder())
        return [one.chunk.text for one in parts.retriever.retrieve(QUESTION, "en", Trace()).chunks]

    assert order(settings)[-1] == MANY
    assert order(settings.changed(reranker=str(folder))) == [MANY, FEW, NONE]


def test_a_model_of_several_scores_and_broken_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SearchModelUnusable, match="gives 3"):
        CrossEncoderReranker(save_reranker(tmp_path / "three", "refund", labels=3), "three")
    folder = save_reranker(tmp_path / "broken", "refund")
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(SearchModelUnusable, match="cannot load"):
        CrossEncoderReranker(folder, "broken")
