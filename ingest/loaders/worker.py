"""``python -m ingest.loaders.worker``: reads files for ``ingest.reader``, in a process that may be lost.

Standard input is a Unix socket.  A request is the length of a line of JSON in four bytes, which carry the descriptor of
the open file, and the line: ``{"kind", "path", "root", "limits", "skip", "cpu_seconds"}``.  ``path`` and ``root`` are
names only; this process cannot open the user's files (``confinement.py``).

The replies are lines that begin with a letter.  Once, before the first file, comes ``r`` with the confinement.  Then:
``f`` and a picture to keep, before its document; ``d`` and a document; ``q`` and the words of a customer's file; ``u``
and why the file or a part of it is unreadable; ``w`` for still at work, with the name of the part that begins; ``e`` at
the end of the file.  ``m`` asks for the memory to recognise a picture, which is granted with a byte and given back with
the next line.
"""

import base64
import contextlib
import importlib.util
import json
import os
import py_compile
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import TypeAdapter

from ingest.loaders.confinement import Confinement, confine, within_hard_limit
from ingest.loaders.registry import load_open_file
from ingest.loaders.source import (
    IDLE_ENGINE_BYTES,
    Found,
    KeptFigure,
    Limits,
    PictureAhead,
    SourceFile,
    StillReading,
)
from rag.errors import DocumentUnreadable
from rag.schema import Document

READY, FIGURE, DOCUMENT, QUESTION, UNREADABLE = b"r", b"f", b"d", b"q", b"u"
WORKING, MEMORY, END = b"w", b"m", b"e"
GRANT = b"g"
LENGTH_BYTES = 4
DOCUMENTS = TypeAdapter(Document)
LIMITS = TypeAdapter(Limits)

_PACKAGES = Path(__file__).resolve().parent.parent.parent


def serve(requests: socket.socket, replies: BinaryIO, confinement: Confinement) -> None:
    """Report that the parsers are loaded, then answer requests until their stream ends."""
    replies.write(READY + json.dumps(confinement.held).encode() + b"\n")
    replies.flush()
    while (received := _receive(requests)) is not None:
        request, descriptor = received
        limits = LIMITS.validate_python(request["limits"])
        _allow_cpu_seconds(request["cpu_seconds"])
        source = SourceFile(Path(request["path"]), Path(request["root"]))
        memory = _Memory(limits, requests, replies)
        try:
            for found in _read_request(request["kind"], source, descriptor, limits, request["skip"]):
                if isinstance(found, PictureAhead):
                    memory.raise_for_picture()
                else:
                    memory.lower()
                    _reply(replies, found)
        except MemoryError:
            _reply(replies, source.unreadable("too_much_memory"))
        finally:
            os.close(descriptor)
        memory.lower()
        replies.write(END + b"\n")
        replies.flush()


def _receive(requests: socket.socket) -> tuple[dict[str, Any], int] | None:
    """Return the next request and the descriptor of its file; None at the end."""
    header, descriptors, _, _ = socket.recv_fds(requests, LENGTH_BYTES, 1)
    if not header:
        return None
    line = requests.recv(int.from_bytes(header, "big"), socket.MSG_WAITALL)
    return json.loads(line), descriptors[0]


def _read_request(kind: str, source: SourceFile, descriptor: int, limits: Limits, skip: int) -> Iterator[Found | str]:
    if kind == "documents":
        return load_open_file(source, descriptor, limits, skip=skip)
    if kind == "picture":
        from ingest.loaders.picture import copy_of_picture

        return copy_of_picture(source, descriptor, limits)
    from ingest.loaders.customer_words import customer_words  # the rules of mail take a while to compile

    return customer_words(source, descriptor, limits, skip=skip)


def _reply(replies: BinaryIO, found: Found | str) -> None:
    if isinstance(found, DocumentUnreadable):
        replies.write(UNREADABLE + json.dumps(found.details).encode() + b"\n")
    elif isinstance(found, KeptFigure):
        replies.write(FIGURE + base64.b64encode(found.content) + b"\n")
    elif isinstance(found, StillReading):
        replies.write(WORKING + json.dumps(found.part).encode() + b"\n")
        replies.flush()
    elif isinstance(found, str):
        replies.write(QUESTION + json.dumps(found).encode() + b"\n")
    else:
        replies.write(DOCUMENT + DOCUMENTS.dump_json(found) + b"\n")


class _Memory:
    """The limit of this process's address space for one file: higher while a picture is recognised.

    The hard limit is above both: once lowered, it could not be raised for the next picture.
    """

    def __init__(self, limits: Limits, requests: socket.socket, replies: BinaryIO) -> None:
        self._limits = limits
        self._requests = requests
        self._replies = replies
        self._is_raised = False
        self._set()

    def raise_for_picture(self) -> None:
        """Ask the parent for more and wait for it, unless the limit is raised already."""
        if self._is_raised or self._limits.most_memory_bytes <= self._limits.memory_bytes:
            return
        self._replies.write(MEMORY + b"\n")
        self._replies.flush()
        if self._requests.recv(1) != GRANT:
            raise SystemExit  # the parent is gone
        self._is_raised = True
        self._set()

    def lower(self) -> None:
        """Reset the limit; an engine that leaves no room below it is dropped."""
        if not self._is_raised:
            return
        self._is_raised = False
        self._set()
        from ingest.loaders.ocr import address_space_left, forget_engine

        if address_space_left() < self._limits.memory_bytes / 2:
            forget_engine()

    def _set(self) -> None:
        most = within_hard_limit(resource.RLIMIT_AS, self._limits.most_memory_bytes)
        limit = most if self._is_raised else min(most, self._limits.memory_bytes + _engine_bytes())
        resource.setrlimit(resource.RLIMIT_AS, (limit, most))


def _engine_bytes() -> int:
    """Return the memory of a waiting recognition engine; 0 where there is none."""
    module = sys.modules.get("ingest.loaders.ocr")
    if module is None or not module.engine_is_loaded():
        return 0
    return IDLE_ENGINE_BYTES


def _allow_cpu_seconds(seconds: int) -> None:
    """Limit the processor time of the next file, which ends a working process whose parent died."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (used + seconds, resource.RLIM_INFINITY))


def _compile_ours() -> None:
    """Compile the modules imported later, as Python does at an import; afterwards nothing can be written.

    Packages are compiled when they are installed (``rag.setup.environment``).
    """
    if sys.dont_write_bytecode:
        return
    for path in Path(__file__).parent.glob("*.py"):
        kept = Path(importlib.util.cache_from_source(str(path)))
        if not kept.exists() or kept.stat().st_mtime < path.stat().st_mtime:
            with contextlib.suppress(OSError):  # installed for all users of the machine
                py_compile.compile(str(path), doraise=False, quiet=2)


def main() -> None:
    """Serve standard input, with standard output out of reach of libraries that print."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which closes our input
    with os.fdopen(os.dup(1), "wb") as replies, socket.socket(fileno=os.dup(0)) as requests:
        os.dup2(2, 1)
        _compile_ours()
        serve(requests, replies, confine(_PACKAGES))


if __name__ == "__main__":
    main()
