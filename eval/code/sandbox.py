"""Runs programs that a model wrote where they can reach nothing, and asks them for values.

Three layers hold a program:

- bubblewrap: namespaces of its own.  It sees Python and the system's libraries, all of it read-only, and no home, no
  data, no variables, no network and no other process; when it ends, everything that it started is killed.
- ``confine``, which also holds the readers of foreign files: seccomp and Landlock refuse files, sockets, processes.
- Limits: memory, processor time, a wall clock, what is printed.

bubblewrap needs user namespaces.  Without it programs run only where somebody asks for it, and then they may read
whatever the remaining two layers leave within reach.  https://github.com/containers/bubblewrap
"""

import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self

from eval.code.worker import NotPlain, decode, encode
from ingest.loaders import confinement
from rag.errors import SandboxUnusable

Fault = Literal["syntax", "error", "time", "resources"]
"""How a program fails by itself: no Python; raises or ends; takes too long; wants too much memory or output."""

_SHIPPED = ("eval/code/worker.py", "ingest/loaders/confinement.py")
_WORKER, _INSIDE = "eval.code.worker", "/program"
_PLACES = ("/usr", "/lib", "/lib32", "/lib64", "/nix/store", "/gnu/store")
_PIECE_BYTES = 1 << 16
_DETAIL_CHARACTERS = 300
_FAILED_START = "the process did not answer"
_ENDED_BY_CLOCK = (signal.SIGXCPU, signal.SIGKILL)
_SHELL_SIGNAL = 128


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may take: processor and wall clock time from its start to its end, memory, printed bytes.

    ``reply_bytes`` is the longest value that a call may return, as JSON.
    """

    cpu_seconds: int = 5
    wall_seconds: float = 60.0
    memory_bytes: int = 768 << 20
    printed_bytes: int = 1 << 20
    reply_bytes: int = 1 << 20


class ProgramFault(Exception):
    """A program failed by itself; ``detail`` is an error's class and words."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(fault, detail)
        self.fault: Fault = fault
        self.detail = detail[:_DETAIL_CHARACTERS]


NO_VALUE = object()
"""Stands for a value that is no plain data; it equals nothing."""


class Program:
    """A running program, whose function can be called.  Not safe for several threads."""

    def __init__(self, process: subprocess.Popen[bytes], limits: Limits) -> None:
        self._process = process
        self._limits = limits
        self._ends_at = time.monotonic() + limits.wall_seconds
        self._replies = bytearray()
        self._printed_bytes = 0
        self.last_printed = b""
        self.last_call = ""
        for pipe in self._pipes():
            os.set_blocking(pipe.fileno(), False)

    def begin(self, program: str, entry_point: str, *, definitions_only: bool) -> Mapping[str, object]:
        """Run the program and return the confinement of its process.  Raises ``ProgramFault``."""
        order = {
            "program": program,
            "entry_point": entry_point,
            "definitions_only": definitions_only,
            "memory_bytes": self._limits.memory_bytes,
            "cpu_seconds": self._limits.cpu_seconds,
        }
        held = self._ask(order).get("ready")
        if not isinstance(held, dict):
            raise ProgramFault("error", _FAILED_START)
        return held

    def call(self, *arguments: object) -> object:
        """Call the function; arguments must be plain data, and are not changed by it.

        A value that is no plain data comes as ``NO_VALUE``.  Raises ``ProgramFault``.
        """
        self.last_call = f"({', '.join(map(repr, arguments))})"[:_DETAIL_CHARACTERS]
        reply = self._ask({"arguments": [encode(one) for one in arguments]})
        try:
            value = decode(reply["value"]) if "value" in reply else NO_VALUE
        except (NotPlain, RecursionError):
            value = NO_VALUE
        shown = repr(value) if value is not NO_VALUE else f"<{reply.get('no_value', '?')}>"
        self.last_call = f"{self.last_call} -> {shown}"[:_DETAIL_CHARACTERS]
        return value

    def _ask(self, request: Mapping[str, object]) -> Mapping[str, object]:
        line = self._exchange(json.dumps(request).encode() + b"\n")
        try:
            reply = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ProgramFault("error", "no reply of ours") from error
        if not isinstance(reply, dict):
            raise ProgramFault("error", "no reply of ours")
        if "raised" in reply:
            raised = str(reply["raised"])
            fault: Fault = "syntax" if raised in ("SyntaxError", "IndentationError", "TabError") else "error"
            raise ProgramFault("resources" if raised == "MemoryError" else fault, f"{raised}: {reply.get('words')}")
        return reply

    def _exchange(self, request: bytes) -> bytes:
        """Send a request and return the reply's line, while watching the clock and the printed bytes."""
        standard_input, replies, printed = self._pipes()
        with selectors.DefaultSelector() as selector:
            selector.register(standard_input, selectors.EVENT_WRITE)
            selector.register(replies, selectors.EVENT_READ)
            selector.register(printed, selectors.EVENT_READ)
            while b"\n" not in self._replies:
                left = self._ends_at - time.monotonic()
                if left <= 0:
                    raise ProgramFault("time", f"{self._limits.wall_seconds:g} s")
                for key, _ in selector.select(left):
                    if key.fileobj is standard_input:
                        request = self._send(request)
                    else:
                        self._take(key.fileobj is replies, key.fd, selector)
                    if not request and standard_input in selector.get_map():
                        selector.unregister(standard_input)
        line, _, rest = bytes(self._replies).partition(b"\n")
        self._replies = bytearray(rest)
        return line

    def _send(self, request: bytes) -> bytes:
        """Send as much as the pipe takes and return the rest."""
        try:
            return request[os.write(self._pipes()[0].fileno(), request) :]
        except BlockingIOError:
            return request
        except BrokenPipeError:
            return b""  # it has ended, as its other pipes tell at once

    def _take(self, is_reply: bool, descriptor: int, selector: selectors.BaseSelector) -> None:
        try:
            piece = os.read(descriptor, _PIECE_BYTES)
        except BlockingIOError:
            return
        if is_reply:
            if not piece:
                raise self._end_fault()
            self._replies += piece
        elif not piece:
            selector.unregister(descriptor)
        else:
            self._printed_bytes += len(piece)
            self.last_printed = (self.last_printed + piece)[-_DETAIL_CHARACTERS:]
        if len(self._replies) > self._limits.reply_bytes or self._printed_bytes > self._limits.printed_bytes:
            raise ProgramFault("resources", "output")

    def _end_fault(self) -> ProgramFault:
        try:
            code = self._process.wait(max(0.1, self._ends_at - time.monotonic()))
        except subprocess.TimeoutExpired:
            return ProgramFault("time", f"{self._limits.wall_seconds:g} s")
        number = -code if code < 0 else code - _SHELL_SIGNAL
        if number in _ENDED_BY_CLOCK:
            return ProgramFault("time", f"{self._limits.cpu_seconds} s of processor time")
        return ProgramFault("error", f"the process ended with code {code}")

    def _pipes(self) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
        process = self._process
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        return process.stdin, process.stdout, process.stderr


