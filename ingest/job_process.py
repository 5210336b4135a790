"""``python -m ingest.job_process``: one ingest for ``ingest.job``, in a process that may be lost (``child.py``)."""

import time
from typing import Any

from ingest.child import Tell, serve_parent
from ingest.job import JOBS, PROGRESSES, SUMMARIES
from ingest.pipeline import IngestOptions, ingest
from ingest.summary import IngestProgress
from rag.retrieval.embedder import open_embedder
from rag.settings import Settings

_TELL_EVERY_SECONDS = 0.2


class _Told:
    """Writes progress, but not more often than somebody can look; every failure, and every stage's beginning."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._stage = ""
        self._due_at = 0.0

    def progress(self, progress: IngestProgress) -> None:
        now = time.monotonic()
        if progress.failure is None and progress.stage == self._stage and now < self._due_at:
            return
        self._stage, self._due_at = progress.stage, now + _TELL_EVERY_SECONDS
        self._tell(PROGRESSES.dump_python(progress, mode="json"))


def work(settings: Settings, given: Any, tell: Tell) -> object:  # noqa: ANN401 - JSON
    """Do what is asked; return what became of it."""
    job = JOBS.validate_python(given)
    summary = ingest(
        job.paths,
        settings,
        open_embedder(settings),
        IngestOptions(prune=job.prune, force=job.force, rehearsal=job.rehearsal),
        progress=_Told(tell).progress,
    )
    return SUMMARIES.dump_python(summary, mode="json")


if __name__ == "__main__":
    serve_parent(work)
