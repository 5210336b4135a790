"""An ingest in a process of its own: a page that asked for it goes on, and can stop it.

    with JobProcess(settings) as process:
        summary = process.ingest(IngestJob(paths=(folder,), rehearsal=True), progress=print)

The process runs at a lower priority than the one that answers questions.  It ends when its owner does, and when it is
stopped: nothing is published then, and its vectors are kept.
"""

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import TypeAdapter

from ingest.child import Child
from ingest.summary import IngestProgress, IngestSummary, ReportProgress
from rag import errors
from rag.errors import AnswerdeskError, IngestStopped
from rag.settings import Settings

PROGRESS, SUMMARY, FAILURE = "progress", "summary", "failure"
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


class JobProcess:
    """One process for one ingest; a context manager, because it owns it.  ``stop`` may be called from any thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._child = Child("ingest.job_process")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._child.__exit__(kind, error, at)

    def stop(self) -> None:
        """End the ingest; ``ingest`` then raises ``IngestStopped``."""
        self._child.stop()

    def ingest(self, job: IngestJob, progress: ReportProgress) -> IngestSummary:
        """Run the job and return what became of it; ``progress`` is called in this thread.

        Raises what ``ingest.pipeline.ingest`` raises, and ``IngestStopped`` where it was stopped or its process died.
        """
        request = {"settings": self._settings.model_dump(mode="json"), "job": JOBS.dump_python(job, mode="json")}
        for kind, value in self._child.replies(request):
            if kind == PROGRESS:
                progress(PROGRESSES.validate_python(value))
            elif kind == SUMMARY:
                return SUMMARIES.validate_python(value)
            else:
                raise error_from(value)
        raise IngestStopped


def failure_of(error: AnswerdeskError) -> dict[str, object]:
    """Return an error as plain values."""
    details = {name: value if isinstance(value, int | float) else str(value) for name, value in error.details.items()}
    return {"kind": type(error).__name__, "details": details}


def error_from(value: dict[str, Any]) -> AnswerdeskError:
    """Return the error that ``failure_of`` described."""
    kind, details = getattr(errors, str(value["kind"])), value["details"]
    made = kind(**details)
    if not isinstance(made, AnswerdeskError):
        raise TypeError(f"no error of the product: {value['kind']}")
    return made
