"""Knowledge bases and documents, as programs read them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from api.access import Access
from api.callers import Caller
from api.services.jobs import Job
from api.services.shared import DeskServices
from rag.errors import DocumentMissing, JobMissing
from rag.schema import Document

_LOOK_EVERY_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Stretch:
    """``text`` is ``document.text[start:end]``, as published in ``generation``."""

    document: Document
    generation: int
    start: int
    end: int

    @property
    def text(self) -> str:
        """The words."""
        return self.document.text[self.start : self.end]


def desk_of(access: Access, caller: Caller, named: str | None) -> DeskServices:
    """Return the services for the knowledge base that a request names, else for the first that the caller may read.

    Raises as ``Access.desk``.
    """
    return access.desk(caller, access.base_for(caller, named))


JobNow = Callable[[], Job | None]
"""Returns the last job of a lane as it is now; None where there was none."""


def latest_job(now: JobNow, number: int) -> Job:
    """Return the last job of a lane; with a ``number`` other than 0, this one.

    Raises ``JobMissing``.
    """
    job = now()
    if job is None or number not in (0, job.job_id):
        raise JobMissing(number=number)
    return job


async def watched_job(now: JobNow, job: Job) -> AsyncIterator[Job]:
    """Yield a job as it is now, and again at each look until it has ended.  Raises ``JobMissing``."""
    yield job
    while job.running:
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
        job = await run_in_threadpool(latest_job, now, job.job_id)
        yield job


def read_stretch(desk: DeskServices, document_id: str, start: int, end: int | None, most: int | None = None) -> Stretch:
    """Return at most ``most`` characters of a document from ``start`` on, up to ``end``; None: as many as there are.

    Raises ``DocumentMissing`` and ``AccessDenied``.
    """
    opened = desk.library.article(document_id)
    if opened is None:
        raise DocumentMissing(document=document_id)
    length = len(opened.document.text)
    first = min(max(start, 0), length)
    last = min(length if end is None else end, length if most is None else first + most, length)
    return Stretch(opened.document, opened.generation, first, max(first, last))
