"""Answers a file of conversations, one after another.

A line is ``{"id", "turns": [{"user", "assistant"?}, ...]}``: the last turn's question is answered, the earlier ones say
what it is about.  Its answer is a line with the ``id`` and the ``Answer``'s fields.  A line ``{"id", "question"}``, or
a bare string, gives ``{"id", "question", "answer"}``.  One that fails has ``error`` instead, and the rest goes on.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rag.errors import AnswerdeskError, BatchLinesUnusable, KnowledgeError, SettingsError
from rag.files import write_whole
from rag.schema import Answer, Language
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

    Raises ``BatchLinesUnusable`` naming every line that is none, ``SettingsError`` where it is no UTF-8.
    """
    try:
        lines = raw.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise SettingsError(reason=f"{name} cannot be read as UTF-8 text ({type(error).__name__})") from error
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


def _conversation(line: str, number: int) -> Conversation | str:
    """Parse a line, or return the key of its fault."""
    try:
        row = json.loads(line)
    except ValueError:
        return "json"
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


def answer_all(conversations: Sequence[Conversation], answer: Answers) -> Iterator[tuple[dict[str, object], int]]:
    """Yield each conversation's line and its exit code.

    Raises errors that would meet every other conversation as well.
    """
    for one in conversations:
        try:
            yield one.row(answer(one)), 0
        except (KnowledgeError, SettingsError):
            raise
        except AnswerdeskError as error:
            yield one.error_row(error), error.exit_code


class AnswerFile:
    """Answers in a file, in the order of the questions, of which some may be there already.

    Each is written as it comes, behind what the file holds; ``tidy`` brings all into order.
    """

    def __init__(self, path: Path, conversations: Sequence[Conversation]) -> None:
        """Read the file.  Raises ``SettingsError`` if it holds something else; it is left as it is."""
        self._path = path
        self._order = [one.conversation_id for one in conversations]
        self._lines = self._read_lines()

    def _read_lines(self) -> dict[str, str]:
        """Return the whole lines by id, without one that was cut off."""
        try:
            text = self._path.read_bytes().decode("utf-8") if self._path.exists() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(reason=f"{self._path} cannot be read as UTF-8 text ({type(error).__name__})") from error
        kept: dict[str, str] = {}
        known = set(self._order)
        for number, line in enumerate(text[: text.rfind("\n") + 1].split("\n"), start=1):
            if not line:
                continue
            found = _answer_id(line)
            if found is None or found not in known:
                raise BatchLinesUnusable(name=str(self._path), lines=((number, "not_asked"),))
            kept[found] = line
        return kept

    def is_done(self, one: Conversation) -> bool:
        """Tell whether it is answered; failed ones are asked again."""
        line = self._lines.get(one.conversation_id)
        return line is not None and "error" not in json.loads(line)

    def write(self, row: Mapping[str, object]) -> None:
        """Add a line.  Raises ``SettingsError`` where the file cannot be written."""
        line = json.dumps(row, ensure_ascii=False)
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise self._unusable(error) from error
        self._lines[str(row["id"])] = line

    def tidy(self) -> None:
        """Write the lines anew, one a question, in the questions' order; the file is exchanged as a whole.

        Takes away a line that was cut off, so it comes before the first ``write``.  Raises ``SettingsError``.
        """
        text = "".join(self._lines[key] + "\n" for key in self._order if key in self._lines)
        try:
            write_whole(self._path, text)
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> SettingsError:
        return SettingsError(reason=f"{self._path}: {error.strerror}")


@contextmanager
def answer_bar(language: Language, *, done: int, total: int) -> Iterator[Callable[[], None]]:
    """Show the progress of answers on standard error; yield the function that advances it by one."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(file=sys.stderr)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(translate("ask.answers", language), completed=done, total=total)
        yield lambda: bar.advance(task)


def _answer_id(line: str) -> str | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    found = row.get("id") if isinstance(row, dict) else None
    return str(found) if isinstance(found, (str, int)) else None
