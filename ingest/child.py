"""A process of ours for one long piece of work, which another one of ours owns, talks to and can stop.

The request is one line of JSON on the child's standard input; its replies are lines of JSON, ``[kind, value]``, on
standard output.  It runs at a lower priority than the process that answers questions, and ends with its owner.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from rag.errors import IngestStopped
from rag.priority import INGEST_GIVES_WAY_BY, give_way

_PACKAGES = Path(__file__).resolve().parent.parent


class Child:
    """One run of ``python -m MODULE``; a context manager, because it owns it.  ``stop`` may be called by any thread."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._lock = threading.Lock()
        self._stopped = False
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        process = self._process
        if process is not None:
            self._signal(process, signal.SIGKILL)  # it has ended, or nobody waits for it: a kill loses nothing
            process.communicate()

    def stop(self) -> None:
        """End the work; ``replies`` then come to their end."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._signal(self._process, signal.SIGTERM)

    @staticmethod
    def _signal(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
        """Send a signal to the child and to what it started: a helper that goes on would keep its output open."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)

    def replies(self, request: object) -> Iterator[tuple[str, Any]]:
        """Send the request and yield what is replied, until the process ends.

        Raises ``IngestStopped`` where it was stopped, or died, before it could read.
        """
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


def tell(replies: TextIO, kind: str, value: object) -> None:
    """Write a reply, in the child."""
    replies.write(json.dumps([kind, value]) + "\n")
    replies.flush()


def serve_owner(serve: Callable[[dict[str, Any], TextIO], None]) -> None:
    """Read the request and serve it, in the child; standard output is out of reach of libraries that print."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the owner, who ends us
    give_way(INGEST_GIVES_WAY_BY)
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as replies:
        os.dup2(2, 1)
        request = json.loads(sys.stdin.readline())
        threading.Thread(target=_end_with_owner, name="owner", daemon=True).start()
        serve(request, replies)
        replies.flush()
        os._exit(0)  # a thread is still waiting for the end of our input


def _end_with_owner() -> None:
    """Wait for the end of our input, then end: whatever was kept so far is whole."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)
