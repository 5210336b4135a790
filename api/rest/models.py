"""The models: what is installed and which one answers, and the jobs that fetch, make, move, choose and delete them."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from api.access import Access
from api.callers import Caller, language_of
from api.problems import problem_of_failure
from api.rest.bodies import AnyModelJob, JobBody, ModelBody, ModelJob, ModelList, QuantizingJob
from api.rest.values import JOB_EVENTS, as_body, job_body, job_stream
from api.services.jobs import Job, require_job
from api.services.models import ModelListing, ModelService
from rag.cli.models import ListedModel
from rag.errors import IngestRunning, ModelMissing, ModelNotInstalled, ModelsBusy
from rag.schema import Language

_NUMBER = Annotated[int, Path(ge=1)]


def model_routes(access: Access) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["models"])
    managing = Depends(access.with_right("models"))

    @router.get("/models", summary="The installed models, and which one answers")
    def models(request: Request, caller: Annotated[Caller, managing]) -> ModelList:
        return _model_list(access.pages(caller).models, language_of(request.headers))

    @router.post(
        "/models/jobs", status_code=202, summary="Begin to fetch, make, load, unload, choose or delete a model"
    )
    def begin(request: Request, response: Response, body: AnyModelJob, caller: Annotated[Caller, managing]) -> JobBody:
        job = _begin_job(access.pages(caller).models, body)
        response.headers["Location"] = f"{request.url.path}/{job.job_id}"
        return job_body(job, language_of(request.headers))

    @router.get("/models/jobs/{number}", summary="How far it is")
    def job(request: Request, number: _NUMBER, caller: Annotated[Caller, managing]) -> JobBody:
        return job_body(require_job(access.pages(caller).models.job, number), language_of(request.headers))

    @router.get("/models/jobs/{number}/events", summary="Follow it", response_class=Response, responses=JOB_EVENTS)
    def events(request: Request, number: _NUMBER, caller: Annotated[Caller, managing]) -> Response:
        models = access.pages(caller).models
        return job_stream(models.job, require_job(models.job, number), language_of(request.headers))

    @router.post("/models/jobs/{number}/stop", status_code=204, summary="Stop it at its next step")
    def stop(number: _NUMBER, caller: Annotated[Caller, managing]) -> None:
        models = access.pages(caller).models
        require_job(models.job, number)
        models.stop_job(number)

    return router


def _model_list(models: ModelService, language: Language) -> ModelList:
    listing, settings, following = models.listing(), models.settings(), models.next_model()
    failure = listing.failure
    return ModelList(
        models=[_model(row, following) for row in listing.rows],
        looked=listing.looked,
        problem=as_body(problem_of_failure(failure, language)) if failure is not None else None,
        answers=listing.answers,
        managed=listing.managed,
        slots=settings.parallel_slots,
        context_tokens=settings.context_tokens,
        hosts=len(settings.ollama_urls),
        jobs=[job_body(job, language) for job in (models.making(), models.serving()) if job is not None],
    )


def _model(row: ListedModel, following: str) -> ModelBody:
    answers_next = row.name == following if following else row.chosen
    return ModelBody.model_validate(asdict(row) | {"answers_next": answers_next})


def _begin_job(models: ModelService, body: ModelJob | QuantizingJob) -> Job:
    """Begin a job.  Raises ``ModelsBusy`` and ``ModelNotInstalled``."""
    if body.kind != "pull":
        _require_installed(models.listing(), body.name)
    try:
        if isinstance(body, QuantizingJob):
            return models.quantize(body.name, body.quantization, body.new_name)
        return _begin(models, body)
    except IngestRunning as error:
        raise ModelsBusy(holder=error.details["holder"]) from error
    except ModelMissing as error:
        raise ModelNotInstalled(model=body.name) from error


def _begin(models: ModelService, body: ModelJob) -> Job:
    if body.kind == "delete":
        return models.delete(body.name, body.name)
    begin: dict[str, Callable[[str], Job]] = {
        "pull": models.pull,
        "load": models.load,
        "unload": models.unload,
        "use": models.use,
    }
    return begin[body.kind](body.name)


def _require_installed(listing: ModelListing, name: str) -> None:
    if listing.looked and listing.failure is None and listing.row(name) is None:
        raise ModelNotInstalled(model=name)
