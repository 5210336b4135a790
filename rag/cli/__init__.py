"""The commands of ``python -m rag`` and ``python -m rag.ollama``."""

import argparse
from collections.abc import Callable, Sequence
from datetime import date
from typing import TypeAlias

from rag.errors import SettingsError
from rag.schema import Language
from rag.translate import translate

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_command(
    commands: Commands,
    name: str,
    action: Callable[..., int],
    described: str,
    *,
    examples: str = "",
    aliases: Sequence[str] = (),
) -> argparse.ArgumentParser:
    """Add a command; ``described`` is one line in both languages, ``examples`` follow its options in ``--help``."""
    command = commands.add_parser(
        name,
        aliases=aliases,
        help=described,
        description=described,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter if examples else argparse.HelpFormatter,
    )
    command.set_defaults(action=action)
    return command


def share_examples(commands: Commands, examples: str) -> None:
    """Let each command's ``--help`` show those of its program's examples that call it, unless it has some of its own.

    An example is a line with the call, and the lines below that are indented further.
    """
    for command in commands.choices.values():
        own: list[str] = []
        is_own = False
        for line in examples.splitlines():
            is_continued = is_own and line.startswith(" " * 6)
            is_own = is_continued or f"{command.prog} " in f"{line} "
            own += [line] if is_own else []
        if own and not command.epilog:
            command.epilog = "\n".join(["examples:", *own])
            command.formatter_class = argparse.RawDescriptionHelpFormatter


def positive_integer(text: str) -> int:
    """Return the number of an argument, 1 or more; it is the ``type`` of an argument of ``argparse``."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return number


def day_of(text: str | None, option: str, language: Language) -> date | None:
    """Return the day that an option names, such as 2026-01-31; None for None.  Raises ``SettingsError``."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(reason=translate("ask.not_a_day", language, option=option, text=text)) from error


def ask_consent(question: str) -> bool:
    """Ask on the terminal, and return whether the answer is yes; its end (Ctrl-D) is none."""
    try:
        return input(question).strip().lower() in {"y", "yes", "是"}
    except EOFError:
        return False
