"""Each kind of fault is planted where it can be, and changes nothing else."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.citations.mutations import KINDS, numbers_in, plant_faults

SENTENCE = "Orders above GBP 40 are sent within 3 days; E07 is not covered."


def faults(sentence: str, around: tuple[str, ...] = (), seed: int = 1) -> dict[str, str]:
    return {fault.kind: fault.text for fault in plant_faults(sentence, around, random.Random(seed))}


def test_all_that_a_sentence_can_bear_is_planted() -> None:
    found = faults(SENTENCE, ("40", "99"))
    assert found.keys() == {"number", "number from elsewhere", "unit", "code", "denial dropped"}
    assert "99" in found["number from elsewhere"]
    assert found["unit"] == SENTENCE.replace("3 days", "3 weeks")
    assert found["denial dropped"] == SENTENCE.replace("is not covered", "is covered")
    assert found["code"].startswith(SENTENCE[:45]) and "E07" not in found["code"]


@pytest.mark.parametrize(
    ("sentence", "kind", "expected"),
    [
        ("You can cancel.", "denial added", "You can not cancel."),
        ("Delivered every day.", "weekday", None),
        ("每周三次。", "weekday", None),
        ("顾客可以取消。", "denial added", "顾客不可以取消。"),
        ("订单不能取消。", "denial dropped", "订单能取消。"),
        ("费用 0 元。", "unit", None),
        ("No refunds are made.", "denial added", None),
        ("1. Open the lid.", "number", None),
        ("但是要等。", "denial added", None),
    ],
)
def test_single_faults(sentence: str, kind: str, expected: str | None) -> None:
    assert faults(sentence).get(kind) == expected


def test_numbers_of_dates_are_years_and_not_numbers() -> None:
    assert numbers_in("Since 2019, 1,500 of 12.5 tonnes; 共30天") == ["1,500", "12.5", "30"]
    assert faults("Founded in 1999.").keys() == {"date"}


@pytest.mark.slow
@given(st.text(max_size=60), st.integers(0, 9))
def test_a_fault_differs_from_the_sentence_and_any_text_is_borne(text: str, seed: int) -> None:
    found = plant_faults(text, ["7", "12"], random.Random(seed))
    assert all(fault.text != text and fault.kind in KINDS for fault in found)
