"""How rare tokens are."""

import math

import numpy as np
import pytest

from rag.retrieval.token_weights import TokenWeights


def numbers(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.array(values, dtype=np.int32)


def test_by_hand() -> None:
    weights = TokenWeights.count(numbers(5, 9, 5), passages=2)  # two passages: 5 and 9, and 5
    assert weights.of(numbers(9, 5, 7, 99)) == pytest.approx(
        [math.log(1 + 1.5 / 1.5), math.log(1 + 0.5 / 2.5), math.log(1 + 2.5 / 0.5), math.log(1 + 2.5 / 0.5)]
    )


def test_without_any_passage_all_weigh_alike() -> None:
    weights = TokenWeights.count(numbers(), passages=0)
    assert weights.of(numbers(1, 2)).tolist() == pytest.approx([math.log(2)] * 2)
    assert weights.of(numbers()).tolist() == []
