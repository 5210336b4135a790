"""The terminal: which language its user reads, and how a command ends that could not do its work or say it."""

import contextlib
import os
import select
import signal
import sys
from collections.abc import Callable, Mapping
from typing import TextIO

from rag.errors import AnswerdeskError
from rag.schema import Language
from rag.translate import translate

READER_GONE = 128 + signal.SIGPIPE
"""The exit code, as a shell tells it, of a command whose output nobody reads any more: 141."""

_RICH_READER_GONE = 1


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


def warn_root() -> None:
    """Say on standard error what it means where root runs this: standard output may be for a program."""
    if os.geteuid() == 0:
        print(translate("setup.root", terminal_language()), file=sys.stderr)


def exit_code_of(main: Callable[[], int]) -> int:
    """Run a command, flush what it said, and return its exit code; quietly 141 once ``| head`` has read enough.

    Python's way to be told of that, an exception, is kept: the signal would end a server whose client hangs up.
    """
    outlets = {stream: os.dup(stream.fileno()) for stream in (sys.stdout, sys.stderr) if _has_descriptor(stream)}
    try:
        code = _code_of(main, outlets)
        for stream in outlets:
            stream.flush()
    except BrokenPipeError:
        if not _gone(outlets):
            raise  # another pipe's, which is nobody's terminal
        code = READER_GONE
    for stream in _gone(outlets) if code == READER_GONE else ():  # what it has not written yet goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    for descriptor in outlets.values():
        os.close(descriptor)
    return code


def _code_of(main: Callable[[], int], outlets: Mapping[TextIO, int]) -> int:
    """Return the code also where ``argparse`` ends the program, or Rich does, which has put the broken pipe away."""
    try:
        return main()
    except SystemExit as ended:
        if ended.code == _RICH_READER_GONE and _gone(outlets):
            return READER_GONE
        if ended.code is not None and not isinstance(ended.code, int):
            raise
        return ended.code or 0


def _has_descriptor(stream: TextIO | None) -> bool:
    with contextlib.suppress(AttributeError, OSError, ValueError):
        return stream is not None and stream.fileno() >= 0
    return False


def _gone(outlets: Mapping[TextIO, int]) -> list[TextIO]:
    """Return the streams whose readers are gone."""
    poll = select.poll()
    for descriptor in outlets.values():
        poll.register(descriptor, 0)  # errors are always told
    broken = {descriptor for descriptor, _ in poll.poll(0)}
    return [stream for stream, descriptor in outlets.items() if descriptor in broken]
