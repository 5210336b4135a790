"""Serves the API as a program of its own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache

import uvicorn
from fastapi import FastAPI

from api.addresses import GrpcAddress
from api.application import api_application
from api.callers import host_names
from api.services.shared import SharedServices, open_services
from rag.settings import Settings


def serve(settings: Settings, host: str, port: int, names: Sequence[str], grpc: GrpcAddress | None = None) -> None:
    """Serve until stopped, ``grpc`` as well where that is given.

    ``names`` are what this server is reached under; other Host headers are refused.
    """

    @cache
    def services() -> SharedServices:
        return open_services(settings)

    application = api_application(services, settings, host_names(names))
    own_lifespan = application.router.lifespan_context

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        made = services()  # returns at once; the embedder and the indexes are loaded by a thread
        async with own_lifespan(application), _grpc(application, grpc):
            yield
        made.close()

    application.router.lifespan_context = lifespan
    uvicorn.run(
        application,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,  # questions are in bodies, but names and searches are in addresses
        server_header=False,
        forwarded_allow_ips=",".join(settings.proxies()),
        timeout_graceful_shutdown=10,
    )


@asynccontextmanager
async def _grpc(application: FastAPI, address: GrpcAddress | None) -> AsyncIterator[None]:
    if address is None:
        yield
        return
    from api.grpc.server import serving  # gRPC is an extra

    async with serving(application.state.access, address):
        yield
