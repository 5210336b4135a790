"""``python -m eval load idle``: what the product itself takes, on a machine that does nothing else.

Everything but the model, one question at a time, and a new process until its first passage.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Generator as GeneratorObject
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console

from eval.bench.load.gpu_timing import answer_pieces
from eval.bench.load.report import at_most, bars_table
from eval.commands.shared import (
    SHOWN_INGEST,
    chosen_settings,
    counted_steps,
    exit_code,
    headed_table,
    load_average,
    one_set,
    print_machine,
    question_parser,
    write_json,
)
from eval.core.knowledge import open_parts
from ingest.golden import GoldenQuestion
from rag.errors import SettingsError
from rag.pipeline import Pipeline, PipelineParts
from rag.protocols import GeneratedText, GenerationFinished, GenerationPart, Message
from rag.schema import Answer, Language
from rag.terminal import terminal_language
from rag.tracing import STAGES, Percentiles
from rag.translate import translate

P50_MS, P99_MS, START_SECONDS = 15.0, 30.0, 2.5
_WARM_QUESTIONS = 20
_ANSWER_TOKENS = 60
_START_LIMIT_SECONDS = 300.0
_CHECKOUT = Path(__file__).resolve().parents[3]

EXAMPLES = """\
examples:
  python -m eval load idle                        the sample questions, and five new processes
  python -m eval load idle --kb shop --starts 0
"""


class NoModel:
    """Gives the prompt's own sentences back at once, and says that no model wrote them.

    ``spent_seconds`` is what it took for that so far, which nobody is to count as the product's time.
    """

    model = "none"
    stand_in = True
    continues_replies = False

    def __init__(self) -> None:
        self.spent_seconds = 0.0

    def generate(
        self, messages: Sequence[Message], *, think: bool, max_tokens: int, candidates: int = 0
    ) -> GeneratorObject[GenerationPart, None, None]:
        """Yield one text."""
        began_at = time.perf_counter()
        text = "".join(answer_pieces(messages[-1].content, _ANSWER_TOKENS)).strip()
        self.spent_seconds += time.perf_counter() - began_at
        yield GeneratedText(text)
        yield GenerationFinished()


def everything_but_the_model(
    parts: PipelineParts, questions: Sequence[GoldenQuestion], told: Callable[[], object]
) -> list[tuple[float, Answer]]:
    """Ask one after another, each once, and return milliseconds and answers; the first twenty warm up and do not count.

    From the question to the answer with its citations, less what the generator takes.
    """
    model = NoModel()
    gateway = replace(parts.gateway.with_generator(model), ensure_server=lambda: None)
    pipeline = Pipeline(replace(parts, gateway=gateway, reading_fit=lambda model: None))
    times: list[tuple[float, Answer]] = []
    for number, question in enumerate(questions):
        began_at = time.perf_counter() - model.spent_seconds
        answer = pipeline.answer(question.question, think=False)
        if number >= min(_WARM_QUESTIONS, len(questions) // 2):
            times.append(((time.perf_counter() - began_at - model.spent_seconds) * 1000, answer))
        told()
    return times


def first_evidence_seconds(knowledge: Path, question: str) -> float:
    """Start ``python -m rag ask`` and return the seconds until its first passage is printed.

    ``knowledge`` is the folder of the knowledge base.  Raises ``SettingsError`` where nothing was printed.
    """
    data, name = knowledge.parent.parent, knowledge.name
    environment = {
        **os.environ,
        "ANSWERDESK_DATA_DIR": str(data),
        "ANSWERDESK_KNOWLEDGE_BASE": name,
        "ANSWERDESK_OLLAMA_HOSTS": "192.0.2.1",  # nobody's address (RFC 5737): no model server is started or waited for
        "PYTHONUNBUFFERED": "1",
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # nobody compiles everything again at every start
    command = [sys.executable, "-m", "rag", "ask", "--no-think", question]
    began_at = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=_CHECKOUT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None and process.stderr is not None  # asked for with PIPE
        try:
            first = process.stdout.readline()
            seconds = time.perf_counter() - began_at
            if not first:
                process.wait(timeout=_START_LIMIT_SECONDS)
                raise SettingsError(reason=process.stderr.read().decode(errors="replace").strip()[-300:])
            return seconds
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def idle_figures(times: Sequence[tuple[float, Answer]], starts: Sequence[float]) -> dict[str, object]:
    """Return percentiles of the whole and of each stage in milliseconds, and the starts in seconds.

    The first start warms the disk's cache, and does not count where there are more.
    """
    warm = list(starts[1:] or starts)
    stages: dict[str, list[float]] = {}
    for _, answer in times:
        for span in answer.spans:
            stages.setdefault(span.name, []).append(span.duration_ms)
    return {
        "n": len(times),
        "all_ms": asdict(Percentiles.of([ms for ms, _ in times])),
        "stages": {name: asdict(Percentiles.of(stages[name])) for name in STAGES if name in stages and name != "total"},
        "starts": len(warm),
        "start_seconds": round(sorted(warm)[len(warm) // 2], 2) if warm else None,
        "slowest_start_seconds": round(max(warm), 2) if warm else None,
    }


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
    table = headed_table(("eval.stage", *names), "eval.latency", language)
    whole, stages = figures["all_ms"], figures["stages"]
    assert isinstance(whole, Mapping) and isinstance(stages, Mapping)
    for name, row in {translate("bench_load.idle_all", language): whole, **stages}.items():
        table.add_row(name, *(str(row[key]) for key in names))
    console.print(table)
    wanted = [
        ("bar_idle_p50", whole["p50"], P50_MS, " ms"),
        ("bar_idle_p99", whole["p99"], P99_MS, " ms"),
        ("bar_start", figures["start_seconds"], START_SECONDS, " s"),
    ]
    console.print(bars_table([bar for one in wanted for bar in at_most(*one)], language))
    print_machine(float(str(figures["load_average"])), console, language)


def main(argv: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()
    load = load_average()

    def work() -> None:
        if arguments.starts < 0:
            raise SettingsError(
                reason=translate("bench_load.positive", language, option="starts", value=arguments.starts)
            )
        one = one_set(arguments)
        parts = open_parts(one, chosen_settings(arguments), SHOWN_INGEST)
        questions = [question for question in one.questions if not question.previous]
        with counted_steps(console, one.name, len(questions)) as advance:
            times = everything_but_the_model(parts, questions, advance)
        starts = [first_evidence_seconds(parts.store.folder, questions[0].question) for _ in range(arguments.starts)]
        figures = idle_figures(times, starts) | {"load_average": load, "cores": os.cpu_count()}
        _print(figures, console, language)
        write_json(arguments.json, figures)

    return exit_code(work)
