"""Every error as a ``google.rpc.Status``: which code, and the sentence in both languages.

The codes are finer than the statuses of ``api.problems``: what is UNAVAILABLE is tried again by gRPC's own clients.
"""

from collections.abc import Sequence

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo, LocalizedMessage, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

import rag.errors
from api.bilingual import BilingualProblem
from api.problems import status_of
from rag.errors import (
    AnswerCancelled,
    AnswerdeskError,
    IngestStopped,
    ModelMissing,
    ModelTooLarge,
    OllamaElsewhere,
    OllamaNotInstalled,
    OwnFilesWaiting,
    OwnQueueFull,
    ProvisioningError,
    RequestTooLarge,
    ServingError,
)
from rag.schema import Language

DOMAIN = "answerdesk"

_CODES: tuple[tuple[type[AnswerdeskError], grpc.StatusCode], ...] = (
    (AnswerCancelled, grpc.StatusCode.ABORTED),
    (IngestStopped, grpc.StatusCode.ABORTED),
    (ModelMissing, grpc.StatusCode.FAILED_PRECONDITION),
    (ModelTooLarge, grpc.StatusCode.FAILED_PRECONDITION),
    (OllamaElsewhere, grpc.StatusCode.FAILED_PRECONDITION),
    (OllamaNotInstalled, grpc.StatusCode.FAILED_PRECONDITION),
    (OwnQueueFull, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (OwnFilesWaiting, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (RequestTooLarge, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (ProvisioningError, grpc.StatusCode.FAILED_PRECONDITION),
    (ServingError, grpc.StatusCode.UNAVAILABLE),
)
"""The first class that fits decides; what none fits has the code of its HTTP status."""

_OF_HTTP = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.ABORTED,
    421: grpc.StatusCode.PERMISSION_DENIED,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    503: grpc.StatusCode.FAILED_PRECONDITION,  # the knowledge base: trying again changes nothing
    507: grpc.StatusCode.RESOURCE_EXHAUSTED,
}


def code_of(kind: type[AnswerdeskError]) -> grpc.StatusCode:
    """Return gRPC's code of an error.

    >>> code_of(rag.errors.KeyNeeded).name, code_of(rag.errors.QueueFull).name, code_of(AnswerdeskError).name
    ('UNAUTHENTICATED', 'UNAVAILABLE', 'INTERNAL')
    """
    found = next((code for known, code in _CODES if issubclass(kind, known)), None)
    return _OF_HTTP[status_of(kind)] if found is None else found


def rpc_status_of(problem: BilingualProblem, language: Language) -> grpc.Status:
    """Return what ends a call: the sentence in the caller's language, and details that have it in both."""
    kind = getattr(rag.errors, problem.code, AnswerdeskError)
    details: list[Message] = [
        ErrorInfo(reason=problem.code, domain=DOMAIN),
        LocalizedMessage(locale="en", message=problem.sentence("en")),
        LocalizedMessage(locale="zh", message=problem.sentence("zh")),
    ]
    if problem.retry_seconds is not None:
        details.append(RetryInfo(retry_delay=Duration(seconds=problem.retry_seconds)))
    status = Status(code=code_of(kind).value[0], message=problem.sentence(language), details=_packed(details))
    return rpc_status.to_status(status)


def _packed(details: Sequence[Message]) -> list[AnyMessage]:
    packed = []
    for detail in details:
        holder = AnyMessage()
        holder.Pack(detail)
        packed.append(holder)
    return packed
