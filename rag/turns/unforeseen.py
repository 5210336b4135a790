"""Logs unexpected errors with their location, under a reference number shown to the user."""

import logging
import secrets
import traceback


def log_unforeseen(logger: logging.Logger, what: str, error: BaseException | None) -> str:
    """Log that ``what`` failed, without what the error says (it may quote a question), and return its number.

    The number is six digits: those are read out alike in both languages.
    """
    number = f"{secrets.randbelow(1_000_000):06}"
    frames = "".join(traceback.format_tb(error.__traceback__)) if error is not None else ""
    logger.error("%s failed, no. %s: %s\n%s", what, number, type(error).__name__, frames)
    return number
