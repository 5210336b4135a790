"""One line a step, with its time and the way it took; progress on a terminal, a word every 15 seconds elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from rag.provisioning.words import words
from rag.schema import Language

_WORD_EVERY_SECONDS = 15.0
_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step was about, and the way it took: both keys of ``words``, or plain names."""

    what: str
    way: str
    details: dict[str, object] = field(default_factory=dict)


Update = Callable[[int, int], None]
"""Called with how much is done and how much there is; 0 of 0 where nobody knows."""


class Console:
    """Says what happens, in the reader's language."""

    def __init__(self, language: Language, out: TextIO | None = None) -> None:
        self.language: Language = language
        self._out = out or sys.stdout

    def words(self, key: str, **values: object) -> str:
        """Return the text of a key."""
        return words(key, self.language, **values)

    def note(self, key: str, **values: object) -> None:
        """Print a remark."""
        self._print(self.words(key, **values))

    def step(self, action: Callable[[], Outcome]) -> Outcome:
        """Do one step and print its line.  What it raises goes on to the caller."""
        started_at = time.monotonic()
        outcome = action()
        seconds = time.monotonic() - started_at
        way = self.words(outcome.way, **outcome.details)
        self._print(self.words("step", what=outcome.what, way=way, seconds=seconds))
        return outcome

    @contextmanager
    def progress(self, key: str, what: str, *, in_bytes: bool = True) -> Iterator[Update]:
        """Show how far something long has come; call what is yielded as often as is handy."""
        label = self.words(key, what=what)
        if self._out.isatty():
            with self._bar(label, in_bytes=in_bytes) as update:
                yield update
        else:
            yield self._words_now_and_then(label, in_bytes=in_bytes)

    def _words_now_and_then(self, label: str, *, in_bytes: bool) -> Update:
        started_at = spoke_at = time.monotonic()

        def update(done: int, total: int) -> None:
            nonlocal spoke_at
            now = time.monotonic()
            if now - spoke_at >= _WORD_EVERY_SECONDS:
                spoke_at = now
                self._print(f"  {label}: {_share(done, total, in_bytes=in_bytes)}{now - started_at:.0f} s")

        return update

    @contextmanager
    def _bar(self, label: str, *, in_bytes: bool) -> Iterator[Update]:
        # rich takes a tenth of a second to import, and a second start has nothing to show with it.
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        counter = DownloadColumn() if in_bytes else MofNCompleteColumn()
        columns = (TextColumn("  {task.description}"), BarColumn(), counter, TimeElapsedColumn())
        with Progress(*columns, console=RichConsole(file=self._out), transient=True) as bar:
            task = bar.add_task(label, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total or None)

    def _print(self, line: str) -> None:
        print(line, file=self._out, flush=True)


def _share(done: int, total: int, *, in_bytes: bool) -> str:
    if not done and not total:
        return ""
    if in_bytes:
        return f"{done / _MEGABYTE:.0f}/{total / _MEGABYTE:.0f} MB, " if total else f"{done / _MEGABYTE:.0f} MB, "
    return f"{done}/{total}, "
