"""Groups of vectors, by hand, and by property."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eval.gaps.topics import centred, embed_questions, grouped, most_central
from rag.protocols import FloatMatrix
from rag.testing import HashEmbedder


def _unit(*rows: tuple[float, ...]) -> FloatMatrix:
    found = np.array(rows, dtype=np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


def test_near_vectors_are_one_group_and_far_ones_are_apart() -> None:
    vectors = _unit((1, 0, 0), (0, 1, 0), (1, 0.1, 0), (0, 1, 0.1), (0, 0, 1))
    assert grouped(vectors, least_similarity=0.5) == [[0, 2], [1, 3], [4]]


def test_one_odd_question_does_not_chain_two_topics() -> None:
    half = float(np.cos(np.pi / 4))  # 0.707 to either, which are at right angles: the mean of 1 and 0 joins neither
    vectors = _unit((1, 0), (1, 0.01), (0, 1), (0.01, 1), (half, half))
    assert len(grouped(vectors, least_similarity=0.75)) == 3


def test_none_and_one_are_fine() -> None:
    assert grouped(np.zeros((0, 4), dtype=np.float32)) == []
    assert grouped(_unit((1, 0))) == [[0]]
    assert embed_questions(HashEmbedder(), []).shape == (0, HashEmbedder().dimension)


def test_what_a_language_shares_is_taken_away() -> None:
    """Two questions in two languages: the language is the first axis, the subject is the other two."""
    vectors = _unit((3, 1, 0), (3, 0, 1), (-3, 1, 0), (-3, 0, 1))
    samples = {"en": _unit((3, 1, 1), (3, -1, -1)), "zh": _unit((-3, 1, 1), (-3, -1, -1))}
    assert grouped(vectors, least_similarity=0.5) == [[0, 1], [2, 3]]  # by language
    found = centred(vectors, ["en", "en", "zh", "zh"], samples)
    assert grouped(found, least_similarity=0.5) == [[0, 2], [1, 3]]  # by subject
    assert np.allclose(np.linalg.norm(found, axis=1), 1)


def test_the_most_central_question_is_the_one_between_the_others() -> None:
    vectors = _unit((1, 0.5), (1, 0), (1, -0.5), (0, 1))
    assert most_central(vectors, [0, 1, 2])[0] == 1


@pytest.mark.slow
@given(arrays(np.float32, st.tuples(st.integers(2, 12), st.just(3)), elements=st.floats(-1, 1, width=32)))
def test_every_row_is_in_one_group_and_groups_are_the_same_again(rows: FloatMatrix) -> None:
    vectors = np.asarray(rows + np.float32(1.5), dtype=np.float32)  # none is zero
    groups = grouped(vectors)
    assert sorted(row for group in groups for row in group) == list(range(len(vectors)))
    assert groups == grouped(vectors)
    assert [group[0] for group in groups] == sorted(group[0] for group in groups)
