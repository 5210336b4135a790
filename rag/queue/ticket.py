"""A ticket: one question's place in the queue, and then its slot."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rag.errors import AnswerCancelled

if TYPE_CHECKING:  # which makes the tickets
    from rag.queue.admission import Admission

LOOK_EVERY_SECONDS = 0.05
"""How soon a cancelled caller leaves the line, and what other processes did is seen."""

_NEWS_EVERY_SECONDS = 1.0  # the estimate shrinks while nothing moves, so waiting callers hear it again


@dataclass(frozen=True, slots=True)
class Wait:
    """Where a waiting caller stands.

    ``ahead`` counts the waiting callers before this one and the answers being generated.  ``wait_seconds`` is None
    until a first answer has shown how long one takes.
    """

    ahead: int
    wait_seconds: float | None


class Ticket:
    """One caller's place: waiting, then holding a slot, then closed.  Use it as a context manager."""

    def __init__(self, admission: "Admission", number: int, cancelled: threading.Event | None) -> None:
        self._admission = admission
        self.number = number
        self._cancelled = cancelled
        self._joined_at = time.monotonic()
        self.admitted = threading.Event()
        self.host = ""  # of the slot that is held

    def waits(self) -> Iterator[Wait]:
        """Yield the place in the line at once, when it changes and every second; end when a slot is held.

        Raises ``AnswerCancelled`` within 0.1 s after the ``cancelled`` event was set, ``WaitedTooLong`` where the
        admission has a limit, and ``NoHostAnswers`` or ``ModelMissing`` where none of several hosts is left.
        """
        last: Wait | None = None
        told_at = 0.0
        while True:
            if self._cancelled is not None and self._cancelled.is_set():
                raise AnswerCancelled
            if self.admitted.is_set():
                return
            wait = self._admission.place_of(self)
            now = time.monotonic()
            moved = last is None or (wait is not None and wait.ahead != last.ahead)
            if wait is None and not self.admitted.is_set():
                raise AnswerCancelled  # closed by another thread
            if wait is not None and (moved or now - told_at >= _NEWS_EVERY_SECONDS):
                last, told_at = wait, now
                yield wait
            self._admission.check_hosts()
            self._admission.check_waited(now - self._joined_at)
            self.admitted.wait(LOOK_EVERY_SECONDS)

    def put_back(self) -> None:
        """Wait again, at the same place, for a slot of another host, as this one failed; ``waits`` tells when."""
        self._admission.put_back(self)

    def close(self, *, finished: bool = True) -> None:
        """Give the place or the slot back; a second call does nothing.

        Only a ``finished`` answer teaches the estimate: one that broke off says nothing about the others' length.
        """
        self._admission.leave(self, finished=finished)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close(finished=kind is None)
