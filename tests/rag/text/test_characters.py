"""Traditional characters as simplified ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.text.characters import simplified


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("訂單退款", "订单退款"),
        ("訂單裡的發票", "订单里的发票"),
        ("订单退款", "订单退款"),
        ("E07 €5", "E07 €5"),
        ("掃地機器人連不上網絡", "扫地机器人连不上网络"),
    ],
)
def test_simplified(text: str, expected: str) -> None:
    assert simplified(text) == expected


@given(st.text())
def test_offsets_stay_and_a_second_time_changes_nothing(text: str) -> None:
    once = simplified(text)
    assert len(once) == len(text)
    assert simplified(once) == once
