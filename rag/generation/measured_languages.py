"""The note beside an answer in a third language: how well the model did in it, and what could be checked.

``measured_languages.json`` has the counts of ``python -m eval desk --cases data/desk/languages.jsonl`` by model and
language (docs/measurements.md).  Other models were not measured.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rag.generation.reply_languages import reply_language
from rag.schema import Answer, Language
from rag.translate import translate

MEASURED_PATH = Path(__file__).with_name("measured_languages.json")

GOOD_SHARE = 0.9
"""The share of replies in the customer's language from which on a model is taken to keep to the language."""


@dataclass(frozen=True, slots=True)
class MeasuredLanguage:
    """Counts of a model in a language: its ``replies``, those ``in_language``, and its ``right`` answers."""

    replies: int
    in_language: int
    answerable: int
    right: int

    @property
    def keeps_language(self) -> bool:
        """Whether the model replies in the language as a rule."""
        return self.replies > 0 and self.in_language >= GOOD_SHARE * self.replies


def measured_language(model: str, code: str) -> MeasuredLanguage | None:
    """Return the counts of a model, by its name in Ollama, in a language (ISO 639-1); None if not measured."""
    return _measurements().get(model, {}).get(code)


def language_note(answer: Answer, language: Language) -> str:
    """Return the note on an answer's language, in a language of the interface; empty if they are the same."""
    if not answer.third_language or answer.refused or answer.lane not in ("model", "cached"):
        return ""
    third = reply_language(answer.third_language)
    name = third.chinese if language == "zh" else third.english
    measured = measured_language(answer.model, answer.third_language)
    key = "unmeasured" if measured is None else "kept" if measured.keeps_language else "not_kept"
    counts = {} if measured is None else {field: getattr(measured, field) for field in MeasuredLanguage.__slots__}
    return translate(f"ask.language_{key}", language, name=name, model=answer.model, **counts)


@cache
def _measurements() -> dict[str, dict[str, MeasuredLanguage]]:
    models = json.loads(MEASURED_PATH.read_text(encoding="utf-8"))
    return {
        model: {code: MeasuredLanguage(**counts) for code, counts in languages.items()}
        for model, languages in models.items()
    }
