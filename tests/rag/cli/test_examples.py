"""Each command's ``--help`` shows how it is called."""

import argparse
from collections.abc import Callable, Sequence

import pytest

import api.__main__
import rag.__main__
import rag.ollama.__main__
import ui.__main__
import ui.people_commands
from rag.cli import add_command, share_examples

_RAG = ("ask", "batch", "latency", "curated", "forget", "retention", "migrate")
_OLLAMA = ("start", "status", "list", "pull", "use", "size")
_HELPS: Sequence[tuple[Callable[[Sequence[str]], int], str, str]] = (
    *((rag.__main__.main, "python -m rag", one) for one in _RAG),
    *((rag.ollama.__main__.main, "python -m rag.ollama", one) for one in _OLLAMA),
    (ui.people_commands.main, "python -m ui people", ""),
    (ui.__main__.main, "python -m ui", ""),
    (api.__main__.main, '"-m", "api", "mcp"', "mcp"),
)


@pytest.mark.parametrize(("main", "program", "command"), _HELPS, ids=[f"{one[1]} {one[2]}".strip() for one in _HELPS])
def test_help_shows_examples(
    main: Callable[[Sequence[str]], int], program: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    _, found, examples = shown.partition("\nexample")
    assert found and program in examples
    if program.startswith("python -m rag"):
        assert f"{program} {command}" in examples


def test_an_example_goes_on_in_the_lines_below_that_are_indented_further() -> None:
    parser = argparse.ArgumentParser(prog="p")
    commands = parser.add_subparsers()
    add_command(commands, "ask", lambda: 0, "answers")
    add_command(commands, "batch", lambda: 0, "answers many", examples="examples:\n  p batch own")
    share_examples(commands, "examples:\n  p ask one\n      and more\n  p asks\n  p batch two\n  echo | p ask -\n\nend")
    assert commands.choices["ask"].epilog == "examples:\n  p ask one\n      and more\n  echo | p ask -"
    assert commands.choices["batch"].epilog == "examples:\n  p batch own"
