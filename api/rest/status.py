"""Whether the server lives, whether it can answer, and its figures, for Prometheus and for other programs."""

from functools import cache
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from api.access import Access
from api.callers import Caller
from api.rest.bodies import Alive, PerformanceBody, Ready
from api.rest.values import performance_body
from rag.errors import PeopleError
from rag.performance import WINDOWS, Window
from rag.settings import Settings

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


def status_routes(access: Access, settings: Settings) -> APIRouter:
    """Return the routes.  Everybody may see whether it lives and is ready, and nothing else."""
    router = APIRouter(tags=["status"])

    @cache
    def registry() -> "CollectorRegistry":
        from prometheus_client import CollectorRegistry

        from rag.metrics import DeskCollector

        made = CollectorRegistry(auto_describe=False)
        made.register(DeskCollector(settings))
        return made

    @router.head("/healthz", include_in_schema=False)  # some load balancers ask for no body
    @router.get("/healthz", summary="The process lives")
    async def alive() -> Alive:
        return Alive()

    @router.head("/readyz", include_in_schema=False)
    @router.get(
        "/readyz",
        response_model=Ready,
        summary="Questions can be answered",
        responses={503: {"model": Ready, "description": "they cannot; the body says what is missing"}},
    )
    def ready(request: Request) -> Response:
        found = _readiness(access, is_let_in=_is_let_in(access, request))
        return JSONResponse(found.model_dump(), 200 if found.ready else 503)

    @router.get("/metrics", response_class=PlainTextResponse, summary="Figures for Prometheus")
    def metrics(caller: Annotated[Caller, Depends(access.with_right("metrics"))]) -> Response:
        from prometheus_client import generate_latest  # for those who ask for it

        return PlainTextResponse(generate_latest(registry()))

    return router


def performance_routes(access: Access) -> APIRouter:
    """Return the route of the figures that the page Performance shows."""
    router = APIRouter(tags=["status"])

    @router.get("/performance", summary="How quickly questions were answered, stage by stage")
    def performance(
        caller: Annotated[Caller, Depends(access.with_right("metrics"))],
        window: Annotated[Window, Query(description="how far back from now")] = "1h",
    ) -> PerformanceBody:
        return performance_body(access.pages(caller).performance.report(WINDOWS[window]))

    return router


def _is_let_in(access: Access, request: Request) -> bool:
    try:
        access.callers.caller(request)
    except PeopleError:
        return False
    return True


def _readiness(access: Access, *, is_let_in: bool) -> Ready:
    """Return what is ready; which model it is, and how many wait, only for callers who are let in."""
    services = access.services()
    model, generation = services.model(), services.knowledge_state(services.first_base).generation
    return Ready(
        ready=bool(generation) and model.kind == "ready",
        knowledge_base=bool(generation),
        model=model.kind,
        model_name=model.name if is_let_in else "",
        stand_in=model.stand_in if is_let_in else None,
        waiting=services.turns.occupancy().waiting if is_let_in else None,
    )
