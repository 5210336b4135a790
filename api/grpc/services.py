"""The services ``Answers``, ``Documents`` and ``Feedback``, as ``answerdesk.proto`` describes them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Literal, get_args

from starlette.concurrency import run_in_threadpool

from api.access import Access
from api.callers import Caller
from api.grpc import answerdesk_pb2 as wire
from api.grpc import values
from api.grpc.calls import Context, call_of, end_with
from api.problems import BilingualProblem, bilingual, bilingual_failure, problem_of_turn
from api.questions import final_snapshot, question_turn
from api.services.jobs import Job, require_job, watched_job
from api.services.knowledge import KnowledgeService
from api.streams import NewsName, SettledText, StreamPlace
from rag.errors import AnswerdeskError, RequestTooLarge, RequestUnusable, TurnFailed
from rag.storage.turn_store import FeedbackReason, Outcome
from rag.turns import TurnRequest, TurnSnapshot

_QUOTES: Mapping[int, Literal["if_needed", "only", "never"]] = {
    wire.QUOTE_IF_NEEDED: "if_needed",
    wire.QUOTE_ONLY: "only",
    wire.QUOTE_NEVER: "never",
}
_MOST_EARLIER = 100
_BATCH_AT_ONCE = 4
_USUAL_LIST, _LONGEST_LIST = 100, 1000
_LONGEST_TEXT = 500_000
_BYTES_A_MEGABYTE = 1_000_000


class Answers:
    """Questions and their answers, as ``answerdesk.proto`` describes them."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def Ask(self, request: wire.AskRequest, context: Context) -> None:
        """Answer a question, step by step."""
        async with call_of(self._access, context, "ask") as caller:
            wanted = _turn_request(self._access, caller, request)
            questions = self._access.questions(caller)
            async with question_turn(questions, wanted, request.user) as (turn_id, snapshots):
                steps, settled = _Steps(turn_id), SettledText() if questions.are_public else None
                async for turn in snapshots:
                    if turn is not None and settled is not None:
                        turn = await run_in_threadpool(settled.settled_turn, turn)
                    for event in steps.new_events(turn) if turn is not None else ():
                        await context.write(event)
                    failed = problem_of_turn(turn) if turn is not None and turn.final else None
                    if failed is not None:
                        await end_with(failed, context)

    async def Retrieve(self, request: wire.RetrieveRequest, context: Context) -> wire.RetrieveResponse:
        """Find passages, without a model."""
        async with call_of(self._access, context, "retrieve") as caller:
            base = self._access.base_for(caller, request.knowledge_base)
            wanted = TurnRequest(request.question, knowledge_base=base, earlier=_earlier(request.earlier))
            found = await self._access.questions(caller).retrieve(wanted)
            return wire.RetrieveResponse(
                knowledge_base=base,
                answerable=found.answerable,
                answerable_probability=found.answerable_probability,
                generation=found.generation,
                by_words_alone=found.by_words_alone,
                evidence=map(values.passage, found.evidence),
            )

    async def Batch(self, requests: AsyncIterator[wire.BatchRequest], context: Context) -> None:
        """Answer questions as they come, a few at a time."""
        async with call_of(self._access, context, "ask") as caller:
            room = asyncio.Semaphore(_BATCH_AT_ONCE)
            sending = asyncio.Lock()

            async def answer_one(item: wire.BatchRequest) -> None:
                try:
                    response = await self._answer(caller, item)
                    async with sending:
                        await context.write(response)
                finally:
                    room.release()

            broken: RequestUnusable | None = None
            async with asyncio.TaskGroup() as answering:
                await room.acquire()
                try:
                    async for item in requests:
                        answering.create_task(answer_one(item))
                        await room.acquire()
                except RequestUnusable as error:  # the questions before it get their answers
                    broken = error
            if broken is not None:
                raise broken

    async def _answer(self, caller: Caller, item: wire.BatchRequest) -> wire.BatchResponse:
        try:
            wanted = _turn_request(self._access, caller, item.question)
            async with question_turn(self._access.questions(caller), wanted, item.question.user) as (_, snapshots):
                turn = await final_snapshot(snapshots)
        except AnswerdeskError as error:
            return wire.BatchResponse(id=item.id, problem=values.problem(bilingual(error)))
        failed = problem_of_turn(turn)
        if failed is not None:
            return wire.BatchResponse(id=item.id, problem=values.problem(failed))
        assert turn.answer is not None  # it has a problem else
        return wire.BatchResponse(id=item.id, answer=values.answer(turn, turn.answer))


class _Steps:
    """The part of a turn sent so far."""

    def __init__(self, turn_id: str) -> None:
        self._turn_id = turn_id
        self._place = StreamPlace()

    def new_events(self, turn: TurnSnapshot) -> list[wire.AskEvent]:
        """Return the events not sent yet."""
        events = [self._event(**_step(name, turn, words)) for name, words in self._place.new_parts(turn)]
        if turn.answer is not None:
            whole = values.answer(turn, turn.answer)
            events.append(self._event(refusal=whole) if turn.answer.refused else self._event(completed=whole))
        return events

    @property
    def _event(self) -> Callable[..., wire.AskEvent]:
        return lambda **step: wire.AskEvent(turn_id=self._turn_id, **step)


