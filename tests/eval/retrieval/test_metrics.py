"""Hand-worked cases."""

import math

import pytest

from eval.retrieval.metrics import ndcg_at, recall_at, reciprocal_rank_at

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
