"""Owners take turns for the threads of a pool, and one owner's pile of work leaves the others their threads."""

import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import OwnFilesWaiting, OwnQueueFull
from rag.turns.fairness import FairPool, Quota, Share


class Gate:
    """Work that is held until the test lets it go, and the order in which it was begun."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self._open = threading.Event()
        self._changed = threading.Condition()

    def work(self, name: str) -> Callable[[], str]:
        def wait() -> str:
            with self._changed:
                self.begun.append(name)
                self._changed.notify_all()
            assert self._open.wait(timeout=10)
            return name

        return wait

    def until_begun(self, count: int) -> list[str]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.begun) >= count, timeout=10)
            return list(self.begun)

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open()


def test_an_owner_with_two_hundred_pieces_leaves_the_others_their_threads(gate: Gate) -> None:
    pool = FairPool(4, "test", Share(2))
    flood = [pool.submit("flooder", gate.work(f"flood {number}")) for number in range(200)]
    others = [pool.submit(name, gate.work(name)) for name in ("anna", "ben", "carl")]
    assert sorted(gate.until_begun(4)) == ["anna", "ben", "flood 0", "flood 1"]
    gate.open()
    assert [future.result(timeout=10) for future in others] == ["anna", "ben", "carl"]
    assert len([future.result(timeout=10) for future in flood]) == 200
    assert gate.begun.index("carl") == 4, "who waits for the first time goes before the flooder's third"
    pool.shutdown()


def test_beyond_the_pieces_that_may_wait_an_owner_is_refused_and_nobody_else(gate: Gate) -> None:
    pool = FairPool(8, "test", Share(2, 4), refusal=OwnFilesWaiting)
    for number in range(6):
        pool.submit("flooder", gate.work(str(number)))
    with pytest.raises(OwnFilesWaiting, match="4 of your files") as raised:
        pool.submit("flooder", gate.work("one too many"))
    assert raised.value.details == {"waiting": 4, "owner": "flooder"}
    future = pool.submit("anna", gate.work("anna"))
    gate.open()
    assert future.result(timeout=10) == "anna"
    pool.shutdown()
    assert "one too many" not in gate.begun


def test_the_users_of_a_key_have_their_share_together(gate: Gate) -> None:
    pool = FairPool(8, "test", Share(2, 4), key_share=Share(3, 5))
    for number in range(8):
        pool.submit(f"key:shop/{number}", gate.work(f"shop {number}"))
    assert pool.pieces_ahead("key:shop/9") > 0
    with pytest.raises(OwnQueueFull, match="5 of your questions"):
        pool.submit("key:shop/9", gate.work("one too many"))
    continuation = pool.submit("key:shop/9", gate.work("goes on"), is_continuation=True)
    others = [pool.submit(name, gate.work(name)) for name in ("anna", "key:other/1", "key:other/2")]
    assert sorted(gate.until_begun(6)) == ["anna", "key:other/1", "key:other/2", "shop 0", "shop 1", "shop 2"]
    gate.open()
    assert [future.result(timeout=10) for future in others] == ["anna", "key:other/1", "key:other/2"]
    assert continuation.result(timeout=10) == "goes on"
    pool.shutdown()
    assert len(gate.begun) == 12, "nobody was lost"


def test_a_refusal_ends_when_a_place_is_free(gate: Gate) -> None:
    pool = FairPool(1, "test", Share(most_waiting=1))
    pool.submit("anna", gate.work("first"))
    second = pool.submit("anna", lambda: "second")
    with pytest.raises(OwnQueueFull):
        pool.submit("anna", lambda: "third")
    gate.open()
    second.result(timeout=10)
    assert pool.submit("anna", lambda: "third").result(timeout=10) == "third"
    pool.shutdown()


def test_what_work_raises_is_in_its_future_and_the_thread_goes_on() -> None:
    pool = FairPool(1, "test")

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pool.submit("anna", fail).result(timeout=10)
    assert pool.submit("anna", lambda: 1).result(timeout=10) == 1
    pool.shutdown()


def test_shutting_down_does_what_was_taken_and_takes_no_more() -> None:
    pool = FairPool(1, "test")
    done = [pool.submit("anna", lambda number=number: number) for number in range(20)]  # type: ignore[misc]
    pool.shutdown()
    assert [future.result(timeout=0) for future in done] == list(range(20))
    with pytest.raises(RuntimeError):
        pool.submit("anna", lambda: 0)


@pytest.mark.parametrize(("workers", "at_once"), [(0, None), (1, 0)])
def test_a_pool_without_threads_is_refused(workers: int, at_once: int | None) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        FairPool(workers, "test", Share(at_once))


@pytest.mark.slow
@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=30), st.integers(1, 3), st.integers(1, 3))
def test_everything_is_done_once_in_its_owners_order(owners: list[str], workers: int, at_once: int) -> None:
    pool = FairPool(workers, "test", Share(at_once))
    lock, running, begun, most = threading.Lock(), dict.fromkeys("abc", 0), [], dict.fromkeys("abc", 0)

    def work(owner: str, number: int) -> None:
        with lock:
            begun.append((owner, number))
            running[owner] += 1
            most[owner] = max(most[owner], running[owner])
        with lock:
            running[owner] -= 1

    for number, owner in enumerate(owners):
        pool.submit(owner, lambda owner=owner, number=number: work(owner, number))  # type: ignore[misc]
    pool.shutdown()
    assert sorted(begun) == sorted((owner, number) for number, owner in enumerate(owners))
    assert max(most.values()) <= min(at_once, workers)
    if min(at_once, workers) == 1:
        for owner in "abc":
            numbers = [number for one, number in begun if one == owner]
            assert numbers == sorted(numbers)


def test_a_piece_that_nobody_waits_for_any_more_gives_its_thread_back(gate: Gate) -> None:
    pool = FairPool(1, "test")
    running, waiting = pool.submit("lin", gate.work("running")), pool.submit("lin", gate.work("waiting"))
    gate.until_begun(1)
    assert not running.cancel()
    assert waiting.cancel()
    gate.open()
    assert running.result(timeout=10) == "running"
    assert pool.submit("lin", lambda: "next").result(timeout=10) == "next"
    assert gate.begun == ["running"]
    pool.shutdown()


def test_thirty_a_minute_and_the_thirty_first_when_the_first_is_a_minute_ago() -> None:
    now = [0.0]
    quota = Quota([30], seconds=60, clock=lambda: now[0])
    for number in range(30):
        now[0] = float(number)
        assert quota.spend("lin", [1]) == 0.0
    assert quota.spend("lin", [1]) == 60 - 29
    assert quota.spend("mei", [1]) == 0.0
    now[0] = 60.0
    assert quota.spend("lin", [1]) == 0.0
    assert quota.spend("lin", [1]) == 1.0


def test_amounts_are_spent_together_or_not_at_all() -> None:
    quota = Quota([3, 100], seconds=10, clock=lambda: 0.0)
    assert quota.spend("lin", [1, 90]) == 0.0
    assert quota.spend("lin", [1, 11]) == 10.0
    assert quota.spend("lin", [2, 10]) == 0.0, "what was refused was not counted"
    assert quota.spend("lin", [1, 0]) == 10.0


def test_what_is_larger_than_the_quota_never_fits() -> None:
    assert Quota([3], seconds=10, clock=lambda: 0.0).spend("lin", [4]) == 10.0


def test_who_spent_nothing_lately_is_forgotten() -> None:
    now = [0.0]
    quota = Quota([1], seconds=10, clock=lambda: now[0])
    for number in range(1000):
        quota.spend(f"tab {number}", [1])
    now[0] = 11.0
    quota.spend("lin", [1])
    assert list(quota._spent) == ["lin"]


@pytest.mark.slow
@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 4)), max_size=40))
def test_no_stretch_of_time_holds_more_than_the_quota(steps: list[tuple[float, int]]) -> None:
    now, taken = [0.0], []
    quota = Quota([6], seconds=10, clock=lambda: now[0])
    for gap, amount in steps:
        now[0] += gap
        wait = quota.spend("lin", [amount])
        if wait == 0:
            taken.append((now[0], amount))
        else:
            assert 0 < wait <= 10
    for at, _ in taken:
        assert sum(amount for other, amount in taken if at - 10 < other <= at) <= 6
