"""Sentences for people, from the catalogues in ``rag/locale``: a folder a language, a file or folder a catalogue.

A key is ``catalogue.name``: ``errors.QuestionEmpty`` is ``QuestionEmpty`` in ``errors.toml``, and ``ui.desk`` is
``desk`` in one of the files of ``ui/``.  Tables within a file add a part each: ``errors.reasons.ModelUnfit.name``.
``{files} {files:file|files}`` reads "1 file" or "2 files".  A language begins as a translated copy of the folder
``en``, in which ``make check`` reports missing keys and placeholders but no sentence that is still in English;
CONTRIBUTING.md says what else it needs.
"""

import string
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

LOCALE_FOLDER = Path(__file__).with_name("locale")


class _CountFormatter(string.Formatter):
    """Also knows ``{files:file|files}``: the first word where the value is one, else the second."""

    def format_field(self, value: object, format_spec: str) -> str:
        one, separator, many = format_spec.partition("|")
        if separator:
            return one if value in (1, "1") else many
        return str(super().format_field(value, format_spec))


_FORMATTER = _CountFormatter()


class UnknownSentence(KeyError):
    """A catalogue lacks a key: a fault of the program, which ``make check`` finds before a user does."""


def translate(key: str, language: str, /, **values: object) -> str:
    """Return the sentence of ``key`` in ``language``, a folder of the catalogues, with its placeholders filled.

    Raises ``UnknownSentence`` without one and ``KeyError`` for a placeholder without a value: there is no fallback to
    another language, which would hide the gap.

    >>> translate("errors.QuestionTooLong", "en", characters=9000, limit=8000)
    'The question has 9000 characters; please keep it under 8000.'
    >>> translate("curated.exported", "en", count=1, path="answers.jsonl")
    '1 answer written to answers.jsonl'
    """
    return _FORMATTER.format(template(key, language), **values)


def template(key: str, language: str) -> str:
    """Return the sentence with its placeholders as they are.  Raises ``UnknownSentence``."""
    catalogue, _, name = key.partition(".")
    try:
        return load_catalogue(LOCALE_FOLDER, language, catalogue)[name]
    except KeyError:
        raise UnknownSentence(f"{key} in {LOCALE_FOLDER / language}") from None


def is_known(key: str) -> bool:
    """Return whether the catalogues have this key; English speaks for all, for they hold the same keys."""
    catalogue, _, name = key.partition(".")
    return name in load_catalogue(LOCALE_FOLDER, "en", catalogue)


@cache
def load_catalogue(locale_folder: Path, language: str, catalogue: str) -> Mapping[str, str]:
    """Return the sentences of ``catalogue.toml`` or of every file in ``catalogue/``, by key without its name.

    Reading takes about 0.1 ms for 20 sentences and is done once a process.  Raises ``UnknownSentence`` without such a
    file and ``ValueError`` where two files of a catalogue have the same key.
    """
    file = locale_folder / language / f"{catalogue}.toml"
    files = [file] if file.is_file() else sorted(file.with_suffix("").glob("*.toml"))
    if not files:
        raise UnknownSentence(f"no sentences of {catalogue} in {locale_folder / language}")
    sentences: dict[str, str] = {}
    for path in files:
        for key, text in _flat(tomllib.loads(path.read_text(encoding="utf-8")), ""):
            if key in sentences:
                raise ValueError(f"{path}: {key} is in another file of {catalogue} as well")
            sentences[key] = text
    return sentences


def _flat(table: Mapping[str, object], prefix: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", str(value)))
    return found
