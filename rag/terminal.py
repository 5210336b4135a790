"""The terminal: its user's language, the progress of long work, and how a command ends that fails or is cut off."""

import contextlib
import errno
import io
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from rag.errors import AnswerdeskError, OutputLost
from rag.interruption import raise_at_interrupt
from rag.schema import Language
from rag.translate import translate

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from rich.table import Table

INTERRUPTED = 130
"""The exit code that a shell gives for Ctrl-C."""

READER_GONE = 128 + signal.SIGPIPE
"""The exit code, as a shell tells it, of a command whose output is no longer read: 141."""

_RICH_READER_GONE = 1
_STANDARD_DESCRIPTORS = range(3)
_LOST_BECAUSE = {errno.ENOSPC: "full", errno.EDQUOT: "full", errno.EFBIG: "limit"}

_WIDEST = 10_000
_WORD_EVERY_SECONDS = 15.0
_MEGABYTE = 1_000_000

Update = Callable[[int, int], None]
"""Called with the amount done and the total; 0 of 0 if unknown."""


def terminal_language(environment: Mapping[str, str] | None = None) -> Language:
    """Return the language of the messages, by the rule of the C library: the first of three variables that is set.

    It is English where standard output cannot show Chinese, in this process's own environment.
    """
    variables = os.environ if environment is None else environment
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = variables.get(name, "")
        if value:
            is_chinese = value.lower().startswith("zh") and (environment is not None or _shows("中文", sys.stdout))
            return "zh" if is_chinese else "en"
    return "en"


def _shows(text: str, stream: TextIO | None) -> bool:
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def print_json(value: object, *, indent: int | None = None) -> None:
    """Print JSON in plain letters, at once: in one line, or with ``indent`` spaces a level.

    All is escaped where the output has no such letters, or a file's name holds bytes that are no UTF-8.
    """
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    print(text if _shows(text, sys.stdout) else json.dumps(value, indent=indent), flush=True)


def print_table(table: "Table") -> None:
    """Print a table within the terminal, with long cells in several lines; elsewhere each row is one line."""
    from rich.console import Console  # takes a tenth of a second to import

    for column in table.columns:
        column.overflow = "fold"
    console = Console()
    if not console.is_terminal:
        console.width = max(
            console.width, console.measure(table, options=console.options.update(width=_WIDEST)).maximum
        )
    console.print(table)


def argument_text(argument: str) -> str:
    r"""Return the words of an argument, read as UTF-8 where the terminal's encoding did not know its bytes.

    Python keeps such bytes as halves of surrogate pairs, which nothing can store.  Names of files need them.

    >>> argument_text("\udce9\udc80\udc80 \udcff"), argument_text("退款")
    ('退 �', '退款')
    """
    return argument.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="replace")


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

    Python's own report of that, an exception, is kept: the signal would end a server whose client hangs up.
    Other output that cannot be written is reported on standard error, and a command that succeeded ends with the code
    of ``OutputLost``.  Standard streams that are closed read and write nothing, and what a terminal cannot show
    becomes question marks.  Ctrl-C that the command does not answer itself is 130, without a word.
    """
    raise_at_interrupt()
    with _no_absent_streams():
        given = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = (_attended(stream) for stream in given)
        try:
            return _end_of(main)
        finally:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError):
                    stream.flush()
            sys.stdout, sys.stderr = given


@contextmanager
def _no_absent_streams() -> Iterator[None]:
    """Open the null device for closed descriptors, lest a database becomes the standard output, and for streams."""
    for descriptor in _STANDARD_DESCRIPTORS:
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one, for those below are open
            os.set_inheritable(opened, True)
    absent = [name for name in ("stdin", "stdout", "stderr") if getattr(sys, name) is None]
    with contextlib.ExitStack() as opened_streams:
        for name in absent:
            setattr(sys, name, opened_streams.enter_context(Path(os.devnull).open("r+", encoding="utf-8")))
            opened_streams.callback(setattr, sys, name, None)
        yield


class _Outlet(io.FileIO):
    """A standard descriptor that remembers why it could not be written, for Rich and ``argparse`` hide it.

    Standard error drops what it has no room for: a full log ends no desk.
    """

    def __init__(self, descriptor: int, *, may_drop: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.failure: OSError | None = None
        self._may_drop = may_drop

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write everything: without a buffer above, a part that a full disk did not take would be lost silently."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while rest:
                rest = rest[super().write(rest) or 0 :]
        except (BrokenPipeError, BlockingIOError):
            raise
        except OSError as error:
            self.failure = self.failure or error
            if not self._may_drop:
                raise
        return size


def _attended(stream: TextIO) -> TextIO:
    """Return a stream to the same descriptor over an ``_Outlet``, where this is one of Python's own."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    stream.reconfigure(errors="replace")
    buffer: object = stream.buffer
    is_unbuffered = type(buffer) is io.FileIO
    if type(stream) is not io.TextIOWrapper or not (is_unbuffered or isinstance(buffer, io.BufferedWriter)):
        return stream
    with contextlib.suppress(OSError):
        stream.flush()
    outlet = _Outlet(stream.fileno(), may_drop=stream is sys.stderr)
    return io.TextIOWrapper(
        outlet if is_unbuffered else io.BufferedWriter(outlet),
        encoding=stream.encoding,
        errors="replace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _failure_of(stream: TextIO) -> OSError | None:
    buffer = getattr(stream, "buffer", None)
    outlet = getattr(buffer, "raw", buffer)
    return outlet.failure if isinstance(outlet, _Outlet) else None


def _end_of(main: Callable[[], int]) -> int:
    outlets = {stream: os.dup(stream.fileno()) for stream in (sys.stdout, sys.stderr) if _has_descriptor(stream)}
    code = 0
    try:
        code = _code_of(main, outlets)
        for stream in outlets:
            stream.flush()
    except BrokenPipeError:
        if not _closed_streams(outlets):
            raise  # another pipe's, which is nobody's terminal
        code = READER_GONE
    except OSError as error:
        failure = _failure_of(sys.stdout)
        if failure is None or error.errno != failure.errno:
            raise
    silent = _closed_streams(outlets) if code == READER_GONE else []
    if (failure := _failure_of(sys.stdout)) is not None:
        silent.append(sys.stdout)
        code = _report_lost_output(failure, code)
    for stream in silent:  # what it has not written yet goes nowhere
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
    for descriptor in outlets.values():
        os.close(descriptor)
    return code


def _report_lost_output(failure: OSError, code: int) -> int:
    """Return the command's own code where it has failed already."""
    lost = fail(OutputLost(reason=_LOST_BECAUSE.get(failure.errno or 0, "failed")))
    return code or lost


def _code_of(main: Callable[[], int], outlets: Mapping[TextIO, int]) -> int:
    """Return the code also where ``argparse`` ends the program, or Rich does, which has put the broken pipe away."""
    try:
        return main()
    except KeyboardInterrupt:
        return INTERRUPTED
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
