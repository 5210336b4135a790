"""Several processes, one line: never more answers than slots, nobody starved, and the killed hold nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rag.queue.admission import Admission
from rag.settings import DatabasePlace, ServerDatabase
from tests.rag.command import CHECKOUT
from tests.support.places import Places
from tests.support.waiting import until

pytestmark = pytest.mark.real

# arguments: file or address, threads, answers of each thread, seconds of an answer.  Says that it is ready, begins at a
# line of input, and prints a line for each answer that is over.
WORKER = """
import json, sys, threading, time
from pathlib import Path
from rag.queue.admission import Admission
from rag.settings import ServerDatabase

place, threads, answers, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
place = ServerDatabase("queue", place) if "://" in place else Path(place)
admission = Admission(2, 99, place=place, server="shared")
writing = threading.Lock()

def ask():
    for _ in range(answers):
        waits = []
        with admission.slot(on_wait=lambda wait: waits.append(wait.ahead)):
            began_at = time.monotonic()
            time.sleep(seconds)
            ended_at = time.monotonic()
        with writing:
            print(json.dumps([began_at, ended_at, waits]), flush=True)

print("ready", flush=True)
sys.stdin.readline()
all_threads = [threading.Thread(target=ask) for _ in range(threads)]
for thread in all_threads:
    thread.start()
for thread in all_threads:
    thread.join()
"""

Record = tuple[float, float, list[int]]


@contextmanager
def worker(place: DatabasePlace, *, threads: int, answers: int, seconds: float) -> Iterator["subprocess.Popen[str]"]:
    named = place.url if isinstance(place, ServerDatabase) else str(place)
    command = [sys.executable, "-c", WORKER, named, str(threads), str(answers), str(seconds)]
    process = subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def begin(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def until_waiting(admission: Admission, count: int) -> None:
    deadline = time.monotonic() + 60
    while (occupancy := admission.occupancy()).waiting < count:
        assert time.monotonic() < deadline, occupancy
        time.sleep(0.05)


def records(process: "subprocess.Popen[str]") -> list[Record]:
    assert process.stdout is not None
    lines = list(process.stdout)  # not ``communicate``: it does not know of lines that ``readline`` has read ahead
    return [(began, ended, waits) for began, ended, waits in map(json.loads, lines)]


def most_at_once(times: list[Record]) -> int:
    moments = sorted([(began, 1) for began, _, _ in times] + [(ended, -1) for _, ended, _ in times])
    running = most = 0
    for _, step in moments:
        running += step
        most = max(most, running)
    return most


def test_slots_are_shared_and_one_question_passes_a_long_batch(places: Places) -> None:
    place = places("queue")
    with (
        worker(place, threads=8, answers=12, seconds=0.1) as busy,
        worker(place, threads=1, answers=2, seconds=0.1) as single,
    ):
        begin(busy)
        assert busy.stdout is not None
        first = json.loads(busy.stdout.readline())
        begin(single)
        singles, rest = records(single), records(busy)
    everything = [*singles, *rest, (first[0], first[1], first[2])]
    assert len(everything) == 98
    assert most_at_once(everything) == 2
    assert all(ahead <= 2 for _, _, waits in singles for ahead in waits)  # behind the running ones only
    assert max(ahead for _, _, waits in rest for ahead in waits) >= 6
    assert max(ended for _, ended, _ in singles) < max(ended for _, ended, _ in rest)


def test_a_killed_process_gives_back_its_slots_and_its_places(places: Places) -> None:
    place = places("queue")
    admission = Admission(2, 99, place=place, server="shared")
    with (
        worker(place, threads=6, answers=1, seconds=600.0) as doomed,
        worker(place, threads=3, answers=2, seconds=0.05) as heirs,
    ):
        begin(doomed)
        until_waiting(admission, 4)
        begin(heirs)
        until_waiting(admission, 7)
        until(lambda: admission.occupancy().running == 2)
        killed_at = time.monotonic()
        os.kill(doomed.pid, signal.SIGKILL)
        doomed.wait()
        times = records(heirs)
    assert len(times) == 6
    assert most_at_once(times) <= 2
    assert min(began for began, _, _ in times) >= killed_at
    until(lambda: (admission.occupancy().running, admission.occupancy().waiting) == (0, 0))


def test_a_process_that_is_killed_in_the_midst_of_many_leaves_the_line_whole(places: Places) -> None:
    place = places("queue")
    with worker(place, threads=2, answers=30, seconds=0.02) as staying:
        begin(staying)
        for _ in range(4):
            with worker(place, threads=4, answers=10_000, seconds=0.001) as doomed:
                begin(doomed)
                assert doomed.stdout is not None
                doomed.stdout.readline()
                doomed.kill()
        assert len(records(staying)) == 60
    admission = Admission(2, 99, place=place, server="shared")
    until(lambda: (admission.occupancy().running, admission.occupancy().waiting) == (0, 0))
    assert admission._place is not None  # it was never done without the file
