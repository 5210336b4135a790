"""Late interaction by hand, and against comparing everything in floats."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.protocols import FloatMatrix, QueryTokens
from rag.retrieval.late_interaction import (
    STRETCH_TOKENS,
    WEIGHED_TOKENS,
    Signs,
    similarities,
    span_likeness,
    token_cosines,
    weighed,
)
from rag.schema import QuestionTokens

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
    question = weighed(tokens, np.arange(count, dtype=np.float64))
    assert question.weights.tolist() == list(range(count - 1, 9, -1))
    np.testing.assert_array_equal(question.vectors[0], tokens.vectors[-1])


def test_the_same_tokens_are_the_best() -> None:
    signs = packed(unit(5, 3))
    assert similarities(QuestionTokens(as_floats(signs)[:2], np.array([2.0, 1.0])), [signs])[0] == pytest.approx(1.0)


def test_stretches_of_a_passage_by_hand() -> None:
    # "Fill it. Boil." with a title of 3 characters in front, whose token belongs to no stretch
    token_spans = [(-3, -1), (0, 4), (4, 7), (7, 8), (8, 13), (13, 14)]
    signs = packed(unit(6, 1))
    asked = QuestionTokens(as_floats(signs)[[4]], np.array([1.0]))  # the very token " Boil"
    ends = np.array([end for _, end in token_spans])
    found = span_likeness(asked, token_cosines(asked.vectors, signs), ends, [(0, 8), (9, 14), (14, 14)])
    filling, boiling, nothing = found.scores
    np.testing.assert_allclose(found.shares[:, 0], found.scores)  # of the only token, all of the weight
    assert boiling == pytest.approx(1.0)
    assert filling == pytest.approx(float((asked.vectors @ as_floats(signs)[1:4].T).max()))
    assert nothing == 0


@given(st.integers(1, 8), st.integers(0, 99))
def test_stretches_that_cover_a_passage_answer_no_better_than_all_of_it(tokens: int, seed: int) -> None:
    signs = packed(unit(tokens, seed))
    asked = QuestionTokens(unit(3, seed + 1), np.array([1.0, 2.0, 3.0]))
    spans = [(place, place + 1) for place in range(tokens)]
    cosines, ends = token_cosines(asked.vectors, signs), np.arange(1, tokens + 1)
    found = span_likeness(asked, cosines, ends, spans)
    each = found.scores
    (whole,) = span_likeness(asked, cosines, ends, [(0, tokens)]).scores
    assert whole == pytest.approx(similarities(asked, [signs])[0])
    assert each.max() <= whole + 1e-6
    together = span_likeness(asked, cosines, ends, [(0, tokens)]).shares[0]
    np.testing.assert_allclose(found.shares.max(axis=0), together, atol=1e-6)