def _step(name: NewsName, turn: TurnSnapshot, words: str) -> dict[str, object]:
    if name == "retrieved":
        evidence = map(values.passage, turn.evidence)
        found = wire.Retrieved(answerable=bool(turn.answerable), generation=turn.generation, evidence=evidence)
        return {"retrieved": found}
    if name == "queued":
        return {"queued": wire.Queued(ahead=turn.ahead or 0, wait_seconds=turn.wait_seconds)}
    return {"draft" if name == "answer" else name: wire.Words(text=words)}


def _turn_request(access: Access, caller: Caller, request: wire.AskRequest) -> TurnRequest:
    if request.quote not in _QUOTES:
        raise RequestUnusable(reason="quote")
    return TurnRequest(
        request.question,
        knowledge_base=access.base_for(caller, request.knowledge_base),
        think=request.think if request.HasField("think") else None,
        fresh=request.fresh,
        quote=_QUOTES[request.quote],
        follows=request.follows,
        earlier=_earlier(request.earlier),
    )


def _earlier(questions: Sequence[str]) -> tuple[str, ...]:
    if len(questions) > _MOST_EARLIER:
        raise RequestUnusable(reason="earlier")
    return tuple(questions)


class Documents:
    """The documents of a knowledge base, as ``answerdesk.proto`` describes them."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def List(self, request: wire.ListDocumentsRequest, context: Context) -> wire.ListDocumentsResponse:
        """List what is published."""
        async with call_of(self._access, context, "documents:read") as caller:
            desk = self._access.desk(caller, request.knowledge_base)
            rows = await run_in_threadpool(desk.knowledge.articles)
            wanted = request.containing.casefold()
            rows = tuple(row for row in rows if wanted in f"{row.title}\n{row.document_id}".casefold())
            end = request.offset + min(request.limit or _USUAL_LIST, _LONGEST_LIST)
            generation = desk.knowledge_state().generation
            return wire.ListDocumentsResponse(
                knowledge_base=desk.knowledge_base,
                generation=generation,
                total=len(rows),
                documents=[values.document_line(row, generation) for row in rows[request.offset : end]],
            )

    async def Get(self, request: wire.GetDocumentRequest, context: Context) -> wire.Document:
        """Return a stretch of a document."""
        async with call_of(self._access, context, "documents:read") as caller:
            desk = self._access.desk(caller, request.knowledge_base)
            end = request.end if request.HasField("end") else None
            read = desk.knowledge.stretch
            return values.document(
                await run_in_threadpool(read, request.document_id, request.start, end, most=_LONGEST_TEXT)
            )

    async def Put(self, requests: AsyncIterator[wire.PutDocumentRequest], context: Context) -> wire.PutDocumentResponse:
        """Take a file, which then waits to be published."""
        async with call_of(self._access, context, "documents:write") as caller:
            first = await anext(aiter(requests), None)
            if first is None or first.WhichOneof("piece") != "file":
                raise RequestUnusable(reason="piece")
            knowledge = self._access.desk(caller, first.file.knowledge_base).knowledge
            knowledge.require_room(1)
            with self._access.callers.uploads.count_open(caller):
                content = await _read_content(requests, knowledge.largest_upload_megabytes * _BYTES_A_MEGABYTE)
                await run_in_threadpool(knowledge.keep, [(first.file.name, content)])
            files = [
                wire.WaitingFile(name=one.name, size_bytes=one.size_bytes, replaces=one.replaces)
                for one in knowledge.waiting()
            ]
            return wire.PutDocumentResponse(knowledge_base=knowledge.name, files=files)

    async def Ingest(self, request: wire.IngestRequest, context: Context) -> None:
        """Publish what waits, and tell how far that is."""
        async with call_of(self._access, context, "documents:write") as caller:
            if not (request.rehearsal or request.follow):
                caller.require("publish")
            knowledge = self._access.desk(caller, request.knowledge_base).knowledge
            job = await run_in_threadpool(_begin_or_follow, knowledge, request)
            async for job, event in _progress(knowledge, job):  # noqa: B007, B020  # the last one is looked at below
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


async def _read_content(requests: AsyncIterator[wire.PutDocumentRequest], limit: int) -> bytes:
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


def _begin_or_follow(knowledge: KnowledgeService, request: wire.IngestRequest) -> Job:
    """Begin an ingest, or return the one to follow."""
    if request.follow:
        return require_job(knowledge.job, 0)
    roots = tuple(request.roots)
    if request.rehearsal:
        return knowledge.check(roots, prune=request.prune)
    return knowledge.publish_all(roots, prune=request.prune, force=request.force)


async def _progress(knowledge: KnowledgeService, job: Job) -> AsyncIterator[tuple[Job, wire.IngestEvent]]:
    """Yield a job whenever its progress changes, and when it has ended."""
    told, last = 0, None
    async for state in watched_job(knowledge.job, job):
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
