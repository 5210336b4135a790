"""``python -m ingest.job_process``: one ingest for ``ingest.job``, in a process that may be lost (``ingest/child.py``).

The request is ``{"settings", "job"}``; the replies are ``progress`` while it runs, and at last ``summary`` or
``failure``.
"""

import time
from collections.abc import Mapping
from typing import Any, TextIO

from ingest.child import serve_owner, tell
from ingest.job import FAILURE, JOBS, PROGRESS, PROGRESSES, SUMMARIES, SUMMARY, IngestJob, failure_of
from ingest.pipeline import ingest
from ingest.summary import IngestProgress, IngestSummary
from rag.errors import AnswerdeskError
from rag.retrieval.embedder import open_embedder
from rag.settings import Settings

_TELL_EVERY_SECONDS = 0.2


class _Told:
    """Writes progress, but not more often than somebody can look; every failure, and every stage's beginning."""

    def __init__(self, replies: TextIO) -> None:
        self._replies = replies
        self._stage = ""
        self._due_at = 0.0

    def progress(self, progress: IngestProgress) -> None:
        now = time.monotonic()
        if progress.failure is None and progress.stage == self._stage and now < self._due_at:
            return
        self._stage, self._due_at = progress.stage, now + _TELL_EVERY_SECONDS
        tell(self._replies, PROGRESS, PROGRESSES.dump_python(progress, mode="json"))


def serve(request: Mapping[str, Any], replies: TextIO) -> None:
    """Do what is asked, and write what became of it."""
    told = _Told(replies)
    settings = Settings.model_validate(request["settings"])
    try:
        summary = _run(JOBS.validate_python(request["job"]), settings, told)
    except AnswerdeskError as error:
        tell(replies, FAILURE, failure_of(error))
    else:
        tell(replies, SUMMARY, SUMMARIES.dump_python(summary, mode="json"))


def _run(job: IngestJob, settings: Settings, told: _Told) -> IngestSummary:
    return ingest(
        job.paths,
        settings,
        open_embedder(settings),
        prune=job.prune,
        force=job.force,
        rehearsal=job.rehearsal,
        progress=told.progress,
    )


if __name__ == "__main__":
    serve_owner(serve)
