"""``python -m eval load neighbours``: the model's speed beside a busy program and beside our own ingest."""

import argparse
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from eval.commands.shared import (
    chosen_settings,
    command_parser,
    counted_steps,
    exit_code,
    load_average,
    print_line,
    write_json,
)
from eval.core.question_sets import KNOWLEDGE_DIR
from rag.errors import SettingsError
from rag.generation.oom_fallback import FallbackGenerator
from rag.ollama.hosts import choose_model
from rag.ollama.server import ensure_running, status
from rag.protocols import GenerationFinished, Generator, Message
from rag.schema import Language
from rag.terminal import terminal_language
from rag.translate import translate

ALONE, BUSY, INGEST = "alone", "busy", "ingest"
LEAST_BUSY_SHARE, MOST_INGEST_TIMES = 0.55, 2.0
SETTLING_SECONDS = 8.0
"""From the start of another program until its effect is measured: by then the product has seen it."""

_ANSWER_TOKENS = 48
_PROMPT_WORDS = 250
_COMPUTE = "while True: sum(number * number for number in range(10_000))"
_INGEST_AGAIN = """
import os, subprocess, sys, tempfile
while True:
    with tempfile.TemporaryDirectory() as folder:
        own = {**os.environ, "ANSWERDESK_DATA_DIR": folder}
        subprocess.run([sys.executable, "-m", "ingest", *sys.argv[1:]], env=own, check=True)
"""
_CHECKOUT = Path(__file__).resolve().parents[3]

EXAMPLES = """\
examples:
  python -m eval load neighbours                                 the model alone, beside a process, beside an ingest
  python -m eval load neighbours --documents FOLDER --rounds 5 --json figures.json

The model is asked with prompts that no cache knows.  The other programs are started and ended here; the ingest has a
data folder of its own, which goes with it.  Each answer begins 8 s or more after the other program did.
"""
_COLUMNS = ("n", "prompt_tokens_per_second", "generated_tokens_per_second", "generated_share", "answer_seconds")


@contextmanager
def neighbour(kind: str, documents: Sequence[Path]) -> Iterator[None]:
    """Run the other program for a block: none, an ordinary process, or an ingest of ``documents``, again and again."""
    if kind == ALONE:
        yield
        return
    program = [_COMPUTE] if kind == BUSY else [_INGEST_AGAIN, *(str(path.resolve()) for path in documents)]
    process = subprocess.Popen(
        [sys.executable, "-c", *program],
        cwd=_CHECKOUT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
        if process.poll() is not None:
            reason = translate("bench_load.neighbour_ended", terminal_language(), kind=kind, code=process.returncode)
            raise SettingsError(reason=reason)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def one_answer(generator: Generator) -> GenerationFinished:
    """Have one prompt read that no cache knows, and as many tokens written each time; return Ollama's own figures."""
    words = " ".join(secrets.token_hex(2) for _ in range(_PROMPT_WORDS))
    parts = generator.generate(
        [Message("user", f"{words}\nCount from one to a hundred in words.")], think=False, max_tokens=_ANSWER_TOKENS
    )
    return [part for part in parts if isinstance(part, GenerationFinished)][-1]


def measure_beside(
    generator: Generator,
    kinds: Sequence[str],
    documents: Sequence[Path],
    rounds: int,
    told: Callable[[], object],
) -> dict[str, list[GenerationFinished]]:
    """Ask ``rounds`` times beside each kind of neighbour; the first answer beside each warms up and does not count."""
    found: dict[str, list[GenerationFinished]] = {}
    for kind in kinds:
        with neighbour(kind, documents):
            time.sleep(SETTLING_SECONDS)
            answers = []
            for _ in range(rounds + 1):
                answers.append(one_answer(generator))
                told()
        found[kind] = answers[1:]
    return found


def neighbour_figures(found: dict[str, list[GenerationFinished]]) -> dict[str, dict[str, float]]:
    """Return medians of each kind: tokens a second, and the seconds of a whole answer; with what they are of alone."""
    rows = {kind: _row(answers) for kind, answers in found.items()}
    alone = rows[ALONE]
    for row in rows.values():
        row["generated_share"] = round(row["generated_tokens_per_second"] / alone["generated_tokens_per_second"], 2)
        row["answer_times"] = round(row["answer_seconds"] / alone["answer_seconds"], 2)
    return rows


def _row(answers: Sequence[GenerationFinished]) -> dict[str, float]:
    return {
        "n": len(answers),
        "prompt_tokens_per_second": round(median(one.prompt_tokens / one.prompt_ms * 1000 for one in answers), 1),
        "generated_tokens_per_second": round(
            median(one.generated_tokens / one.generation_ms * 1000 for one in answers), 2
        ),
        "answer_seconds": round(median((one.load_ms + one.prompt_ms + one.generation_ms) / 1000 for one in answers), 2),
    }


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "load neighbours",
        "How fast is the model while other programs want the processor?  其他程序占用处理器时的模型速度",
        EXAMPLES,
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

    def work() -> None:
        settings = chosen_settings(arguments)
        ensure_running(settings)
        generator = FallbackGenerator(settings, lambda: choose_model(settings))
        kinds = (ALONE, BUSY, INGEST)
        with counted_steps(console, generator.model, len(kinds) * (arguments.rounds + 1)) as advance:
            found = measure_beside(generator, kinds, arguments.documents, arguments.rounds, advance)
        figures = neighbour_figures(found)
        _print(figures, console, language)
        server = status(settings)
        machine = {"cores": os.cpu_count(), "load_average": load_average(), "model": generator.model}
        write_json(arguments.json, {"rows": figures, **machine, "goes_first": server.goes_first})

    return exit_code(work)
