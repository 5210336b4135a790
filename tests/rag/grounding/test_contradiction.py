"""Numbers and denials in their places, by hand; and what must hold for any text."""

from difflib import SequenceMatcher
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.grounding.contradiction import has_mismatch, read_tokens

RETURNS = "You can send back any item within 30 days of delivery."


@pytest.mark.parametrize(
    ("claim", "sources"),
    [
        ("You can send back any item within 24 days of delivery.", [RETURNS, "It took 24 days to build the shop."]),
        ("You cannot send back any item within 30 days of delivery.", [RETURNS]),
        ("The line was named 16 in 2011, later 21.", ["The line was named 16 in 2010, later 21."]),
        ("车站位于北上市大通1丁目3番地", ["车站位于北上市大通1丁目1番地，邻近公园。"]),
        ("红色常亮表示有外网。", ["红色常亮表示没有外网。"]),
        ("七种云盘都支持快照和加密。", ["三种云盘都支持快照和加密。"]),
        ("At most six members can join a home.", ["At most eight members can join a home."]),
        ("100 积分抵 1 元，积分能抵运费和安装费。", ["100 积分抵 1 元。", "积分不能抵运费和安装费。"]),
        (
            "It must be stored for at least 720 days before it can be deleted.",
            ["It must be stored for at least 180 days.", "Objects are deleted after 720 days."],
        ),
        ("Items of a sale are paid back.", ["Items (not those of a sale) are paid back."]),
        (
            "Heat it to boiling, and leave it.",
            ["Heat it to 60 degrees (not to boiling), leave it.", "Heat it to no boiling, leave it."],
        ),
        ("已绑定的卡能退、不能提现。", ["没有绑定的卡，7 天内可以退；已经绑定的不能退，也不能提现。"]),
    ],
)
def test_what_differs_in_one_place_is_at_odds(claim: str, sources: list[str]) -> None:
    assert has_mismatch(claim, sources)


@pytest.mark.parametrize(
    ("claim", "sources"),
    [
        (RETURNS, [RETURNS, "You can send back any damaged item within 60 days of delivery."]),
        ("Gold members have 60 days.", ["Gold members have 60 days.", "Everybody else has 30 days."]),
        ("Express orders must be placed by 3 pm.", ["Express orders must be placed by 15:00 UK time."]),
        ("You have thirty days to return it.", ["You have 30 days to return it."]),
        ("最多 150 万人可以使用。", ["最多 1,500,000 人可以使用。"]),
        ("Neither phone nor chat is open on Sundays.", ["Phone and chat are not open on Sundays."]),
        ("It is free of charge.", ["It comes at no extra cost."]),
        ("It was built by hand.", []),
        (
            "It must be stored for at least 180 days before it can be deleted without a fee.",
            [
                "If it is deleted after it was stored for less than 180 days, a fee is charged.",
                "Objects are deleted after they are stored for more than 720 days.",
            ],
        ),
        (
            "You can send an item back in 30 days of delivery.",
            [RETURNS, "If an item does not work in the first 14 days after delivery, we replace it."],
        ),
        (
            "Heat to 60 degrees and leave it for 30 minutes.",
            ["Heat to 60 degrees (not to boiling), leave for 30 minutes."],
        ),
        ("加热到60度，静置30分钟。", ["加热到60度（不要煮沸），静置30分钟。"]),
        ("积分不能抵运费，也不能抵安装费。", ["积分不能抵运费，也不能抵安装费；积分能抵货款。"]),
    ],
)
def test_what_agrees_or_cannot_be_compared_is_not(claim: str, sources: list[str]) -> None:
    assert not has_mismatch(claim, sources)


def test_a_text_may_begin_with_a_bracket_and_a_word_that_is_skipped() -> None:
    assert read_tokens("(The kettle is off)") == ("kettl", "is", "off")


def test_codes_and_clock_times_are_one_token() -> None:
    assert read_tokens("E-07 at 5 p.m., W-203 at 17:00") == ("e-07", "at", "17:00", "w-203", "at", "17:00")


@pytest.mark.slow
@given(
    st.lists(st.sampled_from([RETURNS, "七天内可以退货。", "It is not open.", "3 or 5?", "|x|"]), max_size=4), st.text()
)
def test_nothing_is_at_odds_with_its_own_words(sources: list[str], text: str) -> None:
    assert not has_mismatch(text, [text, *sources])


def long_sentence(place: int, number: int) -> str:
    """Return a sentence of 600 different words with a number behind the word at ``place``."""
    words = [f"word{chr(97 + one // 26)}{chr(97 + one % 26)}" for one in range(600)]
    return " ".join([*words[:place], f"wait {number} days", *words[place:]])


@pytest.mark.parametrize("place", [3, 235, 240, 248, 255, 256, 470, 480, 597])
def test_a_number_is_compared_wherever_it_stands_in_a_long_sentence(place: int) -> None:
    assert has_mismatch("worda " + long_sentence(place, 24), [long_sentence(place, 30)])
    assert not has_mismatch(long_sentence(place, 30), [long_sentence(place, 30)])


@pytest.mark.slow
def test_no_more_than_256_tokens_are_aligned_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []

    class Recording(SequenceMatcher[str]):
        def __init__(self, *args: Any, **options: Any) -> None:
            lengths.extend(len(sequence) for sequence in args[1:])
            super().__init__(*args, **options)

    monkeypatch.setattr("rag.grounding.contradiction.SequenceMatcher", Recording)
    has_mismatch(" ".join(f"x{one} y z w" for one in range(150)), [" ".join(f"z{one} y w z" for one in range(300))])
    assert lengths and max(lengths) == 256
