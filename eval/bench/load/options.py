"""What the load tests have in common: options, and the run that they write."""

import argparse

from eval.commands.shared import question_parser
from eval.core.runs import Run
from rag.errors import SettingsError
from rag.terminal import terminal_language
from rag.translate import translate


def sessions_parser(name: str, description: str, examples: str) -> argparse.ArgumentParser:
    """Return the parser of a test that asks a model with many sessions at once."""
    parser = question_parser(name, description, examples, sets=False)
    parser.add_argument("--sessions", type=int, default=10, metavar="N", help="at once (default: 10)  会话数")
    parser.add_argument("--model", default="", help="a model that Ollama has (default: the desk's)  模型名称")
    return parser


def require_positive(arguments: argparse.Namespace, *names: str) -> None:
    """Raise ``SettingsError`` where one of these options was given and is not above zero."""
    for name in names:
        value = getattr(arguments, name)
        if value is not None and value <= 0:
            raise SettingsError(reason=translate("bench_load.positive", terminal_language(), option=name, value=value))


def require_new(kept: Run) -> None:
    """Raise ``SettingsError`` where a run of that name exists: a load test is not resumed."""
    if kept.folder.exists():
        raise SettingsError(reason=translate("bench_load.run_used", terminal_language(), run=kept.folder.name))
