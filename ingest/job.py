"""An ingest in a process of its own: a page that asked for it goes on, and can stop it.

    with JobProcess(settings) as process:
        summary = process.ingest(IngestJob(paths=(folder,), rehearsal=True), progress=print)

The process runs at a lower priority than the one that answers questions.  It ends when its owner does, and when it is
stopped: nothing is published then, and its vectors are kept.
"""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from ingest.child import WorkerProcess
from ingest.summary import IngestProgress, IngestSummary, ReportProgress
from rag.settings import Settings

PROGRESSES = TypeAdapter(IngestProgress)
SUMMARIES = TypeAdapter(IngestSummary)


@dataclass(frozen=True, slots=True)
class IngestJob:
    """What is to be ingested, in the words of ``ingest.pipeline.ingest``."""

    paths: tuple[Path, ...]
    prune: bool = False
    force: bool = False
    rehearsal: bool = False


JOBS = TypeAdapter(IngestJob)


class JobProcess(WorkerProcess):
    """One process for one ingest."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("ingest.job_process", settings)

    def ingest(self, job: IngestJob, progress: ReportProgress) -> IngestSummary:
        """Run the job and return what became of it; ``progress`` is called in this thread.

        Raises what ``ingest.pipeline.ingest`` raises, and ``IngestStopped`` where it was stopped or its process died.
        """
        summary = self.run(
            JOBS.dump_python(job, mode="json"), lambda value: progress(PROGRESSES.validate_python(value))
        )
        return SUMMARIES.validate_python(summary)
