"""What went wrong, in both languages, for faces that cannot ask which one the reader of a message has."""

from dataclasses import dataclass

from api.problems import Problem, problem_of, problem_of_failure
from rag.errors import AnswerCancelled, AnswerdeskError
from rag.schema import Language
from rag.turns import Failure, TurnSnapshot


@dataclass(frozen=True, slots=True)
class BilingualProblem:
    """One problem as told in each language; everything but the sentence is the same in both."""

    en: Problem
    zh: Problem

    @property
    def code(self) -> str:
        """The name of ``rag.errors``."""
        return self.en.code

    @property
    def retry_seconds(self) -> int | None:
        """When to try again; None: that will not help."""
        return self.en.retry_seconds

    def sentence(self, language: Language) -> str:
        """Return the sentence in a language."""
        return (self.zh if language == "zh" else self.en).sentence


def bilingual(error: AnswerdeskError) -> BilingualProblem:
    """Return what a caller is told of an error."""
    return BilingualProblem(problem_of(error, "en"), problem_of(error, "zh"))


def bilingual_failure(failure: Failure) -> BilingualProblem:
    """Return what a caller is told of work that failed."""
    return BilingualProblem(problem_of_failure(failure, "en"), problem_of_failure(failure, "zh"))


def problem_of_turn(turn: TurnSnapshot) -> BilingualProblem | None:
    """Return why a turn has ended without an answer; None where it has one."""
    if turn.failure is not None:
        return bilingual_failure(turn.failure)
    return bilingual(AnswerCancelled()) if turn.answer is None else None
