import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.text.terms import POINT, is_code, is_unspaced, terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("退款多久到账", ["退款", "款多", "多久", "久到", "到账"]),
        ("卡", ["卡"]),
        ("Refund policy", ["refund", "policy"]),
        ("E07错误", ["e07", "07", "错误"]),
        ("Ｅ０７", ["e07", "07"]),
        ("W-203", ["w203", "203"]),
        ("W203", ["w203", "203"]),
        ("USB-C", ["usbc", "usb"]),
        ("訂單退款", ["订单", "单退", "退款"]),
        ("E 1024", ["e", "1024", "e1024"]),
        ("E-1024", ["e1024", "1024"]),
        ("Ｅ　１０２４", ["e", "1024", "e1024"]),
        ("error E 07.", ["error", "e", "07", "e07"]),
        ("in 2026", ["in", "2026"]),
        ("EUR 4.95", ["eur", f"4{POINT}95", "95"]),
        ("don't", ["dont"]),
        ("1,000 元", ["1000", "元"]),
        ("3.5", [f"3{POINT}5"]),
        ("35", ["35"]),
        ("2025-01-31", [f"2025{POINT}01{POINT}31", "2025", "01", "31"]),
        ("用 wifi 连 Drift-R2", ["用", "wifi", "连", "driftr2", "drift", "r2"]),
        ("", []),
        ("😀？！…", []),
        ("a" * 65, []),
    ],
)
def test_terms_of(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


def test_a_term_knows_its_kind() -> None:
    assert is_code("e07") and not is_code("refund")
    assert is_unspaced("退款") and not is_unspaced("e07")


@given(st.text(max_size=80))
def test_any_text_gives_lower_case_terms_of_bounded_length(text: str) -> None:
    found = terms(text)
    assert all(0 < len(term) <= 64 for term in found)
    assert all(character == POINT or character.isalnum() for term in found for character in term if character.isascii())


@pytest.mark.slow
@given(st.text(alphabet="退款多久到账E07W-203.5, abcé９ＡＢ", max_size=60))
def test_terms_that_are_stored_joined_by_spaces_come_back_as_they_were(text: str) -> None:
    with sqlite3.connect(":memory:") as connection:
        stored = connection.execute("SELECT ?", (" ".join(terms(text)),)).fetchone()[0]
    assert stored.split() == terms(text)
