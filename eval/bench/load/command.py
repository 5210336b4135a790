"""``python -m eval load``: many sessions at once, through the product and beside it, in the same minutes."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from eval.bench.load import flood, gpu_timed_server, idle, kills, neighbours
from eval.bench.load.desk import DeskOptions
from eval.bench.load.desk_client import DeskArm, desk_arm
from eval.bench.load.desks import DesksArm, desks_arms, require_no_turns
from eval.bench.load.options import require_new, require_positive, sessions_parser
from eval.bench.load.page_client import PageArm, desk_process, page_arm
from eval.bench.load.raw_clients import RawArm, RawModel, own_prompts, plain_prompts
from eval.bench.load.records import LINES, Block, LoadRecord, RecordFile, warm
from eval.bench.load.report import figures, print_figures
from eval.bench.load.rounds import Arm, Plan, Watch, run_rounds
from eval.commands.shared import (
    SHOWN_INGEST,
    chosen_settings,
    exit_code,
    load_average,
    one_set,
    print_line,
    run_name,
    write_json,
)
from eval.core.knowledge import open_parts
from eval.core.question_sets import QuestionSet
from eval.core.runs import Run, knowledge_name, read_records
from ingest.golden import GoldenQuestion
from rag.errors import SettingsError
from rag.pipeline import PipelineParts
from rag.private_files import keep_files_private
from rag.settings import ServerDatabase, Settings
from rag.terminal import INTERRUPTED, terminal_language
from rag.translate import translate

_LEAST_DRAIN_SECONDS = 120.0
_AGAINST = ("raw", "top5")
EXAMPLES = """\
examples:
  python -m eval load                                       10 sessions, 60 s, beside 10 raw Ollama clients
  python -m eval load --against raw,top5 --duration 240     and beside clients that send five whole passages
  python -m eval load --rate 6 --against none               six questions a minute, by chance, whatever the answers do
  python -m eval load --page --against none                 in ten browsers
  python -m eval load --desks 2 --against none              at two desks over one server, and all at one of them
  python -m eval load neighbours --help                     the model's speed beside a busy program and an ingest
  python -m eval load idle --help                           one question at a time, and a new process's first passage
  python -m eval load flood --help                          one person who floods, and the others' evidence
  python -m eval load kills --help                          Ollama killed under load
  python -m eval load gpu-timed-server --help               the product's own share, without a GPU
