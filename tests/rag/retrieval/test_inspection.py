"""What a search had in its hands is what it answered with."""

from pathlib import Path

import pytest

from rag.retrieval.inspection import Inspection, inspect
from rag.retrieval.retriever import Retriever
from rag.schema import Language
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.testing import HashEmbedder
from rag.tracing import Trace
from tests.rag.retrieval.knowledge import publish
from tests.rag.retrieval.test_retriever import DOCUMENTS

pytestmark = pytest.mark.slow


class Desk:
    def __init__(self, folder: Path) -> None:
        settings = Settings(data_dir=folder)
        publish(settings.knowledge_dir, DOCUMENTS, HashEmbedder())
        self.store = KnowledgeStore(settings.knowledge_dir)
        self.retriever = Retriever(self.store, HashEmbedder(), settings)

    def inspect(self, question: str, language: Language = "en", document: str = "", limit: int = 50) -> Inspection:
        return inspect(self.retriever.prepare(question, language), self.store, limit, document)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("question", ["when does the refund reach my card?", "error W-203", "battery of the doorbell"])
def test_the_order_and_the_scores_are_the_retrievers_own(desk: Desk, question: str) -> None:
    chunks = desk.retriever.retrieve(question, "en", Trace()).chunks
    seen = [one for one in desk.inspect(question).chunks if one.rank is not None]
    assert [one.rank for one in seen] == list(range(1, len(seen) + 1))
    assert [(one.chunk.chunk_id, one.score, one.cosine, one.bm25, one.late) for one in seen] == [
        (one.chunk.chunk_id, one.score, one.cosine, one.bm25, one.late) for one in chunks
    ]


def test_each_leg_counts_its_own_ranks(desk: Desk) -> None:
    seen = desk.inspect("refund battery").chunks
    for rank, score in (("meaning_rank", None), ("words_rank", "bm25"), ("fused_rank", None)):
        ranks = sorted(getattr(one, rank) for one in seen if getattr(one, rank) is not None)
        assert ranks == list(range(1, len(ranks) + 1))
        if score:
            in_order = sorted((one for one in seen if getattr(one, rank)), key=lambda one: getattr(one, rank))
            scores = [getattr(one, score) for one in in_order]
            assert scores == sorted(scores, reverse=True)
    assert {one.chunk.document_id for one in seen if one.words_rank} == {"refund", "battery"}


def test_a_document_that_no_leg_brought_gets_its_place_among_all(desk: Desk) -> None:
    looked = desk.inspect("when does the refund reach my card?", document="w203", limit=1)
    assert "w203" not in {one.chunk.document_id for one in looked.chunks}
    (chosen,) = looked.chosen
    assert (chosen.rank, chosen.fused_rank, chosen.score) == (None, None, None)
    assert chosen.words_rank == 3  # of all passages, by a word as common as "the"
    assert chosen.meaning_rank in (2, 3)
    assert chosen.cosine is not None
    assert chosen.late is not None
    (first,) = desk.inspect("when does the refund reach my card?", document="refund", limit=1).chosen
    assert (first.meaning_rank, first.words_rank, first.rank) == (1, 1, 1)


def test_another_language_shares_only_codes(desk: Desk) -> None:
    (chosen,) = desk.inspect("What is W-203?", document="报警").chosen
    assert chosen.bm25 is not None
    (other,) = desk.inspect("What is W-203?", document="退货").chosen
    assert other.bm25 is None
    assert desk.inspect("What is W-203?", document="nowhere").chosen == ()


def test_the_terms_say_how_common_they_are_and_what_was_mended(desk: Desk) -> None:
    looked = desk.inspect("Refudn of the zeppelin")
    assert looked.searched == "refund of the zeppelin"
    counts = {one.term: one.chunks for one in looked.terms}
    assert counts["refund"] == 1
    assert counts["zeppelin"] == 0
    assert desk.inspect("How long does the refund take and how do I replace the battery?").parts == (
        "How long does the refund take", "how do I replace the battery",
    )  # fmt: skip
