"""Serves the API as a program of its own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache

import uvicorn
from fastapi import FastAPI

from api.application import api_application
from api.callers import host_names
from api.services.shared import SharedServices, open_services
from rag.settings import Settings


def serve(settings: Settings, host: str, port: int, names: Sequence[str]) -> None:
    """Serve until stopped.  ``names`` are what this server is reached under; other Host headers are refused."""

    @cache
    def services() -> SharedServices:
        return open_services(settings)

    application = api_application(services, settings, host_names(names))
    application.router.lifespan_context = _lifespan(services)
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


def _lifespan(services):  # type: ignore[no-untyped-def]
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        made = services()  # returns at once; the embedder and the indexes are loaded by a thread
        yield
        close_services(made)

    return lifespan


def close_services(made: SharedServices) -> None:
    """Stop what runs: ingests, turns and rewritings."""
    made.files.close()
    made.shelf.close()
    made.turns.close()
    if made.writings is not None:
        made.writings.close()
