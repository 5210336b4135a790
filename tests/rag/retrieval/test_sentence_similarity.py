from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from rag.errors import IndexDamaged
from rag.retrieval.retriever import Retriever
from rag.retrieval.sentence_similarity import SentenceSimilarity
from rag.schema import Document, Retrieval
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.testing import HashEmbedder, publish_documents
from rag.tracing import Trace

TEXT = "The robot has a brush.\n\nHold home for ten seconds to reset it. It weighs three kilograms."
SENTENCES = [(0, 22), (24, 62), (63, 89)]


@pytest.fixture
def store(tmp_path: Path) -> KnowledgeStore:
    documents = (
        Document("robot", "/robot", "Robot", TEXT, "en"),
        Document("other", "/other", "Other", "nothing of that", "en"),
    )
    publish_documents(tmp_path, documents, HashEmbedder())
    return KnowledgeStore(tmp_path)


@pytest.fixture
def retrieval(store: KnowledgeStore) -> Retrieval:
    retriever = Retriever(store, HashEmbedder(), Settings())
    return retriever.retrieve("how many seconds to hold home?", "en", Trace())


def test_the_sentence_that_answers_stands_out(store: KnowledgeStore, retrieval: Retrieval) -> None:
    found = SentenceSimilarity(store, HashEmbedder()).likeness(retrieval, "robot", SENTENCES)
    assert found is not None
    scores = found.scores
    assert len(scores) == 3
    assert found.shares.shape == (3, len(retrieval.tokens.weights if retrieval.tokens else ()))
    assert scores.argmax() == 1
    assert scores[1] > scores[2]


def test_a_sentence_over_two_chunks_is_judged_by_the_larger_part(store: KnowledgeStore, retrieval: Retrieval) -> None:
    similarity = SentenceSimilarity(store, HashEmbedder())
    whole = similarity.likeness(retrieval, "robot", [(16, 62), (24, 62)])
    assert whole is not None
    assert whole.scores[0] == pytest.approx(whole.scores[1])


def test_no_sentences_no_scores(store: KnowledgeStore, retrieval: Retrieval) -> None:
    found = SentenceSimilarity(store, HashEmbedder()).likeness(retrieval, "robot", [])
    assert found is not None
    assert len(found.scores) == 0


def test_without_tokens_there_is_nothing_to_compare(store: KnowledgeStore, retrieval: Retrieval) -> None:
    similarity = SentenceSimilarity(store, HashEmbedder())
    assert similarity.likeness(replace(retrieval, tokens=None), "robot", SENTENCES) is None
    with store.transaction() as connection:
        connection.execute("UPDATE embedding SET token_numbers = NULL, token_signs = NULL")
    without = Retriever(store, HashEmbedder(), Settings()).retrieve("how many seconds to hold home?", "en", Trace())
    assert without.chunks
    assert similarity.likeness(without, "robot", SENTENCES) is None


def test_what_the_ranking_compared_is_what_would_be_compared_now(store: KnowledgeStore, retrieval: Retrieval) -> None:
    tokens = retrieval.tokens
    assert tokens is not None
    assert tokens.cosines.keys() == {one.chunk.chunk_id for one in retrieval.chunks}
    similarity = SentenceSimilarity(store, HashEmbedder())
    travelled = similarity.likeness(retrieval, "robot", SENTENCES)
    compared = similarity.likeness(replace(retrieval, tokens=replace(tokens, cosines={})), "robot", SENTENCES)
    assert travelled is not None
    assert compared is not None
    np.testing.assert_allclose(travelled.scores, compared.scores, atol=1e-6)
    np.testing.assert_allclose(travelled.shares, compared.shares, atol=1e-6)


def test_where_tokens_end_is_read_once(store: KnowledgeStore, retrieval: Retrieval) -> None:
    class Counting(HashEmbedder):
        asked: ClassVar[list[str]] = []

        def token_spans(self, passage: str) -> list[tuple[int, int]]:
            self.asked.append(passage)
            return super().token_spans(passage)

    similarity = SentenceSimilarity(store, Counting())
    for _ in range(3):
        similarity.likeness(retrieval, "robot", SENTENCES)
    assert len(Counting.asked) == len(set(Counting.asked)) == 2  # the robot's two chunks


def test_tokens_of_another_text_are_damage(store: KnowledgeStore, retrieval: Retrieval) -> None:
    chunks = tuple(replace(one, chunk=replace(one.chunk, text="two words")) for one in retrieval.chunks)
    with pytest.raises(IndexDamaged, match="tokens"):
        SentenceSimilarity(store, HashEmbedder()).likeness(replace(retrieval, chunks=chunks), "robot", SENTENCES)


def test_a_sentence_that_was_not_found_cannot_be_judged(store: KnowledgeStore, retrieval: Retrieval) -> None:
    similarity = SentenceSimilarity(store, HashEmbedder())
    assert similarity.likeness(replace(retrieval, chunks=()), "robot", SENTENCES) is None
    assert similarity.likeness(retrieval, "robot", [*SENTENCES, (900, 920)]) is None
