"""The program out of a reply: which block, what stands before it, what is no program."""

import pytest

from eval.code.extraction import blocks_of, program_of
from tests.eval.code.cases import DOUBLED, HALF

BODY = "def doubled(numbers):\n    return numbers + numbers\n"


def test_the_last_block_that_defines_the_function_is_taken() -> None:
    used = "Use:\n```\nprint(doubled([1]))\n```\n"
    reply = f"First:\n```python\n{BODY}# first\n```\nBetter:\n```py\n{BODY}# second\n```\n{used}"
    assert program_of(reply, DOUBLED) == f"from typing import List\n\n\n\n{BODY}# second\n"


def test_helpers_of_the_prompt_stand_before_it() -> None:
    program = program_of("```python\ndef half(x):\n    return x / 2\n```", HALF)
    assert program == "def twice(x):\n    return x + x\n\n\ndef half(x):\n    return x / 2\n"


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "You double each number.",
        "```python\n```",
        "```python\nprint(doubled([1]))\n```",
        "```python\ndef doubled_twice(numbers):\n    return numbers\n```",
        "```python\n    return [2 * one for one in numbers]\n```",
        "```python\nclass Solution:\n    def doubled(self, numbers):\n        return numbers\n```",
    ],
)
def test_a_reply_without_the_function_has_no_program(reply: str) -> None:
    assert program_of(reply, DOUBLED) == ""


def test_a_reply_without_blocks_is_taken_from_its_first_line_of_python() -> None:
    reply = f"Here it is:\nimport math\n{BODY}"
    assert program_of(reply, DOUBLED).endswith(f"\nimport math\n{BODY}")
    assert "Here" not in program_of(reply, DOUBLED)


def test_fences_of_another_length_or_sign_do_not_close_a_block() -> None:
    assert blocks_of("````\na\n```\nb\n````\n~~~\nc\n```\n~~~") == ["a\n```\nb\n", "c\n```\n"]
    assert blocks_of("```python\nopen at the end") == ["open at the end"]
    assert blocks_of("no fence") == []
