"""How a measurement reports its progress to a terminal or a page."""

import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from ingest.summary import IngestProgress

IngestReport = Callable[[IngestProgress], None]


def _no_questions(name: str, done: int, total: int) -> None:
    """Report nothing."""


def _no_ingest() -> AbstractContextManager[IngestReport]:
    return nullcontext(lambda progress: None)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where progress is reported; by default nowhere.

    ``questions`` takes the name of a question set, the questions done (0: the set begins) and its questions in all.
    ``ingest`` is entered for each corpus that has to be ingested first, and gives what takes that ingest's progress.
    """

    questions: Callable[[str, int, int], None] = _no_questions
    ingest: Callable[[], AbstractContextManager[IngestReport]] = _no_ingest


SILENT = Progress()


def counted(progress: Progress, name: str, total: int) -> Callable[[object], None]:
    """Report that a set begins, and return what reports one more question each time it is called."""
    progress.questions(name, 0, total)
    numbers = itertools.count(1)

    def advance(record: object) -> None:
        del record
        progress.questions(name, next(numbers), total)

    return advance
