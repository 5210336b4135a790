"""Jobs: one a slot, seen by everybody, stopped on request, ended in words."""

import threading
from collections.abc import Iterator

import pytest

from api.services.jobs import JobControl, Jobs
from rag.errors import IngestRunning, IngestStopped, StorageFull


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    made = Jobs()
    yield made
    made.close()


def test_a_job_is_seen_while_it_runs_and_when_it_is_done(jobs: Jobs) -> None:
    gate, told = threading.Event(), threading.Event()

    def work(control: JobControl) -> str:
        control.tell("half", StorageFull(folder="/x"))
        told.set()
        gate.wait(timeout=10)
        return "all"

    jobs.start("a", "check", work, who="lin")
    assert told.wait(timeout=10)
    running = jobs.latest("a")
    assert running is not None
    assert (running.state, running.kind, running.who, running.progress) == ("running", "check", "lin", "half")
    assert [type(trouble).__name__ for trouble in running.troubles] == ["StorageFull"]
    gate.set()
    done = jobs.wait("a", timeout_seconds=10)
    assert done is not None
    assert (done.state, done.result, done.running) == ("done", "all", False)
    assert done.ended_at is not None


def test_a_second_job_of_the_lane_is_refused_and_one_of_another_lane_is_not(jobs: Jobs) -> None:
    gate = threading.Event()
    jobs.start("a", "check", lambda _: gate.wait(timeout=10), who="lin")
    with pytest.raises(IngestRunning, match="lin"):
        jobs.start("a", "publish", lambda _: None)
    jobs.start("b", "check", lambda _: "done")
    other = jobs.wait("b", timeout_seconds=10)
    assert other is not None
    assert other.result == "done"
    gate.set()
    jobs.wait("a", timeout_seconds=10)
    jobs.start("a", "publish", lambda _: "second")
    second = jobs.wait("a", timeout_seconds=10)
    assert second is not None
    assert (second.kind, second.result) == ("publish", "second")


def test_stopping_reaches_the_work_however_it_waits(jobs: Jobs) -> None:
    freed, began = threading.Event(), threading.Event()

    def work(control: JobControl) -> None:
        control.on_stop(freed.set)
        began.set()
        freed.wait(timeout=10)
        control.tell("more")

    jobs.start("a", "check", work)
    assert began.wait(timeout=10)
    jobs.stop("a")
    stopped = jobs.wait("a", timeout_seconds=10)
    assert stopped is not None
    assert stopped.failure is not None
    assert (stopped.state, stopped.failure.kind) == ("stopped", IngestStopped.__name__)


def test_whoever_asks_to_be_told_too_late_is_told_at_once() -> None:
    control = JobControl(lambda *_: None)
    control.stop()
    heard = threading.Event()
    control.on_stop(heard.set)
    assert heard.is_set()
    assert control.stopped


def test_errors_end_a_job_in_words_and_unforeseen_ones_with_a_number(
    jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    said = "the customer's words"

    def full(_: JobControl) -> None:
        raise StorageFull(folder="/x")

    def broken(_: JobControl) -> None:
        raise RuntimeError(said)

    jobs.start("a", "check", full)
    failed = jobs.wait("a", timeout_seconds=10)
    assert failed is not None
    assert failed.failure is not None
    assert (failed.state, failed.failure.kind, failed.number) == ("failed", "StorageFull", "")
    jobs.start("b", "check", broken)
    unforeseen = jobs.wait("b", timeout_seconds=10)
    assert unforeseen is not None
    assert (unforeseen.state, unforeseen.failure, len(unforeseen.number)) == ("failed", None, 6)
    assert "customer" not in caplog.text


def test_what_has_ended_can_be_forgotten_and_old_lanes_are(jobs: Jobs) -> None:
    for number in range(80):
        jobs.start(f"slot {number}", "why", lambda _: None)
        jobs.wait(f"slot {number}", timeout_seconds=10)
    assert jobs.latest("slot 0") is None
    assert jobs.latest("slot 79") is not None
    jobs.forget("slot 79")
    assert jobs.latest("slot 79") is None


def test_a_programs_job_is_found_by_its_number_when_the_lane_has_another(jobs: Jobs) -> None:
    """What a page began for itself is not kept: its result may hold a customer's words."""
    first = jobs.start("a", "publish", lambda _: "published", by_number=True)
    jobs.wait("a", timeout_seconds=10)
    of_a_page = jobs.start("a", "why", lambda _: "words")
    jobs.wait("a", timeout_seconds=10)
    last = jobs.start("a", "check", lambda _: "checked", by_number=True)
    jobs.wait("a", timeout_seconds=10)
    jobs.forget("a")
    found = [jobs.find("a", job.job_id) for job in (first, of_a_page, last)]
    assert [one and one.result for one in found] == ["published", None, "checked"]
    assert jobs.find("b", first.job_id) is None, "it is another slot's"
    assert jobs.find("a", 0) is None, "the last one was forgotten"


def test_a_job_that_has_ended_stops_no_other(jobs: Jobs) -> None:
    first = jobs.start("a", "check", lambda _: None, by_number=True)
    jobs.wait("a", timeout_seconds=10)
    stopped = threading.Event()

    def work(control: JobControl) -> None:
        control.on_stop(stopped.set)
        assert stopped.wait(10)

    second = jobs.start("a", "check", work, by_number=True)
    jobs.stop("a", first.job_id)
    assert not stopped.wait(0.05)
    jobs.stop("a", second.job_id)
    assert stopped.wait(10)


def test_a_closed_program_starts_nothing(jobs: Jobs) -> None:
    jobs.close()
    with pytest.raises(IngestRunning):
        jobs.start("a", "check", lambda _: None)
