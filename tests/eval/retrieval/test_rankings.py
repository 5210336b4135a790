"""Hand-worked cases."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.retrieval.rankings import ndcg_at, recall_at, reciprocal_rank_at
from tests.eval import REFERENCE_VALUES

RANKING = ["a", "b", "c", "d"]


def test_recall_counts_one_relevant_document_as_enough() -> None:
    assert recall_at(RANKING, {"b", "x"}, 1) == 0.0
    assert recall_at(RANKING, {"b", "x"}, 2) == 1.0
    assert recall_at([], {"b"}, 5) == 0.0


def test_reciprocal_rank_is_cut_off_at_k() -> None:
    assert reciprocal_rank_at(RANKING, {"c"}, 10) == pytest.approx(1 / 3)
    assert reciprocal_rank_at(RANKING, {"d"}, 3) == 0.0


def test_ndcg_by_hand() -> None:
    # gains at ranks 2 and 4; the ideal has them at ranks 1 and 2
    expected = (1 / math.log2(3) + 1 / math.log2(5)) / (1 + 1 / math.log2(3))
    assert ndcg_at(RANKING, {"b", "d"}, 10) == pytest.approx(expected)
    assert ndcg_at(RANKING, {"a"}, 10) == 1.0


def test_a_question_without_relevant_documents_has_no_recall() -> None:
    with pytest.raises(ValueError, match="relevant"):
        recall_at(RANKING, set(), 1)
    with pytest.raises(ValueError, match="k must be"):
        ndcg_at(RANKING, {"a"}, 0)


def test_they_agree_with_ranx() -> None:
    """Values that ranx gave for random rankings; it needs numba, too much to install for a test."""
    known = json.loads((REFERENCE_VALUES / "ranx.json").read_text("utf-8"))
    assert known["library"] == "ranx 0.3.21"
    for ranking, relevant, hit_1, hit_5, hit_10, mrr, ndcg in known["cases"]:
        ours = [recall_at(ranking, relevant, k) for k in (1, 5, 10)]
        ours += [reciprocal_rank_at(ranking, relevant, 10), ndcg_at(ranking, relevant, 10)]
        assert ours == pytest.approx([hit_1, hit_5, hit_10, mrr, ndcg], abs=1e-6)


@pytest.mark.slow
@given(st.permutations(range(12)), st.sets(st.integers(0, 11), min_size=1, max_size=4))
def test_ndcg_agrees_with_scikit_learn(order: list[int], relevant: set[int]) -> None:
    from sklearn.metrics import ndcg_score  # takes a second to import, which the other tests need not wait for

    ours = ndcg_at([str(one) for one in order], {str(one) for one in relevant}, 10)
    gains = np.array([[float(one in relevant) for one in order]])
    assert ours == pytest.approx(ndcg_score(gains, -np.arange(12.0)[None, :], k=10))
