"""Jobs as routes tell them: as events, one for each change."""

from collections.abc import AsyncIterator
from typing import Any

from fastapi.responses import StreamingResponse

from api.event_streams import event_stream
from api.reading import JobNow, watched_job
from api.rest.values import job_body
from api.services.jobs import Job
from rag.schema import Language

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


def job_stream(now: JobNow, job: Job, language: Language) -> StreamingResponse:
    """Return a job's events, the last one when it has ended; ``now`` as in ``watched_job``."""
    return event_stream(_events(now, job, language))


async def _events(now: JobNow, job: Job, language: Language) -> AsyncIterator[str]:
    told = None
    async for state in watched_job(now, job):
        body = job_body(state, language).model_dump_json()
        if body != told:
            told = body
            yield f"event: job\ndata: {body}\n\n"
