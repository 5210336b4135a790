"""``python -m eval load flood``: one person who floods the desk, and what the others notice of it.

The flooder sends all questions and files at the same moment, as many tabs or a script would; a file's words are asked
as soon as they are read.  The others ask by chance, whatever the answers do (an open loop), each under a name of their
own.  Questions and files go to the turn service and to the pool of files that the desk has, with the desk's limits.
"""

import argparse
import os
import re
import secrets
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from email.message import EmailMessage
from functools import partial
from pathlib import Path

from rich.console import Console

from eval.bench.load.desk_client import desk_arm
from eval.bench.load.gpu_timed_server import DEFAULT_MODEL
from eval.bench.load.options import require_new, require_positive, sessions_parser
from eval.bench.load.records import LoadRecord, RecordFile, load_records, warm
from eval.bench.load.report import percentile_row
from eval.bench.load.rounds import Drive, Plan, ProcessWatch, endlessly
from eval.commands.shared import (
    SHOWN_INGEST,
    chosen_settings,
    exit_code,
    headed_table,
    load_average,
    one_set,
    print_line,
    print_machine,
    run_name,
    write_json,
)
from eval.core.knowledge import open_parts
from eval.core.runs import Run
from ingest.golden import GoldenQuestion
from ingest.reader import FileReader, question_of_file
from rag.errors import AnswerdeskError, OwnFilesWaiting, SettingsError
from rag.pipeline import PipelineParts
from rag.schema import Language
from rag.settings import Settings
from rag.terminal import terminal_language
from rag.translate import translate
from rag.turns import FairPool, PersonLimits, TurnRequest, TurnService, file_pool

EVIDENCE_P99_MS = 1000.0
FLOODER = "flooder"
_READ_AGAIN_AFTER_SECONDS = 1.0

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


@dataclass(frozen=True, slots=True)
class Flood:
    """What the flooder sends: questions, and files with their names."""

    questions: Sequence[str]
    files: Sequence[tuple[str, bytes]]

    @classmethod
    def of(cls, texts: Sequence[str], questions: int, files: int) -> "Flood":
        """Make a flood of texts, over and over; a number makes each of its own, so that no two share an answer."""
        numbered = [f"{texts[number % len(texts)]} ({number + 1})" for number in range(questions + files)]
        mails = [(f"{number}.eml", _mail(text)) for number, text in enumerate(numbered[questions:])]
        return cls(numbered[:questions], mails)


class Flooder:
    """Sends a flood, and counts its ``questions`` and ``files`` by the end or the error of each."""

    def __init__(self, turns: TurnService, pool: FairPool, settings: Settings, *, think: bool | None) -> None:
        self._turns = turns
        self._pool = pool
        self._settings = settings
        self._think = think
        self._asked: list[str] = []
        self._read: list[Future[str]] = []
        self._lock = threading.Lock()
        self.questions: Counter[str] = Counter()
        self.files: Counter[str] = Counter()

    def send(self, flood: Flood) -> None:
        """Send everything, one after the other without a pause; returns when all of it was taken or refused."""
        uploads = list(flood.files)
        for question in flood.questions:
            self._ask(question)
            if uploads:
                self._upload(*uploads.pop())
        for upload in uploads:
            self._upload(*upload)

    def end(self, timeout_seconds: float) -> None:
        """Wait until the files are read and the questions have an end, stop what has none by then, and count."""
        waited = threading.Event()
        threading.Timer(timeout_seconds, waited.set).start()
        for reading in self._read:
            reading.exception()
        for turn_id in self._asked:
            snapshot = self._turns.wait(turn_id, lambda _: False, timeout_seconds=0)
            while not snapshot.final and not waited.is_set():
                snapshot = self._turns.wait(turn_id, lambda _: False, timeout_seconds=_READ_AGAIN_AFTER_SECONDS)
            if not snapshot.final:
                self._turns.cancel(turn_id)
            answer, failure = snapshot.answer, snapshot.failure
            refused = failure.kind if failure is not None else answer.instead_of if answer is not None else ""
            self.questions[refused or (snapshot.state if snapshot.final else "unfinished")] += 1

    def _ask(self, question: str) -> None:
        try:
            turn_id = self._turns.submit(
                secrets.token_hex(8), TurnRequest(question, session=FLOODER, think=self._think, owner=FLOODER)
            )
        except AnswerdeskError as error:
            with self._lock:
                self.questions[type(error).__name__] += 1
        else:
            with self._lock:
                self._asked.append(turn_id)

    def _upload(self, name: str, content: bytes) -> None:
        try:
            reading = self._pool.submit(FLOODER, partial(self._words, name, content))
        except AnswerdeskError as error:
            self.files[type(error).__name__] += 1
            return
        self._read.append(reading)
        reading.add_done_callback(self._ask_words)

    def _words(self, name: str, content: bytes) -> str:
        with FileReader.of(self._settings) as reader:
            return question_of_file(name, content, reader)

    def _ask_words(self, reading: "Future[str]") -> None:
        error = reading.exception()
        with self._lock:
            self.files["read" if error is None else type(error).__name__] += 1
        if error is None:
            self._ask(reading.result())


