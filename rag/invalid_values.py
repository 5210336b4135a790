"""Why a value of a setting or of a request cannot be used, in the reader's language.

Pydantic says it in English only, with patterns and with names of Python's types.
"""

from collections.abc import Mapping

from rag.translate import is_known, translate

BASE_NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}$"
PERSON_NAME_PATTERN = r"^[\w.@+-]{1,64}$"
_PATTERNS = {BASE_NAME_PATTERN: "base_pattern", PERSON_NAME_PATTERN: "person_pattern"}


def describe_invalid(problem: str, values: Mapping[str, object], message: str, language: str) -> str:
    """Return what is wrong, to stand after the name of the value.

    ``problem``, ``values`` and ``message`` are pydantic's ``type``, ``ctx`` and ``msg``; the message is returned where
    no sentence of ours fits.

    >>> describe_invalid("greater_than_equal", {"ge": 1}, "Input should be ...", "en")
    'must be at least 1'
    """
    shown = {name: _plain(value) for name, value in values.items()}
    kind = problem
    if problem == "string_pattern_mismatch":
        kind = _PATTERNS.get(str(shown.get("pattern")), "pattern")
    elif problem.startswith(("datetime_", "timezone_")):
        kind = "time"
    elif problem.startswith("date_"):
        kind = "date"
    if not is_known(f"values.invalid_{kind}"):
        return message
    if "expected" in shown:  # "'auto', 'on' or 'off'"
        shown["expected"] = str(shown["expected"]).replace(" or ", ", ").replace("'", "")
    return translate(f"values.invalid_{kind}", language, **shown)


def _plain(value: object) -> object:
    """Return a bound without a fraction where it has none: 604800, not 604800.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
