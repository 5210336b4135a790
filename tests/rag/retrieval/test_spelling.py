"""Typing errors in words that no passage has."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.retrieval.spelling import corrected

KNOWN = {"refund": 3, "kettle": 1, "return": 5, "returns": 9, "e1024": 2, "warranty": 4, "form": 7, "from": 9}


def frequencies(terms: Sequence[str]) -> list[int]:
    return [KNOWN.get(term, 0) for term in terms]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Refudn for a ketle?", "refund for a kettle?"),
        ("waranty 多久", "warranty 多久"),
        ("保修warrantyy多久", "保修warranty多久"),
        ("refund", "refund"),
        ("retur", "return"),  # only one keystroke away from it
        ("returm", "return"),
        ("frmo", "frmo"),  # short words have too many neighbours
        ("E1025 or E1042", "E1025 or E1042"),  # another code, not a typing error
        ("kettl3", "kettl3"),
        ("xrefunds", "xrefunds"),
        ("kettle's", "kettle's"),
        ("", ""),
    ],
)
def test_corrected(text: str, expected: str) -> None:
    assert corrected(text, frequencies) == expected


def test_the_more_frequent_neighbour_is_taken_and_a_swap_goes_before() -> None:
    counts = {"lanes": 1, "lined": 8, "linen": 3}
    assert corrected("linex", lambda terms: [counts.get(term, 0) for term in terms]) == "lined"
    swapped = {"angel": 1, "angler": 50}
    assert corrected("angle", lambda terms: [swapped.get(term, 0) for term in terms]) == "angel"


@given(st.text(max_size=60))
def test_nothing_is_changed_where_nothing_is_known_or_all_is(text: str) -> None:
    assert corrected(text, lambda terms: [0] * len(terms)) == corrected(text, lambda terms: [1] * len(terms)) == text
