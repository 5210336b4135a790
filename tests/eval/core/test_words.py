"""Every sentence is there in both languages, with the same places to fill."""

import string
from collections.abc import Mapping

import pytest

from eval.bench.load import words as load_words
from eval.compare import words as page_words
from eval.core import words
from eval.gaps import words as gap_words


def _placeholders(template: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(template) if name)


TABLES = {
    "terminal": words._WORDS,
    "page": page_words._WORDS,
    "load": load_words._WORDS,
    "gaps": gap_words._WORDS,
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_both_languages_fill_the_same_places(table: Mapping[str, tuple[str, str]]) -> None:
    for key, (english, chinese) in table.items():
        assert _placeholders(english) == _placeholders(chinese), key
        assert english and chinese, key
