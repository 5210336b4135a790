"""``python -m ingest.worker``: embed passages for the ingests of all machines that share a database server."""

from rag.interruption import end_at_interrupt

if __name__ == "__main__":
    end_at_interrupt()  # before the imports, which take seconds

import argparse
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass

from ingest.embedding_share import space_of
from rag.errors import AnswerdeskError, DatabaseUnavailable, SettingsError
from rag.priority import run_as_batch_work, usable_cores
from rag.private_files import keep_files_private
from rag.protocols import Embedder, PassageVectors
from rag.retrieval.embedder import open_embedder
from rag.schema import Language
from rag.settings import Settings, load_settings
from rag.storage.embedding_jobs import EmbeddingJobs, Job, display_name, joined, member_name
from rag.terminal import INTERRUPTED, exit_code_of, fail, print_json, terminal_language
from rag.translate import translate

_LINE_EVERY_SECONDS = 10.0
_LOOK_SECONDS = 1.0
"""How often an idle worker polls, besides the server's notifications."""
_CLEAN_SECONDS = 10.0
_AGAIN_SECONDS = 0.5
_PATIENCE_SECONDS = 60.0
"""How long vectors are kept while the server is away; after that another worker does the job."""

_EXAMPLES = """\
examples:
  python -m ingest.worker                  on each machine that is to help, until Ctrl-C
  python -m ingest manuals --workers       then, on any machine: shares its passages out to them
  ANSWERDESK_EMBEDDER_THREADS=4 python -m ingest.worker      with four cores

Every machine names the same server with ANSWERDESK_DATABASE_URL, and has the same version and the same embedder
(ANSWERDESK_EMBEDDING_MODEL).  A worker writes nothing to its own machine.  One that is killed loses nothing: others do
its part.

exit codes: 2 no server is named; 3 the server is away, or an ingest found this machine's vectors broken;
  5 the embedder is missing; 130 stopped with Ctrl-C, after it gave back what it had"""


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker's passages so far, its seconds of embedding, and the problem that stops it, if any."""

    passages: int = 0
    busy_seconds: float = 0.0
    problem: AnswerdeskError | None = None


class EmbeddingWorker:
    """One worker with ``threads`` threads; ``tell`` is called in the thread that runs it, whenever its state changes.

    ``state`` may be read by any thread.
    """

    def __init__(
        self, jobs: EmbeddingJobs, embedder: Embedder, *, threads: int, tell: Callable[[WorkerState], None]
    ) -> None:
        self.name = member_name()
        self.state = WorkerState()
        self._jobs = jobs
        self._embedder = embedder
        self._threads = threads
        self._tell = tell
        self._clean_due_at = 0.0

    def run(self, ended: threading.Event) -> None:
        """Embed until the event is set, or a ``KeyboardInterrupt``; then return the unfinished jobs.

        Raises ``DatabaseUnavailable`` where the server is away at the beginning; later it is waited for.  Raises
        ``WorkerRefused`` where an ingest found the vectors broken.
        """
        with ExitStack() as stack:
            self._jobs.join(self.name)
            stack.callback(self._leave)
            pool = ThreadPoolExecutor(self._threads, thread_name_prefix="embedding")
            stack.callback(pool.shutdown, cancel_futures=True)
            self._jobs.register(self.name)
            while not ended.is_set():
                try:
                    self._serve(pool, ended)
                except DatabaseUnavailable as error:
                    self._jobs.suspect()
                    self._report(problem=error)
                    ended.wait(_AGAIN_SECONDS)

    def _serve(self, pool: ThreadPoolExecutor, ended: threading.Event) -> None:
        """Work on jobs until the server goes away."""
        with closing(self._jobs.notices()) as notices:
            while not ended.is_set():
                self._jobs.register(self.name)
                job = self._jobs.claim(self.name)
                if job is not None:
                    self._report()
                    self._do(job, pool, ended)
                    continue
                if time.monotonic() >= self._clean_due_at:
                    self._clean_due_at = time.monotonic() + _CLEAN_SECONDS
                    self._jobs.forget_dead()
                unfit_reasons = self._jobs.unfit_reasons()
                self._report(problem=unfit_reasons[0] if unfit_reasons else None)
                notices.wait(_LOOK_SECONDS)

    def _do(self, job: Job, pool: ThreadPoolExecutor, ended: threading.Event) -> None:
        began = time.monotonic()
        vectors = joined(list(pool.map(self._embedder.embed_passages, job.batches)))
        seconds = time.monotonic() - began
        self._deliver(job, vectors, ended)
        self._report(len(vectors.tokens), seconds)

    def _deliver(self, job: Job, vectors: PassageVectors, ended: threading.Event) -> None:
        """Send vectors to the server, and wait a while if it is restarting."""
        patient_until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                self._jobs.deliver(self.name, job, vectors)
                return
            except DatabaseUnavailable as error:
                if ended.is_set() or time.monotonic() > patient_until:
                    raise
                self._jobs.suspect()
                self._report(problem=error)
                ended.wait(_AGAIN_SECONDS)

    def _report(self, passages: int = 0, seconds: float = 0.0, problem: AnswerdeskError | None = None) -> None:
        """Report a change of state."""
        before = self.state
        self.state = WorkerState(before.passages + passages, before.busy_seconds + seconds, problem)
        if str(problem) != str(before.problem) or passages:
            self._tell(self.state)

    def _leave(self) -> None:
        """Return a job and leave; an unreachable server notices by itself."""
        with suppress(DatabaseUnavailable):
            self._jobs.retire(self.name)
        self._jobs.leave(self.name)
        self._jobs.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ingest.worker",
        description="Embed passages for ingests of other machines.  为其他机器的导入计算向量",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print what was done as JSON at the end  结束时输出 JSON")
    return parser


