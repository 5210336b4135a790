"""``python -m ingest.job_process``: one ingest for ``ingest.job``, in a process that may be lost.

The request is one line of JSON on standard input, ``{"settings", "job"}``; the replies are lines of JSON on standard
output: ``["progress", ...]`` while it runs, and at last ``["summary", ...]`` or ``["failure", ...]``.  When standard
input ends, its owner is gone, and so is whoever wanted this.
"""

import contextlib
import json
import os
import signal
import sys
import threading
import time
from typing import TextIO

from ingest.job import FAILURE, JOBS, PROGRESS, PROGRESSES, SUMMARIES, SUMMARY, IngestJob, failure_of
from ingest.pipeline import ingest
from ingest.summary import IngestProgress, IngestSummary
from rag.errors import AnswerdeskError
from rag.retrieval.embedder import open_embedder
from rag.settings import Settings

_NICER_BY = 10
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
        self.tell(PROGRESS, PROGRESSES.dump_python(progress, mode="json"))

    def tell(self, kind: str, value: object) -> None:
        self._replies.write(json.dumps([kind, value]) + "\n")
        self._replies.flush()


def serve(requests: TextIO, replies: TextIO) -> None:
    """Read one request, do it, and write what became of it."""
    told = _Told(replies)
    request = json.loads(requests.readline())
    settings = Settings.model_validate(request["settings"])
    threading.Thread(target=_end_with_owner, args=(requests,), name="owner", daemon=True).start()
    try:
        summary = _run(JOBS.validate_python(request["job"]), settings, told)
    except AnswerdeskError as error:
        told.tell(FAILURE, failure_of(error))
    else:
        told.tell(SUMMARY, SUMMARIES.dump_python(summary, mode="json"))


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


def _end_with_owner(requests: TextIO) -> None:
    """Wait for the end of our input, then end: a kill at any point leaves the knowledge base whole."""
    requests.read()
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Serve standard input, with standard output out of reach of libraries that print."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the owner, who ends us
    with contextlib.suppress(OSError):
        os.nice(_NICER_BY)
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as replies:
        os.dup2(2, 1)
        serve(sys.stdin, replies)
        replies.flush()
        os._exit(0)  # a thread is still waiting for the end of our input


if __name__ == "__main__":
    main()
