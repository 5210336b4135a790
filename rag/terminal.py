"""The terminal: its user's language, the progress of long work, and how a command ends that fails or is cut off."""

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from rag.errors import AnswerdeskError
from rag.schema import Language
from rag.translate import translate

INTERRUPTED = 130
"""The exit code that a shell gives for Ctrl-C."""

READER_GONE = 128 + signal.SIGPIPE
"""The exit code, as a shell tells it, of a command whose output is no longer read: 141."""

_RICH_READER_GONE = 1

_WORD_EVERY_SECONDS = 15.0
_MEGABYTE = 1_000_000

Update = Callable[[int, int], None]
"""Called with the amount done and the total; 0 of 0 if unknown."""


def terminal_language(environment: Mapping[str, str] | None = None) -> Language:
    """Return the language of the messages, by the rule of the C library: the first of three variables that is set."""
    variables = os.environ if environment is None else environment
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = variables.get(name, "")
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def fail(error: AnswerdeskError) -> int:
    """Print the error's sentence on standard error, in the reader's language, and return the command's exit code."""
    print(error.text(terminal_language()), file=sys.stderr)
    return error.exit_code


def run_command(work: Callable[[], int | None], interrupted: Callable[[], object] = lambda: None) -> int:
    """Do a command's work and return its exit code: 0 for None, or that of the error, whose sentence is printed.

    At Ctrl-C ``interrupted`` is called, and the code is the 130 that a shell gives.
    """
    try:
        return work() or 0
    except AnswerdeskError as error:
        return fail(error)
    except KeyboardInterrupt:
        interrupted()
        return INTERRUPTED


def warn_root() -> None:
    """Warn root on standard error; standard output may be for a program."""
    if os.geteuid() == 0:
        print(translate("setup.root", terminal_language()), file=sys.stderr)


def exit_code_of(main: Callable[[], int]) -> int:
    """Run a command, flush its output, and return its exit code; quietly 141 once ``| head`` has read enough.

    Python's way to be told of that, an exception, is kept: the signal would end a server whose client hangs up.
    """
    outlets = {stream: os.dup(stream.fileno()) for stream in (sys.stdout, sys.stderr) if _has_descriptor(stream)}
    try:
        code = _code_of(main, outlets)
        for stream in outlets:
            stream.flush()
    except BrokenPipeError:
        if not _closed_streams(outlets):
            raise  # another pipe's, which is nobody's terminal
        code = READER_GONE
    for stream in _closed_streams(outlets) if code == READER_GONE else ():  # what it has not written yet goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    for descriptor in outlets.values():
        os.close(descriptor)
    return code


def _code_of(main: Callable[[], int], outlets: Mapping[TextIO, int]) -> int:
    """Return the code also where ``argparse`` ends the program, or Rich does, which has put the broken pipe away."""
    try:
        return main()
    except SystemExit as ended:
        if ended.code == _RICH_READER_GONE and _closed_streams(outlets):
            return READER_GONE
        if ended.code is not None and not isinstance(ended.code, int):
            raise
        return ended.code or 0


def _has_descriptor(stream: TextIO | None) -> bool:
    with contextlib.suppress(AttributeError, OSError, ValueError):
        return stream is not None and stream.fileno() >= 0
    return False


def _closed_streams(outlets: Mapping[TextIO, int]) -> list[TextIO]:
    """Return the streams without a reader."""
    poll = select.poll()
    for descriptor in outlets.values():
        poll.register(descriptor, 0)  # errors are always told
    broken = {descriptor for descriptor, _ in poll.poll(0)}
    return [stream for stream, descriptor in outlets.items() if descriptor in broken]


@contextmanager
def progress(label: str, out: TextIO, *, in_bytes: bool = True) -> Iterator[Update]:
    """Show the progress of long work; call the result at any rate."""
    if out.isatty():
        with _bar(label, out, in_bytes=in_bytes) as update:
            yield update
    else:
        yield _periodic_lines(label, out, in_bytes=in_bytes)


def _periodic_lines(label: str, out: TextIO, *, in_bytes: bool) -> Update:
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