class _Console:
    """Prints on standard error: problems at once, progress every ten seconds."""

    def __init__(self, language: Language) -> None:
        self._language: Language = language
        self._problem = ""
        self._spoke_at = time.monotonic()

    def tell(self, state: WorkerState) -> None:
        """Print what changed."""
        problem = state.problem.text(self._language) if state.problem is not None else ""
        if problem != self._problem:
            self._problem = problem
            self._report(problem or translate("ingest.worker_goes_on", self._language))
        elif time.monotonic() - self._spoke_at >= _LINE_EVERY_SECONDS:
            self._spoke_at = time.monotonic()
            self._report(self.figures(state))

    def figures(self, state: WorkerState) -> str:
        """Return the figures in words."""
        rate = state.passages / state.busy_seconds if state.busy_seconds else 0.0
        return translate("ingest.worker_figures", self._language, passages=state.passages, rate=rate)

    def _report(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None, opened: Callable[[Settings], Embedder] = open_embedder) -> int:
    """Run the command, with the embedder that is ``opened``, and return its exit code."""
    options = _parser().parse_args(arguments)
    language = terminal_language()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stopped by a service manager, end as at Ctrl-C
    worker = None
    console = _Console(language)
    try:
        settings = load_settings()
        place = settings.embedding_database
        if place is None:
            raise SettingsError(reason=translate("ingest.no_server", language))
        embedder = opened(settings)
        jobs = EmbeddingJobs(place, space_of(embedder))
        threads = settings.embedder_threads or usable_cores()
        worker = EmbeddingWorker(jobs, embedder, threads=threads, tell=console.tell)
        named = {"name": display_name(worker.name), "model": embedder.model_id, "threads": threads}
        print(translate("ingest.worker_waits", language, **named), file=sys.stderr, flush=True)
        worker.run(threading.Event())
    except AnswerdeskError as error:
        return fail(error)
    except KeyboardInterrupt:
        pass
    if worker is not None:
        print(console.figures(worker.state), file=sys.stderr)
        if options.json:
            print_json(
                {"worker": display_name(worker.name), "passages": worker.state.passages,
                 "busy_seconds": round(worker.state.busy_seconds, 2)}
            )  # fmt: skip
    return INTERRUPTED


if __name__ == "__main__":
    keep_files_private()
    sys.exit(run_as_batch_work(lambda: exit_code_of(main)))
