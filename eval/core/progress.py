"""How a measurement reports its progress to a terminal or a page."""

import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from ingest.summary import IngestProgress

IngestReport = Callable[[IngestProgress], None]


@dataclass(frozen=True, slots=True)
class Progress:
    """Receivers of progress; by default none.

    ``questions`` takes the name of a question set, the questions done (0: the set begins) and its questions in all.
    ``ingest`` is entered for each corpus that has to be ingested first, and gives the function that takes its progress.
    """

    questions: Callable[[str, int, int], None] = lambda name, done, total: None
    ingest: Callable[[], AbstractContextManager[IngestReport]] = lambda: nullcontext(lambda progress: None)


SILENT = Progress()


def question_counter(progress: Progress, name: str, total: int) -> Callable[[object], None]:
    """Report that a set begins, and return a function that reports one more question at each call."""
    progress.questions(name, 0, total)
    numbers = itertools.count(1)

    def advance(record: object) -> None:
        del record
        progress.questions(name, next(numbers), total)

    return advance
