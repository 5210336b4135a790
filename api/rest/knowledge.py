"""Knowledge bases: their documents, files that wait, ingests, generations and new contact details."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from api.access import Access
from api.callers import Caller, language_of
from api.rest.bodies import (
    BaseBody,
    BaseList,
    DocumentBody,
    DocumentLine,
    DocumentList,
    GenerationBody,
    GenerationList,
    JobBody,
    NewIngest,
    SourceBody,
    SourceList,
    WaitingFile,
    WaitingList,
)
from api.rest.values import JOB_EVENTS, job_body, job_stream
from api.services.jobs import require_job
from api.services.knowledge import KnowledgeService
from api.wire import document_data, listed
from rag.errors import RequestUnusable
from rag.invalid_values import BASE_NAME_PATTERN

BASE = Annotated[str, Path(pattern=BASE_NAME_PATTERN)]


def knowledge_routes(access: Access) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/knowledge-bases", tags=["knowledge"])
    _reading_routes(router, access)
    _file_routes(router, access)
    _ingest_routes(router, access)
    _generation_routes(router, access)
    return router


def _reading_routes(router: APIRouter, access: Access) -> None:
    reading = Depends(access.with_right("documents:read"))

    @router.get("", summary="The knowledge bases that the caller may read")
    def bases(caller: Annotated[Caller, Depends(access.any_caller())]) -> BaseList:
        services = access.services()
        names = services.bases.names_for(caller.user)
        return BaseList(knowledge_bases=[_base(access, caller, name) for name in names])

    @router.get("/{base}", summary="One of them")
    def base_(base: BASE, caller: Annotated[Caller, Depends(access.any_caller())]) -> BaseBody:
        access.services().bases.require(caller.user, base)
        return _base(access, caller, base)

    @router.get("/{base}/documents", summary="Its documents, without their texts")
    def documents(
        base: BASE,
        caller: Annotated[Caller, reading],
        containing: Annotated[str, Query(max_length=200, description="in the title or the id")] = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    ) -> DocumentList:
        desk = access.desk(caller, base)
        wanted = containing.casefold()
        rows = [row for row in desk.knowledge.articles() if wanted in f"{row.title}\n{row.document_id}".casefold()]
        shown = rows[offset : offset + limit]
        return DocumentList(
            generation=desk.knowledge_state().generation,
            total=len(rows),
            documents=[DocumentLine.model_validate(listed(row)) for row in shown],
        )

    @router.get("/{base}/documents/{document_id:path}", summary="A document, or a stretch of it")
    def document(
        base: BASE,
        document_id: Annotated[str, Path(max_length=1000)],
        caller: Annotated[Caller, reading],
        start: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
        end: Annotated[int | None, Query(ge=0, le=1_000_000_000)] = None,
    ) -> DocumentBody:
        stretch = access.desk(caller, base).knowledge.stretch(document_id, start, end)
        return DocumentBody.model_validate(document_data(stretch))


def _file_routes(router: APIRouter, access: Access) -> None:
    writing = Depends(access.with_right("documents:write"))

    @router.get("/{base}/sources", summary="The folders that its documents came from")
    def sources(base: BASE, caller: Annotated[Caller, writing]) -> SourceList:
        return SourceList(
            sources=[SourceBody.model_validate(one) for one in access.desk(caller, base).knowledge.sources()]
        )

    @router.get("/{base}/files", summary="The files that wait to be published")
    def waiting(base: BASE, caller: Annotated[Caller, writing]) -> WaitingList:
        return _waiting(access.desk(caller, base).knowledge)

    @router.put(
        "/{base}/files/{name}",
        status_code=202,
        summary="Hand in a file; an ingest publishes it",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    "application/octet-stream": {"schema": {"type": "string", "format": "binary", "minLength": 1}}
                },
            }
        },
    )
    async def keep(
        request: Request, base: BASE, name: Annotated[str, Path(max_length=200)], caller: Annotated[Caller, writing]
    ) -> WaitingList:
        knowledge = access.desk(caller, base).knowledge
        knowledge.require_room(int(request.headers.get("content-length", "0")))  # digits: ``BodyLimit``
        content = await request.body()
        if not content:
            raise RequestUnusable(reason="empty_file")
        await run_in_threadpool(knowledge.keep, [(name, content)])
        return _waiting(knowledge)

    @router.delete("/{base}/files", status_code=204, summary="Take back all files that wait")
    def discard(base: BASE, caller: Annotated[Caller, writing]) -> None:
        access.desk(caller, base).knowledge.discard()


def _ingest_routes(router: APIRouter, access: Access) -> None:
    writing = Depends(access.with_right("documents:write"))

    @router.post("/{base}/ingests", status_code=202, summary="Begin to publish, or to say what that would change")
    def ingest(
        request: Request, response: Response, base: BASE, body: NewIngest, caller: Annotated[Caller, writing]
    ) -> JobBody:
        if not body.rehearsal:
            caller.require("publish")
        knowledge = access.desk(caller, base).knowledge
        if body.rehearsal:
            job = knowledge.check(body.roots, prune=body.prune)
        else:
            job = knowledge.publish_all(body.roots, prune=body.prune, force=body.force)
        response.headers["Location"] = f"{request.url.path}/{job.job_id}"
        return job_body(job, language_of(request.headers))

    @router.get("/{base}/ingests/{number}", summary="How far an ingest or a rollback is")
    def job(
        request: Request, base: BASE, number: Annotated[int, Path(ge=1)], caller: Annotated[Caller, writing]
    ) -> JobBody:
        return job_body(require_job(access.desk(caller, base).knowledge.job, number), language_of(request.headers))

    @router.get(
        "/{base}/ingests/{number}/events",
        summary="Follow it",
        response_class=Response,
        responses=JOB_EVENTS,
    )
    async def events(
        request: Request, base: BASE, number: Annotated[int, Path(ge=1)], caller: Annotated[Caller, writing]
    ) -> Response:
        knowledge = access.desk(caller, base).knowledge
        return job_stream(knowledge.job, require_job(knowledge.job, number), language_of(request.headers))

    @router.post("/{base}/ingests/{number}/stop", status_code=204, summary="Stop it; nothing is published")
    def stop(base: BASE, number: Annotated[int, Path(ge=1)], caller: Annotated[Caller, writing]) -> None:
        knowledge = access.desk(caller, base).knowledge
        require_job(knowledge.job, number)
        knowledge.stop(number)


def _generation_routes(router: APIRouter, access: Access) -> None:
    publishing = Depends(access.with_right("publish"))

    @router.get("/{base}/generations", summary="What was published, newest first")
    def generations(
        base: BASE, caller: Annotated[Caller, Depends(access.with_right("documents:read"))]
    ) -> GenerationList:
        history = access.desk(caller, base).knowledge.history()
        return GenerationList(
            generations=[
                GenerationBody(
                    generation=one.generation,
                    published_at=one.published_at,
                    documents=one.document_count,
                    passages=one.chunk_count,
                    can_serve_again=one.generation >= history.oldest_restorable,
                )
                for one in history.generations
            ]
        )

    @router.post("/{base}/generations/{number}/rollback", status_code=202, summary="Serve a former state again")
    def rollback(
        request: Request,
        base: BASE,
        number: Annotated[int, Path(ge=1, le=1_000_000_000)],
        caller: Annotated[Caller, publishing],
    ) -> JobBody:
        return job_body(access.desk(caller, base).knowledge.go_back(number), language_of(request.headers))


def _base(access: Access, caller: Caller, name: str) -> BaseBody:
    state = access.services().knowledge_for(caller.user, name)
    return BaseBody(
        name=name,
        generation=state.generation,
        documents=state.documents,
        passages=state.passages,
        published_at=state.published_at,
    )


def _waiting(knowledge: KnowledgeService) -> WaitingList:
    return WaitingList(files=[WaitingFile.model_validate(one) for one in knowledge.waiting()])
