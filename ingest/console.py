"""An ingest's progress on standard error: a bar on a terminal, a line now and then elsewhere."""

import time
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ingest.summary import IngestProgress, workers_sentence
from rag.schema import Language
from rag.translate import translate

_LINE_EVERY_SECONDS = 10.0


class ProgressConsole:
    """Shows ``IngestProgress`` values; call it with each.  A context manager that removes the bar at the end.

    Failures are printed at once, each on a line of its own.
    """

    def __init__(self, language: Language, out: TextIO) -> None:
        self._language: Language = language
        self._out = out
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._stage = self._unit = ""
        self._began_at = self._spoke_at = time.monotonic()

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
        """Show the progress."""
        if progress.failure is not None:
            self._say(progress.failure.text(self._language))
        now = time.monotonic()
        if progress.stage != self._stage:
            self._stage = progress.stage
            self._spoke_at = now
        label = translate(f"ingest.{progress.stage}", self._language)
        unit, figures, done, total = self._figures(progress, now)
        figures += workers_sentence(progress.workers, self._language)
        if self._bar is not None and self._task is not None:
            if unit != self._unit:  # another thing is counted: what was known of the speed is void
                self._unit = unit
                self._bar.reset(self._task, total=total or None)
            self._bar.update(self._task, description=label, completed=done, total=total or None, figures=figures)
        elif now - self._spoke_at >= _LINE_EVERY_SECONDS:
            self._spoke_at = now
            self._say(f"{label} {figures}")

    def _figures(self, progress: IngestProgress, now: float) -> tuple[str, str, int, int]:
        """Return the counted unit, its figures in words, the amount done, and the total.

        Files are read and embedded at the same time: once there are passages they take the time, and their total is
        estimated from the share of the files read.
        """
        files = {"files_done": progress.files_done, "files_total": progress.files_total}
        done, found = progress.passages_done, progress.passages_total
        rate = done / max(now - self._began_at, 0.001)
        if progress.stage == "embedding":
            return (
                "passages",
                translate("ingest.passages", self._language, done=done, total=found, rate=rate),
                done,
                found,
            )
        if progress.stage == "describing":
            shown, total = progress.counts
            return "pictures", translate("ingest.pictures", self._language, done=shown, total=total), shown, total
        if progress.stage == "publishing":
            return "nothing", "", 0, 0
        if progress.files_total == 0:  # a loader does not tell how many will come
            figures = translate("ingest.loaded", self._language, **files, done=done, rate=rate)
            return "documents", figures, progress.files_done, 0
        if found == 0:
            return (
                "files",
                translate("ingest.files", self._language, **files),
                progress.files_done,
                progress.files_total,
            )
        expected = found * progress.files_total // max(progress.files_done, 1)
        figures = translate("ingest.files_and_passages", self._language, **files, done=done, rate=rate)
        return "passages", figures, done, max(expected, found)

    def _say(self, line: str) -> None:
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            self._out.write(line + "\n")
            self._out.flush()
