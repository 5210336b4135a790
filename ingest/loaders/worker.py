"""``python -m ingest.loaders.worker``: reads files for ``ingest.reader``, in a process that may be lost.

A request is one line of JSON on standard input, ``{"path", "root", "limits", "skip", "cpu_seconds"}``.  The replies are
lines that begin with a letter: ``d`` and a document, ``u`` and why the file or a part of it is unreadable, ``w`` for
still at work, with the name of the part that is begun, ``e`` at the end of the file, and once before the first one.
"""

import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import BinaryIO

from pydantic import TypeAdapter

from ingest.loaders.registry import load
from ingest.loaders.source import Found, Limits, SourceFile, StillReading
from rag.errors import DocumentUnreadable
from rag.schema import Document

DOCUMENT, UNREADABLE, WORKING, END = b"d", b"u", b"w", b"e"
DOCUMENTS = TypeAdapter(Document)
LIMITS = TypeAdapter(Limits)


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Say that the parsers are loaded, then answer requests until their stream ends."""
    _end(replies)
    for line in requests:
        request = json.loads(line)
        limits = LIMITS.validate_python(request["limits"])
        resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, resource.RLIM_INFINITY))
        _allow_cpu_seconds(request["cpu_seconds"])
        source = SourceFile(Path(request["path"]), Path(request["root"]))
        try:
            for found in load(source.path, source.root, limits, skip=request["skip"]):
                _reply(replies, found)
        except MemoryError:
            _reply(replies, source.unreadable("too_much_memory"))
        _end(replies)


def _end(replies: BinaryIO) -> None:
    replies.write(END + b"\n")
    replies.flush()


def _reply(replies: BinaryIO, found: Found) -> None:
    if isinstance(found, DocumentUnreadable):
        replies.write(UNREADABLE + json.dumps(found.details).encode() + b"\n")
    elif isinstance(found, StillReading):
        replies.write(WORKING + json.dumps(found.part).encode() + b"\n")
        replies.flush()
    else:
        replies.write(DOCUMENT + DOCUMENTS.dump_json(found) + b"\n")


def _allow_cpu_seconds(seconds: int) -> None:
    """Let the next file take so much processor time: the end of a process whose owner died while it was at work."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (used + seconds, resource.RLIM_INFINITY))


def main() -> None:
    """Serve standard input, with standard output out of reach of libraries that print."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the owner, who closes our input
    with os.fdopen(os.dup(1), "wb") as replies:
        os.dup2(2, 1)
        serve(sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
