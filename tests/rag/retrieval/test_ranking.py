"""The candidates of both legs and both languages, and how they are ranked."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rag.retrieval.ranking import (
    FOREIGN_HANDICAP,
    DenseHit,
    Scores,
    by_standout,
    final_scores,
    fuse,
    other_language_likeness,
    other_language_place,
    reciprocal_rank_fusion,
    z_scores,
)
from rag.schema import Chunk, Language, QuestionTokens, Retrieval, RetrievedChunk, RetrievedPart

NOBODY = np.zeros(3, dtype=np.bool_)
CHUNK = Chunk("a.md", "a.md", "", (), "Text.", 0, 5, 0, "en")
NO_TOKENS = QuestionTokens(np.zeros((0, 4), dtype=np.float32), np.zeros(0))
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


@pytest.mark.slow
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
        ([0.4, 0.38, 0.36], [0.5, 0.2, 0.2], 0),
        ([0.6, 0.2, 0.2], [0.2, 0.19, 0.18], 8),
        ([None, None], [0.3], 3),
    ],
)
def test_the_other_language_comes_the_earlier_the_more_it_stands_out(
    own: list[float | None], other: list[float | None], place: int
) -> None:
    assert other_language_place(own, other) == place


def found(language: Language, late: float | None) -> RetrievedChunk:
    return RetrievedChunk(replace(CHUNK, language=language), 0.0, late=late)


@pytest.mark.parametrize(
    ("own", "others", "in_part", "likeness"),
    [
        ([0.5, 0.4], [0.4, 0.3], [], 0.8),
        ([0.5, 0.4], [0.3], [0.45], 0.9),  # a translation is searched as a part
        ([0.0], [0.4], [], 0.4 / 1e-6),
        ([0.5], [], [], 0),
        ([], [0.2], [], math.inf),
        ([], [None], [], math.inf),
        ([None], [0.4], [], 0),
        ([], [], [], 0),
    ],
)
def test_the_likeness_of_another_language_is_a_share_of_the_own_one(
    own: list[float | None], others: list[float | None], in_part: list[float | None], likeness: float
) -> None:
    chunks = tuple([found("en", late) for late in own] + [found("zh", late) for late in others])
    part = RetrievedPart(tuple(found("zh", late) for late in in_part), NO_TOKENS)
    retrieval = Retrieval(chunks, 0.9, answerable=True, generation=1, parts=(part,))
    assert other_language_likeness(retrieval, "en") == pytest.approx(likeness)


rankings_strategy = st.lists(st.lists(st.integers(1, 30), unique=True, max_size=12), max_size=4)


def test_scores_are_sums_of_reciprocal_ranks() -> None:
    fused = reciprocal_rank_fusion([[7, 8], [8, 9]], rank_constant=10)
    assert [identifier for identifier, _ in fused] == [8, 7, 9]
    assert [score for _, score in fused] == pytest.approx([1 / 12 + 1 / 11, 1 / 11, 1 / 12])


def test_ties_keep_the_order_of_the_first_ranking() -> None:
    assert [identifier for identifier, _ in reciprocal_rank_fusion([[1, 2], [2, 1]])] == [1, 2]
    assert [identifier for identifier, _ in reciprocal_rank_fusion([[5], [4]])] == [5, 4]


def test_nothing_found_is_nothing_fused() -> None:
    assert reciprocal_rank_fusion([]) == []
    assert reciprocal_rank_fusion([[], []]) == []


def test_a_negative_constant_is_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        reciprocal_rank_fusion([[1]], rank_constant=-1)


@pytest.mark.slow
@given(rankings_strategy)
def test_every_id_comes_once_and_scores_fall(rankings: list[list[int]]) -> None:
    fused = reciprocal_rank_fusion(rankings)
    identifiers = [identifier for identifier, _ in fused]
    scores = [score for _, score in fused]
    assert sorted(identifiers) == sorted({identifier for ranking in rankings for identifier in ranking})
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= len(rankings) / 11 for score in scores)


@pytest.mark.slow
@given(st.lists(st.integers(1, 30), unique=True, max_size=12), st.integers(1, 3))
def test_agreeing_rankings_keep_their_order(ranking: list[int], copies: int) -> None:
    assert [identifier for identifier, _ in reciprocal_rank_fusion([ranking] * copies)] == ranking


@pytest.mark.slow
@given(rankings_strategy, st.integers(0, 11))
def test_moving_an_id_up_never_lowers_its_place(rankings: list[list[int]], place: int) -> None:
    candidates = [ranking for ranking in rankings if len(ranking) > place > 0]
    if not candidates:
        return
    moved = candidates[0][place]
    better = [
        [*ranking[: place - 1], moved, ranking[place - 1], *ranking[place + 1 :]]
        if ranking is candidates[0]
        else ranking
        for ranking in rankings
    ]
    assert dict(reciprocal_rank_fusion(better))[moved] > dict(reciprocal_rank_fusion(rankings))[moved]


def hit(chunk_id: int, standardized: float, *, foreign: bool = False) -> DenseHit:
    return DenseHit(chunk_id, 0.8, standardized, 0.0, "zh" if foreign else "en", foreign)


def test_fusion_by_hand() -> None:
    # 2 has 1/12 + 1/11, 1 has 1/11, 3 has 1/12
    assert fuse([hit(1, 3.0), hit(2, 2.0)], {2: 9.0, 3: 4.0}) == [2, 1, 3]


def test_a_foreign_passage_must_stand_out_more() -> None:
    near = by_standout([hit(1, 3.0), hit(2, 3.0 + FOREIGN_HANDICAP / 2, foreign=True)])
    far = by_standout([hit(1, 3.0), hit(2, 3.0 + FOREIGN_HANDICAP * 2, foreign=True)])
    assert [one.chunk_id for one in near] == [1, 2]
    assert [one.chunk_id for one in far] == [2, 1]


def test_a_foreign_passage_is_not_punished_for_the_leg_that_cannot_see_it() -> None:
    ranked = by_standout([hit(1, 2.0), hit(2, 5.0, foreign=True)])
    assert fuse(ranked, {3: 3.0}) == [2, 3, 1]  # 2/11, 1/11, 1/12
    assert fuse(ranked, {1: 3.0, 2: 1.0}) == [2, 1]  # a code that both have: two real ranks, 1/11 + 1/12 each


HITS = st.lists(
    st.builds(hit, st.integers(1, 30), st.floats(-5, 5), foreign=st.booleans()), unique_by=lambda one: one.chunk_id
)


@pytest.mark.slow
@given(HITS, st.dictionaries(st.integers(1, 40), st.floats(0, 50)))
def test_each_candidate_once(hits: list[DenseHit], bm25: dict[int, float]) -> None:
    fused = fuse(by_standout(hits), bm25)
    assert sorted(fused) == sorted({one.chunk_id for one in hits} | bm25.keys())
