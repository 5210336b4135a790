"""Logs unexpected errors with their location, under a reference number shown to the user, and without their words."""

import logging
import secrets
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rag.errors import AnswerdeskError, TurnFailed
from rag.terminal import terminal_language

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

logger = logging.getLogger(__name__)


def log_unforeseen(logger: logging.Logger, what: str, error: BaseException | None) -> str:
    """Log that ``what`` failed, without the error's message (it may quote a question), and return its number.

    The number is six digits: those are read out alike in both languages.
    """
    number = f"{secrets.randbelow(1_000_000):06}"
    frames = "".join(traceback.format_tb(error.__traceback__)) if error is not None else ""
    logger.error("%s failed, no. %s: %s\n%s", what, number, type(error).__name__, frames)
    return number


def log_for_operator(logger: logging.Logger, error: AnswerdeskError) -> None:
    """Log, in the operator's language, an error of which the public learns less."""
    language = terminal_language()
    if error.public_text(language) != error.text(language):
        logger.error("%s", error.text(language))


@contextmanager
def log_unforeseen_errors(logger: logging.Logger, what: str, *passing: type[Exception]) -> Iterator[None]:
    """Log unforeseen errors of a block, and raise ``TurnFailed`` with the number.

    Errors of the tree and of the kinds ``passing`` pass.
    """
    foreseen: tuple[type[Exception], ...] = (AnswerdeskError, *passing)
    try:
        yield
    except foreseen:
        raise
    except Exception as error:
        raise TurnFailed(number=log_unforeseen(logger, what, error)) from error


def strip_messages_from_logs() -> None:
    """Strip the message of an error from every log record of this process; type and places stay.

    An error may quote a customer's question, and those never reach a log.  Our own code logs unforeseen errors without
    their messages (``log_unforeseen``); Streamlit, uvicorn and asyncio log them in full.

    The same for errors that end a thread or cannot be raised, which Python prints.  Call it once a process.
    """
    make_record = logging.getLogRecordFactory()

    def make_record_without_words(*arguments: object, **options: object) -> logging.LogRecord:
        record: logging.LogRecord = make_record(*arguments, **options)
        _strip(record)
        return record

    logging.setLogRecordFactory(make_record_without_words)
    threading.excepthook = _log_thread_error
    sys.unraisablehook = _log_unraisable_error


def _strip(record: logging.LogRecord) -> None:
    if isinstance(record.exc_info, tuple):
        record.exc_text = _places(record.exc_info[1])  # formatters append this text where there is one
        record.exc_info = None
    if isinstance(record.msg, BaseException):
        record.msg = type(record.msg).__name__
    if isinstance(record.args, tuple):
        record.args = tuple(type(one).__name__ if isinstance(one, BaseException) else one for one in record.args)
    if record.name == "asyncio":  # its lines after the first show tasks, with their coroutines' errors
        record.msg, record.args = record.getMessage().partition("\n")[0], ()


def _places(error: BaseException | None) -> str:
    """Return the tracebacks of an error and its causes, the last one last, without messages."""
    lines: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        lines.insert(0, f"{''.join(traceback.format_tb(error.__traceback__))}{type(error).__name__}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(lines)


def _log_thread_error(failure: threading.ExceptHookArgs) -> None:
    if failure.exc_type is not SystemExit:
        logger.error("thread failed:\n%s", _places(failure.exc_value))


def _log_unraisable_error(failure: "UnraisableHookArgs") -> None:
    logger.error("ignored:\n%s", _places(failure.exc_value))
