"""Encodes questions that arrive together in one batch.

It has no timer and no thread: the first caller starts at once, callers that arrive meanwhile wait, and the next one
takes all others along.  So a single question never waits, and many share a batch.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Encoded = TypeVar("Encoded")


class MicroBatcher(Generic[Encoded]):
    """Calls ``encode`` from one thread at a time, with up to ``limit`` texts of as many callers.

    >>> MicroBatcher(lambda texts: [len(text) for text in texts]).encode(["ab", "c"])
    [2, 1]
    """

    def __init__(self, encode: Callable[[Sequence[str]], Sequence[Encoded]], limit: int = 32) -> None:
        if limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit}")
        self._encode = encode
        self._limit = limit
        self._line: deque[_Request[Encoded]] = deque()
        self._line_lock = threading.Lock()
        self._turn = threading.Lock()

    def encode(self, texts: Sequence[str]) -> Sequence[Encoded]:
        """Return the results of ``encode`` for the texts, in order; raise its errors."""
        request: _Request[Encoded] = _Request(texts)
        with self._line_lock:
            self._line.append(request)
        with self._turn:
            while request.result is None:
                self._serve(self._next())
        if isinstance(request.result, BaseException):
            raise request.result
        return request.result

    def _next(self) -> "list[_Request[Encoded]]":
        """Take the first waiting request and the following ones that fit; a single request may exceed the limit."""
        with self._line_lock:
            taken = [self._line.popleft()]
            count = len(taken[0].texts)
            while self._line and count + len(self._line[0].texts) <= self._limit:
                taken.append(self._line.popleft())
                count += len(taken[-1].texts)
        return taken

    def _serve(self, requests: "list[_Request[Encoded]]") -> None:
        try:
            rows = self._encode([text for request in requests for text in request.texts])
        except BaseException as error:  # noqa: BLE001 - each caller raises it, none may wait forever
            for request in requests:
                request.result = error
            return
        begin = 0
        for request in requests:
            request.result = rows[begin : begin + len(request.texts)]
            begin += len(request.texts)


class _Request(Generic[Encoded]):
    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.result: Sequence[Encoded] | BaseException | None = None
