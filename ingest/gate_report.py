"""What a knowledge base's regression questions say about two generations, question by question: pure values."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from rag.storage.regression import StoredQuestion

FOUND_WITHIN = 5
"""A document is found when it is among so many first ones: more passages are not put before a reader (``top_k``)."""

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class QuestionChange:
    """A question whose document came or went.

    ``before`` and ``after`` are its ranks from 1, None where it was not among the passages that came back.  ``first``
    is the document that now comes first, empty where none does.  ``present`` tells whether the generation that is
    built has an expected document at all.
    """

    question: str
    document_ids: tuple[str, ...]
    before: int | None
    after: int | None
    first: str
    present: bool


@dataclass(frozen=True, slots=True)
class GateReport:
    """How the generation that was built does on the questions, against the one that serves.

    ``questions`` were compared; ``before`` and ``after`` count those that found their document within
    ``FOUND_WITHIN``.  ``retired`` ones lost it because this run retired it as asked, and are not compared.  So are
    ``unknown`` ones, whose documents neither generation has, and ``new`` ones, which nobody could ask before.
    ``margin`` in [0, 1] is how much recall may fall.
    """

    questions: int
    before: int
    after: int
    margin: float
    lost: tuple[QuestionChange, ...] = ()
    won: tuple[QuestionChange, ...] = ()
    retired: tuple[QuestionChange, ...] = ()
    unknown: int = 0
    new: int = 0
    forced: bool = False

    @property
    def passed(self) -> bool:
        """Whether recall fell by no more than the margin."""
        return self.before - self.after <= self.margin * self.questions + _ROUNDING


@dataclass(frozen=True, slots=True)
class Place:
    """Where a generation has a question's document: its rank, None where not found, and what comes first."""

    rank: int | None
    first: str

    @property
    def found(self) -> bool:
        """Whether a reader would see it."""
        return self.rank is not None and self.rank <= FOUND_WITHIN


def compared(
    asked: Iterable[tuple[StoredQuestion, Place | None, Place]],
    present: tuple[set[str], set[str]],
    retired: Collection[str],
    margin: float,
) -> GateReport:
    """Sort questions by what became of them; each comes with its place before, None where nobody knows it, and after.

    ``present`` are the expected documents that the new and the former generation have.
    """
    now, then = present
    lost: list[QuestionChange] = []
    won: list[QuestionChange] = []
    gone: list[QuestionChange] = []
    questions = found_before = found_after = unknown = new = 0
    for question, before, after in asked:
        names = set(question.asked.document_ids)
        if before is None:
            new += 1
        elif not names & (now | then) and not after.found:
            unknown += 1
        elif names & then and not names & now and names & then <= set(retired) and not after.found:
            gone.append(change(question, before, after, now))
        else:
            questions += 1
            found_before += before.found
            found_after += after.found
            if before.found != after.found:
                (won if after.found else lost).append(change(question, before, after, now))
    return GateReport(
        questions, found_before, found_after, margin, tuple(lost), tuple(won), tuple(gone), unknown=unknown, new=new
    )


def change(kept: StoredQuestion, before: Place, after: Place, present: Collection[str]) -> QuestionChange:
    """Return what became of one question; ``present`` are the documents that there are."""
    names = kept.asked.document_ids
    found = any(name in present for name in names)
    return QuestionChange(kept.asked.question, names, before.rank, after.rank, after.first, present=found)
