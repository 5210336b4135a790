"""Runs the programs of a long build: full output goes to one log file, progress to the console."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rag.errors import BuildFailed
from rag.setup.log_files import open_log

_LOOK_EVERY_SECONDS = 0.25

Tick = Callable[[int], None]
Command = Sequence[object]
"""A program and its arguments; each is turned into text."""


def _silent(count: int) -> None:
    """Tell nobody."""


class BuildLog:
    """Runs programs one after the other.  ``what`` is what they build."""

    def __init__(self, path: Path, what: str) -> None:
        self.path = path
        self._what = what
        open_log(path, anew=True).close()

    def output(self, command: Command, *, folder: Path, environment: Mapping[str, str]) -> str:
        """Run a short program and return its standard output.  Raises ``BuildFailed``."""
        self._note(command)
        with open_log(self.path) as log:
            done = subprocess.run(
                list(map(str, command)), cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=log, text=True, check=False,
            )  # fmt: skip
        if done.returncode != 0:
            raise self.failure(done.stdout)
        return done.stdout

    def run(
        self,
        command: Command,
        *,
        folder: Path,
        environment: Mapping[str, str],
        counted: re.Pattern[str] = re.compile(r"(?!)"),
        tick: Tick = _silent,
    ) -> None:
        """Run a long program; ``tick`` hears several times a second how many lines matched ``counted`` so far.

        Raises ``BuildFailed``.  If the caller is interrupted, the program and its children end with it.
        """
        self._note(command)
        with open_log(self.path) as log, self.path.open(encoding="utf-8", errors="replace") as said:
            said.seek(0, os.SEEK_END)
            process = subprocess.Popen(
                list(map(str, command)), cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
            count, rest = 0, ""
            try:
                while process.poll() is None:
                    time.sleep(_LOOK_EVERY_SECONDS)
                    *lines, rest = (rest + said.read()).split("\n")
                    count += sum(1 for line in lines if counted.match(line))
                    tick(count)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        if process.returncode != 0:
            raise self.failure(f"exit code {process.returncode}")

    def failure(self, reason: str) -> BuildFailed:
        """Write a reason into the log, and return the error that names the log."""
        with open_log(self.path) as log:
            log.write(f"{reason}\n".encode())
        return BuildFailed(what=self._what, log=self.path)

    def _note(self, command: Command) -> None:
        with open_log(self.path) as log:
            log.write(f"$ {' '.join(map(str, command))}\n".encode())
