"""One stream for all who ask the same: each sees all of it, and it ends with the last of them."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from rag.errors import AnswerCancelled, QueueFull
from rag.generation.queued_answer import SharedStreams


class Source:
    """Counts how often it was begun and closed; each item but the first waits for its gate."""

    def __init__(self, count: int = 3, error: Exception | None = None) -> None:
        self.gates = [threading.Event() for _ in range(count)]
        self.gates[0].set()
        self.error = error
        self.begun = self.closed = 0
        self.all_left = threading.Event()

    def begin(self, all_left: threading.Event) -> Iterator[int]:
        self.begun += 1
        self.all_left = all_left
        try:
            for number, gate in enumerate(self.gates):
                while not gate.wait(timeout=0.01):
                    if all_left.is_set():
                        raise AnswerCancelled
                yield number
            if self.error is not None:
                raise self.error
        finally:
            self.closed += 1

    def open(self) -> None:
        for gate in self.gates:
            gate.set()


def test_whoever_joins_sees_all_from_the_beginning() -> None:
    shared: SharedStreams[int] = SharedStreams()
    source = Source()
    first = shared.stream("q", threading.Event(), source.begin)
    assert next(first) == (0, False)
    source.open()
    assert next(first) == (1, False)
    second = shared.stream("q", threading.Event(), source.begin)
    assert list(second) == [(0, True), (1, True), (2, True)]
    assert list(first) == [(2, False)]
    assert (source.begun, source.closed) == (1, 1)
    assert list(shared.stream("q", threading.Event(), source.begin)) == [(0, False), (1, False), (2, False)]
    assert source.begun == 2


def test_other_questions_share_nothing() -> None:
    shared: SharedStreams[int] = SharedStreams()
    source = Source(1)
    one = shared.stream("q", threading.Event(), source.begin)
    other = shared.stream("r", threading.Event(), source.begin)
    assert (next(one), next(other), source.begun) == ((0, False), (0, False), 2)


def test_the_stream_goes_on_without_who_began_it_and_ends_with_the_last() -> None:
    shared: SharedStreams[int] = SharedStreams()
    source = Source()
    first = shared.stream("q", threading.Event(), source.begin)
    second = shared.stream("q", threading.Event(), source.begin)
    assert next(first) == (0, False)
    assert next(second) == (0, True)
    first.close()
    assert source.closed == 0
    source.gates[1].set()
    assert next(second) == (1, True)
    second.close()
    assert source.closed == 1


def test_one_who_is_cancelled_leaves_while_another_draws() -> None:
    shared: SharedStreams[int] = SharedStreams()
    source = Source()
    mine, other = threading.Event(), threading.Event()
    with ThreadPoolExecutor(2) as pool:
        drawing = shared.stream("q", other, source.begin)
        assert next(drawing) == (0, False)
        waiting = shared.stream("q", mine, source.begin)
        assert next(waiting) == (0, True)
        drawn = pool.submit(next, drawing)
        waited = pool.submit(next, waiting)
        mine.set()
        with pytest.raises(AnswerCancelled):
            waited.result(timeout=30)
        assert not source.all_left.is_set()
        source.open()
        assert drawn.result(timeout=30) == (1, False)
    drawing.close()


def test_when_all_are_cancelled_the_source_is_told() -> None:
    shared: SharedStreams[int] = SharedStreams()
    source = Source()
    stops = [threading.Event(), threading.Event()]
    with ThreadPoolExecutor(2) as pool:
        streams = [shared.stream("q", stop, source.begin) for stop in stops]
        assert [next(stream)[0] for stream in streams] == [0, 0]
        waits = [pool.submit(next, stream) for stream in streams]
        for stop in stops:
            stop.set()
        for wait in waits:
            with pytest.raises(AnswerCancelled):
                wait.result(timeout=30)
    assert source.closed == 1


def test_an_error_is_everybodys() -> None:
    shared: SharedStreams[int] = SharedStreams()
    source = Source(1, QueueFull(waiting=3))
    first = shared.stream("q", threading.Event(), source.begin)
    second = shared.stream("q", threading.Event(), source.begin)
    assert (next(first), next(second)) == ((0, False), (0, True))
    for stream in (first, second):
        with pytest.raises(QueueFull):
            next(stream)
    assert list(shared.stream("q", threading.Event(), Source(1).begin)) == [(0, False)]
