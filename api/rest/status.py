"""Whether the server lives, whether it can answer, and its figures for Prometheus."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from api.access import Access
from api.callers import Caller
from api.rest.bodies import Alive, Ready
from rag.settings import Settings


def status_routes(access: Access, settings: Settings) -> APIRouter:
    """Return the routes.  Whether it lives and is ready is told to everybody, and nothing else."""
    router = APIRouter(tags=["status"])

    @router.get("/healthz", summary="The process lives")
    async def alive() -> Alive:
        return Alive()

    @router.get(
        "/readyz",
        response_model=Ready,
        summary="Questions can be answered",
        responses={503: {"model": Ready, "description": "they cannot; the body says what is missing"}},
    )
    def ready() -> Response:
        found = _readiness(access)
        return JSONResponse(found.model_dump(), 200 if found.ready else 503)

    @router.get("/metrics", response_class=PlainTextResponse, summary="Figures for Prometheus")
    def metrics(caller: Annotated[Caller, Depends(access.having("metrics"))]) -> Response:
        from prometheus_client import CollectorRegistry, generate_latest  # for those who ask for it

        from rag.metrics import DeskCollector

        registry = CollectorRegistry(auto_describe=False)
        registry.register(DeskCollector(settings))
        return PlainTextResponse(generate_latest(registry))

    return router


def _readiness(access: Access) -> Ready:
    services = access.services()
    model, generation = services.model(), services.knowledge(services.first_base).generation
    return Ready(
        ready=bool(generation) and model.kind == "ready",
        knowledge_base=bool(generation),
        model=model.kind,
        model_name=model.name,
        stand_in=model.stand_in,
        waiting=services.turns.occupancy().waiting,
    )
