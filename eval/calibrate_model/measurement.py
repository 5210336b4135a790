"""Questions asked with every slot busy, each record saved as it comes, until all are asked or time is up."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from eval.answers.conditions import MeteredGenerator, WatchedRetriever
from eval.answers.runner import RECORDS, Instruments, Record, ask
from eval.core.runs import read_records
from ingest.golden import GoldenQuestion
from rag.errors import AnswerCancelled, AnswerdeskError
from rag.pipeline import Pipeline, PipelineParts
from rag.schema import Event

_LOOK_EVERY_SECONDS = 0.1


@dataclass(slots=True)
class Asking:
    """Asks through the product's own pipeline, ``slots`` questions at once.

    ``deadline`` is on the monotonic clock; an answer that has begun is let to end.
    """

    parts: PipelineParts
    slots: int
    think: bool | None
    deadline: float
    progress: Callable[[], None]

    def ask_all(self, questions: Sequence[GoldenQuestion], path: Path) -> tuple[list[Record], float]:
        """Ask what ``path`` does not hold yet; return all records and for how many seconds was asked.

        At Ctrl-C the running answers are cancelled, and what was answered is kept.  Raises what ends a whole run.
        """
        done = read_records(path, RECORDS)
        asked = {record.question_id for record in done}
        work = _Work([question for question in questions if question.question_id not in asked], path, self.progress)
        for _ in done:
            self.progress()
        started_at = time.monotonic()
        threads = [threading.Thread(target=self._work, args=(work,), daemon=True) for _ in range(self.slots)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(_LOOK_EVERY_SECONDS)
        finally:
            work.cancelled.set()
            for thread in threads:
                thread.join()
        if work.failures:
            raise work.failures[0]
        records = {record.question_id: record for record in [*done, *work.records]}
        ordered = [records[question.question_id] for question in questions if question.question_id in records]
        return ordered, time.monotonic() - started_at if work.records else 0.0

    def _work(self, work: "_Work") -> None:
        meter, retriever = MeteredGenerator(self.parts.gateway.generator), WatchedRetriever(self.parts.retriever)
        instruments = Instruments(meter, retriever, self.parts.count_tokens)
        pipeline = Pipeline(replace(self.parts, gateway=self.parts.gateway.with_generator(meter), retriever=retriever))

        def asks(question: GoldenQuestion, *, think: bool | None) -> Iterator[Event]:
            earlier = [question.previous]
            return pipeline.stream(question.question, earlier=earlier, think=think, cancelled=work.cancelled)

        with suppress(AnswerCancelled):
            while (question := work.next(self.deadline)) is not None:
                try:
                    work.keep(ask(asks, question, think=self.think, instruments=instruments))
                except AnswerCancelled:
                    raise
                except AnswerdeskError as error:
                    work.failures.append(error)
                    work.cancelled.set()


class _Work:
    """The questions that are left, and the file of records; shared by the asking threads."""

    def __init__(self, questions: Sequence[GoldenQuestion], path: Path, progress: Callable[[], None]) -> None:
        self.records: list[Record] = []
        self.failures: list[AnswerdeskError] = []
        self.cancelled = threading.Event()
        self._left = list(reversed(questions))
        self._path = path
        self._progress = progress
        self._lock = threading.Lock()
        self._begun = 0

    def next(self, deadline: float) -> GoldenQuestion | None:
        """Return a question; None when there is none, or no time.  The first one is asked in any case."""
        with self._lock:
            late = self._begun and time.monotonic() >= deadline
            if self.cancelled.is_set() or late or not self._left:
                return None
            self._begun += 1
            return self._left.pop()

    def keep(self, record: Record) -> None:
        """Save a record."""
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(RECORDS.dump_json(record).decode() + "\n")
            self.records.append(record)
            self._progress()
