"""Answers a file of conversations, one after another.

A line is ``{"id", "turns": [{"user", "assistant"?}, ...]}``: the last turn's question is answered, the earlier ones say
what it is about.  Its answer is a line with the ``id`` and the ``Answer``'s fields.  A line ``{"id", "question"}``, or
a bare string, gives ``{"id", "question", "answer"}``.  One that fails has ``error`` instead, and the rest goes on.
"""

import codecs
import itertools
import json
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rag.errors import AnswerdeskError, BatchLinesUnusable, FileUnusable, KnowledgeError, SettingsError, printable
from rag.files import write_whole
from rag.schema import Answer, Language
from rag.terminal import progress
from rag.translate import translate

Answers = Callable[["Conversation"], Answer]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A question with the user's earlier ones, oldest first.

    ``given_id`` is the line's own, and ``is_bare`` tells a line without ``turns``.
    """

    given_id: str | int
    question: str
    earlier: tuple[str, ...] = ()
    is_bare: bool = False

    @property
    def conversation_id(self) -> str:
        """The key by which conversations differ: 1 and "1" are the same."""
        return str(self.given_id)

    def has_half_characters(self) -> bool:
        r"""Tell whether a text contains half a surrogate pair, such as JSON's ``\ud800``: nothing can write it."""
        try:
            "".join((self.conversation_id, self.question, *self.earlier)).encode()
        except UnicodeEncodeError:
            return True
        return False

    def row(self, answer: Answer) -> dict[str, object]:
        """Return the line of its answer."""
        if self.is_bare:
            return {"id": self.conversation_id, "question": self.question, "answer": answer.to_json()}
        return {"id": self.given_id, **answer.to_json()}

    def error_row(self, error: AnswerdeskError) -> dict[str, object]:
        """Return the line with the error."""
        question = {"question": self.question} if self.is_bare else {}
        told = {"kind": type(error).__name__, "en": error.text("en"), "zh": error.text("zh")}
        return {"id": self.conversation_id if self.is_bare else self.given_id, **question, "error": told}


def read_conversations(raw: bytes, name: str) -> list[Conversation]:
    """Return the lines of a JSONL file; blank ones are left out, and a line without an id is called by its number.

    Raises ``BatchLinesUnusable`` naming every line that is none.
    """
    lines = raw.removeprefix(codecs.BOM_UTF8).split(b"\n")
    found: list[Conversation] = []
    wrong: list[tuple[int, str]] = []
    seen: set[str] = set()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        read = _conversation(line, number)
        if isinstance(read, str):
            wrong.append((number, read))
        elif read.conversation_id in seen:
            wrong.append((number, "twice"))
        else:
            seen.add(read.conversation_id)
            found.append(read)
    if wrong:
        raise BatchLinesUnusable(name=name, lines=tuple(wrong))
    return found


def _conversation(line: bytes, number: int) -> Conversation | str:
    """Parse a line, or return the key of its fault."""
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return "encoding"
    except ValueError:
        return "json"
    except RecursionError:
        return "deep"
    found = _conversation_of(row, number)
    return "half" if isinstance(found, Conversation) and found.has_half_characters() else found


def _conversation_of(row: object, number: int) -> Conversation | str:
    if isinstance(row, str):
        return Conversation(str(number), row, is_bare=True)
    if not isinstance(row, dict):
        return "object"
    conversation_id = row.get("id", number)
    if isinstance(conversation_id, bool) or not isinstance(conversation_id, (str, int)):
        return "id"
    if "turns" not in row:
        question = row.get("question")
        return Conversation(conversation_id, question, is_bare=True) if isinstance(question, str) else "question"
    said = _user_turns(row["turns"])
    if not said:
        return "turns"
    return Conversation(conversation_id, said[-1], tuple(said[:-1]))


def _user_turns(turns: object) -> list[str]:
    """Return the user's messages, oldest first; none if these are no turns, or the last is not the user's."""
    said: list[str] = []
    answered_last = True
    for turn in turns if isinstance(turns, list) else []:
        words = {name: value for name, value in turn.items() if value is not None} if isinstance(turn, dict) else {}
        if not words or words.keys() - {"user", "assistant"} or not all(isinstance(one, str) for one in words.values()):
            return []
        if "user" in words:
            said.append(words["user"])
        answered_last = "assistant" in words
    return [] if answered_last else said


class FailureReport:
    """Says on standard error which conversations failed, and at the end how many."""

    def __init__(self, language: Language, total: int) -> None:
        self._language: Language = language
        self._total = total
        self._failed = 0
        self.exit_code = 0
        """That of the first error; 0 while there is none."""

    def add(self, one: Conversation, error: AnswerdeskError) -> None:
        """Name a conversation and its error."""
        self._failed += 1
        self.exit_code = self.exit_code or error.exit_code
        values = {"id": printable(one.conversation_id), "error": error.text(self._language)}
        print(translate("ask.batch_error", self._language, **values), file=sys.stderr, flush=True)

    def close(self) -> None:
        """Give the number of those that failed, if there are any."""
        if self._failed:
            said = translate("ask.batch_failed", self._language, failed=self._failed, total=self._total)
            print(said, file=sys.stderr)


