"""Hand-worked cases in both languages."""

import pytest

from eval.answers.metrics import best_token_f1, holds, is_right, key_points_hit, normalise, token_f1


@pytest.mark.parametrize(
    ("text", "wanted", "expected"),
    [
        ("You have 30 days from delivery.", "30 days", True),
        ("You have １，０００ yuan", "1000 Yuan", True),
        ("Returns are free for 14 days.", "4 days", False),
        ("费用为 1.25 元", "25元", False),
        ("费用为 25.5 元", "25", False),
        ("签收后 7 天内", "7天", True),
        ("签收后17天内", "7天", False),
        ("Code E07.", "e07", True),
        ("anything", " ", False),
        ("It costs 5.", "5", True),
    ],
)
def test_a_key_point_is_found_in_any_width_case_and_spacing_but_never_inside_a_number(
    text: str, wanted: str, expected: bool
) -> None:
    assert holds(text, wanted) is expected


def test_normalise_keeps_a_list_of_numbers_apart() -> None:
    assert normalise("1, 2, 3") == "1,2,3"
    assert normalise("12,345,678") == "12345678"


def test_every_group_must_be_hit() -> None:
    groups = [["30 days", "thirty days"], ["delivery"]]
    assert key_points_hit("thirty days after the order", groups) == 0.5
    assert not is_right("thirty days after the order", groups)
    assert is_right("thirty days after delivery", groups)
    assert not is_right("anything", [])


def test_token_f1_by_hand() -> None:
    # found: 7 天 内 = 3 tokens; wanted: 签 收 后 7 天 = 5; common 2 -> p 2/3, r 2/5
    assert token_f1("7天内", "签收后7天") == pytest.approx(2 * (2 / 3) * (2 / 5) / (2 / 3 + 2 / 5))
    assert token_f1("the same words", "The same WORDS") == 1.0
    assert token_f1("", "") == 1.0
    assert token_f1("", "x") == 0.0
    assert token_f1("abc", "xyz") == 0.0
    assert best_token_f1("7 days", ["no", "7 days"]) == 1.0
    assert best_token_f1("7 days", []) == 0.0
