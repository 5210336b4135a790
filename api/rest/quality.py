"""Curated answers and evaluations of a knowledge base."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request

from api.access import Access
from api.callers import Caller, language_of
from api.rest.bodies import (
    CuratedBody,
    CuratedList,
    EditedCurated,
    JobBody,
    NewCurated,
    NewEvaluation,
    RunBody,
    RunList,
)
from api.rest.knowledge import BASE
from api.rest.values import curated_body, job_body
from rag.errors import CuratedMissing
from rag.reuse.curated import Place
from rag.storage.curated import CuratedAnswer, CuratedState
from rag.turns import PersonalCorrections

_NUMBER = Annotated[int, Path(ge=1, le=1_000_000_000)]


def quality_routes(access: Access) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/knowledge-bases", tags=["quality"])
    _curated_routes(router, access)
    _evaluation_routes(router, access)
    return router


def _curated_routes(router: APIRouter, access: Access) -> None:
    writing = Depends(access.with_right("curated:write"))

    @router.get("/{base}/curated", summary="Answers that persons wrote, newest first")
    def curated(
        base: BASE, caller: Annotated[Caller, writing], state: Annotated[CuratedState | None, Query()] = None
    ) -> CuratedList:
        corrections = access.desk(caller, base).corrections
        return CuratedList(curated=[_reviewer_body(corrections, base, one) for one in corrections.list(base, state)])

    @router.post("/{base}/curated", status_code=201, summary="Write one; it serves at once")
    def write(base: BASE, body: NewCurated, caller: Annotated[Caller, writing]) -> CuratedBody:
        places = [Place(document_id) for document_id in body.document_ids]
        corrections = access.desk(caller, base).corrections
        return _reviewer_body(corrections, base, corrections.write(base, body.question, body.answer, places))

    @router.put("/{base}/curated/{number}", summary="Put one into other words")
    def edit(base: BASE, number: _NUMBER, body: EditedCurated, caller: Annotated[Caller, writing]) -> CuratedBody:
        corrections = access.desk(caller, base).corrections
        written = corrections.edit(base, number, body.question, body.answer, body.language)
        return _reviewer_body(corrections, base, written)

    @router.post("/{base}/curated/{number}/approve", summary="Let one serve that waits for a review")
    def approve(base: BASE, number: _NUMBER, caller: Annotated[Caller, writing]) -> CuratedBody:
        corrections = access.desk(caller, base).corrections
        corrections.approve(base, number)
        return _curated(corrections, base, number)

    @router.post("/{base}/curated/{number}/retire", summary="Let one serve no more")
    def retire(base: BASE, number: _NUMBER, caller: Annotated[Caller, writing]) -> CuratedBody:
        corrections = access.desk(caller, base).corrections
        corrections.retire(base, number)
        return _curated(corrections, base, number)


def _evaluation_routes(router: APIRouter, access: Access) -> None:
    evaluating = Depends(access.with_right("evaluate"))

    @router.get("/{base}/evaluations", summary="Evaluations, newest first")
    def evaluations(request: Request, base: BASE, caller: Annotated[Caller, evaluating]) -> RunList:
        quality = access.desk(caller, base).quality
        job = quality.evaluation()
        runs = [RunBody.model_validate(one) for one in quality.runs()]
        running = job_body(job, language_of(request.headers)) if job is not None and job.running else None
        return RunList(runs=runs, running=running)

    @router.post("/{base}/evaluations", status_code=202, summary="Begin an evaluation")
    def evaluate(request: Request, base: BASE, body: NewEvaluation, caller: Annotated[Caller, evaluating]) -> JobBody:
        job = access.desk(caller, base).quality.start(body.kind, body.limit)
        return job_body(job, language_of(request.headers))

    @router.post("/{base}/evaluations/stop", status_code=204, summary="Stop the one that runs")
    def stop(base: BASE, caller: Annotated[Caller, evaluating]) -> None:
        access.desk(caller, base).quality.stop()


def _curated(corrections: PersonalCorrections, base: str, number: int) -> CuratedBody:
    found = next((one for one in corrections.list(base) if one.number == number), None)
    if found is None:
        raise CuratedMissing(number=number)
    return _reviewer_body(corrections, base, found)


def _reviewer_body(corrections: PersonalCorrections, base: str, found: CuratedAnswer) -> CuratedBody:
    """Return an answer with the details for its reviewer."""
    return curated_body(found, corrections.doubtful_sentences(base, found.kept.answer))
