"""``python -m eval load kills``: a real Ollama of its own, killed again and again while many ask."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console

from eval.bench.load.arrivals import Plan
from eval.bench.load.desk_client import desk_arm
from eval.bench.load.kills import BACK_SECONDS, Kill, Killer, is_met, kill_figures, kill_under_load
from eval.bench.load.options import require_positive, sessions_parser
from eval.bench.load.prompts import own_prompts
from eval.bench.load.records import LINES, LoadRecord, RecordFile
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
from rag.errors import AnswerdeskError, SettingsError
from rag.ollama.server import ensure_running, stop
from rag.terminal import fail, terminal_language
from rag.translate import translate

_LONGEST_SECONDS = 3600.0
_DRAIN_SECONDS = 300.0
EXAMPLES = """\
examples:
  OLLAMA_HOST=127.0.0.1:11599 python -m eval load kills --kills 20
  OLLAMA_HOST=127.0.0.1:11599 python -m eval load kills --kills 3 --sessions 4 --model stand-in:0.5b

An Ollama is started at OLLAMA_HOST, where none may run yet, and ended afterwards: nobody else's is killed.
"""


def _parser() -> argparse.ArgumentParser:
    parser = sessions_parser(
        "load kills",
        "Kill Ollama while many ask; report what became of every question, and how soon the model spoke again.  "
        "反复终止 Ollama 的测试",
        EXAMPLES,
    )
    parser.add_argument("--kills", type=int, default=20, metavar="N", help="default: 20  次数")
    return parser


def _measure(arguments: argparse.Namespace, kept: Run, console: Console) -> dict[str, object]:
    language = terminal_language()
    settings = chosen_settings(arguments)
    one = one_set(arguments)
    if kept.folder.exists():
        raise SettingsError(reason=translate("bench_load.run_used", language, run=kept.folder.name))
    parts = open_parts(one, settings, SHOWN_INGEST)
    alone = [question for question in one.questions if not question.previous]
    prompts = own_prompts(alone, parts, think=False)
    questions = [question for question in alone if question.question_id in prompts]
    if not questions:
        raise SettingsError(reason=translate("bench_load.no_prompt", language, count=len(alone)))
    server = ensure_running(settings, while_we_live=True)
    if not server.managed:
        raise SettingsError(reason=translate("bench_load.kills_foreign", language, url=server.url))
    path = kept.folder / "records.jsonl"
    kept.begin({"command": "load kills", "kills": arguments.kills, "sessions": arguments.sessions}, questions)

    def told(kill: Kill) -> None:
        console.print(
            translate("bench_load.killed", language, **{name: _seconds(value) for name, value in asdict(kill).items()})
        )

    plan = Plan(0, arguments.sessions, _LONGEST_SECONDS, _DRAIN_SECONDS, seed=arguments.seed)
    try:
        with RecordFile(path) as file, desk_arm(parts, file, arguments.sessions, think=False) as desk:
            killer = Killer(settings, desk, arguments.kills, arguments.seed, told)
            kill_under_load(killer, desk, questions, plan, file.keep)
    finally:
        stop(settings)
    records = [line for line in read_records(path, LINES) if isinstance(line, LoadRecord)]
    figures = kill_figures(killer.done, records) | {"model": parts.gateway.generator.model, "records": str(kept.folder)}
    kept.save_figures(figures)
    return figures


def _seconds(value: object) -> str:
    return f"{value:.1f} s" if isinstance(value, float) else "-"


def main(argv: Sequence[str]) -> int:
    """Run the command; return its exit code: 1 where a question was lost or the model came back too late."""
    arguments = _parser().parse_args(argv)
    console, language = Console(highlight=False), terminal_language()
    try:
        require_positive(arguments, "kills", "sessions")
        kept = Run.named(run_name(arguments), chosen_settings(arguments))
        figures = _measure(arguments, kept, console)
        write_json(arguments.json, figures)
    except AnswerdeskError as error:
        return fail(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    met = is_met(figures, arguments.kills)
    shown = {**figures, "longest": _seconds(figures["longest_back_seconds"]), "bar": f"{BACK_SECONDS:g} s"}
    print_line(console, translate("bench_load.kills_met" if met else "bench_load.kills_missed", language, **shown))
    print_line(console, translate("bench_load.kept", language, folder=figures["records"]))
    return 0 if met else 1
