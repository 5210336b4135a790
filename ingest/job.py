"""An ingest in a process of its own, which a page can start and stop.

    with JobProcess(settings) as process:
        summary = process.ingest(IngestJob(paths=(folder,), rehearsal=True), progress=print)

The process runs at a lower priority than the one that answers questions.  It ends when its owner does, and when it is
stopped: nothing is published then, and its vectors are kept.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ingest.summary import IngestProgress, IngestSummary, ReportProgress
from ingest.worker_process import Tell, WorkerProcess, serve_parent
from rag.settings import Settings

PROGRESSES = TypeAdapter(IngestProgress)
SUMMARIES = TypeAdapter(IngestSummary)
_TELL_EVERY_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class IngestJob:
    """Arguments for ``ingest.pipeline.ingest``."""

    paths: tuple[Path, ...]
    prune: bool = False
    force: bool = False
    rehearsal: bool = False


JOBS = TypeAdapter(IngestJob)


class JobProcess(WorkerProcess):
    """One process for one ingest."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("ingest.job", settings)

    def ingest(self, job: IngestJob, progress: ReportProgress) -> IngestSummary:
        """Run the job and return its summary; ``progress`` is called in this thread.

        Raises what ``ingest.pipeline.ingest`` raises, and ``IngestStopped`` where it was stopped or its process died.
        """
        summary = self.run(
            JOBS.dump_python(job, mode="json"), lambda value: progress(PROGRESSES.validate_python(value))
        )
        return SUMMARIES.validate_python(summary)


def _throttled(tell: Tell) -> ReportProgress:
    """Report progress at most five times a second, and every failure and the start of each stage."""
    stage, due_at = "", 0.0

    def report(progress: IngestProgress) -> None:
        nonlocal stage, due_at
        now = time.monotonic()
        if progress.failure is not None or progress.stage != stage or now >= due_at:
            stage, due_at = progress.stage, now + _TELL_EVERY_SECONDS
            tell(PROGRESSES.dump_python(progress, mode="json"))

    return report


def work(settings: Settings, given: Any, tell: Tell) -> object:  # noqa: ANN401 - JSON
    """Run the job in this process; the page that started it imports none of this."""
    from ingest.pipeline import IngestOptions, ingest
    from rag.retrieval.embedder import open_embedder

    job = JOBS.validate_python(given)
    summary = ingest(
        job.paths,
        settings,
        open_embedder(settings),
        IngestOptions(prune=job.prune, force=job.force, rehearsal=job.rehearsal),
        progress=_throttled(tell),
    )
    return SUMMARIES.dump_python(summary, mode="json")


if __name__ == "__main__":
    serve_parent(work)