def flood_figures(records: Sequence[LoadRecord], flooder: Flooder, memory: Mapping[str, float]) -> dict[str, object]:
    """Return the others' figures before the flood (round 0) and in it (round 1), the flooder's, and the memory's."""
    return {
        "before": _others([one for one in records if one.round == 0]),
        "flood": _others([one for one in records if one.round == 1]),
        "flooder": {"questions": dict(flooder.questions), "files": dict(flooder.files)},
        "memory_mb": dict(memory),
    }


def is_met(figures: Mapping[str, object]) -> bool:
    """Tell whether the others had their evidence in time, all of them, and nothing was refused to them."""
    others = figures["flood"]
    assert isinstance(others, Mapping)
    p99 = others["evidence_ms"]["p99"]
    return p99 is not None and p99 <= EVIDENCE_P99_MS and not others["refused"] and not others["without_evidence"]


def _others(records: Sequence[LoadRecord]) -> dict[str, object]:
    evidence = [one.evidence_ms for one in records if one.evidence_ms is not None]
    return {
        "n": len(records),
        "evidence_ms": percentile_row(evidence),
        "total_ms": percentile_row([one.total_ms for one in records if one.outcome in ("answered", "refused")]),
        "without_evidence": len(records) - len(evidence),
        "refused": dict(Counter(one.error for one in records if one.error)),
        "outcomes": dict(Counter(one.outcome for one in records)),
    }


def _mail(text: str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@customer.example", "help@shop.example", "Question"
    message.set_content(text)
    return message.as_bytes()


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


def _measure(arguments: argparse.Namespace, settings: Settings, kept: Run) -> dict[str, object]:
    one = one_set(arguments)
    require_new(kept)
    load = load_average()
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
    records = load_records(path)
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
        warm(desk.ask, next(questions))
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
    heads = ("bench_load.evidence_ms", *columns[:-1], "bench_load.largest", "bench_load.flood_refused")
    table = headed_table(heads, "ms", language)
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
    print_machine(float(str(figures["load_average"])), console, language)
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

    def work() -> int:
        require_positive(arguments, "sessions", "duration", "calm", "rate", "flood", "files")
        settings = chosen_settings(arguments)
        with nullcontext(settings) if arguments.real_model else gpu_timed_server(settings) as chosen:
            figures = _measure(arguments, chosen, Run.named(run_name(arguments), settings))
        _print(figures, console, language)
        print_line(console, translate("bench_load.kept", language, folder=figures["records"]))
        write_json(arguments.json, figures)
        return 0 if is_met(figures) else 1

    return exit_code(work)
