"""The product's values as bodies of the native API, and a job's changes as events."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from fastapi.responses import JSONResponse, Response, StreamingResponse

from api.problems import Problem, problem_of_failure
from api.rest.bodies import (
    AnsweringModel,
    CuratedBody,
    FindingBody,
    JobBody,
    ObjectiveBody,
    Passage,
    PerformanceBody,
    ProblemBody,
    RewrittenBody,
    SlowTurnBody,
    StageFigures,
    StageTime,
    Trouble,
    TurnBody,
)
from api.services.jobs import FindJob, Job, watched_job
from api.services.models import Outcome, Step
from api.streams import event_stream
from api.wire import answer_data, evidence_data
from ingest.summary import IngestProgress, IngestSummary
from rag.performance import Performance
from rag.rewriting import Wish
from rag.schema import Language
from rag.storage.curated import CuratedAnswer
from rag.storage.store import GenerationInfo
from rag.turns import Failure, TurnSnapshot, WritingSnapshot

Figures = dict[str, int | float | bool | str | list[str] | None]
JOB_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "events of the job",
        "content": {
            "text/event-stream": {
                "schema": {"type": "object", "properties": {"event": {"type": "string"}, "data": {"type": "string"}}},
                "description": "an event `job` for each change",
            }
        },
    }
}


def turn_body(turn: TurnSnapshot, language: Language) -> TurnBody:
    """Return a turn, finished or not."""
    answer = turn.answer
    data = answer_data(turn)
    times = answer.spans if answer is not None else turn.stages
    return TurnBody.model_validate(
        {
            "question": turn.question,
            "language": turn.language,
            "asked_at": turn.asked_at,
            "follows": turn.follows,
            "refused": None,
            "text": turn.text,
            "thinking": turn.thinking,
            "lane": None,
            "model": "",
            "stand_in": False,
            "generation": turn.generation,
            "instead_of": "",
            "by_words_alone": "",
            "citations": [],
            "unsupported": [],
            "unconfirmed": [],
            "left_open": [],
            "quotation": None,
            "conflicts": [],
            "evidence": [Passage.model_validate(evidence_data(one)) for one in turn.evidence],
            "stages": [StageTime(name=one.name, duration_ms=round(one.duration_ms, 2)) for one in times],
            "ahead": turn.ahead,
            "wait_seconds": turn.wait_seconds,
            "prompt_tokens": turn.prompt_tokens,
            "generated_tokens": turn.generated_tokens,
            "problem": problem_body(turn, language) if turn.failure is not None else None,
        }
        | data
    )


def problem_body(turn: TurnSnapshot, language: Language) -> ProblemBody:
    """Return why a turn ended early."""
    assert turn.failure is not None  # the caller has looked
    return as_body(problem_of_failure(turn.failure, language))


def as_body(problem: Problem) -> ProblemBody:
    """Return a problem as a part of a body."""
    return ProblemBody.model_validate(problem.as_problem())


def failed_response(failure: Failure, turn_id: str, language: Language) -> Response:
    """Return why work beside a turn has no result, as its problem."""
    problem = problem_of_failure(failure, language)
    content = problem.as_problem() | {"turn_id": turn_id}
    return JSONResponse(content, problem.status, problem.headers(), media_type="application/problem+json")


def rewritten_body(writing: WritingSnapshot, turn_id: str, wish: Wish, language: Language) -> RewrittenBody:
    """Return a draft in other words, or what the check found in them."""
    found = writing.finding
    finding = None
    if found is not None:
        details = {name: str(found.details[name]) for name in ("reason", "before", "after")}
        finding = FindingBody.model_validate(details | {"detail": found.text(language)})
    return RewrittenBody(
        turn_id=turn_id,
        wish=wish,
        state="done" if finding is None else "refused",
        text=writing.text,
        finding=finding,
        model=writing.model,
        stand_in=writing.stand_in,
    )


def curated_body(curated: CuratedAnswer, doubtful: Sequence[str] | None = None) -> CuratedBody:
    """Return an answer that a person wrote; ``doubtful`` as ``CuratedBody`` has them."""
    kept = curated.kept
    return CuratedBody(
        number=curated.number,
        question=kept.question,
        answer=kept.answer,
        language=kept.language,
        state=curated.state,
        author=kept.author,
        written_at=curated.written_at,
        document_ids=list(dict.fromkeys(one.document_id for one in kept.sources)),
        doubtful=list(doubtful) if doubtful is not None else None,
    )


def performance_body(report: Performance) -> PerformanceBody:
    """Return the figures of a window; of its turns ids and times, and no word."""
    times = [*report.whole.items(), *report.stages]
    return PerformanceBody(
        until=report.until,
        seconds=report.seconds,
        asked=report.asked,
        turns=report.turns,
        stages=[StageFigures(name=name, n=one.n, p50=one.p50, p95=one.p95, p99=one.p99) for name, one in times],
        objective=ObjectiveBody.model_validate(report.objective),
        tokens_per_second=report.tokens_per_second,
        models=[AnsweringModel(name=name, stand_in=stand_in) for name, stand_in in report.models],
        slowest=[SlowTurnBody.model_validate(one) for one in report.slowest],
    )


def job_body(job: Job, language: Language) -> JobBody:
    """Return a job as it is now."""
    stage, done, total = _progress(job.progress)
    problem = as_body(problem_of_failure(job.failure, language)) if job.failure is not None else None
    troubles = [Trouble(code=type(one).__name__, detail=one.public_text(language)) for one in job.troubles]
    return JobBody(
        job_id=job.job_id,
        kind=job.kind,
        state=job.state,
        who=job.who,
        began_at=job.began_at,
        ended_at=job.ended_at,
        stage=stage,
        done=done,
        total=total,
        troubles=troubles,
        result=_result(job.result),
        problem=problem,
    )


def _progress(progress: object) -> tuple[str, int, int]:
    if isinstance(progress, IngestProgress):
        return progress.stage, *progress.counts
    if isinstance(progress, Step):
        return progress.name, progress.done_bytes, progress.total_bytes
    done, total = getattr(progress, "done", 0), getattr(progress, "total", 0)
    return "", int(done), int(total)


def _result(result: object) -> Figures | None:
    summary = getattr(result, "summary", result)  # of a check it is inside
    if isinstance(summary, IngestSummary):
        return {
            "published": summary.published,
            "generation": summary.generation,
            "documents": summary.documents,
            "passages": summary.chunks,
            "added": summary.added,
            "changed": summary.changed,
            "unchanged": summary.unchanged,
            "moved": summary.moved,
            "retired": summary.retired,
            "missing": summary.missing,
            "failures": len(summary.failures),
            "undescribed_pictures": summary.undescribed.pictures,
            "seconds": round(summary.seconds, 3),
        }
    if isinstance(result, GenerationInfo):
        return {"generation": result.generation, "documents": result.document_count, "passages": result.chunk_count}
    if isinstance(result, Outcome):
        return {
            "name": result.name,
            "size_bytes": result.size_bytes,
            "quantization": result.quantization,
            "has_chat_format": result.speaks,
            "overridden_by": list(result.variables),
        }
    return {"run": result} if isinstance(result, str) else None


def job_stream(find: FindJob, job: Job, language: Language) -> StreamingResponse:
    """Return a job's events, the last one when it has ended; ``find`` as in ``watched_job``."""
    return event_stream(_events(find, job, language))


async def _events(find: FindJob, job: Job, language: Language) -> AsyncIterator[str]:
    told = None
    async for state in watched_job(find, job):
        body = job_body(state, language).model_dump_json()
        if body != told:
            told = body
            yield f"event: job\ndata: {body}\n\n"
