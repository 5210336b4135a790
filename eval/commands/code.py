"""``python -m eval code``: HumanEval for the profile ``code``; the programs run in a sandbox."""

import argparse
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console

from eval.code.judging import OUTCOMES
from eval.code.measurement import SAMPLINGS, CodeOptions, measure_code
from eval.code.problems import Problem, fetch_problems
from eval.code.report import PUBLISHED, SOURCE, interval_words, percent
from eval.code.sandbox import Sandbox
from eval.code.self_check import SelfCheck, check_harness
from eval.commands.answers import add_answer_options
from eval.commands.shared import (
    add_run_options,
    chosen_settings,
    command_parser,
    finish,
    headed_table,
    model_line,
    print_line,
    progress_in,
    question_limit,
    write_json,
)
from eval.core.question_sets import draw_sample
from eval.core.runs import Run
from eval.core.tables import part_of
from rag.errors import SandboxUnusable
from rag.factory import build_gateway
from rag.schema import Language
from rag.settings import load_settings
from rag.setup.console import Console as SetupConsole
from rag.terminal import terminal_language
from rag.translate import translate

EXAMPLES = """\
examples:
  python -m eval code --limit 20                               twenty of the 164 functions, greedy
  python -m eval code --model stand-in:0.5b --run monday       all of them; the same command goes on where it stopped
  python -m eval code --sampling profile --samples 5           as the profile `code` draws; pass@1, pass@2, pass@5
  python -m eval code --think --run thinking                   beside one without: eval report monday thinking ...
  python -m eval code --check                                  known solutions, broken and hostile programs, no model
  python -m eval compare monday thinking                       function by function

Programs that the model writes are run by bubblewrap (python -m rag.setup sandbox): without network, files and
processes of yours.
"""
_MOST_SAMPLES = 200
_LEAST_TOKENS, _MOST_TOKENS = 64, 32768


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "code",
        "Let the model complete the 164 functions of HumanEval and run its programs against their tests; "
        "report pass@k with its interval, and how programs fail.  代码评测（HumanEval）",
        EXAMPLES,
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="prove the harness, without a model  自检，不调用模型")
    what.add_argument(
        "--unsafe", action="store_true", help="without bubblewrap: programs run as you  不用沙箱，以您的身份运行"
    )
    parser.add_argument(
        "--sampling", choices=SAMPLINGS, default="greedy", help="greedy, or as the profile code  采样方式"
    )
    parser.add_argument(
        "--samples", type=_bounded_int(1, _MOST_SAMPLES), default=1, metavar="K", help="replies a function  每题回答数"
    )
    parser.add_argument(
        "--tokens",
        type=_bounded_int(_LEAST_TOKENS, _MOST_TOKENS),
        default=CodeOptions().answer_tokens,
        metavar="N",
        help="of a reply with its thought; cut off is failed (default: %(default)s)  每次回答的 token 上限",
    )
    add_answer_options(parser)
    parser.add_argument("--limit", type=question_limit, default=0, metavar="N", help="only N, drawn by --seed  题数")
    add_run_options(parser)
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()

    def work(name: str) -> None:
        settings = load_settings()
        with Sandbox(isolated=not arguments.unsafe) as sandbox:
            sandbox.require()  # told before anything is fetched or asked
            problems = fetch_problems(settings, SetupConsole(language))
            if arguments.check:
                _check(arguments, problems, sandbox, console)
                return
            options = CodeOptions(arguments.sampling, arguments.samples, bool(arguments.think), arguments.tokens)
            gateway, kept = build_gateway(options.settings(chosen_settings(arguments))), Run.named(name, settings)
            problems = draw_sample(problems, arguments.limit, arguments.seed)
            with progress_in(console) as progress:
                result = measure_code(problems, gateway, sandbox, kept, options, progress)
        print_figures(result.summary, console, language)
        print_line(console, translate("eval.records", language, records=kept.folder))
        write_json(arguments.json, result.summary)

    return finish(arguments, work)


def _check(arguments: argparse.Namespace, problems: Sequence[Problem], sandbox: Sandbox, console: Console) -> None:
    """Check the harness and print the result.  Raises ``SandboxUnusable`` if it failed."""
    chosen = draw_sample(problems, arguments.limit, arguments.seed)
    with progress_in(console) as progress:
        found = check_harness(chosen, problems[0], sandbox, progress)
    print_check(found, console, terminal_language())
    write_json(arguments.json, found.to_json())
    if not found.is_sound:
        wrong = (*found.solutions_failed, *found.broken_passed, *found.impostors_passed)
        hostile = tuple(one.name for one in found.hostile if not one.is_harmless)
        raise SandboxUnusable(reason="check", what=", ".join((*wrong, *hostile)[:5]))


def print_check(found: SelfCheck, console: Console, language: Language) -> None:
    """Print the passed counts, and each hostile program."""
    for name, passed in (
        ("solutions", found.n - len(found.solutions_failed)),
        ("broken", len(found.broken_passed)),
        ("impostors", len(found.impostors_passed)),
    ):
        print_line(console, translate(f"eval_code.check_{name}", language, passed=passed, n=found.n))
    table = headed_table((f"eval_code.{name}" for name in ("hostile", "outcome", "harm")), "", language)
    for one in found.hostile:
        harm = one.harm or translate("eval_code.no_harm", language)
        table.add_row(one.name, translate(f"eval_code.{one.outcome}", language), harm)
    console.print(table)
    held = sum(one.is_harmless for one in found.hostile)
    print_line(console, translate("eval_code.check_hostile", language, held=held, n=len(found.hostile)))


def print_figures(summary: Mapping[str, object], console: Console, language: Language) -> None:
    """Print pass@k, the makers' figure, the kinds of failure, and times."""
    table = headed_table((f"eval.{name}" for name in ("figure", "value", "interval")), "", language)
    table.title = translate("eval_code.title", language, n=summary["n"])
    for k, value in part_of(summary, "pass_at_k").items():
        table.add_row(f"pass@{k}, %", percent(value), interval_words(summary) if k == "1" else "")
    outcomes = part_of(summary, "outcomes")
    table.add_section()
    for name in OUTCOMES:
        if outcomes.get(name) or name == "passed":
            table.add_row(translate(f"eval_code.{name}", language), str(outcomes[name]), "")
    console.print(table)
    seconds = {name: "-" if value is None else f"{value:.1f}" for name, value in part_of(summary, "seconds").items()}
    print_line(console, translate("eval_code.seconds", language, **seconds))
    sampling = translate(f"eval_code.sampling_{summary['sampling']}", language)
    thinking = translate(f"eval_code.thinking_{'on' if summary['think'] else 'off'}", language)
    print_line(console, translate("eval_code.how", language, sampling=sampling, thinking=thinking))
    published = PUBLISHED.get(str(summary["model"]))
    if published is not None:
        figure = percent(published.pass_at_1)
        print_line(console, translate("eval_code.makers", language, model=published.model, figure=figure))
        print_line(console, translate("eval_code.published_note", language, source=SOURCE))
    print_line(console, model_line(summary, language))


def _bounded_int(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{least} – {most}")
        return value

    return number
