"""What an iterator holds is free behind the block, however that ends."""

from collections.abc import Iterator

import pytest

from rag.streams import closing_if_generator


def holding(freed: list[str]) -> Iterator[int]:
    try:
        yield 1
        yield 2
    finally:
        freed.append("slot")


def test_it_is_closed_behind_the_block_also_where_that_breaks_off() -> None:
    freed: list[str] = []
    with closing_if_generator(holding(freed)) as items:
        assert next(items) == 1
        assert freed == []
    assert freed == ["slot"]
    with pytest.raises(ZeroDivisionError), closing_if_generator(holding(freed)) as items:
        next(items)
        raise ZeroDivisionError
    assert freed == ["slot", "slot"]


def test_within_a_generator_that_is_closed() -> None:
    freed: list[str] = []

    def passing_on() -> Iterator[int]:
        with closing_if_generator(holding(freed)) as items:
            yield from items

    with closing_if_generator(passing_on()) as outer:
        next(outer)
    assert freed == ["slot"]


def test_what_cannot_be_closed_is_left_alone() -> None:
    with closing_if_generator(iter([1, 2])) as items:
        assert list(items) == [1, 2]
