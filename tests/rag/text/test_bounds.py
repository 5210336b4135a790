"""Tests that text is bounded."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.text.bounds import LONGEST_BLANK_RUN_CHARACTERS, squeezed


@pytest.mark.parametrize("blank", [" ", "\t", "\u3000", "\u00a0"])
def test_a_long_run_of_blanks_is_cut_and_a_run_of_200_stays(blank: str) -> None:
    assert squeezed(f"a{blank * 5000}b") == f"a{blank * 200}b"
    assert squeezed(f"a{blank * 200}b") == f"a{blank * 200}b"


def test_a_long_run_of_empty_lines_becomes_one_and_keeps_the_indentation() -> None:
    assert squeezed("a" + " \n" * 5000 + "    b") == "a\n\n    b"
    assert squeezed("a" + " " * 300 + "\n  b") == "a\n  b"


@given(st.text(alphabet=st.sampled_from(" \n\tab"), max_size=40), st.integers(0, 60))
def test_words_stay_and_no_run_is_long(words: str, times: int) -> None:
    text = words.replace(" ", " " * times).replace("\n", "\n" * times)
    out = squeezed(text)
    assert out.split() == text.split()
    assert max((len(run) for run in re.findall(r"\s+", out)), default=0) <= LONGEST_BLANK_RUN_CHARACTERS
    assert squeezed(out) == out
