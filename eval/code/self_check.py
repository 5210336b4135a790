"""The harness proves itself: known solutions pass, broken ones fail, hostile programs fail and harm nothing.

A hostile program tries to do harm, or to pass without an answer.  Each defines ``has_close_elements(numbers,
threshold)``, HumanEval's first function, so that its tests call it.  A name in angle brackets is filled in with
something of this machine that is out of bounds, and is looked at afterwards.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from eval.code.judging import Outcome, judge
from eval.code.problems import Problem
from eval.code.sandbox import Limits, Sandbox
from eval.core.progress import SILENT, Progress, question_counter

ENTRY_POINT = "has_close_elements"
LIMITS = Limits(cpu_seconds=3, wall_seconds=30.0)
"""Shorter than for a model's programs: some of these use all the time that they are given."""

IMPOSTOR = "class Everything:\n    def __eq__(self, other): return True\n    def __bool__(self): return True\n"
"""A value that says that it equals everything; a harness that compares objects lets it pass."""

_HEAD = "def has_close_elements(numbers, threshold):\n"
_SECRET = "a sentence that no program may read"
_VARIABLE = "ANSWERDESK_HOSTILE_SECRET"
_ENDING_SECONDS = 10.0

HOSTILE: Mapping[str, str] = {
    "endless_loop": _HEAD + "    while True: pass\n",
    "endless_at_import": "while True: pass\n",
    "ignored_signal": "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\n"
    + _HEAD + "    while True: pass\n",
    "sleep": "import time\n" + _HEAD + "    time.sleep(600)\n",
    "fork_bomb": "import os\n" + _HEAD + "    while True: os.fork()\n",
    "thread_bomb": "import threading, time\n" + _HEAD
    + "    while True: threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n",
    "other_program": "import subprocess\n" + _HEAD
    + "    return subprocess.run(['/usr/bin/touch', '<target>']).returncode\n",
    "two_gigabytes": _HEAD + "    return len(bytearray(2 << 30))\n",
    "growing_list": _HEAD + "    kept = [0]\n    while True: kept += kept\n",
    "network": "import socket\n" + _HEAD + "    return socket.create_connection(('127.0.0.1', <port>), 5) is None\n",
    "datagram": "import socket\n" + _HEAD
    + "    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', <port>))\n",
    "read_secret": _HEAD + "    return open('<secret>').read()\n",
    "read_home": "import os\n" + _HEAD + "    return os.listdir('<home>')\n",
    "read_environment": "import os\n" + _HEAD + "    return os.environ['<variable>']\n",
    "read_processes": "import glob\n" + _HEAD
    + "    return [open(path, 'rb').read() for path in glob.glob('/proc/[0-9]*/environ')]\n",
    "write_file": _HEAD + "    return open('<target>', 'w').write('harm')\n",
    "write_everywhere": "import os\n" + _HEAD
    + "    for folder in ('/', '/tmp', '/dev/shm', '/program', '/usr', os.getcwd(), '<home>'):\n"
    "        try:\n            open(os.path.join(folder, 'harm'), 'w').write('harm')\n            return folder\n"
    "        except OSError: pass\n",
    "delete_modules": "import os, shutil\n" + _HEAD + "    shutil.rmtree(os.getcwd())\n",
    "kill_others": "import os\n" + _HEAD + "    os.kill(<victim>, 9)\n",
    "kill_first": "import os\n" + _HEAD + "    os.kill(1, 9)\n",
    "kill_all": "import os\n" + _HEAD + "    os.kill(-1, 9)\n",
    "os_exit": "import os\n" + _HEAD + "    os._exit(0)\n",
    "os_exit_at_import": "import os\nos._exit(0)\n",
    "sys_exit": "import sys\n" + _HEAD + "    sys.exit(0)\n",
    "exit_after_guesses": _HEAD + "    for word in ('passed', 'ok', 'True', '{\"passed\": true}'): print(word)\n"
    "    raise SystemExit(0)\n",
    "print_100_mb": _HEAD + "    for _ in range(100): print('x' * (1 << 20))\n",
    "write_100_mb_as_reply": "import os\n" + _HEAD + "    while True:\n        for number in range(3, 16):\n"
    "            try: os.write(number, b'x' * (1 << 16))\n            except OSError: pass\n",
    "huge_value": _HEAD + "    return 'x' * (64 << 20)\n",
    "huge_number": _HEAD + "    return 10 ** 100_000\n",
    "deep_value": _HEAD + "    value = []\n    for _ in range(100_000): value = [value]\n    return value\n",
    "crash": "import ctypes\n" + _HEAD + "    ctypes.string_at(0)\n",
    "equals_everything": IMPOSTOR + _HEAD + "    return Everything()\n",
    "patched_builtins": "import builtins\nbuiltins.AssertionError = SystemExit\nbuiltins.abs = lambda value: 0\n"
    "builtins.bool = lambda value: True\n" + _HEAD + "    return 0\n",
    "redefined_check": "def check(candidate): pass\n" + _HEAD + "    return None\n",
    "redefined_worker": "import sys\nmodule = sys.modules['__main__']\nmodule._call = lambda *_: {'passed': True}\n"
    "module.encode = lambda value: True\n" + _HEAD + "    return None\n",
    "forged_replies": "import os\n" + _HEAD + "    for number in range(1, 16):\n"
    "        try: os.write(number, b'{\"value\": true}\\n' * 100)\n        except OSError: pass\n",
    "read_tests": "import gc, sys\n" + _HEAD + "    frame, found = sys._getframe(), []\n    while frame:\n"
    "        found += [str(value) for value in frame.f_locals.values()]\n        frame = frame.f_back\n"
    "    found += [value for value in gc.get_objects() if isinstance(value, str)]\n"
    "    return '<words>' if any('assert ' + 'candidate(' in one for one in found) else None\n",
    "read_own_files": "import glob, sys\n" + _HEAD
    + "    texts = [open(path).read() for path in glob.glob('/program/**/*.py', recursive=True)] + sys.argv\n"
    "    texts.append(open('/proc/self/cmdline').read())\n"
    "    return '<words>' if any('assert ' + 'candidate(' in one for one in texts) else None\n",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class HostileResult:
    """A hostile program's outcome, and the harm it did; empty: none."""

    name: str
    outcome: Outcome
    harm: str

    @property
    def is_harmless(self) -> bool:
        """Whether it neither passed nor harmed anything."""
        return self.outcome != "passed" and not self.harm


@dataclass(frozen=True, slots=True)
class Bait:
    """Files, sockets and a process out of bounds, which show whether a program reached them."""

    folder: Path
    listener: socket.socket
    datagrams: socket.socket
    victim: subprocess.Popen[bytes]

    def fill_in(self, program: str) -> str:
        """Return the program with the bait's names."""
        values = {
            "<variable>": _VARIABLE,
            "<words>": _SECRET,
            "<secret>": str(self.folder / "secret"),
            "<target>": str(self.folder / "harm"),
            "<home>": str(self.folder),
            "<port>": str(self.listener.getsockname()[1]),
            "<victim>": str(self.victim.pid),
        }
        for name, value in values.items():
            program = program.replace(name, value)
        return program

    def harm(self) -> str:
        """Return the harm done; empty: none."""
        found = [str(one) for one in self.folder.iterdir() if one.name != "secret"]
        if (self.folder / "secret").read_text(encoding="utf-8") != _SECRET:
            found.append("secret changed")
        if self.victim.poll() is not None:
            found.append("process killed")
        for name, end in (("connection", self.listener), ("datagram", self.datagrams)):
            try:
                end.accept() if name == "connection" else end.recv(1)
            except BlockingIOError:
                continue
            found.append(name)
        return ", ".join(found)


def run_hostile(problem: Problem, name: str, bait: Bait, sandbox: Sandbox) -> HostileResult:
    """Run one program of ``HOSTILE`` against the tests of HumanEval's first problem, and check for harm."""
    verdict = judge(bait.fill_in(HOSTILE[name]), problem, sandbox)
    harm = [bait.harm(), "secret read" if _SECRET in verdict.detail else "", _processes_left(sandbox)]
    return HostileResult(name, verdict.outcome, ", ".join(filter(None, harm)))


@contextmanager
def baited() -> Iterator[Bait]:
    """Lay out the bait: a file, a variable, a process, two sockets."""
    os.environ[_VARIABLE] = _SECRET
    command = [sys.executable, "-S", "-c", "import time; time.sleep(3600)"]
    with (
        tempfile.TemporaryDirectory(prefix="answerdesk-bait-", dir=Path.home()) as folder,
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        subprocess.Popen(command, stdin=subprocess.DEVNULL) as victim,
    ):
        try:
            (Path(folder) / "secret").write_text(_SECRET, encoding="utf-8")
            datagrams.bind(listener.getsockname())
            listener.setblocking(False)
            datagrams.setblocking(False)
            yield Bait(Path(folder), listener, datagrams, victim)
        finally:
            victim.kill()
            del os.environ[_VARIABLE]


def _processes_left(sandbox: Sandbox) -> str:
    """Return processes of this sandbox that have outlived their program; the kernel takes a moment to end them."""
    ends_at = time.monotonic() + _ENDING_SECONDS
    while left := [one.pid for one in psutil.process_iter() if sandbox.name in _command(one)]:
        if time.monotonic() > ends_at:
            return f"processes left: {left}"
        time.sleep(0.05)
    return ""


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """Task ids of known solutions that failed, and of programs without an answer that passed; hostile programs."""

    n: int
    solutions_failed: tuple[str, ...]
    broken_passed: tuple[str, ...]
    impostors_passed: tuple[str, ...]
    hostile: tuple[HostileResult, ...]

    @property
    def is_sound(self) -> bool:
        """Whether every check holds."""
        wrong = (*self.solutions_failed, *self.broken_passed, *self.impostors_passed)
        return not wrong and all(one.is_harmless for one in self.hostile)

    def to_json(self) -> dict[str, object]:
        """Return the result for programs."""
        return asdict(self) | {"held": self.is_sound}


def check_harness(
    problems: Sequence[Problem], first: Problem, sandbox: Sandbox, progress: Progress = SILENT
) -> SelfCheck:
    """Run the problems' own solutions, ``return None`` and an object that equals everything; then the hostile set.

    ``first`` is HumanEval's first problem, whose tests the hostile programs face.
    """
    assert first.entry_point == ENTRY_POINT
    advance = question_counter(progress, "✓", 3 * len(problems) + len(HOSTILE))

    def passes(program: str, problem: Problem) -> bool:
        advance(None)
        return judge(program, problem, sandbox).outcome == "passed"

    solved = {one.task_id: passes(one.prompt + one.canonical_solution, one) for one in problems}
    broken = {one.task_id: passes(broken_program(one), one) for one in problems}
    impostors = {one.task_id: passes(impostor_program(one), one) for one in problems}
    hostile: list[HostileResult] = []
    with baited() as bait, Sandbox(LIMITS) as narrow:
        for name in HOSTILE:
            advance(None)
            hostile.append(run_hostile(first, name, bait, narrow))
    return SelfCheck(
        len(problems),
        tuple(task for task, passed in solved.items() if not passed),
        tuple(task for task, passed in broken.items() if passed),
        tuple(task for task, passed in impostors.items() if passed),
        tuple(hostile),
    )


def broken_program(problem: Problem) -> str:
    """Return a program whose function returns nothing."""
    return f"{problem.prompt}\n    return None\n"


def impostor_program(problem: Problem) -> str:
    """Return a program whose function returns an object that says that it equals everything."""
    return f"{IMPOSTOR}{problem.prompt}\n    return Everything()\n"
