"""The terminal: which language its user reads, and how a command ends that could not do its work."""

import os
import sys
from collections.abc import Mapping

from rag.errors import AnswerdeskError
from rag.schema import Language


def terminal_language(environment: Mapping[str, str] | None = None) -> Language:
    """Return the language of the messages, by the rule of the C library: the first of three variables that is set."""
    variables = os.environ if environment is None else environment
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = variables.get(name, "")
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def fail(error: AnswerdeskError) -> int:
    """Print the error's sentence on standard error, in the reader's language, and return the command's exit code."""
    print(error.text(terminal_language()), file=sys.stderr)
    return error.exit_code
