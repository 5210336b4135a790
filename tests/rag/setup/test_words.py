"""Both languages say the same things with the same placeholders."""

import string

import pytest

from rag.setup import environment
from rag.setup.words import _WORDS

ALL = {**_WORDS, **environment._WORDS}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", ALL)
def test_both_languages_have_the_same_placeholders(key: str) -> None:
    english, chinese = ALL[key]
    assert placeholders(english) == placeholders(chinese)
    assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese) or key in {"step"}
