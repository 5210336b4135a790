"""How the legs and languages are joined."""

from hypothesis import given
from hypothesis import strategies as st

from rag.retrieval.candidates import FOREIGN_HANDICAP, DenseHit, by_standout, fuse


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


@given(HITS, st.dictionaries(st.integers(1, 40), st.floats(0, 50)))
def test_each_candidate_once(hits: list[DenseHit], bm25: dict[int, float]) -> None:
    fused = fuse(by_standout(hits), bm25)
    assert sorted(fused) == sorted({one.chunk_id for one in hits} | bm25.keys())
