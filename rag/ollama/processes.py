"""Identifies and ends process groups safely: a pid alone may have been reused."""

import os
import signal
import time
from dataclasses import dataclass

import psutil

_SAME_PROCESS_SECONDS = 2.0  # creation times are rounded and follow the clock when it is set
_LOOK_EVERY_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process that cannot be mistaken: its number and when it was created (seconds since 1970)."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity":
        """Identify a process that is alive now.  Raises ``psutil.NoSuchProcess``."""
        return cls(pid, psutil.Process(pid).create_time())

    def alive(self) -> bool:
        """Tell whether this very process still runs; one that ended and awaits its parent does not."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < _SAME_PROCESS_SECONDS
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if this very process still runs."""
        if self.alive():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return  # it ended in between, which is what a signal was to bring about

    def wait_for_end(self, seconds: float) -> bool:
        """Wait until the process is gone; False when it still runs after ``seconds``."""
        deadline = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK_EVERY_SECONDS)
        return True


def group_members(leader: ProcessIdentity) -> list[ProcessIdentity]:
    """Return the running processes of the group that ``leader`` opened, whether the leader lives or not."""
    members = []
    for process in psutil.process_iter():
        try:
            younger = process.create_time() >= leader.created - _SAME_PROCESS_SECONDS
            if younger and os.getpgid(process.pid) == leader.pid and process.status() != psutil.STATUS_ZOMBIE:
                members.append(ProcessIdentity(process.pid, process.create_time()))
        except (psutil.NoSuchProcess, ProcessLookupError, PermissionError):
            continue  # ended while we looked, or not ours
    return members


def end_group(leader: ProcessIdentity, grace_seconds: float) -> None:
    """Ask the group of ``leader`` to end, and end what is left after ``grace_seconds``."""
    leader.send(signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    if not leader.wait_for_end(grace_seconds):
        leader.send(signal.SIGKILL)
    for number in (signal.SIGTERM, signal.SIGKILL):
        members = group_members(leader)
        for member in members:
            member.send(number)
        for member in members:
            member.wait_for_end(max(1.0, deadline - time.monotonic()))
