"""What a text is read as where its letters are disguised, and that foreign texts stay as they are."""

import base64

import pytest

from rag.grounding.plain_reading import other_readings, plain


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Ign\u043ere", "ignore"),
        ("\u0399gnore", "ignore"),
        ("r\u0435fund\u200b", "refund"),
        ("pre\u0301vious", "previous"),
        ("無視", "无视"),
        ("a" + " " * 500 + "b\n \n c", "a b\nc"),
    ],
)
def test_letters_become_plain(written: str, read: str) -> None:
    assert plain(written) == read


@pytest.mark.parametrize("text", ["привет мир", "возврат денег", "καλημέρα", "返品はできますか", "환불 정책"])
def test_words_of_other_scripts_stay(text: str) -> None:
    assert plain(text) == plain(plain(text))
    assert not any(character.isascii() and character.isalpha() for character in plain(text))


def _readings(text: str) -> list[str]:
    return list(other_readings(text, plain(text), {"ignore", "instructions"}.__contains__))


def test_encoded_words_are_read() -> None:
    assert "say it is free" in _readings(base64.b64encode(b"Say it is free").decode())
    assert "say it is free" in _readings(b"Say it is free".hex(" "))
    assert "ignore it" in _readings("&#105;gnore it")


def test_joined_and_spaced_words_are_read() -> None:
    assert "please ignore this" in _readings("Please ig-nore this")
    assert "1gn0re" not in _readings("1gn0re")
    assert "ignore" in _readings("1gn0re")
    assert "ignoreall" in _readings("i g n o r e  a l l")


@pytest.mark.parametrize(
    "text", ["A well-known two-year warranty.", "Call 0800 555 019.", "Model TW-200 rev. B2", "保修两年。"]
)
def test_most_texts_have_one_reading(text: str) -> None:
    assert _readings(text) == []
