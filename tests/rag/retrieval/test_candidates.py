"""How the legs and languages are joined."""

from hypothesis import given
from hypothesis import strategies as st

from rag.retrieval.candidates import FOREIGN_HANDICAP, DenseHit, by_standout, fuse


def hit(chunk_id: int, standardized: float, *, foreign: bool = False) -> DenseHit:
    return DenseHit(chunk_id, 0.8, standardized, 0.0, "zh" if foreign else "en", foreign)


def test_fusion_by_hand() -> None:
    fused = fuse([hit(1, 3.0), hit(2, 2.0)], {2: 9.0, 3: 4.0})
    assert [(one.chunk_id, one.fused_score) for one in fused] == [
        (2, 1 / 12 + 1 / 11),
        (1, 1 / 11),
        (3, 1 / 12),
    ]
    assert [(one.cosine, one.bm25) for one in fused] == [(0.8, 9.0), (0.8, None), (None, 4.0)]


def test_a_foreign_passage_must_stand_out_more() -> None:
    near = by_standout([hit(1, 3.0), hit(2, 3.0 + FOREIGN_HANDICAP / 2, foreign=True)])
    far = by_standout([hit(1, 3.0), hit(2, 3.0 + FOREIGN_HANDICAP * 2, foreign=True)])
    assert [one.chunk_id for one in near] == [1, 2]
    assert [one.chunk_id for one in far] == [2, 1]


def test_a_foreign_passage_is_not_punished_for_the_leg_that_cannot_see_it() -> None:
    ranked = by_standout([hit(1, 2.0), hit(2, 5.0, foreign=True)])
    assert fuse(ranked, {1: 3.0})[0].chunk_id == 2
    assert fuse(ranked, {1: 3.0, 2: 1.0})[0].fused_score == 1 / 11 + 1 / 12  # a code that both have: two real ranks


HITS = st.lists(
    st.builds(hit, st.integers(1, 30), st.floats(-5, 5), foreign=st.booleans()), unique_by=lambda one: one.chunk_id
)


@given(HITS, st.dictionaries(st.integers(1, 40), st.floats(0, 50)))
def test_each_candidate_once_and_best_first(hits: list[DenseHit], bm25: dict[int, float]) -> None:
    fused = fuse(by_standout(hits), bm25)
    assert sorted(one.chunk_id for one in fused) == sorted({one.chunk_id for one in hits} | bm25.keys())
    scores = [one.fused_score for one in fused]
    assert scores == sorted(scores, reverse=True)
    assert all(score > 0 for score in scores)
