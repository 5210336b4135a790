"""How often articles were cited and disliked, counted beside the page and kept for a moment."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rag.errors import AnswerdeskError
from rag.storage.turn_store import DocumentUse

logger = logging.getLogger(__name__)

WINDOW_DAYS = 90

Uses = Mapping[str, DocumentUse]
"""By the articles' ids; one that no answer cites is not there."""


@dataclass(slots=True)
class _Count:
    counting: Future[Uses]
    begun_at: float
    before: Uses | None


class UseCounts:
    """Counts the last ``WINDOW_DAYS`` of each knowledge base, when a page asks and the last count is old.

    ``count`` takes a knowledge base's name and a time in UTC; a count serves for ``kept_seconds``, and no page waits
    longer than ``page_waits_seconds`` for one.  Safe from many threads.
    """

    def __init__(
        self,
        count: Callable[[str, datetime], Uses],
        *,
        kept_seconds: float = 10.0,
        page_waits_seconds: float = 0.3,
    ) -> None:
        self._count = count
        self._kept_seconds = kept_seconds
        self._page_waits_seconds = page_waits_seconds
        self._lock = threading.Lock()
        self._counts: dict[str, _Count] = {}
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="uses")

    def __call__(self, name: str) -> Uses | None:
        """Return the newest count that is there in time, else the one before; None: there is none yet."""
        with self._lock:
            last = self._counts.get(name)
            done = last is None or last.counting.done()
            if last is None or (done and time.monotonic() - last.begun_at >= self._kept_seconds):
                before = self._result(last) if last is not None else None
                last = _Count(self._worker.submit(self._counted, name), time.monotonic(), before)
                self._counts[name] = last
        return self._result(last)

    def close(self) -> None:
        """Begin no further count."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _counted(self, name: str) -> Uses:
        return self._count(name, datetime.now(UTC) - timedelta(days=WINDOW_DAYS))

    def _result(self, count: _Count) -> Uses | None:
        try:
            return count.counting.result(timeout=self._page_waits_seconds)
        except NotYetError:
            return count.before
        except AnswerdeskError as error:
            logger.warning("uses are not counted: %s", type(error).__name__)
            return count.before
