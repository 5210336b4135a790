"""``python -m eval load kills``: a real Ollama of its own, killed again and again while many ask.

What becomes of the questions, and how soon the model speaks again.
"""

import argparse
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from rich.console import Console

from eval.bench.load.desk_client import DeskArm, desk_arm
from eval.bench.load.options import require_new, require_positive, sessions_parser
from eval.bench.load.raw_clients import own_prompts
from eval.bench.load.records import LoadRecord, RecordFile, load_records
from eval.bench.load.rounds import Drive, Plan, endlessly
from eval.commands.shared import SHOWN_INGEST, chosen_settings, exit_code, one_set, print_line, run_name, write_json
from eval.core.knowledge import open_parts
from eval.core.runs import Run
from ingest.golden import GoldenQuestion
from rag import errors
from rag.errors import SettingsError
from rag.ollama.server import ServerStatus, ensure_running, status, stop
from rag.settings import Settings
from rag.terminal import terminal_language
from rag.translate import translate

BACK_SECONDS = 10.0
_LOOK_EVERY_SECONDS = 0.05
_LATEST_SECONDS = 2.0
_GIVE_UP_SECONDS = 600.0

_LONGEST_SECONDS = 3600.0
_DRAIN_SECONDS = 300.0
EXAMPLES = """\
examples:
  OLLAMA_HOST=127.0.0.1:11599 python -m eval load kills --kills 20
  OLLAMA_HOST=127.0.0.1:11599 python -m eval load kills --kills 3 --sessions 4 --model stand-in:0.5b

An Ollama is started at OLLAMA_HOST, where none may run yet, and ended afterwards: nobody else's is killed.
"""


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill.  ``down_seconds`` until an Ollama answered again, ``back_seconds`` from then to a reply's first word.

    None: that did not come within ten minutes.
    """

    down_seconds: float | None
    back_seconds: float | None


class Killer:
    """Kills the managed Ollama ``kills`` times, each time a while after the model spoke; a thread of its own."""

    def __init__(self, settings: Settings, desk: DeskArm, kills: int, seed: int, told: Callable[[Kill], None]) -> None:
        self._settings = settings
        self._desk = desk
        self._kills = kills
        self._draw = random.Random(seed)
        self._told = told
        self._given_up = threading.Event()
        self.done: list[Kill] = []

    def give_up(self) -> None:
        """Kill nothing more."""
        self._given_up.set()

    def run(self) -> None:
        """Kill, and wait each time until the model speaks again."""
        spoke_at = time.perf_counter()
        for _ in range(self._kills):
            kill = self._one(spoke_at)
            if kill is None:
                return
            spoke_at = time.perf_counter()
            self.done.append(kill)
            self._told(kill)

    def _one(self, spoke_at: float) -> Kill | None:
        """Kill once the model has spoken since; None where nothing could be killed."""
        if self._wait(lambda: self._desk.last_word_at > spoke_at) is None:
            return None
        if self._given_up.wait(self._draw.uniform(0, _LATEST_SECONDS)):
            return None
        before = status(self._settings)
        if before.pid is None:  # it is being started again already
            return None
        os.kill(before.pid, signal.SIGKILL)
        killed_at = time.perf_counter()
        up_at = self._wait(lambda: _is_another(before, status(self._settings)))
        if up_at is None:
            return Kill(None, None)
        is_back = self._wait(lambda: self._desk.last_word_at > up_at)
        return Kill(up_at - killed_at, self._desk.last_word_at - up_at if is_back is not None else None)

    def _wait(self, until: Callable[[], bool]) -> float | None:
        """Return when a condition was seen to hold; None where it never did, or the killer has given up."""
        give_up_at = time.perf_counter() + _GIVE_UP_SECONDS
        while not until():
            if self._given_up.wait(_LOOK_EVERY_SECONDS) or time.perf_counter() >= give_up_at:
                return None
        return time.perf_counter()


def _is_another(before: ServerStatus, now: ServerStatus) -> bool:
    return now.running and now.pid not in (None, before.pid)


def kill_under_load(
    killer: Killer, desk: DeskArm, questions: Sequence[GoldenQuestion], plan: Plan, keep: Callable[[LoadRecord], None]
) -> None:
    """Ask with ``plan.sessions`` sessions until the killer is done, and let what is under way end."""
    drive = Drive(desk.ask, keep)

    def kill() -> None:
        try:
            killer.run()
        finally:
            drive.finish()

    thread = threading.Thread(target=kill, name="killer", daemon=True)
    thread.start()
    try:
        drive.run(plan, endlessly(questions, plan.seed))
    finally:
        killer.give_up()
        thread.join()


def kill_figures(kills: Sequence[Kill], records: Sequence[LoadRecord]) -> dict[str, object]:
    """Return the outcomes of the questions: ``in_words`` failed with one of the product's sentences on the matter."""
    outcomes = Counter(one.outcome for one in records)
    failed = Counter(one.error for one in records if one.outcome == "failed")
    in_words = sum(count for kind, count in failed.items() if _is_of_the_server(kind))
    back = [kill.back_seconds for kill in kills if kill.back_seconds is not None]
    down = [kill.down_seconds for kill in kills if kill.down_seconds is not None]
    return {
        "kills": len(kills),
        "questions": len(records),
        "outcomes": dict(outcomes),
        "errors": dict(failed),
        "in_words": in_words,
        "unforeseen": sum(failed.values()) - in_words,
        "lost": outcomes.get("lost", 0) + outcomes.get("unfinished", 0),
        "came_back": len(back),
        "longest_back_seconds": round(max(back), 2) if back else None,
        "longest_down_seconds": round(max(down), 2) if down else None,
    }


