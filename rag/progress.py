"""How far something long has come: a bar on a terminal, a word every 15 seconds elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

_WORD_EVERY_SECONDS = 15.0
_MEGABYTE = 1_000_000

Update = Callable[[int, int], None]
"""Called with how much is done and how much there is; 0 of 0 where nobody knows."""


@contextmanager
def progress(label: str, out: TextIO, *, in_bytes: bool = True) -> Iterator[Update]:
    """Show how far something long has come; call what is yielded as often as is handy."""
    if out.isatty():
        with _bar(label, out, in_bytes=in_bytes) as update:
            yield update
    else:
        yield _words_now_and_then(label, out, in_bytes=in_bytes)


def _words_now_and_then(label: str, out: TextIO, *, in_bytes: bool) -> Update:
    started_at = spoke_at = time.monotonic()

    def update(done: int, total: int) -> None:
        nonlocal spoke_at
        now = time.monotonic()
        if now - spoke_at >= _WORD_EVERY_SECONDS:
            spoke_at = now
            print(f"  {label}: {_share(done, total, in_bytes=in_bytes)}{now - started_at:.0f} s", file=out, flush=True)

    return update


@contextmanager
def _bar(label: str, out: TextIO, *, in_bytes: bool) -> Iterator[Update]:
    # rich takes a tenth of a second to import, and a second start has nothing to show with it.
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    counter = DownloadColumn() if in_bytes else MofNCompleteColumn()
    columns = (TextColumn("  {task.description}"), BarColumn(), counter, TimeElapsedColumn())
    with Progress(*columns, console=Console(file=out), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


def _share(done: int, total: int, *, in_bytes: bool) -> str:
    if not done and not total:
        return ""
    if in_bytes:
        return f"{done / _MEGABYTE:.0f}/{total / _MEGABYTE:.0f} MB, " if total else f"{done / _MEGABYTE:.0f} MB, "
    return f"{done}/{total}, "
