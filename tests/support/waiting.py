"""Waits for what another thread or process does."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

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


def until_suspended(pid: int) -> None:
    """Wait until each thread of a process stands still after SIGSTOP: on a busy machine one may still answer."""
    until(lambda: all(_state(thread) in "tT" for thread in Path(f"/proc/{pid}/task").iterdir()))


def _state(thread: Path) -> str:
    return (thread / "stat").read_text("utf-8").rpartition(") ")[2][:1]