def _is_of_the_server(kind: str) -> bool:
    found = getattr(errors, kind, None)
    return isinstance(found, type) and issubclass(found, errors.ServingError)


def is_met(figures: dict[str, object], wanted: int) -> bool:
    """Tell whether every kill was survived: nothing lost, nothing unforeseen, and the model back in time."""
    longest = figures["longest_back_seconds"]
    return (
        figures["kills"] == figures["came_back"] == wanted
        and figures["lost"] == figures["unforeseen"] == 0
        and isinstance(longest, float)
        and longest <= BACK_SECONDS
    )


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
    require_new(kept)
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
        seconds = {name: _seconds(value) for name, value in asdict(kill).items()}
        console.print(translate("bench_load.killed", language, **seconds))

    plan = Plan(0, arguments.sessions, _LONGEST_SECONDS, _DRAIN_SECONDS, seed=arguments.seed)
    try:
        with RecordFile(path) as file, desk_arm(parts, file, arguments.sessions, think=False) as desk:
            killer = Killer(settings, desk, arguments.kills, arguments.seed, told)
            kill_under_load(killer, desk, questions, plan, file.keep)
    finally:
        stop(settings)
    records = load_records(path)
    figures = kill_figures(killer.done, records) | {"model": parts.gateway.generator.model, "records": str(kept.folder)}
    kept.save_figures(figures)
    return figures


def _seconds(value: object) -> str:
    return f"{value:.1f} s" if isinstance(value, float) else "-"


def main(argv: Sequence[str]) -> int:
    """Run the command; return its exit code: 1 where a question was lost or the model came back too late."""
    arguments = _parser().parse_args(argv)
    console, language = Console(highlight=False), terminal_language()

    def work() -> int:
        require_positive(arguments, "kills", "sessions")
        kept = Run.named(run_name(arguments), chosen_settings(arguments))
        figures = _measure(arguments, kept, console)
        write_json(arguments.json, figures)
        met = is_met(figures, arguments.kills)
        shown = {**figures, "longest": _seconds(figures["longest_back_seconds"]), "bar": f"{BACK_SECONDS:g} s"}
        print_line(console, translate("bench_load.kills_met" if met else "bench_load.kills_missed", language, **shown))
        print_line(console, translate("bench_load.kept", language, folder=figures["records"]))
        return 0 if met else 1

    return exit_code(work)
