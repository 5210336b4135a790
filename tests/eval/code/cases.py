"""Two small problems, and a sandbox that holds nothing, for programs that the tests wrote themselves."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

from eval.code.problems import Problem
from eval.code.sandbox import ProgramFault

DOUBLED = Problem(
    "Test/0",
    'from typing import List\n\n\ndef doubled(numbers: List[int]) -> List[int]:\n    """ Double each. """\n',
    "doubled",
    "    return [2 * one for one in numbers]\n",
    "def check(candidate):\n    assert candidate([1, 2]) == [2, 4]\n    assert candidate([]) == []\n",
)
HALF = Problem(
    "Test/1",
    "def twice(x):\n    return x + x\n\ndef half(x):\n    '''Undo twice.'''\n",
    "half",
    "    return x // 2\n",
    "def check(candidate):\n    for x in range(3):\n        assert candidate(twice(x)) == x\n",
)
RIGHT = {one.task_id: f"```python\n{one.prompt}{one.canonical_solution}```" for one in (DOUBLED, HALF)}


class NoSandbox:
    """Runs programs in this process; keeps what it was given."""

    def __init__(self) -> None:
        self.programs: list[str] = []

    @contextmanager
    def run(self, program: str, entry_point: str, *, definitions_only: bool = False) -> Iterator[SimpleNamespace]:
        self.programs.append(program)
        namespace: dict[str, Callable[..., object]] = {}
        try:
            exec(program, namespace)
        except SyntaxError as error:
            raise ProgramFault("syntax", str(error)) from error
        running = SimpleNamespace(last_call="")

        def call(*arguments: object) -> object:
            running.last_call = f"{arguments}"
            return namespace[entry_point](*arguments)

        running.call = call
        yield running
