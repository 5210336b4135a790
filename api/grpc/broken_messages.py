"""Ends a call whose bytes are no message with a status of ours; the library would send Python's own words."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from api.grpc.calls import Context, end_with
from api.problems import bilingual
from rag.errors import RequestUnusable

_OWN = "/answerdesk."


class BrokenMessages(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # the library has no types
    """Reads the messages of our services so that a broken one reaches ``end_with``."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler | None:
        """Return the handler of a method; None where there is no such method."""
        handler = await continuation(handler_call_details)
        if handler is None or not handler_call_details.method.startswith(_OWN):
            return handler
        kind = f"{_kind(handler.request_streaming)}_{_kind(handler.response_streaming)}"
        behaviour = getattr(handler, kind)
        guarded = _with_requests(behaviour) if handler.request_streaming else _with_request(behaviour)
        wrap = getattr(grpc, f"{kind}_rpc_method_handler")
        return wrap(guarded, _reader(handler.request_deserializer), handler.response_serializer)


def _kind(is_streaming: bool) -> str:
    return "stream" if is_streaming else "unary"


def _reader(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def read_or_tell(content: bytes) -> Any:  # noqa: ANN401 - a message, or the error
        try:
            return read(content)
        except DecodeError as error:
            return error

    return read_or_tell


def _with_request(behaviour: Callable[[Any, Context], Awaitable[Any]]) -> Callable[[Any, Context], Awaitable[Any]]:
    async def guarded(request: Any, context: Context) -> Any:  # noqa: ANN401
        if isinstance(request, DecodeError):
            await end_with(bilingual(RequestUnusable(reason="message")), context)
        return await behaviour(request, context)

    return guarded


def _with_requests(behaviour: Callable[[Any, Context], Awaitable[Any]]) -> Callable[[Any, Context], Awaitable[Any]]:
    async def whole(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for request in requests:
            if isinstance(request, DecodeError):
                raise RequestUnusable(reason="message")
            yield request

    async def guarded(requests: AsyncIterator[Any], context: Context) -> Any:  # noqa: ANN401
        return await behaviour(whole(requests), context)

    return guarded
