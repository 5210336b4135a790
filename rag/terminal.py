"""The terminal: which language its user reads."""

import os
from collections.abc import Mapping

from rag.schema import Language


def terminal_language(environment: Mapping[str, str] | None = None) -> Language:
    """Return the language of the messages, by the rule of the C library: the first of three variables that is set."""
    variables = os.environ if environment is None else environment
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = variables.get(name, "")
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"
