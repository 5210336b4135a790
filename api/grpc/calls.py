"""Around every call: who calls, with which right, and every error as a status."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TypeAlias
from urllib.parse import unquote

import grpc.aio

from api.access import Access
from api.bilingual import BilingualProblem, bilingual
from api.callers import Caller, language_of, secret_in
from api.grpc.problems import rpc_status_of
from rag.errors import AnswerdeskError
from rag.people.keys import Right
from rag.turns.unforeseen import unforeseen_logged

logger = logging.getLogger(__name__)

Context: TypeAlias = grpc.aio.ServicerContext


@asynccontextmanager
async def call_of(access: Access, context: Context, right: Right) -> AsyncIterator[Caller]:
    """Give who calls, with this right; whatever error leaves the block ends the call with a status.

    There is no Host and no Origin to ask about, as there is with HTTP: no browser speaks gRPC.
    """
    try:
        with unforeseen_logged(logger, "call", grpc.aio.BaseError):  # of that kind: the call has ended already
            caller = _caller(access, context, right)
            with access.callers.requests.counted(caller):
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
    secret = secret_in(metadata)
    callers = access.callers
    caller = callers.of_key(secret) if secret else callers.without_key(metadata, address_in(context.peer()))
    caller.require(right)
    return caller


def _metadata(context: Context) -> Mapping[str, str]:
    return {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
