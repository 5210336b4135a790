"""``python -m eval report``: runs as one HTML page that needs nothing but itself."""

import argparse
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from rich.console import Console

from eval.commands.shared import command_parser, exit_code, print_line, write_text
from eval.compare.pairs import Comparison, compare_runs
from eval.compare.report_page import page
from eval.core.runs import Run
from rag.settings import Settings, load_settings
from rag.terminal import terminal_language
from rag.translate import translate

EXAMPLES = """\
examples:
  python -m eval report monday --html monday.html
  python -m eval report monday tuesday --html both.html --language zh     two runs of a kind are compared as well
"""


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "report",
        "Write runs of answers, retrieval, refusal and load as one HTML page with plots.  生成 HTML 报告",
        EXAMPLES,
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="names or folders of finished runs  运行名称")
    parser.add_argument("--html", type=Path, required=True, metavar="FILE", help="the page  报告文件")
    parser.add_argument("--language", choices=["en", "zh"], help="of the page (default: the terminal's)  语言")
    return parser


def _comparisons(names: Sequence[str], settings: Settings) -> list[tuple[str, str, Sequence[Comparison]]]:
    """Compare each run with the one before it, where both are of a kind."""
    found: list[tuple[str, str, Sequence[Comparison]]] = []
    for first, second in pairwise(names):
        commands = {str(Run.find(name, settings).identity().get("command")) for name in (first, second)}
        if len(commands) == 1:
            found.append((first, second, compare_runs(first, second, settings).measures))
    return found


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    arguments = _parser().parse_args(argv)
    language = arguments.language or terminal_language()

    def work() -> None:
        settings = load_settings()
        runs = [Run.find(name, settings) for name in arguments.runs]
        write_text(arguments.html, page(runs, _comparisons(arguments.runs, settings), language))
        print_line(Console(), translate("eval.written", terminal_language(), path=arguments.html))

    return exit_code(work)
