"""A run on disk: its identity, the questions with their known answers, and one record a question.

    runs/NAME/run.json  questions.jsonl  records.jsonl  figures.json

A record is written before it is scored, so all figures can be computed again from the folder alone.
"""

import contextlib
import itertools
import json
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import TypeAdapter, ValidationError

from eval.core.conditions import differing_names
from ingest.golden import GoldenQuestion
from rag.errors import (
    ModelSaidNothing,
    ModelStoppedHalfway,
    ModelTimedOut,
    OllamaRefused,
    QuestionError,
    SettingsError,
    printable,
)
from rag.settings import Settings
from rag.terminal import terminal_language
from rag.translate import translate

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_LONGEST_NAME = 100
_NAME = re.compile(rf"[\w+-][\w.+-]{{0,{_LONGEST_NAME - 1}}}")
"""A run's name is one folder's: letters in any script, digits and ``. _ + -``, and no dot in front."""

ONE_QUESTION_ONLY = (QuestionError, ModelSaidNothing, ModelStoppedHalfway, ModelTimedOut, OllamaRefused)
"""Errors that end one question; any other (no knowledge base, no model server) ends the run, which can be resumed."""

_QUESTIONS = TypeAdapter(GoldenQuestion)
RecordType = TypeVar("RecordType")
ItemType = TypeVar("ItemType")


