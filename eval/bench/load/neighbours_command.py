"""``python -m eval load neighbours``: the model's speed beside a busy program and beside an ingest."""

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from eval.bench.load.neighbours import (
    ALONE,
    BUSY,
    INGEST,
    LEAST_BUSY_SHARE,
    MOST_INGEST_TIMES,
    measure_beside,
    neighbour_figures,
)
from eval.commands.progress_bar import question_bar
from eval.commands.question_options import INTERRUPTED, print_line, write_json
from eval.core.question_sets import KNOWLEDGE_DIR
from rag.errors import AnswerdeskError
from rag.generation.oom_fallback import FallbackGenerator
from rag.ollama.hosts import choose_model
from rag.ollama.server import ensure_running, status
from rag.schema import Language
from rag.settings import load_settings
from rag.terminal import fail, terminal_language
from rag.translate import translate

EXAMPLES = """\
examples:
  python -m eval load neighbours                                 the model alone, beside a process, beside an ingest
  python -m eval load neighbours --documents FOLDER --rounds 5 --json figures.json

The model is asked with prompts that no cache knows.  The other programs are started and ended here; the ingest has a
data folder of its own, which goes with it.  Each answer begins 8 s or more after the other program did.
"""
_COLUMNS = ("n", "prompt_tokens_per_second", "generated_tokens_per_second", "generated_share", "answer_seconds")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m eval load neighbours",
        description="How fast is the model while other programs want the processor?  其他程序占用处理器时的模型速度",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="answers counted beside each  每组回答数")
    parser.add_argument("--documents", type=Path, nargs="+", default=[KNOWLEDGE_DIR], help="to ingest  待导入的文档")
    parser.add_argument("--model", help="a model that Ollama has (default: the desk's)  模型名称")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE  将指标写入文件")
    return parser


def _print(figures: Mapping[str, Mapping[str, float]], console: Console, language: Language) -> None:
    titles = translate("bench_load.neighbour_columns", language).split("|")
    table = Table(*titles, title=translate("bench_load.neighbours", language))
    for kind, row in figures.items():
        table.add_row(translate(f"bench_load.neighbour_{kind}", language), *(f"{row[name]:g}" for name in _COLUMNS))
    console.print(table)
    share, times = figures[BUSY]["generated_share"], figures[INGEST]["answer_times"]
    bars = (
        ("bar_busy", share, f">= {LEAST_BUSY_SHARE:g}", share >= LEAST_BUSY_SHARE),
        ("bar_ingest", times, f"<= {MOST_INGEST_TIMES:g}", times <= MOST_INGEST_TIMES),
    )
    for name, value, bar, is_met in bars:
        met = translate("bench_load.yes" if is_met else "bench_load.no", language)
        print_line(console, f"{translate(f'bench_load.{name}', language)}: {value:g} ({bar}): {met}")


def main(argv: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()
    try:
        settings = load_settings()
        if arguments.model:
            settings = settings.changed(model=arguments.model)
        ensure_running(settings)
        generator = FallbackGenerator(settings, lambda: choose_model(settings))
        kinds = (ALONE, BUSY, INGEST)
        with question_bar(console, disable=not console.is_terminal) as bar:
            task = bar.add_task(generator.model, total=len(kinds) * (arguments.rounds + 1))
            found = measure_beside(generator, kinds, arguments.documents, arguments.rounds, lambda: bar.advance(task))
        figures = neighbour_figures(found)
        _print(figures, console, language)
        server = status(settings)
        machine = {"cores": os.cpu_count(), "load_average": round(os.getloadavg()[0], 2), "model": generator.model}
        write_json(arguments.json, {"rows": figures, **machine, "goes_first": server.goes_first})
    except AnswerdeskError as error:
        return fail(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0
