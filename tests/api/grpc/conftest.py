"""gRPC over the offline services, in an event loop of its own thread."""

import asyncio
import threading
from collections.abc import Iterator

import grpc
import pytest

from api.access import Access
from api.addresses import GrpcAddress
from api.callers import Callers
from api.grpc.server import serving
from api.idempotency import IdempotentRequests
from tests.api.grpc.channel import GrpcFace
from tests.api.offline_server import OfflineServer, offline_server


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfflineServer]:
    """Return services of its own: the answers that are given here are kept for the same questions."""
    with offline_server(tmp_path_factory.mktemp("grpc"), person_questions_a_minute=100_000) as served:
        yield served


@pytest.fixture(scope="session")
def face(api: OfflineServer) -> Iterator[GrpcFace]:
    callers = Callers(lambda: api.services.people, lambda host: False)
    idempotent = IdempotentRequests(api.settings.data_dir / "grpc-requests.db")
    access = Access(lambda: api.services, callers, idempotent)
    loop = asyncio.new_event_loop()
    ended, started = asyncio.Event(), threading.Event()
    ports: list[int] = []

    async def serve() -> None:
        async with serving(access, GrpcAddress("127.0.0.1", 0)) as port:
            ports.append(port)
            started.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert started.wait(timeout=10)
    with grpc.insecure_channel(f"127.0.0.1:{ports[0]}") as channel:
        yield GrpcFace(api, channel, ports[0])
    loop.call_soon_threadsafe(ended.set)
    thread.join(timeout=10)
    loop.close()
    idempotent.close()
