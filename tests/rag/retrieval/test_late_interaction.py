"""Tokens of questions compared with those of passages and sentences, by hand."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import IndexDamaged
from rag.protocols import FloatMatrix, QueryTokens
from rag.retrieval.late_interaction import (
    STRETCH_TOKENS,
    WEIGHED_TOKENS,
    Likeness,
    SentenceSimilarity,
    Signs,
    TokenWeights,
    heaviest_tokens,
    similarities,
    token_cosines,
)
from rag.retrieval.retriever import Retriever
from rag.schema import Chunk, Document, QuestionTokens, Retrieval, RetrievedChunk
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.testing import HashEmbedder, publish_documents
from rag.tracing import Trace

DIMENSION = 12  # no whole number of bytes


def unit(count: int, seed: int) -> FloatMatrix:
    rows = np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def packed(rows: FloatMatrix) -> Signs:
    return np.packbits(rows > 0, axis=1)


def as_floats(signs: Signs) -> FloatMatrix:
    bits = np.unpackbits(signs, axis=1)[:, :DIMENSION].astype(np.float32)
    return np.asarray((bits * 2 - 1) / np.sqrt(DIMENSION), dtype=np.float32)


def test_by_hand() -> None:
    query = np.array([[1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.5, -0.5]], dtype=np.float32)
    first = np.packbits(np.array([[1, 1, 1, 0], [0, 0, 0, 0]], dtype=np.uint8), axis=1)  # + + + -, - - - -
    second = np.packbits(np.array([[0, 1, 1, 1]], dtype=np.uint8), axis=1)
    # the first token: 1/2 with + + + -, -1/2 with - - - -, -1/2 with - + + +; the second: 1, -1/2, 0
    assert token_cosines(query, first).tolist() == [[0.5, 1.0], [-0.5, -0.5]]
    found = similarities(QuestionTokens(query, np.array([1.0, 3.0])), [first, second])
    assert found.tolist() == [(0.5 + 3 * 1.0) / 4, (-0.5 + 3 * 0.0) / 4]


def test_words_that_stand_together_answer_better() -> None:
    filler = np.zeros((2 * STRETCH_TOKENS, 8), dtype=np.uint8)
    asked = np.array([[1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1]], dtype=np.uint8)
    together, apart = filler.copy(), filler.copy()
    together[[20, 22]] = apart[[2, -2]] = asked
    question = QuestionTokens(np.asarray((asked * 2.0 - 1) / np.sqrt(8), dtype=np.float32), np.array([1.0, 1.0]))
    near, far = similarities(question, [np.packbits(together, axis=1), np.packbits(apart, axis=1)])
    assert near == pytest.approx(1.0)
    assert far == pytest.approx((1.0 + (1.0 + 0.0) / 2) / 2)  # both words in the passage, one in its best stretch


LENGTHS = st.lists(st.integers(0, 3 * STRETCH_TOKENS), min_size=1, max_size=5)


@pytest.mark.slow
@given(st.integers(1, 5), LENGTHS, st.integers(0, 99))
def test_the_same_as_comparing_every_pair(asked: int, lengths: list[int], seed: int) -> None:
    question = QuestionTokens(unit(asked, seed), np.random.default_rng(seed).uniform(0.1, 9, asked))
    passages = [packed(unit(length, seed + place + 1)) for place, length in enumerate(lengths)]

    def mean_of_best(signs: Signs) -> float:
        best = (question.vectors @ as_floats(signs).T).max(axis=1)
        return float(question.weights @ best / question.weights.sum())

    for found, signs in zip(similarities(question, passages), passages, strict=True):
        begins = range(0, len(signs), STRETCH_TOKENS // 2)
        stretches = [mean_of_best(signs[begin : begin + STRETCH_TOKENS]) for begin in begins]
        assert found == pytest.approx((mean_of_best(signs) + max(stretches)) / 2 if len(signs) else 0.0, abs=1e-5)


@pytest.mark.slow
@given(st.integers(1, 5), st.integers(1, 60), st.integers(0, 60), st.integers(0, 99))
def test_more_tokens_never_answer_worse_and_all_stays_in_range(asked: int, few: int, more: int, seed: int) -> None:
    question = QuestionTokens(unit(asked, seed), np.random.default_rng(seed).uniform(0.1, 9, asked))
    signs = packed(unit(few + more, seed + 1))
    less, whole = similarities(question, [signs[:few], signs])
    assert -1 - 1e-6 <= less <= whole <= 1 + 1e-6


def test_nothing_to_compare() -> None:
    nothing = QuestionTokens(unit(0, 0), np.zeros(0))
    assert similarities(nothing, [packed(unit(3, 1))]).tolist() == [0.0]
    assert similarities(nothing, []).tolist() == []
    assert similarities(QuestionTokens(unit(2, 0), np.zeros(2)), [packed(unit(3, 1))]).tolist() == [0.0]
    assert similarities(QuestionTokens(unit(2, 0), np.ones(2)), [packed(unit(0, 1))]).tolist() == [0.0]


def test_of_a_long_question_the_rarest_tokens_count() -> None:
    count = WEIGHED_TOKENS + 10
    tokens = QueryTokens(np.arange(count, dtype=np.int32), unit(count, 0))
    question = heaviest_tokens(tokens, np.arange(count, dtype=np.float64))
    assert question.weights.tolist() == list(range(count - 1, 9, -1))
    np.testing.assert_array_equal(question.vectors[0], tokens.vectors[-1])


def test_the_same_tokens_are_the_best() -> None:
    signs = packed(unit(5, 3))
    assert similarities(QuestionTokens(as_floats(signs)[:2], np.array([2.0, 1.0])), [signs])[0] == pytest.approx(1.0)


class DividingEmbedder(HashEmbedder):
    """Divides a passage into the tokens that a test names."""

    def __init__(self, token_spans: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self._token_spans = list(token_spans)

    def token_spans(self, passage: str) -> list[tuple[int, int]]:
        return self._token_spans


def stretch_likeness(
    asked: QuestionTokens,
    passage: tuple[Chunk, Signs],
    tokens: Sequence[tuple[int, int]],
    spans: Sequence[tuple[int, int]],
) -> Likeness:
    """Return the likeness of stretches of one chunk, whose ``tokens`` are stretches of its embedded text."""
    chunk, signs = passage
    known = replace(asked, cosines={chunk.chunk_id: token_cosines(asked.vectors, signs)})
    retrieval = Retrieval((RetrievedChunk(chunk, 1.0),), 1.0, answerable=True, generation=1, tokens=known)
    store = cast(KnowledgeStore, None)  # the cosines are known
    similarity = SentenceSimilarity(store, DividingEmbedder(tokens))
    found = similarity.likeness(retrieval, [(chunk.document_id, *span) for span in spans])
    assert found is not None
    return found


def chunk_of(text: str, title: str = "") -> Chunk:
    return Chunk("a", "/a", title, (), text, 0, len(text), 0, "en", chunk_id=1)


def test_stretches_of_a_passage_by_hand() -> None:
    # the title's token belongs to no stretch
    token_spans = [(0, 3), (4, 8), (8, 11), (11, 12), (12, 17), (17, 18)]
    signs = packed(unit(6, 1))
    asked = QuestionTokens(as_floats(signs)[[4]], np.array([1.0]))  # the very token " Boil"
    passage = chunk_of("Fill it. Boil.", title="Tip"), signs
    found = stretch_likeness(asked, passage, token_spans, [(0, 8), (9, 14), (9, 11)])
    filling, boiling, nothing = found.scores
    np.testing.assert_allclose(found.shares[:, 0], found.scores)  # of the only token, all of the weight
    assert boiling == pytest.approx(1.0)
    assert filling == pytest.approx(float((asked.vectors @ as_floats(signs)[1:4].T).max()))
    assert nothing == 0


@pytest.mark.slow
@given(st.integers(1, 8), st.integers(0, 99))
def test_stretches_that_cover_a_passage_answer_no_better_than_all_of_it(tokens: int, seed: int) -> None:
    signs = packed(unit(tokens, seed))
    asked = QuestionTokens(unit(3, seed + 1), np.array([1.0, 2.0, 3.0]))
    passage, letters = (chunk_of("x" * tokens), signs), [(place, place + 1) for place in range(tokens)]
    found = stretch_likeness(asked, passage, letters, letters)
    all_of_it = stretch_likeness(asked, passage, letters, [(0, tokens)])
    each, (whole,) = found.scores, all_of_it.scores
    assert whole == pytest.approx(similarities(asked, [signs])[0])
    assert each.max() <= whole + 1e-6
    np.testing.assert_allclose(found.shares.max(axis=0), all_of_it.shares[0], atol=1e-6)


TEXT = "The robot has a brush.\n\nHold home for ten seconds to reset it. It weighs three kilograms."
SENTENCES = [("robot", 0, 22), ("robot", 24, 62), ("robot", 63, 89)]


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


@pytest.mark.slow
def test_the_sentence_that_answers_stands_out(store: KnowledgeStore, retrieval: Retrieval) -> None:
    found = SentenceSimilarity(store, HashEmbedder()).likeness(retrieval, SENTENCES)
    assert found is not None
    scores = found.scores
    assert len(scores) == 3
    assert found.shares.shape == (3, len(retrieval.tokens.weights if retrieval.tokens else ()))
    assert scores.argmax() == 1
    assert scores[1] > scores[2]


@pytest.mark.slow
def test_a_sentence_over_two_chunks_is_judged_by_the_larger_part(store: KnowledgeStore, retrieval: Retrieval) -> None:
    similarity = SentenceSimilarity(store, HashEmbedder())
    whole = similarity.likeness(retrieval, [("robot", 16, 62), ("robot", 24, 62)])
    assert whole is not None
    assert whole.scores[0] == pytest.approx(whole.scores[1])


@pytest.mark.slow
def test_sentences_of_several_documents_are_judged_as_each_by_itself(
    store: KnowledgeStore, retrieval: Retrieval
) -> None:
    similarity = SentenceSimilarity(store, HashEmbedder())
    mixed = [SENTENCES[2], ("other", 0, 15), SENTENCES[0], SENTENCES[1]]
    together = similarity.likeness(retrieval, mixed)
    alone = [similarity.likeness(retrieval, [one]) for one in mixed]
    assert together is not None
    for place, one in enumerate(alone):
        assert one is not None
        assert together.scores[place] == pytest.approx(one.scores[0])
        np.testing.assert_allclose(together.shares[place], one.shares[0])


def test_no_sentences_no_scores(store: KnowledgeStore, retrieval: Retrieval) -> None:
    found = SentenceSimilarity(store, HashEmbedder()).likeness(retrieval, [])
    assert found is not None
    assert len(found.scores) == 0


@pytest.mark.slow
def test_without_tokens_there_is_nothing_to_compare(store: KnowledgeStore, retrieval: Retrieval) -> None:
    similarity = SentenceSimilarity(store, HashEmbedder())
    assert similarity.likeness(replace(retrieval, tokens=None), SENTENCES) is None
    with store.transaction() as connection:
        connection.execute("UPDATE embedding SET token_numbers = NULL, token_signs = NULL")
    without = Retriever(store, HashEmbedder(), Settings()).retrieve("how many seconds to hold home?", "en", Trace())
    assert without.chunks
    assert similarity.likeness(without, SENTENCES) is None


def test_what_the_ranking_compared_is_what_would_be_compared_now(store: KnowledgeStore, retrieval: Retrieval) -> None:
    tokens = retrieval.tokens
    assert tokens is not None
    assert tokens.cosines.keys() == {one.chunk.chunk_id for one in retrieval.chunks}
    similarity = SentenceSimilarity(store, HashEmbedder())
    travelled = similarity.likeness(retrieval, SENTENCES)
    compared = similarity.likeness(replace(retrieval, tokens=replace(tokens, cosines={})), SENTENCES)
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
        similarity.likeness(retrieval, SENTENCES)
    assert len(Counting.asked) == len(set(Counting.asked)) == 2  # the robot's two chunks


def test_tokens_of_another_text_are_damage(store: KnowledgeStore, retrieval: Retrieval) -> None:
    chunks = tuple(replace(one, chunk=replace(one.chunk, text="two words")) for one in retrieval.chunks)
    with pytest.raises(IndexDamaged, match="tokens"):
        SentenceSimilarity(store, HashEmbedder()).likeness(replace(retrieval, chunks=chunks), SENTENCES)


def test_a_sentence_that_was_not_found_cannot_be_judged(store: KnowledgeStore, retrieval: Retrieval) -> None:
    similarity = SentenceSimilarity(store, HashEmbedder())
    assert similarity.likeness(replace(retrieval, chunks=()), SENTENCES) is None
    assert similarity.likeness(retrieval, [*SENTENCES, ("robot", 900, 920)]) is None


def numbers(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.array(values, dtype=np.int32)


def test_token_weights_by_hand() -> None:
    weights = TokenWeights.count(numbers(5, 9, 5), passages=2)  # two passages: 5 and 9, and 5
    assert weights.of(numbers(9, 5, 7, 99)) == pytest.approx(
        [math.log(1 + 1.5 / 1.5), math.log(1 + 0.5 / 2.5), math.log(1 + 2.5 / 0.5), math.log(1 + 2.5 / 0.5)]
    )


def test_without_any_passage_all_weigh_alike() -> None:
    weights = TokenWeights.count(numbers(), passages=0)
    assert weights.of(numbers(1, 2)).tolist() == pytest.approx([math.log(2)] * 2)
    assert weights.of(numbers()).tolist() == []
