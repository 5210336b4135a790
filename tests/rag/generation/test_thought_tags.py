from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.generation.thought_tags import ThoughtTags
from rag.protocols import GeneratedText, GeneratedThinking


def _sorted(pieces: list[str]) -> tuple[str, str]:
    tags = ThoughtTags()
    parts = [part for piece in pieces for part in tags.feed(piece)] + tags.finish()
    thinking = "".join(part.text for part in parts if isinstance(part, GeneratedThinking))
    return thinking, "".join(part.text for part in parts if isinstance(part, GeneratedText))


@pytest.mark.parametrize(
    ("reply", "thinking", "text"),
    [
        ("7 days", "", "7 days"),
        ("<think>hm</think>7 days", "hm", "7 days"),
        ("</think>\n\n7 days", "", "\n\n7 days"),
        ("<think>never closed", "never closed", ""),
        ("a<think>b</think>c<think>d</think>e", "bd", "ace"),
        ("x < y and <b>bold</b> <thin", "", "x < y and <b>bold</b> <thin"),
        ("<<think>>a</</think>b", ">a</", "<b"),
    ],
)
def test_whole_replies(reply: str, thinking: str, text: str) -> None:
    assert _sorted([reply]) == (thinking, text)


@given(
    st.lists(st.sampled_from(["<think>", "</think>", "<", "/", "think", ">", "a", "思考", "</", "<th"]), max_size=12),
    st.data(),
)
def test_where_the_pieces_are_cut_makes_no_difference(tokens: list[str], data: st.DataObject) -> None:
    reply = "".join(tokens)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(reply)), max_size=8)))
    edges = [0, *cuts, len(reply)]
    pieces = [reply[start:end] for start, end in pairwise(edges)]
    thinking, text = _sorted(pieces)
    assert (thinking, text) == _sorted([reply])
    for tag in ("<think>", "</think>"):
        reply = reply.replace(tag, "")
    assert len(thinking) + len(text) <= len("".join(tokens))
