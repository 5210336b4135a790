"""Cases of a support desk: what customers wrote, and what a right answer holds; one JSON object a line."""

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from rag.errors import SettingsError
from rag.schema import Language
from rag.terminal import terminal_language
from rag.text.language import THIRD_LANGUAGES, customer_language
from rag.translate import translate

Answerable = bool | Literal["partly"]

FAR, FALSE_PREMISE = "unanswerable_far", "false_premise"
OTHER_KIND = "other"


@dataclass(frozen=True, slots=True)
class DeskCase:
    """One conversation.  ``turns`` are the customer's, oldest first, and the answer to the last one counts.

    ``answerable`` is "partly" where the documents hold one half of what is asked.  A right answer holds one phrase of
    every list of ``must_contain_any`` and none of ``must_not_contain``.  ``gold_docs`` are paths below the folder of
    documents, any of which is right to show and to cite; ``gold_quote`` and ``more_quotes`` stand in them word for
    word.  ``absent`` are regular expressions that no document matches, where something is missing.
    """

    case_id: str
    language: str
    kind: str
    turns: tuple[str, ...]
    answerable: Answerable
    must_contain_any: tuple[tuple[str, ...], ...] = ()
    must_not_contain: tuple[str, ...] = ()
    gold_docs: tuple[str, ...] = ()
    gold_quote: str = ""
    more_quotes: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    note: str = ""

    @property
    def reader_language(self) -> Language:
        """The language of an answer to a question without words."""
        return "zh" if self.language == "zh" else "en"

    @property
    def question(self) -> str:
        """The last turn."""
        return self.turns[-1]

    @property
    def quotes(self) -> tuple[str, ...]:
        """What the gold documents say, word for word; empty where the case has no quotation."""
        return tuple(quote for quote in (self.gold_quote, *self.more_quotes) if quote)

    @property
    def has_facts(self) -> bool:
        """Whether the documents hold something that an answer must say: all but what nothing answers."""
        return bool(self.must_contain_any)


CASES = TypeAdapter(DeskCase)


def load_cases(path: Path) -> tuple[DeskCase, ...]:
    """Read a JSONL file of cases.  Raises ``SettingsError`` that names the first line which is none, and why."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # U+2028 may stand in a string
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable("file", path=path, reason=error.__class__.__name__) from error
    cases: dict[str, DeskCase] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = _Place(path.name, number)
        case = _case(_row(line, where), where)
        if case.case_id in cases:
            raise where.unusable("twice", id=case.case_id)
        cases[case.case_id] = case
    if not cases:
        raise _unusable("none", path=path)
    return tuple(cases.values())


def select_languages(cases: Sequence[DeskCase], languages: str) -> tuple[DeskCase, ...]:
    """Return the cases in some languages, their codes with commas between; all where it is empty.

    Raises ``SettingsError`` where a language has none.
    """
    wanted = [one.strip() for one in languages.split(",") if one.strip()]
    known = {one.language for one in cases}
    for language in wanted:
        if language not in known:
            raise _unusable("no_language", language=language, known=", ".join(sorted(known)))
    return tuple(one for one in cases if not wanted or one.language in wanted)


def draw_by_kind(cases: Sequence[DeskCase], limit: int, seed: int) -> tuple[DeskCase, ...]:
    """Return ``limit`` cases in their order, kinds and languages in the shares that they have; all where it is not > 0.

    Every case is as likely to be drawn (systematic sampling through the cases by kind and language).
    """
    if not 0 < limit < len(cases):
        return tuple(cases)
    chance = random.Random(seed)
    places = list(range(len(cases)))
    chance.shuffle(places)
    places.sort(key=lambda place: (cases[place].kind, cases[place].language))
    step = len(cases) / limit
    start = chance.random() * step
    return tuple(cases[place] for place in sorted(places[int(start + number * step)] for number in range(limit)))


def absence_pattern(pattern: str) -> re.Pattern[str]:
    """Return the pattern of a text that a case says is absent.  Raises ``re.error``."""
    return re.compile(pattern, re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Place:
    """A line of a file of cases."""

    file: str
    line: int

    def unusable(self, key: str, **values: object) -> SettingsError:
        return _unusable(key, file=self.file, line=self.line, **values)


def _unusable(key: str, **values: object) -> SettingsError:
    return SettingsError(reason=translate(f"eval_desk.case_{key}", terminal_language(), **values))


def _row(line: str, where: _Place) -> Mapping[str, object]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise where.unusable("not_json", reason=error.msg, column=error.colno) from error
    if not isinstance(row, dict):
        raise where.unusable("not_object")
    return row


def _case(row: Mapping[str, object], where: _Place) -> DeskCase:
    case_id = row.get("id")
    if not isinstance(case_id, str) or not case_id.strip():
        raise where.unusable("no_id")
    turns = tuple(_turns(row.get("turns"), where))
    kind = row.get("kind", OTHER_KIND)
    if not isinstance(kind, str) or not kind:
        raise where.unusable("text", field="kind")
    answerable = row.get("answerable", True)
    if not (isinstance(answerable, bool) or answerable == "partly"):
        raise where.unusable("answerable")
    groups = row.get("must_contain_any", [])
    if not isinstance(groups, list):
        raise where.unusable("groups")
    must_contain_any = tuple(_texts(group, "must_contain_any", where, key="groups") for group in groups)
    if any(not group for group in must_contain_any):
        raise where.unusable("groups")
    if not must_contain_any and (answerable or kind == FALSE_PREMISE):
        raise where.unusable("no_facts")
    return DeskCase(
        case_id=case_id,
        language=_language(row.get("lang"), turns[-1], where),
        kind=kind,
        turns=turns,
        answerable="partly" if answerable == "partly" else bool(answerable),
        must_contain_any=must_contain_any,
        must_not_contain=_texts(row.get("must_not_contain", []), "must_not_contain", where),
        gold_docs=_texts(row.get("gold_docs", []), "gold_docs", where),
        gold_quote=_text(row.get("gold_quote", ""), "gold_quote", where),
        more_quotes=_texts(row.get("more_quotes", []), "more_quotes", where),
        absent=_patterns(row.get("absent", []), where),
        note=_text(row.get("note", ""), "note", where),
    )


def _turns(value: object, where: _Place) -> Iterator[str]:
    turns = value if isinstance(value, list) else []
    if not turns:
        raise where.unusable("turns")
    for turn in turns:
        text = turn.get("user") if isinstance(turn, dict) else None
        if not isinstance(text, str) or not text.strip():
            raise where.unusable("turns")
        yield text


def _language(value: object, question: str, where: _Place) -> str:
    if value is None:
        return customer_language(question)
    if isinstance(value, str) and value in ("zh", "en", *THIRD_LANGUAGES):
        return value
    raise where.unusable("lang")


def _patterns(value: object, where: _Place) -> tuple[str, ...]:
    patterns = _texts(value, "absent", where)
    for pattern in patterns:
        try:
            absence_pattern(pattern)
        except re.error as error:
            raise where.unusable("pattern", pattern=pattern, reason=error.msg) from error
    return patterns


def _text(value: object, field: str, where: _Place) -> str:
    if not isinstance(value, str):
        raise where.unusable("text", field=field)
    return value


def _texts(value: object, field: str, where: _Place, *, key: str = "texts") -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
        raise where.unusable(key, field=field)
    return tuple(value)
