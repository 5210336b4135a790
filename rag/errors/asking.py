"""What can be wrong with the words that somebody typed, and with a question that was asked before."""

from rag.errors.base import AnswerdeskError


class QuestionError(AnswerdeskError):
    """The question cannot be worked on."""

    exit_code = 2


class QuestionEmpty(QuestionError):
    """Nothing but white space or control characters."""


class QuestionTooLong(QuestionError):
    """``characters`` typed, ``limit`` allowed."""


class PromptTooLong(QuestionError):
    """The question takes about ``tokens`` of the model's context, in which there is room for ``limit``."""


class QuestionWithoutWords(QuestionError):
    """Only emoji or punctuation: nothing to search for."""


class QuestionsTooFast(QuestionError):
    """One person asked ``count`` questions within a minute; the next one may come in ``seconds``."""


class TurnError(AnswerdeskError):
    """A question that was asked before cannot be shown or finished."""

    exit_code = 6


class TurnMissing(TurnError):
    """No turn has this id."""


class TurnFailed(TurnError):
    """A fault of this program's own broke the turn off; the log tells more under ``number``."""