class Sandbox:
    """Starts programs, a process each.  A context manager: it holds a folder with the few modules that go inside.

    ``isolated`` False leaves bubblewrap out.
    """

    def __init__(self, limits: Limits = Limits(), *, isolated: bool = True) -> None:
        self._limits = limits
        self._isolated = isolated
        self._folder = tempfile.TemporaryDirectory(prefix="answerdesk-program-")

    def __enter__(self) -> Self:
        root = Path(confinement.__file__).parents[2]
        for name in _SHIPPED:
            target = Path(self._folder.name) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, target)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    @property
    def name(self) -> str:
        """A name that stands in the command line of each process of this sandbox."""
        return Path(self._folder.name).name

    def require(self) -> Mapping[str, object]:
        """Try the sandbox with a program that does nothing, and return what ``confine`` holds in it.

        Raises ``SandboxUnusable`` where bubblewrap is missing, or this machine does not let it work.
        """
        if self._isolated and shutil.which("bwrap") is None:
            raise SandboxUnusable(reason="missing")
        process = self._start()
        program = Program(process, self._limits)
        try:
            held = program.begin("def nothing():\n    return 7\n", "nothing", definitions_only=False)
            if program.call() == 7:
                return held
            said = b""
        except ProgramFault as fault:
            rest = process.stderr.read() if process.stderr is not None else None  # None: nothing is there any more
            said = program.last_printed + (rest or b"") or fault.detail.encode()
        finally:
            _end(process)
        last = said.decode("utf-8", "replace").strip().splitlines()[-1:]
        what = "".join(last)[:_DETAIL_CHARACTERS]
        raise SandboxUnusable(reason="refused" if self._isolated else "worker", what=what)

    @contextmanager
    def run(self, program: str, entry_point: str, *, definitions_only: bool = False) -> Iterator[Program]:
        """Run a program and yield it; with its end everything that it started ends.  Raises ``ProgramFault``.

        ``definitions_only`` leaves out what the program does at its top level beside defining, importing, assigning.
        """
        process = self._start()
        try:
            running = Program(process, self._limits)
            running.begin(program, entry_point, definitions_only=definitions_only)
            yield running
        finally:
            _end(process)

    def _start(self) -> subprocess.Popen[bytes]:
        # -E -s -S: no variables, no packages, of whomever; -B: nothing is compiled to disk
        python = [str(Path(sys.executable).resolve()), "-E", "-s", "-S", "-B", "-X", "utf8", "-m", _WORKER, self.name]
        command = [*_bubblewrap(self._folder.name), *python] if self._isolated else python
        return subprocess.Popen(
            command,
            cwd="/" if self._isolated else self._folder.name,
            env={} if not self._isolated else {"PATH": os.environ.get("PATH", os.defpath)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


def _bubblewrap(folder: str) -> list[str]:
    """Return bubblewrap's command line: anything not named here is absent, and nothing is writable."""
    command = ["bwrap", "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"]
    command += ["--clearenv", "--cap-drop", "ALL", "--uid", "65534", "--gid", "65534", "--hostname", "program"]
    for place in map(Path, _PLACES):
        if place.is_symlink():
            command += ["--symlink", str(place.readlink()), str(place)]
        elif place.is_dir():
            command += ["--ro-bind", str(place), str(place)]
    base = Path(sys.base_prefix).resolve()
    if not base.is_relative_to("/usr"):
        command += ["--ro-bind", str(base), str(base)]
    command += ["--ro-bind", folder, _INSIDE, "--proc", "/proc", "--dev", "/dev"]
    return [*command, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", _INSIDE]


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a program and its processes."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # bubblewrap's end is that of its namespace
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
