"""``python -m eval calibrate model``: the quantization, slots and context that serve a team best on this machine.

Each combination is run by an Ollama of its own, asked the team's own questions with every slot busy, and scored as
``python -m eval answers`` scores.  What the team's Ollama serves meanwhile is left alone.
"""

import argparse
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, replace

from rich.console import Console
from rich.table import Table

from eval.calibrate_model.calibration import Calibration, CalibrationOptions, measure_and_save, open_calibration
from eval.calibrate_model.report import HEADS, TRIAL_HEADS, Findings, cells, remarks, trial_cells
from eval.calibrate_model.results import KNOBS, Configuration, known_knobs
from eval.calibrate_model.sandbox_ollama import AS_IS
from eval.commands.answers import add_answer_options
from eval.commands.shared import (
    SHOWN_INGEST,
    chosen_settings,
    finish,
    headed_table,
    is_agreed,
    one_set,
    print_line,
    progress_in,
    question_parser,
    write_json,
)
from eval.core.runs import Run
from rag.errors import AnswerdeskError
from rag.ollama.client import OllamaClient
from rag.ollama.model_creation import KINDS, OWN_KINDS, known_kind
from rag.schema import Language
from rag.settings import KEPT_NAME
from rag.terminal import terminal_language
from rag.translate import translate

EXAMPLES = """\
examples:
  python -m eval calibrate model                              the desk's model as it is: how many slots?
  python -m eval calibrate model --model r1:7b-f16 --kb shop --questions mine.jsonl --minutes 90
  python -m eval calibrate model --reconstruct --quantizations q8_0,q4_K_M --slots 1,2 --contexts 4096
  python -m eval calibrate model --knobs flash,threads        turn only these knobs of the server; none: leave them
  python -m eval calibrate model --target-seconds 5 --pause-seconds 120 --limit 50
  python -m eval calibrate model --run monday --minutes 30    resume an interrupted run, or out of time
  python -m eval calibrate model --run monday --yes           choose its winner without being asked
"""
_TABLE_COLUMNS = 130  # narrower, figures would be cut to nothing


def _parser() -> argparse.ArgumentParser:
    parser = question_parser(
        "calibrate model",
        "Try quantizations, slots and contexts on this machine with your own questions, and choose.  选择模型配置",
        EXAMPLES,
        sets=False,
    )
    add_answer_options(parser)
    parser.set_defaults(limit=24)
    kinds = f"of {','.join((*KINDS, *OWN_KINDS, AS_IS))}; default: of an F16 all, else {AS_IS}  量化方式"
    parser.add_argument("--quantizations", type=_kinds, default=(), metavar="LIST", help=kinds)
    parser.add_argument("--slots", type=_numbers, default=(1, 2), metavar="LIST", help="answers at once  并发数")
    parser.add_argument("--contexts", type=_numbers, default=(4096,), metavar="LIST", help="tokens  上下文长度")
    parser.add_argument("--reconstruct", action="store_true", help="an F16 of a quantized model  由量化模型还原 F16")
    knobs = f"of {','.join(KNOBS)}, or none; default: all  尝试的服务参数"
    parser.add_argument("--knobs", type=_knobs, default=tuple(KNOBS), metavar="LIST", help=knobs)
    parser.add_argument("--minutes", type=_positive, default=60.0, help="stop after so long (60)  时间上限")
    parser.add_argument("--target-seconds", type=_positive, default=10.0, help="of a whole answer (10)  目标时间")
    parser.add_argument("--pause-seconds", type=_positive, default=60.0, help="between an agent's questions (60)  间隔")
    parser.add_argument("--yes", action="store_true", help="choose the winner without asking  直接采用结果")
    return parser


def _kinds(text: str) -> tuple[str, ...]:
    try:
        known = (*KINDS, *OWN_KINDS)
        return tuple(one if one == AS_IS else known_kind(one, "--quantizations", known) for one in text.split(","))
    except AnswerdeskError as error:
        raise argparse.ArgumentTypeError(error.text(terminal_language())) from error


