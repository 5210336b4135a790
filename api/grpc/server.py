"""Serves gRPC in the process and the event loop of the HTTP API.

async with serving(access, GrpcAddress("127.0.0.1", 8601)) as port:
    ...                                     # calls are answered until the block is left
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from api.access import Access
from api.addresses import ANOTHER_GRPC_PORT, GrpcAddress
from api.grpc import answerdesk_pb2, answerdesk_pb2_grpc
from api.grpc.broken_messages import BrokenMessages
from api.grpc.services import Answers, Documents, Feedback
from rag.errors import PortTaken

LARGEST_MESSAGE_BYTES = 4 * 1024 * 1024
_GRACE_SECONDS = 2.0
_OPTIONS = (
    ("grpc.so_reuseport", 0),  # else a second server takes half of the calls in silence
    ("grpc.max_receive_message_length", LARGEST_MESSAGE_BYTES),
    ("grpc.max_send_message_length", LARGEST_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 30_000),  # notices clients whose machine is gone
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
)


@asynccontextmanager
async def serving(access: Access, address: GrpcAddress) -> AsyncIterator[int]:
    """Serve the calls at an address, and give the port.

    At the end, calls have two seconds to end by themselves.  Raises ``PortTaken``, and as ``GrpcAddress.pair``.
    """
    server = grpc.aio.server(interceptors=[BrokenMessages()], options=_OPTIONS)
    answerdesk_pb2_grpc.add_AnswersServicer_to_server(Answers(access), server)
    answerdesk_pb2_grpc.add_DocumentsServicer_to_server(Documents(access), server)
    answerdesk_pb2_grpc.add_FeedbackServicer_to_server(Feedback(access), server)
    names = [service.full_name for service in answerdesk_pb2.DESCRIPTOR.services_by_name.values()]
    state = await _with_health(server, names)
    reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    port = _listen(server, address)
    await server.start()
    try:
        yield port
    finally:
        await state.enter_graceful_shutdown()
        await server.stop(_GRACE_SECONDS)


async def _with_health(server: grpc.aio.Server, names: list[str]) -> health.aio.HealthServicer:
    state = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(state, server)
    for name in ("", *names):
        await state.set(name, health_pb2.HealthCheckResponse.SERVING)
    return state


def _listen(server: grpc.aio.Server, address: GrpcAddress) -> int:
    pair = address.pair
    try:
        if pair is None:
            port: int = server.add_insecure_port(address.target)
        else:
            certificate, key = (path.read_bytes() for path in pair)
            port = server.add_secure_port(address.target, grpc.ssl_server_credentials([(key, certificate)]))
    except RuntimeError as error:  # whatever keeps it from listening
        raise PortTaken(port=address.port, another=ANOTHER_GRPC_PORT) from error
    return port
