"""The services ``Documents`` and ``Feedback``."""

from collections.abc import AsyncIterator
from typing import get_args

from starlette.concurrency import run_in_threadpool

from api.access import Access
from api.grpc import answerdesk_pb2 as wire
from api.grpc import values
from api.grpc.calls import Context, call_of, end_with
from api.problems import BilingualProblem, bilingual, bilingual_failure
from api.reading import desk_of, latest_job, read_stretch, watched_job
from api.services.jobs import Job
from api.services.knowledge import KnowledgeService
from rag.errors import RequestTooLarge, RequestUnusable, TurnFailed
from rag.storage.turn_store import FeedbackReason, Outcome

_USUAL_LIST, _LONGEST_LIST = 100, 1000
_LONGEST_TEXT = 500_000
_BYTES_A_MEGABYTE = 1_000_000


class Documents:
    """The documents of a knowledge base, as ``answerdesk.proto`` describes them."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def List(self, request: wire.ListDocumentsRequest, context: Context) -> wire.ListDocumentsResponse:
        """List what is published."""
        async with call_of(self._access, context, "documents:read") as caller:
            desk = desk_of(self._access, caller, request.knowledge_base)
            rows = await run_in_threadpool(desk.library.articles)
            wanted = request.containing.casefold()
            rows = tuple(row for row in rows if wanted in f"{row.title}\n{row.document_id}".casefold())
            end = request.offset + min(request.limit or _USUAL_LIST, _LONGEST_LIST)
            generation = desk.knowledge().generation
            return wire.ListDocumentsResponse(
                knowledge_base=desk.knowledge_base,
                generation=generation,
                total=len(rows),
                documents=[values.document_line(row, generation) for row in rows[request.offset : end]],
            )

    async def Get(self, request: wire.GetDocumentRequest, context: Context) -> wire.Document:
        """Return a stretch of a document."""
        async with call_of(self._access, context, "documents:read") as caller:
            desk = desk_of(self._access, caller, request.knowledge_base)
            end = request.end if request.HasField("end") else None
            found = await run_in_threadpool(
                read_stretch, desk, request.document_id, request.start, end, most=_LONGEST_TEXT
            )
            return values.document(found)

    async def Put(self, requests: AsyncIterator[wire.PutDocumentRequest], context: Context) -> wire.PutDocumentResponse:
        """Take a file, which then waits to be published."""
        async with call_of(self._access, context, "documents:write") as caller:
            first = await anext(aiter(requests), None)
            if first is None or first.WhichOneof("piece") != "file":
                raise RequestUnusable(reason="piece")
            library = desk_of(self._access, caller, first.file.knowledge_base).library
            library.require_room(1)
            with self._access.callers.uploads.counted(caller):
                content = await _whole(requests, library.largest_upload_megabytes * _BYTES_A_MEGABYTE)
                await run_in_threadpool(library.keep, [(first.file.name, content)])
            files = [
                wire.WaitingFile(name=one.name, size_bytes=one.size_bytes, replaces=one.replaces)
                for one in library.waiting()
            ]
            return wire.PutDocumentResponse(knowledge_base=library.name, files=files)

    async def Ingest(self, request: wire.IngestRequest, context: Context) -> None:
        """Publish what waits, and tell how far that is."""
        async with call_of(self._access, context, "documents:write") as caller:
            if not (request.rehearsal or request.follow):
                caller.require("publish")
            library = desk_of(self._access, caller, request.knowledge_base).library
            job = await run_in_threadpool(_begun, library, request)
            async for job, event in _progress(library, job):  # noqa: B007, B020  # the last one is looked at below
                await context.write(event)
            failed = _problem_of(job)
            if failed is not None:
                await end_with(failed, context)


class Feedback:
    """What became of answers, as ``answerdesk.proto`` describes it."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def Judge(self, request: wire.JudgeRequest, context: Context) -> wire.JudgeResponse:
        """Keep what somebody thinks of an answer, or what became of it."""
        async with call_of(self._access, context, "feedback") as caller:
            useful = request.useful if request.HasField("useful") else None
            reason, outcome = _reason(request.reason), _outcome(request.outcome, request.changed_share)
            if useful is None and outcome is None:
                raise RequestUnusable(reason="no_judgement")
            questions = self._access.questions(caller)
            questions.require_changeable(request.turn_id)
            if useful is not None:
                await run_in_threadpool(questions.turns.judge, request.turn_id, useful=useful, reason=reason)
            if outcome is not None:
                await run_in_threadpool(questions.turns.record_outcome, request.turn_id, outcome, request.changed_share)
            return wire.JudgeResponse()


async def _whole(requests: AsyncIterator[wire.PutDocumentRequest], limit: int) -> bytes:
    content = bytearray()
    async for request in requests:
        if request.WhichOneof("piece") != "content":
            raise RequestUnusable(reason="piece")
        content += request.content
        if len(content) > limit:
            raise RequestTooLarge(limit=limit)
    if not content:
        raise RequestUnusable(reason="empty_file")
    return bytes(content)


def _begun(library: KnowledgeService, request: wire.IngestRequest) -> Job:
    """Begin an ingest, or return the one that is to be followed."""
    if request.follow:
        return latest_job(library.job, 0)
    roots = tuple(request.roots)
    if request.rehearsal:
        return library.check(roots, prune=request.prune)
    return library.publish_all(roots, prune=request.prune, force=request.force)


async def _progress(library: KnowledgeService, job: Job) -> AsyncIterator[tuple[Job, wire.IngestEvent]]:
    """Yield a job and how far it is, whenever that is new, and when it has ended."""
    told, last = 0, None
    async for state in watched_job(library.job, job):
        event = values.ingest_event(state, state.troubles[told:])
        told = len(state.troubles)
        if event != last or not state.running:
            last = event
            yield state, event


def _problem_of(job: Job) -> BilingualProblem | None:
    """Return why a job has ended without a result."""
    if job.failure is not None:
        return bilingual_failure(job.failure)
    return bilingual(TurnFailed(number=job.number)) if job.state == "failed" else None


def _reason(name: str) -> FeedbackReason | None:
    found = next((known for known in get_args(FeedbackReason) if known == name), None)
    if name and found is None:
        raise RequestUnusable(reason="opinion")
    return found


def _outcome(name: str, changed_share: float) -> Outcome | None:
    found = next((known for known in get_args(Outcome) if known == name), None)
    if (name and found is None) or not 0 <= changed_share <= 1:
        raise RequestUnusable(reason="outcome")
    return found
