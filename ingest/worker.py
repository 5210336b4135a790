"""``python -m ingest.worker``: embed passages for the ingests of all machines that share a database server."""

import argparse
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence

from ingest.commands import print_json
from ingest.embedding_share import space_of
from ingest.embedding_worker import EmbeddingWorker, WorkerState
from rag.errors import AnswerdeskError, SettingsError
from rag.priority import run_as_batch_work, usable_cores
from rag.private_files import keep_files_private
from rag.protocols import Embedder
from rag.retrieval.embedder import open_embedder
from rag.schema import Language
from rag.settings import Settings, load_settings
from rag.storage.embedding_jobs import EmbeddingJobs, shown_name
from rag.terminal import exit_code_of, fail, terminal_language
from rag.translate import translate

STOPPED = 130
_LINE_EVERY_SECONDS = 10.0

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
    """What a worker says on standard error: what is in its way at once, how far it has come now and then."""

    def __init__(self, language: Language) -> None:
        self._language: Language = language
        self._problem = ""
        self._spoke_at = time.monotonic()

    def tell(self, state: WorkerState) -> None:
        """Say what is new."""
        problem = state.problem.text(self._language) if state.problem is not None else ""
        if problem != self._problem:
            self._problem = problem
            self._say(problem or translate("ingest.worker_goes_on", self._language))
        elif time.monotonic() - self._spoke_at >= _LINE_EVERY_SECONDS:
            self._spoke_at = time.monotonic()
            self._say(self.figures(state))

    def figures(self, state: WorkerState) -> str:
        """Return how much was done."""
        rate = state.passages / state.busy_seconds if state.busy_seconds else 0.0
        return translate("ingest.worker_figures", self._language, passages=state.passages, rate=rate)

    def _say(self, line: str) -> None:
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
        named = {"name": shown_name(worker.name), "model": embedder.model_id, "threads": threads}
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
                {"worker": shown_name(worker.name), "passages": worker.state.passages,
                 "busy_seconds": round(worker.state.busy_seconds, 2)}
            )  # fmt: skip
    return STOPPED


if __name__ == "__main__":
    keep_files_private()
    sys.exit(run_as_batch_work(lambda: exit_code_of(main)))
