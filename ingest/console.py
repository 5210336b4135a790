"""An ingest's progress on standard error: a bar on a terminal, a line now and then elsewhere."""

import time
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ingest.summary import IngestProgress
from ingest.words import words
from rag.schema import Language

_LINE_EVERY_SECONDS = 10.0


class ProgressConsole:
    """Shows ``IngestProgress`` values; call it with each.  A context manager, for the bar to be taken away.

    Failures are said at once, each on a line of its own.
    """

    def __init__(self, language: Language, out: TextIO) -> None:
        self._language: Language = language
        self._out = out
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._stage = ""
        self._stage_began_at = self._spoke_at = time.monotonic()

    def __enter__(self) -> Self:
        if self._out.isatty():
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=30),
                TextColumn("{task.fields[figures]}"),
                TimeRemainingColumn(compact=True),
                console=Console(file=self._out),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("", figures="", total=None)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, progress: IngestProgress) -> None:
        """Show how far it has come."""
        if progress.failure is not None:
            self._say(progress.failure.text(self._language))
        now = time.monotonic()
        is_new = progress.stage != self._stage
        if is_new:
            self._stage = progress.stage
            self._stage_began_at = self._spoke_at = now
        label = words(progress.stage, self._language)
        figures, done, total = self._figures(progress, now)
        if self._bar is not None and self._task is not None:
            if is_new:
                self._bar.reset(self._task, description=label, figures=figures, total=total or None)
            self._bar.update(self._task, completed=done, total=total or None, figures=figures)
        elif now - self._spoke_at >= _LINE_EVERY_SECONDS:
            self._spoke_at = now
            self._say(f"{label} {figures}")

    def _figures(self, progress: IngestProgress, now: float) -> tuple[str, int, int]:
        """Return the figures in words, how much is done, and how much there is."""
        if progress.stage == "reading":
            done, total = progress.files_done, progress.files_total
            return words("files", self._language, done=done, total=total), done, total
        if progress.stage == "embedding":
            done, total = progress.passages_done, progress.passages_total
            rate = done / max(now - self._stage_began_at, 0.001)
            return words("passages", self._language, done=done, total=total, rate=rate), done, total
        return "", 0, 0

    def _say(self, line: str) -> None:
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            self._out.write(line + "\n")
            self._out.flush()
