"""Which of a test's variants run on each commit; the others wait for the night.

What a click does is the same in both languages, so a commit tries it in one: half of the behaviours in English, half in
Chinese.  What a page looks like is tried in both languages and both themes, in two of their four combinations.
"""

from collections.abc import Iterable, Mapping
from itertools import product

import pytest
from _pytest.mark.structures import ParameterSet

Variants = Iterable[str] | Mapping[str, object]
"""Names that are their own values, or values by their names."""

LANGUAGES = ("en", "zh")
THEMES = {"light": False, "dark": True}


def _by_name(variants: Variants) -> Mapping[str, object]:
    return variants if isinstance(variants, Mapping) else {name: name for name in variants}


def combined(*parts: Variants) -> dict[str, tuple[object, ...]]:
    """Return each combination by its name.

    >>> combined(("curated", "cached"), {"light": False})
    {'curated-light': ('curated', False), 'cached-light': ('cached', False)}
    """
    named = [_by_name(part).items() for part in parts]
    return {"-".join(name for name, _ in one): tuple(value for _, value in one) for one in product(*named)}


LOOKS = combined(LANGUAGES, THEMES)
SIZES = {"1280": (1280, 720, 1), "zoom200": (640, 360, 2)}
"""Width and height of a window, and how many times as large everything in it is drawn."""


def by_day(*chosen: str, of: Variants = LANGUAGES) -> list[ParameterSet]:
    """Return all variants for ``parametrize``; those that are not chosen are marked ``nightly``."""
    variants = _by_name(of)
    assert set(chosen) <= set(variants), f"{chosen} are not all among {list(variants)}"
    return [
        pytest.param(*_values(value), id=name, marks=() if name in chosen else pytest.mark.nightly)
        for name, value in variants.items()
    ]


def _values(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)
