"""``python -m eval load flood``: one person who floods the desk, and what the others notice of it."""

import argparse
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from eval.bench.load.arrivals import Drive, Plan, endlessly
from eval.bench.load.desk_client import desk_arm
from eval.bench.load.flood import EVIDENCE_P99_MS, Flood, Flooder, flood_figures, is_met
from eval.bench.load.gpu_timed_server import DEFAULT_MODEL
from eval.bench.load.options import require_positive, sessions_parser
from eval.bench.load.records import LINES, LoadRecord, RecordFile
from eval.bench.load.rounds import ProcessWatch
from eval.commands.progress_bar import SHOWN_INGEST
from eval.commands.question_options import (
    INTERRUPTED,
    chosen_settings,
    one_set,
    print_line,
    run_name,
    write_json,
)
from eval.core.knowledge import open_parts
from eval.core.runs import Run, read_records
from ingest.golden import GoldenQuestion
from rag.errors import AnswerdeskError, OwnFilesWaiting, SettingsError
from rag.pipeline import PipelineParts
from rag.schema import Language
from rag.settings import Settings
from rag.terminal import fail, terminal_language
from rag.translate import translate
from rag.turns import PersonLimits, file_pool

_CHECKOUT = Path(__file__).resolve().parents[3]
_DRAIN_SECONDS = 60.0
_FLOOD_BEGINS_AFTER_SECONDS = 2.0
_MEGABYTE = 1e6
EXAMPLES = """\
examples:
  python -m eval load flood                              ten people, and one with 200 questions and 50 files at once
  python -m eval load flood --json flood.json --seed 3
  python -m eval load flood --real-model --duration 300  before the desk's model instead of a stand-in for a GPU

A stand-in for a GPU is started for the time of the measurement; the search and its embedder are the real ones.
"""


def _parser() -> argparse.ArgumentParser:
    parser = sessions_parser(
        "load flood",
        "Let many people ask at their own pace while one sends everything at once; report the others' evidence, and "
        "who was refused what.  单人刷量测试",
        EXAMPLES,
    )
    parser.add_argument("--duration", type=float, default=90, metavar="S", help="of the flood (default: 90)  秒数")
    parser.add_argument(
        "--calm", type=float, default=30, metavar="S", help="seconds before it, without (default: 30)  刷量前的秒数"
    )
    parser.add_argument(
        "--rate", type=float, default=60, metavar="N", help="the others' questions a minute (default: 60)  每分钟提问数"
    )
    parser.add_argument("--flood", type=int, default=200, metavar="N", help="questions (default: 200)  刷量的问题数")
    parser.add_argument("--files", type=int, default=50, metavar="N", help="and files (default: 50)  刷量的文件数")
    parser.add_argument("--real-model", action="store_true", help="ask the desk's model server  使用真实模型服务")
    return parser


