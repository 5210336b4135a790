"""Which chat format a file asks for."""

import pytest

from rag.ollama.templates import FORMATS, format_of

JINJA_R1 = "{% if message['role'] == 'user' %}{{'<｜User｜>' + message['content']}}{% endif %}<｜Assistant｜><think>\n"


@pytest.mark.parametrize(
    ("chat_template", "expected"),
    [
        (JINJA_R1, "r1"),
        ("{{ '<|im_start|>' + message.role }}", "chatml"),
        ("{{ '<|im_start|>' + message.role }}<think>\n", "chatml-think"),
    ],
)
def test_the_format_is_told_from_the_marks(chat_template: str, expected: str) -> None:
    found = format_of(chat_template)
    assert found is not None
    assert found.name == expected


def test_another_format_is_left_to_ollama() -> None:
    assert format_of("<|start_header_id|>{{ role }}") is None


def test_every_format_stops_at_the_marks_that_it_writes() -> None:
    for one in FORMATS.values():
        assert [mark for mark in one.stop if mark in one.template]
        assert (".Thinking" in one.template) == (one.name != "chatml")
