"""What a run's figures depend on besides the questions and the documents: settings, the glossary, the calibration.

A run keeps these under ``settings`` in its ``run.json``, so that it is resumed only where they are still the same, and
so that a comparison can say in what two runs differ.  Values are those of JSON; words of files are kept as checksums.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from rag.retrieval.query import glossary_of
from rag.reuse.cache import NEVER_MATTERS
from rag.settings import Settings
from rag.storage.calibration import read_calibration

Conditions = Mapping[str, object]

_RANKING = frozenset({"candidates", "reranker"})
_REFUSAL = _RANKING | {"refusal_threshold"}
_RECORDED_APART = frozenset({"model"})
"""A run's identity has the model itself, also where the setting leaves the choice to the product."""

_CHECKSUM_CHARACTERS = 12


def ranking_conditions(settings: Settings, folder: Path) -> Conditions:
    """Return what a ranking of the knowledge base in ``folder`` depends on.  Raises ``GlossaryUnusable``."""
    return {**_values(settings, _RANKING), "glossary": _glossary(settings, folder)}


def refusal_conditions(settings: Settings, folder: Path) -> Conditions:
    """Return what a refusal by the search alone depends on.

    Raises ``GlossaryUnusable`` and ``CalibrationDamaged``.
    """
    return {**_values(settings, _REFUSAL), "glossary": _glossary(settings, folder), "calibration": _calibration(folder)}


def answer_conditions(settings: Settings, folder: Path) -> Conditions:
    """Return what the model's answers depend on: every setting that may change one.

    Raises ``GlossaryUnusable`` and ``CalibrationDamaged``.
    """
    names = frozenset(Settings.model_fields) - NEVER_MATTERS - _RECORDED_APART
    return {**_values(settings, names), "glossary": _glossary(settings, folder), "calibration": _calibration(folder)}


def conditions_of(identity: Mapping[str, object]) -> Conditions:
    """Return the conditions that a run's identity keeps; empty where an older program has written it."""
    found = identity.get("settings")
    return found if isinstance(found, Mapping) else {}


def differing_names(first: Mapping[str, object], second: Mapping[str, object]) -> list[str]:
    """Return the names of what differs between two identities; settings by their own names where both keep them.

    >>> differing_names({"set": "a", "settings": {"candidates": 50}}, {"set": "a", "settings": {"candidates": 5}})
    ['candidates']
    """
    differing = {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)}
    before, after = conditions_of(first), conditions_of(second)
    if "settings" in differing and before and after:
        differing -= {"settings"}
        differing |= {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return sorted(differing)


def _values(settings: Settings, names: frozenset[str]) -> dict[str, object]:
    return settings.model_dump(mode="json", include=set(names))


def _glossary(settings: Settings, folder: Path) -> str:
    return _checksum(glossary_of(settings.glossary, folder).sets)


def _calibration(folder: Path) -> str:
    return _checksum(read_calibration(folder))


def _checksum(content: object) -> str:
    """Return a checksum of JSON values; empty where there is nothing."""
    if not content:
        return ""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_CHECKSUM_CHARACTERS]
