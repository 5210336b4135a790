"""Questions that share a batch: everybody gets their own rows, and nobody waits for ever."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from rag.retrieval.micro_batching import MicroBatcher


class GatedEncoder:
    """Encodes a text as its number, and holds the first call until the test lets it go."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.first_began = threading.Event()
        self.go_on = threading.Event()
        self.failing = False

    def __call__(self, texts: Sequence[str]) -> list[float]:
        self.batches.append(len(texts))
        self.first_began.set()
        assert self.go_on.wait(timeout=10)
        if self.failing and "0" not in texts:
            raise ValueError("broken")
        return [float(text) for text in texts]


def run_together(encoder: GatedEncoder, batcher: MicroBatcher[float], count: int) -> list[float | str]:
    """Let one call begin, line ``count`` more up behind it, and return what each of them got."""

    def ask(number: int) -> float | str:
        try:
            return batcher.encode([str(number)])[0]
        except ValueError as error:
            return str(error)

    with ThreadPoolExecutor(count + 1) as pool:
        first = pool.submit(ask, 0)
        assert encoder.first_began.wait(timeout=10)
        others = [pool.submit(ask, number) for number in range(1, count + 1)]
        while len(batcher._line) < count:
            threading.Event().wait(0.001)
        encoder.go_on.set()
        return [future.result(timeout=10) for future in (first, *others)]


def test_who_comes_meanwhile_shares_a_batch() -> None:
    encoder = GatedEncoder()
    assert run_together(encoder, MicroBatcher(encoder), 6) == [0, 1, 2, 3, 4, 5, 6]
    assert encoder.batches == [1, 6]


def test_batches_keep_the_limit() -> None:
    encoder = GatedEncoder()
    assert sorted(run_together(encoder, MicroBatcher(encoder, limit=4), 6)) == [0, 1, 2, 3, 4, 5, 6]
    assert encoder.batches == [1, 4, 2]


def test_a_failure_reaches_everybody_in_the_batch_and_nobody_else() -> None:
    encoder = GatedEncoder()
    encoder.failing = True
    assert run_together(encoder, MicroBatcher(encoder), 3) == [0, "broken", "broken", "broken"]


def test_one_request_may_be_larger_than_the_limit() -> None:
    encoder = GatedEncoder()
    encoder.go_on.set()
    assert len(MicroBatcher(encoder, limit=2).encode(["1", "2", "3"])) == 3
    with pytest.raises(ValueError, match="at least 1"):
        MicroBatcher(encoder, limit=0)
