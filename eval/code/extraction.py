"""Takes the program out of a model's reply.  Pure text: what a model wrote is parsed in the sandbox alone.

The rules: the last block of code that defines the function, or, in a reply without blocks, everything from its first
line of Python on; before it the prompt's own imports and helpers.
"""

import re

from eval.code.problems import Problem

_FENCE = re.compile(r"^[ \t]{0,3}(```+|~~~+)[^\n]*$", re.MULTILINE)
_FIRST_WORDS = ("def ", "async def ", "from ", "import ", "class ", "@")


def program_of(reply: str, problem: Problem) -> str:
    """Return the program to run; empty where the reply has no code that defines the function."""
    wanted = f"def {problem.entry_point}("
    found = [block for block in blocks_of(reply) if _defines(block, wanted)]
    if not found and not _FENCE.search(reply):
        found = [block for block in [_from_first_line(reply)] if _defines(block, wanted)]
    return f"{problem.prelude}\n{found[-1]}" if found else ""


def blocks_of(reply: str) -> list[str]:
    r"""Return the contents of fenced blocks; one that is still open at the end counts as well.

    >>> blocks_of("Yes:\n```python\na = 1\n```\nor\n```\nb = 2")
    ['a = 1\n', 'b = 2']
    """
    blocks: list[str] = []
    begun, fence = -1, ""
    for match in _FENCE.finditer(reply):
        if begun < 0:
            begun, fence = match.end() + 1, match.group(1)
        elif match.group(0).strip().startswith(fence):
            blocks.append(reply[begun : match.start()])
            begun = -1
    return [*blocks, reply[begun:]] if 0 <= begun < len(reply) else blocks


def _defines(block: str, wanted: str) -> bool:
    return any(line.startswith((wanted, f"async {wanted}")) for line in block.splitlines())


def _from_first_line(reply: str) -> str:
    lines = reply.splitlines(keepends=True)
    first = next((number for number, line in enumerate(lines) if line.startswith(_FIRST_WORDS)), len(lines))
    return "".join(lines[first:])
