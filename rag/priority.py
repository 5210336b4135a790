"""Which of our processes goes first on a machine that is too small for all of them.

A model's threads wait for each other some hundred times a token, so one thread that is kept from its core keeps all of
them waiting: two threads that share their two cores with one busy process wrote a twelfth of what they write alone, and
a thirtieth where they were told to give way (docs/load.md).  So the model gives way to nobody, and work that has
hours gives way to everybody, without standing still.

Linux shares the cores among sessions before it looks at single processes (sched(7), autogroups), so a level counts only
for a session of its own.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MODEL_NICE, DESK_NICE, BATCH_NICE = -10, -15, 5
"""The first two only where the user may go before others (root, or a limit that allows it).  Of a core that an ordinary
process wants as well the model then has nine tenths; the desk's searches, which are short, go before the model.  Batch
work has a quarter: under ``SCHED_IDLE`` an ingest of 12 s had not ended after 280 s beside two busy programs."""

_TURN_SECONDS = 0.001
"""How long a thread may keep the interpreter from the others; Python's own value is five times as long.  A call that
waits for its row of SQLite, beside a search, then waits one of these: the API adds 2.1 to 2.4 ms to a question instead
of 2.4 to 2.7, and in the worst of a hundred 3 to 6 ms instead of 10 to 21; searches are as quick as before."""

_AUTOGROUP = Path("/proc/self/autogroup")
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_KILLED = 128  # a shell's exit code for a process that a signal ended, plus the signal's number


def usable_cores() -> int:
    """Return how many logical cores this process may use, at least 1."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parent_death_hook(signal_number: signal.Signals, parent: int | None = None) -> Callable[[], None]:
    """Return a function for forked children: the kernel then sends them this signal as soon as we end.

    Call it before the fork: afterwards as little as possible may happen.  A child that was forked by another program
    says by itself which process its ``parent`` is.
    """
    prctl, parent = ctypes.CDLL(None).prctl, parent or os.getpid()

    def request_signal() -> None:
        prctl(_PR_SET_PDEATHSIG, signal_number)
        if os.getppid() != parent:  # it ended before the line above
            os._exit(_KILLED + signal_number)

    return request_signal


def take_short_turns() -> None:
    """Let the threads of this process, a server's, take short turns: a reader of one row does not wait for a search."""
    sys.setswitchinterval(_TURN_SECONDS)


def set_priority(nice: int) -> None:
    """Move this process and the session that it is in to a nice level in [-20, 19], as far as the kernel lets us.

    A level below the present one is for root and for users with a limit (``RLIMIT_NICE``) that allows it.
    """
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    _set_session_priority(nice)


def _set_session_priority(nice: int) -> None:
    with suppress(OSError):  # a kernel without autogroups, or a level that is not for us
        session = os.open(_AUTOGROUP, os.O_WRONLY)
        try:
            os.write(session, str(nice).encode())
        finally:
            os.close(session)


def _session_priority(otherwise: int) -> int:
    """Return the nice level of the session that this process is in: ``/autogroup-77 nice 0``."""
    with suppress(OSError, ValueError, IndexError):
        return int(_AUTOGROUP.read_text(encoding="ascii").split()[2])
    return otherwise


@contextmanager
def at_priority(nice: int) -> Iterator[None]:
    """Run the block at another nice level, with this process's session.

    Both return to their own: started by ``nice``, a process has another level than its terminal.
    """
    before = os.getpriority(os.PRIO_PROCESS, 0)
    session_before = _session_priority(before)
    set_priority(nice)
    try:
        yield
    finally:
        set_priority(before)
        _set_session_priority(session_before)


def become_batch_work() -> None:
    """Let this process, which leads a session of its own, give way to others; it interrupts none (``SCHED_BATCH``)."""
    set_priority(BATCH_NICE)
    if sys.platform == "linux":
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def gives_way(policy: int, nice: int) -> bool:
    """Tell whether a process of this scheduling policy (sched(7)) and nice level leaves others their cores."""
    return policy == os.SCHED_IDLE or (policy == os.SCHED_BATCH and nice >= BATCH_NICE)


def run_as_batch_work(main: Callable[[], int]) -> int:
    """Run a command's work at the lowest priority, and return its exit code.

    A terminal's session also holds the shell, so the work is done by a child in a session of its own; what a terminal
    sends is passed on to it, and it ends with us, however we end.
    """
    if not _AUTOGROUP.exists():
        become_batch_work()
        return main()
    end_with_parent = parent_death_hook(signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # who ignores it is not told of the child's end
    awaited = {*_PASSED_ON, signal.SIGTSTP, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)  # a handler's signal is lost just before a call that waits
    child = os.fork()
    if not child:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, awaited)
        os.setsid()
        end_with_parent()
        become_batch_work()
        return main()
    code = _exit_code_of(child, awaited)
    return code if code >= 0 else _KILLED - code


def _exit_code_of(child: int, awaited: Collection[signal.Signals]) -> int:
    """Wait for the child's end; pass on to it what is sent to us, and stop and go on with it (Ctrl-Z and ``fg``)."""
    while True:
        number = signal.sigwait(awaited)
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if number == signal.SIGTSTP:
            os.kill(child, signal.SIGSTOP)
            os.kill(os.getpid(), signal.SIGSTOP)
            os.kill(child, signal.SIGCONT)  # reached when the shell lets us go on
        elif number != signal.SIGCHLD:
            os.kill(child, number)
