import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.retrieval.fusion import reciprocal_rank_fusion

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


@given(rankings_strategy)
def test_every_id_comes_once_and_scores_fall(rankings: list[list[int]]) -> None:
    fused = reciprocal_rank_fusion(rankings)
    identifiers = [identifier for identifier, _ in fused]
    scores = [score for _, score in fused]
    assert sorted(identifiers) == sorted({identifier for ranking in rankings for identifier in ranking})
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= len(rankings) / 11 for score in scores)


@given(st.lists(st.integers(1, 30), unique=True, max_size=12), st.integers(1, 3))
def test_agreeing_rankings_keep_their_order(ranking: list[int], copies: int) -> None:
    assert [identifier for identifier, _ in reciprocal_rank_fusion([ranking] * copies)] == ranking


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
