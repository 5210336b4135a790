"""The figures of a run as tables, in the reader's language."""

from collections.abc import Callable, Mapping, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from eval.answers.scores import Score
from eval.core.words import words as words
from rag.schema import Language

_APART = ("latency_ms", "by_kind", "errors", "model", "stand_in", "records")


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


def print_report(summary: Mapping[str, object], wrong: Sequence[Score], console: Console, language: Language) -> None:
    """Print what ``eval.answers.scores.summarise`` gave; the model's line says when it is a stand-in."""
    console.print(_figures(summary, language))
    console.print(_latency(summary, language))
    errors = summary["errors"]
    assert isinstance(errors, list)
    lines = [words("error", language, what=what) for what in errors]
    lines += [
        words(
            "not_right_refused" if item.refused else "not_right", language, question_id=item.question_id, kind=item.kind
        )
        for item in wrong
        if not item.error
    ]
    model = summary["model"] or words("no_model", language)
    lines.append(words("stand_in" if summary["stand_in"] else "model", language, model=model))
    lines.append(words("records", language, records=summary["records"]))
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _figures(summary: Mapping[str, object], language: Language) -> Table:
    table = Table(words("figure", language), words("value", language), title=words("answers", language))
    for name, value in flat_rows(summary, skip=_APART):
        table.add_row(name, value)
    kinds = summary["by_kind"]
    assert isinstance(kinds, dict)
    for kind, values in kinds.items():
        table.add_row(words("kind", language, kind=kind or "-", n=values["n"]), shown_figure(values["accuracy"]))
    return table


def _latency(summary: Mapping[str, object], language: Language) -> Table:
    titles = (words("stage", language), words("count", language), "p50", "p95", "p99")
    table = Table(*titles, title=words("latency", language))
    stages = summary["latency_ms"]
    assert isinstance(stages, dict)
    for stage, values in stages.items():
        table.add_row(stage, *(str(values[name]) for name in ("n", "p50", "p95", "p99")))
    return table


def flat_rows(values: Mapping[str, object], skip: Sequence[str], prefix: str = "") -> list[tuple[str, str]]:
    """Return (name, value) of all figures, those of parts behind the part's name and a point."""
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if name in skip:
            continue
        if isinstance(value, Mapping):
            rows += flat_rows(value, (), prefix=f"{prefix}{name}.")
        else:
            rows.append((prefix + name, shown_figure(value)))
    return rows


def part_of(values: object, *path: str) -> Mapping[str, object]:
    """Return the figures that stand under these names in others, as JSON has them; none where there are none.

    >>> part_of({"arms": {"product": {"n": 3}}}, "arms", "product"), part_of({"arms": None}, "arms", "raw")
    ({'n': 3}, {})
    """
    for name in path:
        values = values.get(name) if isinstance(values, Mapping) else None
    return values if isinstance(values, Mapping) else {}


def shown_figure(value: object) -> str:
    """Return a figure as it stands in a table: three digits, both ends of a range, a stroke for none.

    >>> shown_figure(0.25), shown_figure(7), shown_figure((0.1, 0.4)), shown_figure(None)
    ('0.250', '7', '0.100 – 0.400', '-')
    """
    if isinstance(value, (tuple, list)):
        return " – ".join(shown_figure(one) for one in value)
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
