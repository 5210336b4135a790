"""Every error as an answer over HTTP: which status, how long to wait, and the sentence in the caller's language.

The native API speaks RFC 9457 (``application/problem+json``), the OpenAI-compatible one OpenAI's own form.  In both the
``code`` is the class name of ``rag.errors``, so that ``docs/errors.md`` explains it.
Faces that cannot ask which language the reader of a message has are given a problem in both.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rag import errors
from rag.errors import AnswerCancelled, AnswerdeskError
from rag.invalid_values import describe_invalid
from rag.schema import Language
from rag.turns import Failure, TurnSnapshot

_STATUS: tuple[tuple[type[AnswerdeskError], int], ...] = (
    (errors.ApiKeyRefused, 401),
    (errors.KeyNeeded, 401),
    (errors.ForeignHost, 421),
    (errors.ForeignPage, 403),
    (errors.RightMissing, 403),
    (errors.NotPermitted, 403),
    (errors.AccessDenied, 403),
    (errors.PersonUnknown, 404),
    (errors.ApiKeyUnknown, 404),
    (errors.PersonTaken, 409),
    (errors.PersonUnusable, 409),
    (errors.LastAdmin, 409),
    (errors.PeopleError, 403),
    (errors.TurnMissing, 404),
    (errors.CuratedMissing, 404),
    (errors.DocumentMissing, 404),
    (errors.JobMissing, 404),
    (errors.ModelUnknown, 404),
    (errors.ModelNotInstalled, 404),
    (errors.KnowledgeBaseMissing, 404),
    (errors.GenerationGone, 404),
    (errors.IngestRunning, 409),
    (errors.ModelsBusy, 409),
    (errors.NothingToIngest, 409),
    (errors.CuratedReplaced, 409),
    (errors.CuratedUnusable, 409),
    (errors.RewritingUnusable, 409),
    (errors.IdempotencyRunning, 409),
    (errors.AnswerCancelled, 409),
    (errors.NotFound, 404),
    (errors.MethodNotAllowed, 405),
    (errors.BadRequest, 400),
    (errors.RequestTooLarge, 413),
    (errors.IdempotencyConflict, 422),
    (errors.RequestUnusable, 422),
    (errors.TooManyAtOnce, 429),
    (errors.UploadUnusable, 422),
    (errors.QuestionsTooFast, 429),
    (errors.OwnQueueFull, 429),
    (errors.UploadsUsedUp, 429),
    (errors.OwnFilesWaiting, 429),
    (errors.QuestionError, 400),
    (errors.SettingsError, 400),
    (errors.StorageFull, 507),
    (errors.KnowledgeError, 503),
    (errors.ServingError, 503),
    (errors.DownloadFailed, 503),
)
"""The first class that fits decides; what none fits is a fault of ours: 500."""

_WORTH_A_TRY = (
    errors.DatabaseUnavailable,
    errors.BucketUnavailable,
    errors.VectorEngineUnavailable,
    errors.QueueFull,
    errors.WaitedTooLong,
    errors.OwnQueueFull,
    errors.QuestionsTooFast,
    errors.TooManyAtOnce,
)
_USUAL_WAIT_SECONDS = 20
_LONGEST_PLACE = 200
_OPENAI_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    409: "conflict_error",
    429: "rate_limit_error",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, for the answer to a caller.  ``retry_seconds`` None: asking again at once will not help."""

    status: int
    code: str
    sentence: str
    retry_seconds: int | None = None
    param: str | None = None

    def headers(self) -> dict[str, str]:
        """Return what tells the official clients whether to try again, and when."""
        headers: dict[str, str] = {}
        if self.retry_seconds is not None:
            headers["Retry-After"] = str(self.retry_seconds)
        elif self.status >= 409:
            headers["x-should-retry"] = "false"
        if self.status == 429:
            headers["x-ratelimit-remaining-requests"] = "0"
            headers["x-ratelimit-reset-requests"] = f"{self.retry_seconds or 0}s"
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="answerdesk"'
        return headers

    def as_problem(self) -> dict[str, object]:
        """Return the members of RFC 9457; ``code`` and ``retry_after_seconds`` are ours."""
        found: dict[str, object] = {
            "type": f"urn:answerdesk:error:{self.code}",
            "title": self.code,
            "status": self.status,
            "detail": self.sentence,
            "code": self.code,
        }
        if self.param is not None:
            found["param"] = self.param
        if self.retry_seconds is not None:
            found["retry_after_seconds"] = self.retry_seconds
        return found

    def as_openai(self) -> dict[str, object]:
        """Return OpenAI's form."""
        kind = _OPENAI_TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        return {"error": {"message": self.sentence, "type": kind, "param": self.param, "code": self.code}}


def problem_of(error: AnswerdeskError, language: Language, *, param: str | None = None) -> Problem:
    """Return what a caller gets for an error."""
    return Problem(
        status_of(type(error)),
        type(error).__name__,
        error.public_text(language),
        _retry_seconds(type(error), error.details),
        param,
    )


