"""Batches by length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.retrieval.openvino_embedder import length_batches, padded, rounded_up


@pytest.mark.slow
@given(st.lists(st.integers(1, 512)), st.integers(1, 4096))
def test_each_text_once_and_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = list(length_batches(lengths, budget))
    assert sorted(position for batch in batches for position in batch) == list(range(len(lengths)))
    for batch in batches:
        width = rounded_up(max(lengths[position] for position in batch))
        assert len(batch) == 1 or width * len(batch) <= budget


def test_padding_by_hand() -> None:
    numbers, mask = padded([[0, 7, 2], [0, 2]], pad=1)
    assert numbers.tolist() == [[0, 7, 2, 1, 1, 1, 1, 1], [0, 2, 1, 1, 1, 1, 1, 1]]
    assert mask.tolist() == [[1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0, 0]]
