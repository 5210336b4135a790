"""Several desks: their orders and replies over pipes, and how the sessions are shared out among them."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from eval.bench.load.desk import serve
from eval.bench.load.desks import DeskLink, DesksArm
from eval.bench.load.records import Asking, LoadRecord
from ingest.golden import GoldenQuestion
from rag.errors import DatabaseUnavailable, SettingsError

QUESTION = GoldenQuestion("q", "How long?", "en", True, (), (), ())


class FakeDesk:
    """Answers at once; the question ``wait`` waits until it is stopped."""

    def __init__(self, arm: str) -> None:
        self._arm = arm

    def ask(self, asking: Asking) -> LoadRecord:
        if asking.question.question == "away":
            raise DatabaseUnavailable(server="db:5432/desk", reason="refused")
        if asking.question.question == "wait":
            assert asking.stop.wait(10)
            return asking.record(self._arm, asking.due_at, "unfinished")
        return asking.record(self._arm, asking.due_at, "answered")


def asking(question: str = "How long?", session: int = 0, stop: threading.Event | None = None) -> Asking:
    one = GoldenQuestion(question, question, "zh", True, ("30 days",), (("30", "thirty"),), ())
    return Asking(2, session, one, time.perf_counter(), stop or threading.Event())


@contextmanager
def linked(desk_of: Callable[[str], FakeDesk] = FakeDesk) -> Iterator[DeskLink]:
    """Give a link to a fake desk, which serves in a thread instead of a process."""
    (orders_in, orders_out), (replies_in, replies_out) = os.pipe(), os.pipe()
    with open(orders_in) as orders, open(replies_out, "w") as replies, open(replies_in) as heard:  # noqa: PTH123

        def serving() -> None:
            serve(orders, replies, desk_of)
            replies.close()

        thread = threading.Thread(target=serving)
        thread.start()
        desk = DeskLink(open(orders_out, "w"), heard, Path("desk-1.log"))  # noqa: PTH123, SIM115 - closed by end()
        desk.wait_until_ready()
        yield desk
        desk.end()
        thread.join(10)
        desk.listen_to_the_end()


def test_a_question_comes_back_as_the_record_of_its_arm() -> None:
    with linked() as desk:
        due = asking(session=3)
        record = desk.ask(due, "desks")
    assert (record.arm, record.round, record.session, record.question_id) == ("desks", 2, 3, "How long?")
    assert (record.outcome, record.late_ms) == ("answered", 0.0), "the moment when it was due is the same in both"
    assert desk.lost == []


def test_sessions_are_shared_out_and_one_desk_gets_all() -> None:
    asked: list[tuple[str, str]] = []

    def named(name: str) -> Callable[[str], FakeDesk]:
        def of(arm: str) -> FakeDesk:
            asked.append((name, arm))
            return FakeDesk(arm)

        return of

    with linked(named("first")) as first, linked(named("second")) as second:
        both, alone = DesksArm("desks", [first, second]), DesksArm("one_desk", [first])
        for session in range(3):
            both.ask(asking(session=session))
            alone.ask(asking(session=session))
        alone.warm(QUESTION)
        both.warm(QUESTION)
    assert asked == [
        ("first", "desks"), ("first", "one_desk"), ("second", "desks"), ("first", "one_desk"), ("first", "desks"),
        ("first", "one_desk"), ("first", "one_desk"), ("first", "desks"), ("second", "desks"),
    ]  # fmt: skip


@pytest.mark.slow
def test_who_stops_asking_stops_the_desk() -> None:
    stop = threading.Event()
    stop.set()
    with linked() as desk:
        assert desk.ask(asking("wait", stop=stop), "desks").outcome == "unfinished"


def test_an_error_that_the_page_would_say_is_a_failed_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    with linked() as desk:
        record = desk.ask(asking("away"), "desks")
        assert (record.outcome, record.error) == ("failed", "DatabaseUnavailable")
        with pytest.raises(SettingsError, match="not answered: DatabaseUnavailable"):
            DesksArm("desks", [desk]).warm(asking("away").question)


def test_a_desk_that_ends_is_named_by_its_log() -> None:
    with linked() as desk:
        desk.end()
        desk.listen_to_the_end()
        with pytest.raises(SettingsError, match=r"desk-1\.log"):
            desk.ask(asking(), "desks")


def test_a_desk_that_does_not_come_up_is_named_by_its_log() -> None:
    replies_in, replies_out = os.pipe()
    os.close(replies_out)
    with open(replies_in) as replies, pytest.raises(SettingsError, match=r"desk-1\.log"):  # noqa: PTH123
        DeskLink(replies, replies, Path("desk-1.log")).wait_until_ready()
