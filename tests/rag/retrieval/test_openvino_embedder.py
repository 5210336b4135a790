"""Batches by length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import EmbedderTooLarge
from rag.retrieval.openvino_embedder import length_batches, memory_errors, padded, rounded_up


@pytest.mark.slow
@given(st.lists(st.integers(1, 512)), st.integers(1, 4096))
def test_each_text_once_and_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = list(length_batches(lengths, budget))
    assert sorted(position for batch in batches for position in batch) == list(range(len(lengths)))
    for batch in batches:
        width = rounded_up(max(lengths[position] for position in batch))
        assert len(batch) == 1 or width * len(batch) <= budget
        assert all(width - rounded_up(lengths[position]) <= 8 for position in batch)


def test_padding_by_hand() -> None:
    numbers, mask = padded([[0, 7, 2], [0, 2]], pad=1)
    assert numbers.tolist() == [[0, 7, 2, 1, 1, 1, 1, 1], [0, 2, 1, 1, 1, 1, 1, 1]]
    assert mask.tolist() == [[1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0, 0]]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("can't start new thread"),
        RuntimeError("Can not create file mapping for 9, err=Cannot allocate memory"),
        RuntimeError('Cannot load library "libplugin.so": libplugin.so: failed to map segment from shared object'),
    ],
)
def test_a_lack_of_memory_is_one_of_the_machine(error: Exception) -> None:
    with pytest.raises(EmbedderTooLarge), memory_errors():
        raise error


def test_another_fault_of_the_engine_stays_one() -> None:
    with pytest.raises(RuntimeError, match="shape"), memory_errors():
        raise RuntimeError("the shape of an input is wrong")
