"""The bar in the terminal that counts the questions of a run."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from eval.core.progress import Progress
from ingest.console import ProgressConsole
from rag.terminal import terminal_language


def question_bar(console: Console, *, disable: bool = False) -> ProgressBar:
    """Return a bar that counts questions and estimates the remaining time."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return ProgressBar(*columns, console=console, transient=True, disable=disable)


SHOWN_INGEST = Progress(ingest=lambda: ProgressConsole(terminal_language(), sys.stderr))
"""Reports ingests alone, on standard error."""


@contextmanager
def progress_in(console: Console) -> Iterator[Progress]:
    """Draw a bar for each question set, if the console is a terminal, and an ingest's progress on standard error."""
    tasks: dict[str, TaskID] = {}
    with question_bar(console, disable=not console.is_terminal) as bar:

        def show(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=done, total=total)

        yield replace(SHOWN_INGEST, questions=show)
