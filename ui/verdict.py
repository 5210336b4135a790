"""What is said about a turn: how far its answer can be trusted, where it comes from, and why there is none."""

from collections.abc import Sequence
from datetime import date, datetime

from rag import errors
from rag.errors import AnswerdeskError
from rag.schema import Evidence, Language, Origin
from rag.translate import is_known, translate
from rag.turns import Failure, TurnSnapshot
from ui.blocks import Sentence
from ui.formats import format_date

Data = dict[str, object]

_FAILURES_OF_THE_ASKER = {"QuestionEmpty", "QuestionTooLong", "QuestionWithoutWords", "PromptTooLong", "OwnQueueFull"}
_OF_ONES_OWN_LIMITS = {"OwnQueueFull", "QuestionsTooFast", "OwnFilesWaiting", "UploadsUsedUp"}  # with their numbers


def said(snapshot: TurnSnapshot, language: Language) -> str:
    """Return what a screen reader hears when the turn reaches this state."""
    if snapshot.state == "done" and snapshot.answer is not None and snapshot.answer.unsupported:
        return translate("ui.done_unsupported", language, count=len(snapshot.answer.unsupported))
    if snapshot.state == "failed" and snapshot.failure is not None:
        return _failure_words(snapshot, snapshot.failure, language)
    if snapshot.state == "queued":
        return ""  # the place is said by the browser, when it changes
    return translate(f"ui.{snapshot.state}", language)


def failure_sentence(failure: Failure, language: Language) -> str:
    """Return why something failed, without the paths, host names and commands that a terminal would be shown."""
    if failure.kind in _OF_ONES_OWN_LIMITS and failure.en:
        return failure.zh if language == "zh" else failure.en
    kind = getattr(errors, failure.kind, AnswerdeskError)
    return next(
        translate(f"ui.error_{cls.__name__}", language) for cls in kind.__mro__ if is_known(f"ui.error_{cls.__name__}")
    )


def _failure_words(snapshot: TurnSnapshot, failure: Failure, language: Language) -> str:
    """Return why a turn ended early; an unforeseen error's own sentence, for it has the number to look for in the log.

    A turn from the store has that sentence in the question's language only.
    """
    known = failure.en != failure.zh or snapshot.language == language
    if failure.kind == "TurnFailed" and known:
        return failure.zh if language == "zh" else failure.en
    return failure_sentence(failure, language)


def verdict(snapshot: TurnSnapshot, sentences: Sequence[Sentence], language: Language) -> Data | None:
    """Return in a word how far an answer can be trusted, or where it comes from; None while there is none."""
    if snapshot.state in ("refused", "stopped", "failed"):
        kind = "warning" if snapshot.state == "refused" else "bad"
        return {"kind": kind, "words": translate(f"ui.{snapshot.state}", language)}
    if snapshot.state != "done":
        return None
    origin = snapshot.answer.origin if snapshot.answer is not None else None
    if origin is not None:
        return _verdict_of_kept(origin, language, marked=any(one.unsupported or one.unconfirmed for one in sentences))
    if not sentences:
        return None
    if snapshot.answer is not None and snapshot.answer.quoted and not snapshot.answer.unconfirmed:
        return {"kind": "good", "words": translate("ui.quoted", language)}
    doubtful = {passage.number for passage in snapshot.evidence if doubt(passage, language)}
    if any(one.unsupported or one.unconfirmed or doubtful.intersection(one.numbers) for one in sentences):
        return {"kind": "warning", "words": translate("ui.check_marked", language)}
    if snapshot.answer is not None and snapshot.answer.left_open:
        return {"kind": "warning", "words": translate("ui.partly_answered", language)}
    if snapshot.answer is not None and snapshot.answer.third_language:
        return {"kind": "warning", "words": translate("ui.figures_compared", language)}
    if snapshot.answer is not None and snapshot.answer.by_words_alone:
        return {"kind": "warning", "words": translate("ui.half_searched", language)}
    return {"kind": "good", "words": translate("ui.well_supported", language)}


def _verdict_of_kept(origin: Origin, language: Language, *, marked: bool) -> Data:
    words = _origin_words(origin, language)
    if marked:  # it names a contact that no document has
        return {"kind": "warning", "words": f"{words} · {translate('ui.check_marked', language)}"}
    return {"kind": "good", "words": words}


def _origin_words(origin: Origin, language: Language) -> str:
    """Return who wrote an answer and when, or against what one that was given before was checked."""
    if origin.number == 0:
        return translate("ui.answered_before", language, generation=origin.generation)
    day = format_date(datetime.fromisoformat(origin.written_at).date(), language)
    if not origin.author:
        return translate("ui.written_by_colleague", language, date=day)
    return translate("ui.written_by", language, author=origin.author, date=day)


def notice(snapshot: TurnSnapshot, language: Language) -> Data | None:
    """Return why the answer is not the model's own, or why there is none; None where there is nothing to say."""
    if snapshot.state == "refused":
        by_model = snapshot.answer is not None and bool(snapshot.answer.model)
        return {"kind": "info", "words": translate("ui.refused_by_model" if by_model else "ui.refused_why", language)}
    if snapshot.answer is not None and snapshot.answer.instead_of:
        failure = Failure(snapshot.answer.instead_of, "", "")
        return {"kind": "error", "words": failure_sentence(failure, language)}
    if snapshot.failure is None:
        if snapshot.answer is not None and snapshot.answer.by_words_alone:
            return {"kind": "error", "words": translate("ui.by_words_alone", language)}
        return None
    asker = snapshot.state == "stopped" or snapshot.failure.kind in _FAILURES_OF_THE_ASKER
    return {"kind": "info" if asker else "error", "words": _failure_words(snapshot, snapshot.failure, language)}


def doubt(passage: Evidence, language: Language) -> str:
    """Return why a passage should not be passed on as it is; an empty string where it may be."""
    if passage.audience == "internal":
        return translate("ui.internal", language)
    return another_time(passage, language)


def another_time(passage: Evidence, language: Language) -> str:
    """Return until or from when a passage's rule holds, where that is not now; else an empty string."""
    expired = dated("expired_on", passage.expired_on, language)
    return expired or dated("starts_on", passage.starts_on, language)


def dated(key: str, day: date | None, language: Language) -> str:
    """Return words with a date in them; an empty string without a date."""
    return translate(f"ui.{key}", language, date=format_date(day, language)) if day is not None else ""
