"""Late interaction by hand, and against comparing everything in floats."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.protocols import FloatMatrix, QueryTokens
from rag.retrieval.late_interaction import (
    WEIGHED_TOKENS,
    Signs,
    best_in_each,
    similarities,
    span_similarities,
    token_cosines,
    weighed,
    weighted_mean,
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
    best = best_in_each(query, [first, second])
    assert best.tolist() == [[0.5, -0.5], [1.0, 0.0]]
    assert weighted_mean(best, np.array([1.0, 3.0])).tolist() == [3.5 / 4, -0.5 / 4]


LENGTHS = st.lists(st.integers(0, 6), min_size=1, max_size=6)


@given(st.integers(1, 5), LENGTHS, st.integers(0, 99))
def test_the_same_as_comparing_every_pair(asked: int, lengths: list[int], seed: int) -> None:
    query = unit(asked, seed)
    passages = [packed(unit(length, seed + place + 1)) for place, length in enumerate(lengths)]
    best = best_in_each(query, passages)
    for place, signs in enumerate(passages):
        expected = (query @ as_floats(signs).T).max(axis=1) if len(signs) else np.zeros(asked)
        np.testing.assert_allclose(best[:, place], expected, atol=1e-6)


@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 6), st.integers(0, 99))
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
    filling, boiling, nothing = span_similarities(asked, signs, token_spans, [(0, 8), (9, 14), (14, 14)])
    assert boiling == pytest.approx(1.0)
    assert filling == pytest.approx(float((asked.vectors @ as_floats(signs)[1:4].T).max()))
    assert nothing == 0


@given(st.integers(1, 8), st.integers(0, 99))
def test_stretches_that_cover_a_passage_answer_no_better_than_all_of_it(tokens: int, seed: int) -> None:
    signs = packed(unit(tokens, seed))
    asked = QuestionTokens(unit(3, seed + 1), np.array([1.0, 2.0, 3.0]))
    spans = [(place, place + 1) for place in range(tokens)]
    each = span_similarities(asked, signs, spans, spans)
    (whole,) = span_similarities(asked, signs, spans, [(0, tokens)])
    assert whole == pytest.approx(similarities(asked, [signs])[0])
    assert each.max() <= whole + 1e-6
