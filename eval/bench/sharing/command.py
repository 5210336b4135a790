"""``python -m eval sharing``: what travels between desks that share a knowledge base, and how soon it serves."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from eval.bench.sharing.benchmark import SERVED_WITHIN_SECONDS, SharingFigures, blob_urls, measure_sharing
from eval.commands.progress_bar import question_bar
from eval.commands.question_options import INTERRUPTED, print_line, write_json
from rag.errors import AnswerdeskError, SettingsError
from rag.schema import Language
from rag.settings import load_settings
from rag.terminal import fail, terminal_language
from rag.translate import translate

_EXAMPLES = """\
examples:
  ANSWERDESK_DATABASE_URL=postgresql://desk:...@localhost/empty python -m eval sharing
  python -m eval sharing --passages 2000 --changes 5 --json figures.json
  ANSWERDESK_BLOB_URL=s3://pieces/desk python -m eval sharing    # the server's rows, and the bucket beside them

The server's database must hold no knowledge bases; the benchmark deletes its own. Vectors are drawn by chance: no model
is needed. Folders lie in the data folder for as long as it runs.

exit codes: 0 measured, 2 usage or no server named, 3 the server or the bucket is away, or the server holds knowledge
bases, 130 interrupted"""
_KNOWLEDGE_BASES = 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m eval sharing",
        description="Change a document of a shared knowledge base, and time another desk.  共享知识库耗时",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--passages", type=int, default=10_000, metavar="N", help="generated passages (10,000)  段落数")
    parser.add_argument("--changes", type=int, default=10, metavar="N", help="publications of each (10)  发布次数")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE  将指标写入文件")
    return parser


def _print(figures: Sequence[SharingFigures], console: Console, language: Language) -> None:
    keys = ("knowledge_base", "place", "passages", "first", "change", "seconds", "rollback", "ingest")
    table = Table(*(translate(f"bench_sharing.{key}", language) for key in keys))
    for row in figures:
        table.add_row(
            row.knowledge_base,
            translate(f"bench_sharing.{row.place}", language),
            f"{row.passages:,}",
            f"{row.first_bytes / 1e6:.1f}",
            f"{row.change_bytes / 1e6:.2f}",
            f"{row.seconds_p50:.2f} / {row.seconds_max:.2f}",
            f"{row.rollback_seconds:.2f}",
            f"{row.publish_seconds:.1f}",
        )
    console.print(table)
    worst = max(row.seconds_p50 for row in figures)
    met = translate(f"bench_sharing.{'met' if worst <= SERVED_WITHIN_SECONDS else 'not_met'}", language)
    values = {"seconds": f"{worst:.2f}", "bar": f"{SERVED_WITHIN_SECONDS:g}", "met": met}
    print_line(console, translate("bench_sharing.bar", language, **values))


def main(argv: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()
    try:
        settings = load_settings()
        place = settings.knowledge_database
        if place is None or min(arguments.passages, arguments.changes) < 1:
            raise SettingsError(reason=translate("bench_sharing.usage", language))
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        load = round(os.getloadavg()[0], 2)
        with question_bar(console, disable=not console.is_terminal) as bar:
            steps = _KNOWLEDGE_BASES * len(blob_urls(settings)) * (arguments.changes + 1)
            task = bar.add_task(translate("bench_sharing.publishing", language), total=steps)
            figures = measure_sharing(settings, place, arguments.passages, arguments.changes, lambda: bar.advance(task))
        _print(figures, console, language)
        print_line(console, translate("bench_load.machine", language, load=load, cores=os.cpu_count()))
        write_json(arguments.json, {"load_average": load, "figures": [row.to_json() for row in figures]})
    except AnswerdeskError as error:
        return fail(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0
