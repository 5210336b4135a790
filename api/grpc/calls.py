"""Around every call: who calls, with which right, and every error as a ``google.rpc.Status``.

A status has a code and the sentence in both languages.  The codes are finer than the statuses of ``api.problems``: what
is UNAVAILABLE is tried again by gRPC's own clients.
"""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeAlias
from urllib.parse import unquote

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo, LocalizedMessage, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from api.access import Access
from api.callers import Caller, language_of, secret_in
from api.problems import BilingualProblem, bilingual, status_of
from rag import errors
from rag.errors import AnswerdeskError
from rag.people.keys import Right
from rag.schema import Language
from rag.unforeseen_errors import log_unforeseen_errors

DOMAIN = "answerdesk"

_CODES: tuple[tuple[type[AnswerdeskError], grpc.StatusCode], ...] = (
    (errors.AnswerCancelled, grpc.StatusCode.ABORTED),
    (errors.IngestStopped, grpc.StatusCode.ABORTED),
    (errors.ModelMissing, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.ModelTooLarge, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.OllamaElsewhere, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.OllamaNotInstalled, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.OwnQueueFull, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (errors.OwnFilesWaiting, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (errors.RequestTooLarge, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (errors.ProvisioningError, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.ServingError, grpc.StatusCode.UNAVAILABLE),
)
"""The first class that fits decides; what none fits has the code of its HTTP status."""

_OF_HTTP = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    405: grpc.StatusCode.UNIMPLEMENTED,
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

    >>> code_of(errors.KeyNeeded).name, code_of(errors.QueueFull).name, code_of(AnswerdeskError).name
    ('UNAUTHENTICATED', 'UNAVAILABLE', 'INTERNAL')
    """
    found = next((code for known, code in _CODES if issubclass(kind, known)), None)
    return _OF_HTTP[status_of(kind)] if found is None else found


def rpc_status_of(problem: BilingualProblem, language: Language) -> grpc.Status:
    """Return a call's final status: the sentence in the caller's language, and in both as details."""
    kind = getattr(errors, problem.code, AnswerdeskError)
    details: list[Message] = [
        ErrorInfo(reason=problem.code, domain=DOMAIN),
        LocalizedMessage(locale="en", message=problem.sentence("en")),
        LocalizedMessage(locale="zh", message=problem.sentence("zh")),
    ]
    if problem.retry_seconds is not None:
        details.append(RetryInfo(retry_delay=Duration(seconds=problem.retry_seconds)))
    status = Status(code=code_of(kind).value[0], message=problem.sentence(language), details=_pack(details))
    return rpc_status.to_status(status)


def _pack(details: Sequence[Message]) -> list[AnyMessage]:
    packed = []
    for detail in details:
        holder = AnyMessage()
        holder.Pack(detail)
        packed.append(holder)
    return packed


logger = logging.getLogger(__name__)

Context: TypeAlias = grpc.aio.ServicerContext


@asynccontextmanager
async def call_of(access: Access, context: Context, right: Right) -> AsyncIterator[Caller]:
    """Yield the caller with this right; an error that leaves the block ends the call with a status.

    There is no Host and no Origin to ask about, as there is with HTTP: no browser speaks gRPC.
    """
    try:
        with log_unforeseen_errors(logger, "call", grpc.aio.BaseError):  # of that kind: the call has ended already
            caller = await access.callers.ask(partial(_caller, access, context, right))
            with access.callers.requests.count_open(caller):
                yield caller
    except AnswerdeskError as error:
        await end_with(bilingual(error), context)


async def end_with(problem: BilingualProblem, context: Context) -> None:
    """End a call with a problem, whose first sentence is in the language of the metadata ``accept-language``."""
    await context.abort_with_status(rpc_status_of(problem, language_of(_metadata(context))))


def address_in(peer: str) -> str | None:
    """Return the network address in gRPC's name of a peer; None where it has none.

    >>> address_in("ipv4:127.0.0.1:5000"), address_in("ipv6:%5B::1%5D:5000"), address_in("unix:/run/socket")
    ('127.0.0.1', '::1', None)
    """
    kind, _, rest = unquote(peer).partition(":")
    return rest.rpartition(":")[0].strip("[]") if kind in ("ipv4", "ipv6") else None


def _caller(access: Access, context: Context, right: Right) -> Caller:
    metadata = _metadata(context)
    caller = access.callers.caller_or_local(secret_in(metadata), metadata, address_in(context.peer()))
    caller.require(right)
    return caller


def _metadata(context: Context) -> Mapping[str, str]:
    return {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