def _knobs(text: str) -> tuple[str, ...]:
    try:
        return known_knobs(text)
    except AnswerdeskError as error:
        raise argparse.ArgumentTypeError(error.text(terminal_language())) from error


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(int(one) for one in text.split(","))
    if not all(number > 0 for number in numbers):
        raise argparse.ArgumentTypeError(text)
    return numbers


def _positive(text: str) -> float:
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError(text)
    return number


def options_of(arguments: argparse.Namespace) -> CalibrationOptions:
    """Return the command line's options."""
    return CalibrationOptions(
        quantizations=arguments.quantizations,
        slots=arguments.slots,
        contexts=arguments.contexts,
        reconstruct=arguments.reconstruct,
        knobs=arguments.knobs,
        target_seconds=arguments.target_seconds,
        pause_seconds=arguments.pause_seconds,
        think=arguments.think,
    )


def _table(findings: Findings, language: Language) -> Table:
    """Return the table; the winner's row is bold."""
    found = headed_table((f"eval_calibration.{name}" for name in HEADS), "", language)
    found.title = translate("eval_calibration.title", language, name=findings.model)
    for row in findings.rows:
        found.add_row(*cells(row), style="bold" if row == findings.best else "")
    return found


def _trials(findings: Findings, language: Language) -> Table:
    """Return the table of the knobs; the kept ones are bold."""
    heads = (f"eval_calibration.{name}" for name in TRIAL_HEADS)
    found = headed_table(heads, "eval_calibration.trials_title", language)
    for trial in findings.trials:
        found.add_row(*trial_cells(trial, language), style="bold" if trial.kept else "")
    return found


def _findings(calibration: Calibration, console: Console) -> Findings:
    """Measure with a bar for each configuration."""
    language = calibration.workshop.language
    with progress_in(console) as progress:

        def report(one: Configuration, done: int, total: int) -> None:
            name = translate(
                "eval_calibration.trying", language, kind=one.kind, slots=one.slots, context=one.context_tokens
            )
            name += f", {one.tuning.key}" if one.tuning.key else ""
            progress.questions(name, done, total)

        return measure_and_save(replace(calibration, report=report))


def offer_winner(calibration: Calibration, findings: Findings, console: Console, *, agreed: bool) -> None:
    """Write the winner to the settings if the user agrees."""

    def say(key: str, **values: object) -> None:
        print_line(console, translate(f"eval_calibration.{key}", calibration.workshop.language, **values))

    if findings.best is None:
        return
    if not (agreed or is_agreed(translate("eval_calibration.ask", calibration.workshop.language))):
        say("not_applied", run=findings.run)
        return
    settings, one = calibration.workshop.settings, findings.best.configuration
    variables = calibration.use_winner(one, OllamaClient(settings.ollama_url))
    path = settings.data_dir / KEPT_NAME
    say("applied", name=one.model, slots=one.slots, context=one.context_tokens, path=path)
    if one.tuning.key:
        say("tuned", tuning=one.tuning.key)
    if variables:
        say("goes_before", variables=", ".join(variables))


def main(argv: Sequence[str]) -> int:
    """Run ``calibrate model`` and return its exit code."""
    arguments = _parser().parse_args(argv)
    deadline = time.monotonic() + arguments.minutes * 60
    console = Console()
    language = terminal_language()

    def work(name: str) -> None:
        settings = chosen_settings(arguments)
        one = one_set(arguments, sample=None)
        kept = Run.named(name, settings)
        calibration = open_calibration(options_of(arguments), settings, one, kept, deadline, SHOWN_INGEST)
        findings = _findings(calibration, console)
        wide = Console(width=max(console.width, _TABLE_COLUMNS))
        wide.print(_table(findings, language))
        if findings.trials:
            wide.print(_trials(findings, language))
        for remark in remarks(findings, language):
            print_line(console, remark)
        path = kept.folder / "report.html"
        print_line(console, translate("eval_calibration.report", language, path=path))
        write_json(arguments.json, asdict(findings))
        offer_winner(calibration, findings, console, agreed=arguments.yes)
        if findings.whole:
            shutil.rmtree(calibration.workshop.folder, ignore_errors=True)

    return finish(arguments, work)
