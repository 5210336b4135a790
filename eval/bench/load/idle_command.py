"""``python -m eval load idle``: what the product itself takes, on a machine that does nothing else."""

import argparse
import os
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from eval.bench.load.idle import (
    P50_MS,
    P99_MS,
    START_SECONDS,
    everything_but_the_model,
    first_evidence_seconds,
    idle_figures,
)
from eval.commands.progress_bar import SHOWN_INGEST, question_bar
from eval.commands.question_options import (
    INTERRUPTED,
    chosen_settings,
    one_set,
    print_line,
    question_parser,
    write_json,
)
from eval.core.knowledge import open_parts
from rag.errors import AnswerdeskError, SettingsError
from rag.schema import Language
from rag.terminal import fail, terminal_language
from rag.translate import translate

EXAMPLES = """\
examples:
  python -m eval load idle                        the sample questions, and five new processes
  python -m eval load idle --kb shop --starts 0
"""


def _parser() -> argparse.ArgumentParser:
    parser = question_parser(
        "load idle",
        "Time everything but the model, one question at a time, and a new process until its first passage.  空闲耗时",
        EXAMPLES,
        sets=False,
    )
    parser.add_argument("--starts", type=int, default=6, metavar="N", help="new processes (default: 6)  新进程数")
    return parser


def _print(figures: Mapping[str, object], console: Console, language: Language) -> None:
    names = ("n", "p50", "p95", "p99")
    table = Table(translate("eval.stage", language), *names, title=translate("eval.latency", language))
    whole, stages = figures["all_ms"], figures["stages"]
    assert isinstance(whole, Mapping) and isinstance(stages, Mapping)
    for name, row in {translate("bench_load.idle_all", language): whole, **stages}.items():
        table.add_row(name, *(str(row[key]) for key in names))
    console.print(table)
    wanted = [
        ("bar_idle_p50", whole["p50"], P50_MS, "ms"),
        ("bar_idle_p99", whole["p99"], P99_MS, "ms"),
        ("bar_start", figures["start_seconds"], START_SECONDS, "s"),
    ]
    bars = Table(
        *(translate(f"bench_load.{key}", language) for key in ("what", "measured", "bar", "met")),
        title=translate("bench_load.bars", language),
    )
    for name, value, bar, unit in wanted:
        if isinstance(value, float | int):
            met = translate("bench_load.yes" if value <= bar else "bench_load.no", language)
            bars.add_row(translate(f"bench_load.{name}", language), f"{value:g} {unit}", f"<= {bar:g} {unit}", met)
    console.print(bars)
    load, cores = figures["load_average"], figures["cores"]
    print_line(console, translate("bench_load.machine", language, load=load, cores=cores))


def main(argv: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()
    load = round(os.getloadavg()[0], 2)
    try:
        if arguments.starts < 0:
            raise SettingsError(
                reason=translate("bench_load.positive", language, option="starts", value=arguments.starts)
            )
        one = one_set(arguments)
        parts = open_parts(one, chosen_settings(arguments), SHOWN_INGEST)
        questions = [question for question in one.questions if not question.previous]
        with question_bar(console, disable=not console.is_terminal) as bar:
            task = bar.add_task(one.name, total=len(questions))
            times = everything_but_the_model(parts, questions, lambda: bar.advance(task))
        starts = [first_evidence_seconds(parts.store.folder, questions[0].question) for _ in range(arguments.starts)]
        figures = idle_figures(times, starts) | {"load_average": load, "cores": os.cpu_count()}
        _print(figures, console, language)
        write_json(arguments.json, figures)
    except AnswerdeskError as error:
        return fail(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0
