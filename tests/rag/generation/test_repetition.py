import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.generation.repetition import repetition_start

LIST = "\n".join(
    f"{number}. {name}：{days} 个工作日内到账。"
    for number, (name, days) in enumerate(
        [("微信支付", 1), ("支付宝", 2), ("信用卡", 7), ("借记卡", 5), ("礼品卡", 1)], start=1
    )
)


@pytest.mark.parametrize("text", ["", "好", LIST, "-" * 40, "| a | b |\n|---|---|\n| 1 | 2 |", "no no no no"])
def test_no_loop(text: str) -> None:
    assert repetition_start(text) is None


@pytest.mark.parametrize(
    ("head", "unit", "times"),
    [("Wait. ", "Let me look at the passage again. ", 5), ("嗯。", "让我再想一想。", 12), ("", "ha", 40)],
)
def test_a_piece_over_and_over(head: str, unit: str, times: int) -> None:
    start = repetition_start(head + unit * times)
    assert start is not None
    assert len(head) <= start <= len(head) + 2 * len(unit)


def test_a_long_run_three_times_with_changes_between() -> None:
    run = "the customer may send the item back within thirty days of delivery as the policy says"
    text = f"First, {run}. So we know. Then {run}. I see. Again, {run}."
    start = repetition_start(text)
    assert start is not None
    assert text[:start].count("thirty days") == 1


@given(st.text(alphabet="abcdef gh.", min_size=3, max_size=30), st.integers(40, 60))
def test_every_loop_is_found(unit: str, times: int) -> None:
    assert repetition_start(unit * times) is not None
