"""``python -m eval database``: what people do, in files and on a PostgreSQL server, timed side by side."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from eval.bench.database.benchmark import HISTORY_RATIO, Times, compare_places
from eval.commands.progress_bar import question_bar
from eval.commands.question_options import INTERRUPTED, print_line, write_json
from rag.errors import AnswerdeskError, SettingsError
from rag.schema import Language
from rag.settings import ServerDatabase, load_settings
from rag.terminal import fail, terminal_language
from rag.translate import translate

_EXAMPLES = """\
examples:
  ANSWERDESK_DATABASE_URL=postgresql://desk:...@localhost/empty python -m eval database
  python -m eval database --turns 1000 --pages 200 --json figures.json

The server's database must hold no turns; the benchmark deletes its own. The file lies in the data folder.

exit codes: 0 measured, 2 usage or no server named, 3 the server is away or holds turns, 130 interrupted"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m eval database",
        description="Time the history, a question's rows and the queue, in a file and on a server.  数据库耗时",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--turns", type=int, default=10_000, metavar="N", help="questions (default: 10,000)  提问数")
    parser.add_argument(
        "--pages", type=int, default=500, metavar="N", help="pages that are read, and tickets (500)  读取页数与排队次数"
    )
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn by chance  随机种子")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE  将指标写入文件")
    return parser


def _print(figures: Sequence[Times], console: Console, language: Language) -> None:
    keys = ("work", "file", "server", "ratio")
    table = Table(*(translate(f"bench_database.{key}", language) for key in keys))
    for row in figures:
        table.add_row(
            row.work,
            f"{row.file_p50:.2f} / {row.file_p99:.2f}",
            f"{row.server_p50:.2f} / {row.server_p99:.2f}",
            f"{row.p99_ratio:.2f}",
        )
    console.print(table)
    ratio = figures[0].p99_ratio
    met = translate(f"bench_database.{'met' if ratio <= HISTORY_RATIO else 'not_met'}", language)
    print_line(console, translate("bench_database.bar", language, ratio=f"{ratio:.2f}", bar=HISTORY_RATIO, met=met))


def main(argv: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()
    try:
        settings = load_settings()
        server = settings.turns_database
        if not isinstance(server, ServerDatabase) or min(arguments.turns, arguments.pages) < 1:
            raise SettingsError(reason=translate("bench_database.usage", language))
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        load = round(os.getloadavg()[0], 2)
        with question_bar(console, disable=not console.is_terminal) as bar:
            task = bar.add_task(
                translate("bench_database.timing", language), total=arguments.turns + 2 * arguments.pages
            )
            figures = compare_places(
                settings.data_dir, server, arguments.turns, arguments.pages, arguments.seed, lambda: bar.advance(task)
            )
        _print(figures, console, language)
        print_line(console, translate("bench_load.machine", language, load=load, cores=os.cpu_count()))
        write_json(arguments.json, {"load_average": load, "turns": arguments.turns,
                                    "times": [row.to_json() for row in figures]})  # fmt: skip
    except AnswerdeskError as error:
        return fail(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0
