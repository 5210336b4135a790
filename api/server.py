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
from rag.turns.unforeseen import keep_words_out_of_logs


def serve(settings: Settings, host: str, port: int, names: Sequence[str]) -> None:
    """Serve until stopped.  ``names`` are what this server is reached under; other Host headers are refused."""
    keep_words_out_of_logs()

    @cache
    def services() -> SharedServices:
        return open_services(settings)

    application = api_application(services, settings, host_names(names))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        made = services()  # returns at once; the embedder and the indexes are loaded by a thread
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