@dataclass(frozen=True, slots=True)
class Run:
    """The folder of one run."""

    folder: Path

    @classmethod
    def named(cls, name: str, settings: Settings) -> "Run":
        """Return the run of that name, which need not exist yet.  Raises ``SettingsError`` for an invalid name."""
        return cls(settings.data_dir / "runs" / checked_name(name))

    @classmethod
    def find(cls, name: str, settings: Settings) -> "Run":
        """Return a run by its name or its folder.  Raises ``SettingsError`` where there is none."""
        runs = settings.data_dir / "runs"
        is_name = all(_NAME.fullmatch(part) is not None for part in name.split("/"))  # some runs hold others
        named = [runs / name] if is_name else []
        for folder in (*named, Path(name)):
            with contextlib.suppress(OSError, ValueError):  # longer than a path may be, or with a NUL
                if (folder / "run.json").is_file():
                    return cls(folder)
        shown = printable(name[:_LONGEST_NAME])
        raise SettingsError(reason=translate("eval.run_missing", terminal_language(), run=shown, folder=runs))

    def begin(self, identity: Mapping[str, object], questions: "Sequence[DataclassInstance]") -> None:
        """Save the identity and the questions of a new run.  These may be of any kind; ``questions_as`` reads them.

        Raises ``SettingsError`` naming what differs when the run of that name measured something else.
        """
        wanted = {"run.json": _line(identity), "questions.jsonl": "".join(_line(asdict(one)) for one in questions)}
        identity_file = self.folder / "run.json"
        if identity_file.exists():
            found = self.identity()
            now = json.loads(wanted["run.json"])  # as JSON has it: a list where the value is a tuple
            differs = differing_names(found, now)
            if (
                not differs
                and (self.folder / "questions.jsonl").read_text(encoding="utf-8") != wanted["questions.jsonl"]
            ):
                differs = ["questions"]
            if differs:
                what = ", ".join(differs)
                raise SettingsError(
                    reason=translate("eval.run_differs", terminal_language(), run=self.folder.name, what=what)
                )
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("questions.jsonl", "run.json"):  # the run is there once run.json is
            (self.folder / name).write_text(wanted[name], encoding="utf-8")

    @property
    def is_finished(self) -> bool:
        """Whether its figures are there, which are written last."""
        return (self.folder / "figures.json").is_file()

    def identity(self) -> dict[str, object]:
        """Return what the run measures.  Raises ``SettingsError`` where the file is damaged."""
        try:
            found = json.loads((self.folder / "run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise self._damage_error("run.json") from error
        if not isinstance(found, dict):
            raise self._damage_error("run.json")
        return found

    def questions(self) -> tuple[GoldenQuestion, ...]:
        """Return the questions with their known answers."""
        return self.questions_as(_QUESTIONS)

    def questions_as(self, adapter: TypeAdapter[ItemType]) -> tuple[ItemType, ...]:
        """Return the questions of a run whose questions are of another kind."""
        try:
            text = (self.folder / "questions.jsonl").read_text(encoding="utf-8")
            return tuple(adapter.validate_json(line) for line in text.split("\n") if line)
        except (OSError, ValidationError) as error:
            raise self._damage_error("questions.jsonl") from error

    def records(self, adapter: TypeAdapter[RecordType]) -> list[RecordType]:
        """Return the records so far."""
        return read_records(self.folder / "records.jsonl", adapter)

    def save_figures(self, figures: Mapping[str, object]) -> None:
        """Write the figures beside the records."""
        text = json.dumps(figures, ensure_ascii=False, indent=2) + "\n"
        (self.folder / "figures.json").write_text(text, encoding="utf-8")

    def figures(self) -> dict[str, object]:
        """Return the figures as they were computed.  Raises ``SettingsError`` where the run was not finished."""
        if not self.is_finished:
            raise SettingsError(
                reason=translate(
                    "eval.no_figures", terminal_language(), run=self.folder.name, path=self.folder / "figures.json"
                )
            )
        try:
            found = json.loads((self.folder / "figures.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise self._damage_error("figures.json") from error
        assert isinstance(found, dict)
        return found

    def _damage_error(self, name: str) -> SettingsError:
        return SettingsError(reason=translate("eval.run_damaged", terminal_language(), path=self.folder / name))


def checked_name(name: str) -> str:
    """Return a run's name, new or not.  Raises ``SettingsError`` if it leads out of the folder of runs."""
    if _NAME.fullmatch(name) is None:
        raise SettingsError(reason=translate("eval.run_name", terminal_language(), run=printable(name[:_LONGEST_NAME])))
    return name


def new_run_name(settings: Settings) -> str:
    """Return a name that no run has: the time of day."""
    name = f"{datetime.now():%Y-%m-%d-%H%M%S}"
    taken = {folder.name for folder in (settings.data_dir / "runs").glob(f"{name}*")}
    numbered = (f"{name}-{count}" for count in itertools.count(2))
    return next(one for one in itertools.chain([name], numbered) if one not in taken)


def read_records(path: Path, adapter: TypeAdapter[RecordType]) -> list[RecordType]:
    """Read records, a line each; a last line that was cut off is removed from the file.

    Raises ``SettingsError`` where a whole line is no record.
    """
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    try:  # not splitlines: it would also cut at characters that JSON leaves as they are
        return [adapter.validate_json(line) for line in whole.split("\n") if line]
    except ValidationError as error:
        raise SettingsError(reason=translate("eval.run_damaged", terminal_language(), path=path)) from error


def keep_asking(
    path: Path,
    adapter: TypeAdapter[RecordType],
    items: Iterable[tuple[Hashable, ItemType]],
    ask: Callable[[ItemType], RecordType],
    key_of: Callable[[RecordType], Hashable],
    progress: Callable[[RecordType], None] = lambda record: None,
) -> list[RecordType]:
    """Ask the items that ``path`` does not hold yet, one JSONL line a record, and return all records in their order.

    ``items`` are pairs of a key and an argument of ``ask``.  An interrupted run, even in mid-line, resumes.
    """
    done = {key_of(record): record for record in read_records(path, adapter)}
    path.parent.mkdir(parents=True, exist_ok=True)
    found: list[RecordType] = []
    with path.open("a", encoding="utf-8") as file:
        for key, item in items:
            if key not in done:
                done[key] = ask(item)
                file.write(adapter.dump_json(done[key]).decode() + "\n")
                file.flush()
            found.append(done[key])
            progress(done[key])
    return found


def _line(value: Mapping[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def knowledge_name(folder: Path) -> str:
    """Return the name of a knowledge base in a run's identity: its own, or its corpus's fingerprint."""
    return folder.parent.parent.name if folder.parent.parent.parent.name == "knowledge" else folder.name