def problem_of_fields(problems: Sequence[Mapping[str, Any]], body: object, language: Language) -> Problem:
    """Return what a caller gets for a request whose fields pydantic refuses, as ``ErrorDetails``, at least one.

    ``body`` is the JSON that came.  Of several problems one is reported; where a field may have several types, that of
    the type which fits best.
    """
    found = _most_telling([_FieldProblem.of(problem, body) for problem in problems])
    place = ".".join(str(part) for part in found.place)[:_LONGEST_PLACE]
    told = describe_invalid(found.kind, found.values, found.message, language)
    return problem_of(errors.RequestUnusable(reason="field", place=place, problem=told), language, param=place)


_KIND_OF_TAG_PROBLEM = {"union_tag_invalid": "literal_error", "union_tag_not_found": "missing"}
"""Of the field that says which type is meant: what pydantic calls the same problem in any other field."""


@dataclass(frozen=True, slots=True)
class _FieldProblem:
    """One problem of pydantic's, with its place in the request.

    ``branch`` is the place of the first field on the way that may have several types; None without one.
    """

    kind: str
    message: str
    values: Mapping[str, object]
    place: tuple[str | int, ...]
    branch: tuple[str | int, ...] | None

    @classmethod
    def of(cls, problem: Mapping[str, Any], body: object) -> "_FieldProblem":
        """Take pydantic's names of types out of the place: what is neither a key nor an index of the request."""
        location: tuple[str | int, ...] = problem["loc"]
        kind, place, branch = str(problem["type"]), location, None
        if location[:1] == ("body",) and kind != "json_invalid":
            place, branch = _without_types(location, body, missing=kind == "missing")
        values: Mapping[str, object] = problem.get("ctx", {})
        if kind in _KIND_OF_TAG_PROBLEM:
            kind, place = _KIND_OF_TAG_PROBLEM[kind], (*place, str(values["discriminator"]).strip("'"))
            values = {"expected": values.get("expected_tags", "")}
        return cls(kind, str(problem["msg"]), values, place, branch)

    @property
    def specificity(self) -> tuple[int, bool]:
        """How well the type fits what was sent: by depth, then where only its length, say, is wrong."""
        return len(self.place), not self.kind.endswith("_type")


def _without_types(
    location: tuple[str | int, ...], body: object, *, missing: bool
) -> tuple[tuple[str | int, ...], tuple[str | int, ...] | None]:
    place, branch = location[:1], None
    value: Any = body
    for index, part in enumerate(location[1:], 1):
        if _holds(value, part):
            value = value[part]
        elif not (missing and index == len(location) - 1):
            branch = place if branch is None else branch
            continue
        place = (*place, part)
    return place, branch


def _holds(value: object, part: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, dict) and part in value


def _most_telling(problems: Sequence[_FieldProblem]) -> _FieldProblem:
    first = problems[0]
    if first.branch is None:
        return first
    return max((other for other in problems if other.branch == first.branch), key=lambda other: other.specificity)


def problem_of_failure(failure: Failure, language: Language) -> Problem:
    """Return what a caller gets for work that failed."""
    kind = getattr(errors, failure.kind, None)
    known = kind if isinstance(kind, type) and issubclass(kind, AnswerdeskError) else AnswerdeskError
    details = {"retry_seconds": failure.retry_seconds}
    return Problem(status_of(known), failure.kind, failure.sentence(language), _retry_seconds(known, details))


def unforeseen_problem(number: str, language: Language) -> Problem:
    """Return what a caller gets for a fault of ours, which the log explains under ``number``."""
    return problem_of(errors.TurnFailed(number=number), language)


def status_of(kind: type[AnswerdeskError]) -> int:
    """Return the HTTP status of an error.

    >>> status_of(errors.QueueFull), status_of(errors.AccessDenied), status_of(AnswerdeskError)
    (503, 403, 500)
    """
    return next((status for known, status in _STATUS if issubclass(kind, known)), 500)


def _retry_seconds(kind: type[AnswerdeskError], details: Mapping[str, object]) -> int | None:
    if not issubclass(kind, _WORTH_A_TRY):
        return None
    seconds = details.get("seconds" if issubclass(kind, errors.QuestionsTooFast) else "retry_seconds")
    return max(1, math.ceil(seconds)) if isinstance(seconds, int | float) else _USUAL_WAIT_SECONDS


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
    """Return what a caller gets for an error."""
    return BilingualProblem(problem_of(error, "en"), problem_of(error, "zh"))


def bilingual_failure(failure: Failure) -> BilingualProblem:
    """Return what a caller gets for work that failed."""
    return BilingualProblem(problem_of_failure(failure, "en"), problem_of_failure(failure, "zh"))


def problem_of_turn(turn: TurnSnapshot) -> BilingualProblem | None:
    """Return why a turn has ended without an answer; None where it has one."""
    if turn.failure is not None:
        return bilingual_failure(turn.failure)
    return bilingual(AnswerCancelled()) if turn.answer is None else None
