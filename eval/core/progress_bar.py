"""The bar in the terminal that counts the questions of a run."""

from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class WatchedConsole(Console):
    """A console whose bars tell ``tell`` how many questions of how many have been asked."""

    def __init__(self, tell: Callable[[int, int], None]) -> None:
        super().__init__(quiet=True)
        self.tell = tell


class _ToldProgress(Progress):
    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        super().advance(task_id, advance)
        task = self._tasks[task_id]
        if isinstance(self.console, WatchedConsole):
            self.console.tell(int(task.completed), int(task.total or 0))


def question_bar(console: Console, *, disable: bool = False) -> Progress:
    """Return a bar that counts questions and tells the time that is left."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return _ToldProgress(*columns, console=console, transient=True, disable=disable)