"""


def _parser() -> argparse.ArgumentParser:
    parser = sessions_parser(
        "load",
        "Ask with many sessions at once; report every stage's p50/p95/p99, errors, lost turns, memory, what was told "
        "of the wait, and answers a minute beside raw Ollama clients.  并发负载测试",
        EXAMPLES,
    )
    parser.add_argument("--duration", type=float, default=60, metavar="S", help="of each arm (default: 60)  秒数")
    parser.add_argument(
        "--rounds", type=int, default=2, metavar="N", help="arms take turns so often (default: 2)  轮数"
    )
    parser.add_argument(
        "--rate",
        type=float,
        metavar="N",
        help="questions a minute by chance, instead of one after another  每分钟提问数",
    )
    parser.add_argument(
        "--against", type=_against, default=("raw",), metavar="LIST", help="of raw,top5, or none (default: raw)  对照"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--page", action="store_true", help="through the page, in Chromium  通过网页测试")
    where.add_argument(
        "--desks",
        type=int,
        metavar="N",
        help="at N desks over ANSWERDESK_DATABASE_URL, which holds no questions, beside one alone  多个客服台",
    )
    thinking = parser.add_mutually_exclusive_group()
    thinking.add_argument("--think", dest="think", action="store_true", default=None, help="always  先思考")
    thinking.add_argument("--no-think", dest="think", action="store_false", help="never  直接回答")
    return parser


def _against(value: str) -> tuple[str, ...]:
    given = [] if value == "none" else value.split(",")
    unknown = [name for name in given if name not in _AGAINST]
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: {', '.join(_AGAINST)}, none")
    return tuple(name for name in _AGAINST if name in given)


def measure(arguments: argparse.Namespace, kept: Run, console: Console) -> tuple[dict[str, object], bool]:
    """Run all arms, save every question's record, and return the figures and whether it was interrupted.

    Raises an ``AnswerdeskError`` for what makes measuring impossible.
    """
    settings = chosen_settings(arguments)
    one = one_set(arguments)
    _require_server(arguments, settings)
    parts = open_parts(one, settings, SHOWN_INGEST)
    parts.gateway.ensure_server()
    identity = _identity(arguments, one, parts)
    require_new(kept)
    kept.begin(identity, one.questions)
    records_path = kept.folder / "records.jsonl"
    interrupted = False
    with RecordFile(records_path) as file, _arms(arguments, one, parts, file, console) as (arms, questions):
        try:
            _run(arguments, arms, questions, file, console)
        except KeyboardInterrupt:
            interrupted = True
    lines = read_records(records_path, LINES)
    found = figures(
        [line for line in lines if isinstance(line, LoadRecord)],
        [line for line in lines if isinstance(line, Block)],
        arguments.sessions,
    )
    summary = {**identity, **found, "interrupted": interrupted, "records": str(kept.folder)}
    kept.save_figures(summary)
    return summary, interrupted


def _require_server(arguments: argparse.Namespace, settings: Settings) -> None:
    """Raise an ``AnswerdeskError`` where several desks are wanted and have no empty database to share, or are none."""
    if arguments.desks is None:
        return
    place = settings.turns_database
    if arguments.desks < 2 or not isinstance(place, ServerDatabase):
        raise SettingsError(reason=translate("bench_load.desks_usage", terminal_language()))
    require_no_turns(place)


def _identity(arguments: argparse.Namespace, one: QuestionSet, parts: PipelineParts) -> dict[str, object]:
    return {
        "command": "load",
        "set": one.name,
        "knowledge": knowledge_name(parts.store.folder),
        "generation": parts.store.require_generation(),
        "model": parts.gateway.generator.model,
        "stand_in": parts.gateway.generator.stand_in,
        "think": arguments.think,
        "sessions": arguments.sessions,
        "desks": arguments.desks or 1,
        "seconds": arguments.duration,
        "per_minute": arguments.rate,
        "rounds": arguments.rounds,
        "seed": arguments.seed,
        "slots": parts.settings.parallel_slots,
        "cores": os.cpu_count(),
        "load_average": load_average(),
    }


@contextmanager
def _arms(
    arguments: argparse.Namespace, one: QuestionSet, parts: PipelineParts, file: RecordFile, console: Console
) -> Iterator[tuple[list[Arm], list[GoldenQuestion]]]:
    """Open the arms, and choose the questions that all of them can be asked."""
    alone = [question for question in one.questions if not question.previous] or list(one.questions)
    prompts = own_prompts(alone, parts, think=arguments.think)
    if not prompts:
        raise SettingsError(reason=translate("bench_load.no_prompt", terminal_language(), count=len(alone)))
    questions = [question for question in alone if question.question_id in prompts]
    model = RawModel.of(parts.settings, parts.gateway.generator.model, stand_in=parts.gateway.generator.stand_in)
    others = {"raw": lambda: prompts, "top5": lambda: plain_prompts(prompts, parts)}
    arms = [Arm(name, RawArm(name, others[name](), model).ask) for name in arguments.against]
    with _product(arguments, parts, file, console) as own:
        for arm in own:
            if isinstance(arm, DesksArm):
                arm.warm(questions[0])
            else:
                warm(arm.ask, questions[0])
        yield [*(Arm(arm.name, arm.ask, arm.process_id) for arm in own), *arms], questions


@contextmanager
def _product(
    arguments: argparse.Namespace, parts: PipelineParts, file: RecordFile, console: Console
) -> Iterator[Sequence[DeskArm | PageArm | DesksArm]]:
    """Open the product's own arms: two where several desks are held against one of them."""
    place = parts.settings.turns_database
    if arguments.desks and isinstance(place, ServerDatabase):
        print_line(console, translate("bench_load.starting_desks", terminal_language(), count=arguments.desks))
        options = DeskOptions(parts.store.folder, parts.settings.model, arguments.think, arguments.sessions)
        with desks_arms(place, arguments.desks, options, file) as arms:
            yield arms
    elif arguments.page:
        with _page(arguments, parts, file) as page:
            yield [page]
    else:
        with desk_arm(parts, file, arguments.sessions, think=arguments.think) as desk:
            yield [desk]


@contextmanager
def _page(arguments: argparse.Namespace, parts: PipelineParts, file: RecordFile) -> Iterator[PageArm]:
    folder = file.path.with_name("desk")
    with (
        desk_process(folder, parts.store.folder, parts.settings, think=arguments.think) as desk,
        page_arm(desk, arguments.sessions) as page,
    ):
        yield page


def _run(
    arguments: argparse.Namespace,
    arms: Sequence[Arm],
    questions: Sequence[GoldenQuestion],
    file: RecordFile,
    console: Console,
) -> None:
    language = terminal_language()
    plan = Plan(
        round=0,
        sessions=arguments.sessions,
        seconds=arguments.duration,
        drain_seconds=max(_LEAST_DRAIN_SECONDS, 2 * arguments.duration),
        per_minute=arguments.rate or 0.0,
        seed=arguments.seed,
    )
    said = translate("bench_load.bounded", language, arms=len(arms), seconds=plan.seconds, drain=plan.drain_seconds)
    print_line(console, said)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def began(arm: Arm, number: int) -> None:
            name = translate(f"bench_load.arm_{arm.name}", language)
            shown = {"arm": name, "number": number + 1, "rounds": arguments.rounds}
            bar.update(task, description=translate("bench_load.round", language, **shown))

        watch = Watch(file, began, lambda record: bar.advance(task))
        run_rounds(arms, questions, plan, arguments.rounds, watch)


def main(argv: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    commands = {
        "gpu-timed-server": gpu_timed_server.main,
        "kills": kills.main,
        "idle": idle.main,
        "flood": flood.main,
        "neighbours": neighbours.main,
    }
    if argv and argv[0] in commands:
        return commands[argv[0]](argv[1:])
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()

    def work() -> int:
        require_positive(arguments, "sessions", "duration", "rounds", "rate")
        settings = chosen_settings(arguments)
        summary, interrupted = measure(arguments, Run.named(run_name(arguments), settings), console)
        if interrupted:
            print_line(console, translate("bench_load.cut_short", language))
        print_figures(summary, console, language)
        print_line(console, translate("bench_load.kept", language, folder=summary["records"]))
        write_json(arguments.json, summary)
        return INTERRUPTED if interrupted else 0

    return exit_code(work)


if __name__ == "__main__":
    keep_files_private()
    sys.exit(main(sys.argv[1:]))
