"""Waits for what another thread or process does."""

import asyncio
import time
from collections.abc import Callable

_LOOK_EVERY_SECONDS = 0.005


def until(what: Callable[[], bool], seconds: float = 10.0) -> float:
    """Wait until something is so, and return how long that took; fail the test where it never is."""
    started_at = time.monotonic()
    while not what():
        assert time.monotonic() - started_at < seconds, "it never came to hold"
        time.sleep(_LOOK_EVERY_SECONDS)
    return time.monotonic() - started_at


async def until_async(what: Callable[[], bool], seconds: float = 20.0) -> float:
    """Do the same and let other tasks go on meanwhile."""
    started_at = time.monotonic()
    while not what():
        assert time.monotonic() - started_at < seconds, "it never came to hold"
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
    return time.monotonic() - started_at
