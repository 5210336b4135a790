"""Per-user limits on shared resources, so that other users' searches start at once."""

from dataclasses import dataclass
from typing import Self

from rag.errors import QuestionTooLong
from rag.settings import Settings


@dataclass(frozen=True, slots=True)
class PersonLimits:
    """The limits of ``Settings``; None: none.

    ``searches`` run at once and ``waiting`` more wait; ``answers`` have a thread that takes in what the model says:
    those at the model, those in its line, and as many as come from a search to hear there that the line is full.
    ``questions_a_minute`` are taken at all.  ``question_characters`` is the longest question.
    """

    question_characters: int | None = None
    searches: int | None = None
    waiting: int | None = None
    answers: int | None = None
    questions_a_minute: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what the settings say."""
        return cls(
            settings.question_limit_characters,
            settings.person_searches,
            settings.person_waiting,
            settings.slots_of_all_hosts + settings.person_waiting + settings.person_searches,
            settings.person_questions_a_minute,
        )

    def require_short(self, question: str) -> str:
        """Return the question, trimmed.  Raises ``QuestionTooLong``: nothing longer is to be kept, shown or logged."""
        trimmed = question.strip()
        if self.question_characters is not None and len(trimmed) > self.question_characters:
            raise QuestionTooLong(characters=len(trimmed), limit=self.question_characters)
        return trimmed


NO_LIMITS = PersonLimits()
