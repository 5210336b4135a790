"""The final order: by hand, and what must hold for any scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rag.retrieval.ranking import Scores, final_scores, other_language_place, z_scores

NOBODY = np.zeros(3, dtype=np.bool_)
VALUES = arrays(np.float64, 6, elements=st.floats(-50, 50, width=32))


def test_standard_scores_by_hand() -> None:
    assert z_scores(np.array([1.0, 3.0])) == pytest.approx([-1, 1], abs=1e-5)
    assert z_scores(np.array([4.0, 4.0])).tolist() == [0, 0]
    assert z_scores(np.array([])).tolist() == []


def test_the_three_views_by_hand() -> None:
    up, down = np.array([0.0, 1.0, 2.0]), np.array([2.0, 1.0, 0.0])
    z = np.sqrt(1.5)
    assert final_scores(up, down, NOBODY, up) == pytest.approx([-2.5 * z, 0, 2.5 * z], abs=1e-4)
    assert final_scores(up, down, NOBODY, None) == pytest.approx([-0.4 * z, 0, 0.4 * z], abs=1e-4)


def test_words_say_nothing_where_they_cannot_see() -> None:
    words = np.array([9.0, 5.0, 0.0])
    scores = final_scores(np.zeros(3), words, np.array([False, False, True]), np.zeros(3))
    assert scores == pytest.approx([0.5, -0.5, 0.0], abs=1e-5)  # not behind those that share a word


def test_no_candidates() -> None:
    nothing = np.array([])
    assert final_scores(nothing, nothing, nothing.astype(np.bool_), nothing).tolist() == []


@pytest.mark.slow
@given(VALUES, VALUES, VALUES, st.floats(0.1, 10), st.floats(-5, 5))
def test_only_differences_within_a_view_matter(
    dense: Scores, words: Scores, late: Scores, scale: float, shift: float
) -> None:
    unseen = np.zeros(6, dtype=np.bool_)
    spread = np.array([view.std() for view in (dense, words, late)])
    if ((spread > 0) & (spread * min(scale, 1.0) < 1e-2)).any():
        return  # the floor under the spread shows, before the scaling or after it
    before = final_scores(dense, words, unseen, late)
    after = final_scores(dense * scale + shift, words * scale, unseen, late * scale + shift)
    np.testing.assert_allclose(before, after, atol=2e-3)


@given(VALUES, VALUES, st.integers(0, 5))
def test_who_is_best_in_every_view_is_first(dense: Scores, words: Scores, place: int) -> None:
    for view in (dense, words):
        view[place] = view.max() + 1
    scores = final_scores(dense, words, np.zeros(6, dtype=np.bool_), dense)
    assert scores.argmax() == place


@pytest.mark.parametrize(
    ("own", "other", "place"),
    [
        ([0.5, 0.3, 0.3], [0.36, 0.2, 0.2], 3),  # a translation, as like as translations are
        ([0.4, 0.38, 0.36], [0.38, 0.2, 0.2], 1),
        ([0.4, 0.38, 0.36], [0.48, 0.2, 0.2], 0),
        ([0.6, 0.2, 0.2], [0.2, 0.19, 0.18], 8),
        ([None, None], [0.3], 3),
    ],
)
def test_the_other_language_comes_the_earlier_the_more_it_stands_out(
    own: list[float | None], other: list[float | None], place: int
) -> None:
    assert other_language_place(own, other) == place
