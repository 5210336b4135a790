"""A child process for one long job, controlled by its parent.

The request, ``{"settings", "job"}``, is one line of JSON on the child's standard input.  Its replies are lines of JSON,
``[kind, value]``, on standard output: ``progress`` while it works, and at last ``summary`` or ``failure``.  It runs
at low priority and ends with its parent.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from rag import errors
from rag.errors import AnswerdeskError, IngestStopped
from rag.priority import become_batch_work
from rag.settings import Settings

Tell = Callable[[Any], None]
"""Takes a progress, as JSON has it."""

_PROGRESS, _SUMMARY, _FAILURE = "progress", "summary", "failure"
_PACKAGES = Path(__file__).resolve().parent.parent


class WorkerProcess:
    """One run of ``python -m MODULE``; a context manager that ends it.  ``stop`` may be called by any thread."""

    def __init__(self, module: str, settings: Settings) -> None:
        self._module = module
        self._settings = settings
        self._lock = threading.Lock()
        self._stopped = False
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        process = self._process
        if process is not None:
            self._signal(process, signal.SIGKILL)  # it has ended, or is not waited for: a kill loses nothing
            process.communicate()

    def stop(self) -> None:
        """End the work; ``run`` raises ``IngestStopped``."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._signal(self._process, signal.SIGKILL)  # helpers may ignore SIGTERM; what was kept so far is whole

    @staticmethod
    def _signal(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
        """Signal the child and its own children: one that goes on would keep its output open."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)

    def run(self, job: object, progress: Tell) -> Any:  # noqa: ANN401 - JSON, whose kind the caller knows
        """Run the job and return its summary; ``progress`` is called in this thread.

        Raises the error that ended the work, and ``IngestStopped`` where it was stopped or its process died.
        """
        for kind, value in self._replies({"settings": self._settings.model_dump(mode="json"), "job": job}):
            if kind == _PROGRESS:
                progress(value)
            elif kind == _SUMMARY:
                return value
            else:
                raise error_from(value)
        raise IngestStopped

    def _replies(self, request: object) -> Iterator[tuple[str, Any]]:
        """Send the request and yield what is replied, until the process ends."""
        search_path = os.pathsep.join([str(_PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])])
        with self._lock:
            if self._stopped:
                raise IngestStopped
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", self._module],  # -P: nothing is imported from where we stand
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                env={**os.environ, "PYTHONPATH": search_path},
                start_new_session=True,
            )
        requests, replies = self._process.stdin, self._process.stdout
        if requests is None or replies is None:
            raise TypeError("the process was started without pipes")
        try:
            requests.write(json.dumps(request) + "\n")
            requests.flush()
        except BrokenPipeError as error:
            raise IngestStopped from error
        for line in replies:
            kind, value = json.loads(line)
            yield kind, value


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


def _write_reply(replies: TextIO, kind: str, value: object) -> None:
    replies.write(json.dumps([kind, value]) + "\n")
    replies.flush()


def serve_parent(work: Callable[[Settings, Any, Tell], object]) -> None:
    """Read the request and run ``work(settings, job, tell)`` in the child; its result is the summary, as JSON.

    Standard output is out of reach of libraries that print.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the owner, who ends us
    become_batch_work()
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as replies:
        os.dup2(2, 1)
        request = json.loads(sys.stdin.readline())
        threading.Thread(target=_end_with_owner, name="owner", daemon=True).start()
        try:
            settings = Settings.model_validate(request["settings"])
            summary = work(settings, request["job"], partial(_write_reply, replies, _PROGRESS))
        except AnswerdeskError as error:
            _write_reply(replies, _FAILURE, failure_of(error))
        else:
            _write_reply(replies, _SUMMARY, summary)
        os._exit(0)  # a thread is still waiting for the end of our input


def _end_with_owner() -> None:
    """End with the parent, which closes our input: everything written so far is consistent."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)
