"""Questions with known answers: one JSON object a line, in the form of teams' own and of public sets."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rag.errors import FileUnusable, SettingsError
from rag.schema import Language
from rag.terminal import terminal_language
from rag.translate import translate


@dataclass(frozen=True, slots=True)
class GoldenQuestion:
    """A question and the content of a right answer.

    ``key_points`` is a conjunction of alternatives: every group must be hit by one of its strings.  ``answers`` are
    model answers in full words.  ``relevant`` are document ids, any of which holds the answer.  ``kind`` says what
    makes the question hard (``typo``, ``two_part``, ``near_miss``, ...).  ``previous`` is the user's turn before a
    follow-up.  ``quote`` is the passage that holds the answer, word for word, where it is known.
    ``in_other_language`` are documents with the same answer in another language; ``without`` are documents to leave out
    of the search.
    """

    question_id: str
    question: str
    language: Language
    answerable: bool
    answers: tuple[str, ...]
    key_points: tuple[tuple[str, ...], ...]
    relevant: tuple[str, ...]
    kind: str = ""
    previous: str = ""
    quote: str = ""
    in_other_language: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


def load_questions(path: Path) -> tuple[GoldenQuestion, ...]:
    """Read one JSONL file, or every ``*.jsonl`` of a folder in the order of their names.

    Raises ``SettingsError`` naming the file and line when a line is not a question, or when nothing is there.
    """
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    questions: list[GoldenQuestion] = []
    seen: set[str] = set()
    for file in files:
        for number, row in _rows(file):
            question = _question(row, where=f"{file}:{number}")
            if question.question_id in seen:
                raise SettingsError(reason=f"{file}:{number}: the question id {question.question_id} is there twice")
            seen.add(question.question_id)
            questions.append(question)
    if not questions:
        raise SettingsError(reason=f"there are no questions in {path}")
    return tuple(questions)


def _rows(file: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    try:
        # Windows editors begin a file with a mark; U+2028 may stand in a string
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise FileUnusable.because(file, error) from error
    except UnicodeDecodeError as error:
        raise FileUnusable(path=file, reason="encoding") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise SettingsError(reason=f"{file}:{number}: not JSON ({error.msg})") from error
        if not isinstance(row, dict):
            raise SettingsError(reason=f"{file}:{number}: an object is expected")
        yield number, row


def _question(row: Mapping[str, object], *, where: str) -> GoldenQuestion:
    question_id, text = (_required(row, name, where) for name in ("id", "question"))
    language: Language = "zh" if row.get("lang") == "zh" else "en"
    answers = _strings(row.get("answers"), where)
    groups = row.get("key_points")
    key_points = (
        tuple(_strings(group, where) for group in groups)
        if isinstance(groups, list)
        # A public set has answers only: any one of them counts.
        else ((answers,) if answers else ())
    )
    meta = row.get("meta")
    about = meta if isinstance(meta, dict) else {}
    kind = about.get("kind")
    quote = row.get("quote")
    return GoldenQuestion(
        question_id=question_id,
        question=text,
        language=language,
        answerable=bool(row.get("answerable", True)),
        answers=answers,
        key_points=key_points,
        relevant=_strings(row.get("relevant"), where),
        kind=kind if isinstance(kind, str) else "",
        previous=_last_user_turn(row.get("history")),
        quote=quote if isinstance(quote, str) else "",
        in_other_language=_strings(about.get("cross_lingual_relevant"), where),
    )


def _required(row: Mapping[str, object], name: str, where: str) -> str:
    """Return a text that every question has.  Raises ``SettingsError`` naming the field and what is wrong with it."""
    value = row.get(name)
    if isinstance(value, str) and value.strip():
        return value
    fault = "no_string" if value is not None and not isinstance(value, str) else "blank" if name in row else "missing"
    raise SettingsError(reason=translate(f"ingest.question_{fault}", terminal_language(), where=where, name=name))


def _last_user_turn(history: object) -> str:
    """Return the text of the last ``{"role": "user", "text": ...}``; an empty string without one."""
    turns = history if isinstance(history, list) else []
    texts = [turn.get("text") for turn in turns if isinstance(turn, dict) and turn.get("role") == "user"]
    return texts[-1] if texts and isinstance(texts[-1], str) else ""


def _strings(value: object, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise SettingsError(reason=f"{where}: a list of strings is expected")
    return tuple(value)
