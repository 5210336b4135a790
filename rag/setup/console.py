"""The output of set-up: one line per step with its time and source, progress on a terminal, and its logs.

Where there is no terminal, progress is a line every 15 s.
"""

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TextIO

from rag.errors import LinkInCache
from rag.schema import Language
from rag.terminal import Update as Update
from rag.terminal import progress
from rag.translate import translate


@dataclass(frozen=True, slots=True)
class Outcome:
    """A step's subject and result: both keys of ``words``, or plain names."""

    what: str
    way: str
    details: dict[str, object] = field(default_factory=dict)


class Console:
    """Prints steps and notes in the reader's language."""

    def __init__(self, language: Language, out: TextIO | None = None) -> None:
        self.language: Language = language
        self._out = out or sys.stdout

    def words(self, key: str, **values: object) -> str:
        """Return the text of a key."""
        return translate(f"setup.{key}", self.language, **values)

    def note(self, key: str, **values: object) -> None:
        """Print a remark."""
        self._print(self.words(key, **values))

    def warn_root(self) -> None:
        """Warn root about the consequences."""
        if os.geteuid() == 0:
            self.note("root")

    def step(self, action: Callable[[], Outcome]) -> Outcome:
        """Run one step and print its line.  Its errors pass."""
        started_at = time.monotonic()
        outcome = action()
        seconds = time.monotonic() - started_at
        way = self.words(outcome.way, **outcome.details)
        self._print(self.words("step", what=outcome.what, way=way, seconds=seconds))
        return outcome

    @contextmanager
    def progress(self, key: str, what: str, *, in_bytes: bool = True) -> Iterator[Update]:
        """Show the progress of a long step; call the result at any rate."""
        with progress(self.words(key, what=what), self._out, in_bytes=in_bytes) as update:
            yield update

    def _print(self, line: str) -> None:
        print(line, file=self._out, flush=True)


_OWN_ALONE = 0o600


def open_log(path: Path, *, anew: bool = False) -> BinaryIO:
    """Open a log to be added to, or begun ``anew``; its folder is made.  Raises ``LinkInCache``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    how = os.O_TRUNC if anew else os.O_APPEND
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | how, _OWN_ALONE)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise LinkInCache(path=path) from error
        raise
    return os.fdopen(descriptor, "wb" if anew else "ab")
