"""Every example in a docstring of the product shows what the code does."""

import doctest
import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

CHECKOUT = Path(__file__).parents[1]
PACKAGES = ("rag", "ingest", "eval", "api", "ui")
PROMPT = re.compile(r"^ *>>> ", re.MULTILINE)


def with_examples() -> dict[str, int]:
    """Return how many examples each module of the product has, without those that have none."""
    found = {}
    for path in sorted(path for package in PACKAGES for path in (CHECKOUT / package).rglob("*.py")):
        name = ".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__")
        found[name] = len(PROMPT.findall(path.read_text(encoding="utf-8")))
    return {name: count for name, count in found.items() if count}


EXAMPLES = with_examples()


def run_examples(module: ModuleType, name: str) -> tuple[int, list[str]]:
    """Return how many examples were run, and what is said of those that show something else."""
    said: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, name):
        runner.run(test, out=said.append)
    return runner.tries, said


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_a_module_are_true_and_all_are_run(name: str) -> None:
    tried, said = run_examples(importlib.import_module(name), name)
    assert "".join(said) == ""
    assert tried == EXAMPLES[name]


def test_an_example_that_is_not_true_is_shown() -> None:
    module = ModuleType("example", ">>> 1 + 1\n3\n>>> 2\n2\n")
    tried, said = run_examples(module, "example")
    assert tried == 2
    assert "Expected:\n    3\nGot:\n    2\n" in "".join(said)
