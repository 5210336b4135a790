"""What can wait lets searches go first, and never waits for longer than it was told."""

import threading
import time

import pytest

from rag.turns.service import Searches


def waited_seconds(searches: Searches, timeout_seconds: float) -> float:
    began_at = time.monotonic()
    searches.wait_until_idle(timeout_seconds)
    return time.monotonic() - began_at


def test_nobody_waits_where_nothing_is_searched_for() -> None:
    assert waited_seconds(Searches(), 10) < 1


@pytest.mark.slow
def test_all_searches_go_first_and_one_that_ends_twice_counts_once() -> None:
    searches = Searches()
    for turn_id in ("a", "b"):
        searches.begin(turn_id)
    for _ in range(2):
        searches.end("a")
    assert waited_seconds(searches, 0.05) >= 0.05
    ending = threading.Timer(0.05, searches.end, ["b"])
    begun = time.monotonic()  # the timer may have run for a while when the waiting begins
    ending.start()
    assert waited_seconds(searches, 10) < 5
    assert time.monotonic() - begun >= 0.05
    ending.join()