@contextmanager
def gpu_timed_server(settings: Settings) -> Iterator[Settings]:
    """Serve a stand-in for a GPU with as many slots as are set, and return settings that name it."""
    command = [sys.executable, "-m", "eval", "load", "gpu-timed-server", "--port", "0"]
    command += ["--slots", str(settings.parallel_slots)]
    with subprocess.Popen(
        command, cwd=_CHECKOUT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None  # asked for with PIPE
            found = re.search(r"http://[0-9.]+:\d+", process.stdout.readline())
            if found is None:
                raise SettingsError(reason=translate("bench_load.no_gpu_server", terminal_language()))
            yield settings.changed(ollama_host=found.group(), model=DEFAULT_MODEL)
        finally:
            process.terminate()


@contextmanager
def _model(settings: Settings, *, real: bool) -> Iterator[Settings]:
    if real:
        yield settings
        return
    with gpu_timed_server(settings) as changed:
        yield changed


def _measure(arguments: argparse.Namespace, settings: Settings, kept: Run) -> dict[str, object]:
    one = one_set(arguments)
    if kept.folder.exists():
        raise SettingsError(reason=translate("bench_load.run_used", terminal_language(), run=kept.folder.name))
    load = round(os.getloadavg()[0], 2)
    parts = open_parts(one, settings, SHOWN_INGEST)
    parts.gateway.ensure_server()
    alone = [question for question in one.questions if not question.previous] or list(one.questions)
    flood = Flood.of([question.question for question in alone], arguments.flood, arguments.files)
    names = ("sessions", "duration", "calm", "rate", "seed")
    identity = {"command": "load flood", "set": one.name} | {name: getattr(arguments, name) for name in names}
    identity["sent"] = {"questions": arguments.flood, "files": arguments.files}
    kept.begin(identity, alone)
    path = kept.folder / "records.jsonl"
    with RecordFile(path) as file:
        flooder, memory = _run(arguments, parts, file, flood, endlessly(alone, arguments.seed))
    records = [line for line in read_records(path, LINES) if isinstance(line, LoadRecord)]
    model = {"model": parts.gateway.generator.model, "stand_in": parts.gateway.generator.stand_in}
    machine = {"load_average": load, "cores": os.cpu_count()}
    figures = identity | model | flood_figures(records, flooder, memory) | machine | {"records": str(kept.folder)}
    kept.save_figures(figures)
    return figures


def _run(
    arguments: argparse.Namespace,
    parts: PipelineParts,
    file: RecordFile,
    flood: Flood,
    questions: Iterator[GoldenQuestion],
) -> tuple[Flooder, dict[str, float]]:
    """Let the others ask alone first, and then beside the flood; return the flooder, and megabytes of memory."""
    settings, drain = parts.settings, _DRAIN_SECONDS
    pool = file_pool(settings, OwnFilesWaiting)
    limits = PersonLimits.of(settings)
    with desk_arm(parts, file, arguments.sessions, think=False, limits=limits) as desk:
        flooder = Flooder(desk.turns, pool, settings, think=False)
        desk.warm(next(questions))
        calm = Plan(0, arguments.sessions, arguments.calm, drain, arguments.rate, seed=arguments.seed)
        Drive(desk.ask, file.keep).run(calm, questions)
        sending = threading.Timer(_FLOOD_BEGINS_AFTER_SECONDS, flooder.send, [flood])
        beside = Plan(1, arguments.sessions, arguments.duration, drain, arguments.rate, seed=arguments.seed + 1)
        with ProcessWatch(os.getpid(), children=True) as used:
            sending.start()
            Drive(desk.ask, file.keep).run(beside, questions)
            sending.join()
            flooder.end(drain)
        pool.shutdown()
    before, peak = used.before_bytes / _MEGABYTE, used.peak_bytes / _MEGABYTE
    return flooder, {"before": round(before), "peak": round(peak), "more": round(peak - before)}


def _print(figures: Mapping[str, object], console: Console, language: Language) -> None:
    columns = ("n", "p50", "p95", "p99", "largest")
    shown = [translate(f"bench_load.{name}", language) if name == "largest" else name for name in columns]
    table = Table(
        translate("bench_load.evidence_ms", language),
        *shown,
        translate("bench_load.flood_refused", language),
        title="ms",
    )
    for name in ("before", "flood"):
        others = figures[name]
        assert isinstance(others, Mapping)
        row = [str(others["evidence_ms"][column]) for column in columns]
        table.add_row(translate(f"bench_load.flood_{name}", language), *row, _counts(others["refused"]))
    console.print(table)
    flooder, memory = figures["flooder"], figures["memory_mb"]
    assert isinstance(flooder, Mapping) and isinstance(memory, Mapping)
    said = {"questions": _counts(flooder["questions"]), "files": _counts(flooder["files"])}
    print_line(console, translate("bench_load.flooder", language, **said))
    print_line(console, translate("bench_load.flood_memory", language, **memory))
    load, cores = figures["load_average"], figures["cores"]
    print_line(console, translate("bench_load.machine", language, load=load, cores=cores))
    if figures["model"] == DEFAULT_MODEL:
        print_line(console, translate("bench_load.gpu_note", language))
    others = figures["flood"]
    assert isinstance(others, Mapping)
    missing = {"without": others["without_evidence"], "refused": sum(others["refused"].values())}
    met = "flood_met" if is_met(figures) else "flood_missed"
    measured = {"p99": others["evidence_ms"]["p99"], "bar": EVIDENCE_P99_MS, **missing}
    print_line(console, translate(f"bench_load.{met}", language, **measured))


def _counts(counts: object) -> str:
    assert isinstance(counts, Mapping)
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "0"


def main(argv: Sequence[str]) -> int:
    """Run the command; return its exit code: 1 where the others' evidence was late or something was refused to them."""
    arguments = _parser().parse_args(argv)
    console, language = Console(highlight=False), terminal_language()
    try:
        require_positive(arguments, "sessions", "duration", "calm", "rate", "flood", "files")
        settings = chosen_settings(arguments)
        with _model(settings, real=arguments.real_model) as chosen:
            figures = _measure(arguments, chosen, Run.named(run_name(arguments), settings))
        _print(figures, console, language)
        print_line(console, translate("bench_load.kept", language, folder=figures["records"]))
        write_json(arguments.json, figures)
    except AnswerdeskError as error:
        return fail(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0 if is_met(figures) else 1