def answer_all(
    conversations: Sequence[Conversation], answer: Answers, report: FailureReport
) -> Iterator[dict[str, object]]:
    """Yield each conversation's line; those that fail are added to the report.

    Raises errors that would meet every other conversation as well.
    """
    for one in conversations:
        try:
            row = one.row(answer(one))
        except (KnowledgeError, SettingsError):
            raise
        except AnswerdeskError as error:
            report.add(one, error)
            row = one.error_row(error)
        yield row


class AnswerFile:
    """Answers in a file, in the order of the questions, of which some may be there already.

    Each is written as it comes, after what the file holds; ``tidy`` brings all into order.
    """

    def __init__(self, path: Path, conversations: Sequence[Conversation]) -> None:
        """Read the file.

        Raises ``BatchLinesUnusable`` if it holds something else, ``FileUnusable`` if it is none; it is left as it is.
        """
        self._path = path
        self._order = [one.conversation_id for one in conversations]
        self._lines = self._read_lines()

    def _read_lines(self) -> dict[str, str]:
        """Return the whole lines by id, without one that was cut off."""
        try:
            if self._path.exists() and not self._path.is_file() and not self._path.is_dir():
                raise FileUnusable(path=self._path, reason="no_file")
            raw = self._path.read_bytes() if self._path.exists() else b""
        except OSError as error:
            raise FileUnusable.because(self._path, error) from error
        kept: dict[str, str] = {}
        known = set(self._order)
        for number, line in enumerate(raw[: raw.rfind(b"\n") + 1].split(b"\n"), start=1):
            if not line:
                continue
            found = _answer_id(line)
            if found is None or found not in known:
                raise BatchLinesUnusable(name=str(self._path), lines=((number, "not_asked"),))
            kept[found] = line.decode()
        return kept

    def is_done(self, one: Conversation) -> bool:
        """Tell whether it is answered; failed ones are asked again."""
        line = self._lines.get(one.conversation_id)
        return line is not None and "error" not in json.loads(line)

    def write(self, row: Mapping[str, object]) -> None:
        """Add a line.  Raises ``FileUnusable`` where the file cannot be written."""
        line = json.dumps(row, ensure_ascii=False)
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise FileUnusable.because(self._path, error) from error
        self._lines[str(row["id"])] = line

    def tidy(self) -> None:
        """Rewrite the lines, one a question, in the questions' order; the file is exchanged as a whole.

        Takes away a line that was cut off, so it comes before the first ``write``.  Raises ``FileUnusable``.
        """
        text = "".join(self._lines[key] + "\n" for key in self._order if key in self._lines)
        try:
            write_whole(self._path, text)
        except OSError as error:
            raise FileUnusable.because(self._path, error) from error


def require_other_file(out: Path, name: str) -> None:
    """Raise ``FileUnusable`` where the file of the answers is that of the questions, ``-`` for standard input."""
    with suppress(OSError, ValueError):  # one of them is missing, or standard input is no file
        asked = os.fstat(sys.stdin.fileno()) if name == "-" else Path(name).stat()
        if os.path.samestat(asked, out.stat()) and stat.S_ISREG(asked.st_mode):
            raise FileUnusable(path=out, reason="same")


def is_endless(file: IO[bytes]) -> bool:
    """Tell whether this is a device that never ends: one of characters, neither a terminal nor the null device."""
    try:
        device = os.fstat(file.fileno())
    except (OSError, ValueError):
        return False
    null = Path(os.devnull).stat().st_rdev
    return stat.S_ISCHR(device.st_mode) and device.st_rdev != null and not file.isatty()


@contextmanager
def answer_bar(language: Language, *, done: int, total: int) -> Iterator[Callable[[], None]]:
    """Show the progress of answers on standard error; yield the function that advances it by one.

    It is a bar on a terminal, and a line now and then elsewhere.
    """
    console = Console(file=sys.stderr)
    if not console.is_terminal:
        with progress(translate("ask.answers", language), sys.stderr, in_bytes=False) as update:
            finished = itertools.count(done + 1)
            yield lambda: update(next(finished), total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(translate("ask.answers", language), completed=done, total=total)
        yield lambda: bar.advance(task)


def _answer_id(line: bytes) -> str | None:
    """Return the id of a line with an answer or an error; None for any other, such as one with a question."""
    try:
        row = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    answer = row.get("answer", row)
    is_answer = isinstance(answer, dict) and isinstance(answer.get("text"), str) and "citations" in answer
    found = row.get("id")
    return str(found) if isinstance(found, (str, int)) and (is_answer or "error" in row) else None
