"""``python -m eval train``: tune the model on a team's own answers, measure it, and keep it only if it wins."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console

from eval.benches import benchmark_main
from eval.commands import code as code_command
from eval.commands.answers import add_answer_options
from eval.commands.shared import (
    add_run_options,
    chosen_settings,
    command_parser,
    finish,
    headed_table,
    is_agreed,
    print_line,
    progress_in,
    question_bar,
    question_limit,
    write_json,
)
from eval.core.question_sets import GOLDEN_DIR, KNOWLEDGE_DIR, draw_sample
from eval.core.runs import Run
from eval.core.tables import part_of
from eval.train.background import TrainingProcess
from eval.train.findings import HEADS, ArmName, Findings, cells, findings_of, remarks
from eval.train.lora import LoraOptions, TrainingProgress, TrainingState, read_state
from eval.train.questions import load_training_cases, stored_cases
from eval.train.tuning import Source, TrainingPlan, Tuning, TuningOptions, open_tuning
from rag.cli import positive_integer
from rag.errors import SettingsError
from rag.schema import Language
from rag.settings import Settings
from rag.terminal import Update, progress, terminal_language
from rag.translate import translate

EXAMPLES = """\
examples:
  python -m eval train --kb shop --as r1:7b-shop                      curated answers and regression questions
  python -m eval train --questions mine.jsonl --docs manuals --model stand-in:0.5b --as stand-in:0.5b-shop
  python -m eval train --questions a.jsonl --docs A --questions b.jsonl --docs B --as r1:7b-ours --yes
  python -m eval train --kb shop --as r1:7b-shop --epochs 3 --rank 16 --held-out 0.5
  python -m eval train --kb shop --as r1:7b-shop --adapter --code 20  an adapter beside it; what code it forgot
  python -m eval train --kb shop --as r1:7b-shop --run monday         resume an interrupted run

Needs: pip install 'answerdesk[train]'.  Questions are `python -m eval`'s or desk cases (docs/quality.md).  A third of
them, about documents that no example is made of, decides whether the tuned model is kept.
"""
_SECONDS_A_MINUTE = 60
_TABLE_COLUMNS = 130  # narrower, figures would be cut to nothing


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "train",
        "Tune a model on your own answers with LoRA, merge it, and measure it on documents that it has not "
        "seen; it is kept only if it measurably wins.  用自己的答案微调模型",
        EXAMPLES,
    )
    parser.add_argument(
        "--questions", type=Path, action="append", default=[], metavar="FILE", help="with answers  带答案的问题文件"
    )
    parser.add_argument(
        "--docs", type=Path, action="append", default=[], metavar="FOLDER", help="one for each file  对应的文档"
    )
    parser.add_argument("--kb", default="", metavar="NAME", help="or a knowledge base  或知识库名称")
    parser.add_argument("--as", dest="tuned", default="", metavar="NAME", help="name of the new model  新模型名称")
    parser.add_argument(
        "--epochs", type=positive_integer, default=2, metavar="N", help="times each example is read (2)  轮数"
    )
    parser.add_argument("--rank", type=positive_integer, default=8, metavar="N", help="of the adapter (8)  适配器的秩")
    parser.add_argument(
        "--limit", type=question_limit, default=0, metavar="N", help="only N a file, drawn by --seed  题数"
    )
    parser.add_argument(
        "--held-out", type=_share, default=0.3, metavar="SHARE", help="to measure with (0.3)  留作评测的比例"
    )
    parser.add_argument(
        "--measure", type=int, default=0, metavar="N", help="only N held-out questions a file  每个文件的评测题数"
    )
    parser.add_argument("--adapter", action="store_true", help="also with the adapter attached  另测挂载适配器")
    parser.add_argument("--attacks", type=int, default=0, metavar="N", help="also N attacks: slow  另测 N 个攻击")
    parser.add_argument("--code", type=int, default=0, metavar="N", help="also N functions: slow  另测 N 个函数")
    parser.add_argument("--yes", action="store_true", help="begin without asking  直接开始")
    add_answer_options(parser)
    add_run_options(parser)
    return parser


def _share(text: str) -> float:
    share = float(text)
    if not 0.05 <= share <= 0.9:
        raise argparse.ArgumentTypeError(translate("eval_train.share", terminal_language()))
    return share


def sources_of(arguments: argparse.Namespace, settings: Settings) -> list[Source]:
    """Return the questions with their documents.  Raises ``SettingsError`` where any are missing."""
    if arguments.kb:
        if arguments.docs:
            raise _unusable("no_source")
        given = [load_training_cases(path) for path in arguments.questions] or [stored_cases(settings)]
        cases = [case for some in given for case in draw_sample(some, arguments.limit, arguments.seed)]
        return [Source(arguments.kb, None, tuple(cases))]
    if len(arguments.questions) != len(arguments.docs):
        raise _unusable("as_many", questions=len(arguments.questions), docs=len(arguments.docs))
    pairs = list(zip(arguments.questions, arguments.docs, strict=True)) or [(GOLDEN_DIR, KNOWLEDGE_DIR)]
    return [
        Source(path.stem, docs, draw_sample(load_training_cases(path), arguments.limit, arguments.seed))
        for path, docs in pairs
    ]


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()

    def work(name: str) -> None:
        if not arguments.tuned:
            raise _unusable("no_name")
        if arguments.attacks:
            benchmark_main("attacks")  # told before hours of training where it is not installed
        settings = chosen_settings(arguments)
        lora = LoraOptions(epochs=arguments.epochs, rank=arguments.rank, seed=arguments.seed)
        options = TuningOptions(
            arguments.tuned, arguments.held_out, arguments.measure, arguments.seed, arguments.adapter, lora
        )
        run = Run.named(name, settings)
        if (run.folder / "figures.json").exists():
            print_findings(findings_of(run), console, language)
            return
        with progress_in(console) as shown:
            tuning = open_tuning(options, settings, sources_of(arguments, settings), run, shown)
            prepared = tuning.prepare(shown)
        _print_plan(tuning, prepared, console, language)
        if not (arguments.yes or read_state(tuning.folder).step or is_agreed(translate("eval_train.ask", language))):
            print_line(console, translate("eval_train.not_begun", language))
            return
        found = _train_and_measure(tuning, arguments, console, language)
        print_findings(found, console, language)
        tuning.tidy(found)
        print_line(console, translate("eval.records", language, records=tuning.kept.folder))
        write_json(arguments.json, tuning.kept.figures())

    return finish(arguments, work)


def _print_plan(tuning: Tuning, prepared: TrainingPlan, console: Console, language: Language) -> None:
    """Print the number of examples, the time it will take, and the questions without one."""
    training, measuring = (seconds / _SECONDS_A_MINUTE for seconds in tuning.seconds(prepared))
    counts = {"examples": prepared.examples, "checks": prepared.checks, "questions": prepared.questions}
    words = translate("eval_train.prepared", language, training=training, measuring=measuring, **counts)
    print_line(console, words)
    if prepared.left_out:
        comma = translate("ui.list_comma", language)
        reasons = [translate(f"eval_train.left_{name}", language, n=n) for name, n in prepared.left_out.items()]
        print_line(console, translate("eval_train.left_out", language, said=comma.join(reasons)))


def _train_and_measure(tuning: Tuning, arguments: argparse.Namespace, console: Console, language: Language) -> Findings:
    """Train, make the models and measure them, unless the run did it before."""
    state = _train(tuning, language)
    key = "trained_early" if state.stopped_early else "trained"
    after = state.best_loss if state.best_loss is not None else state.losses[-1]
    print_line(console, translate(f"eval_train.{key}", language, steps=state.step, after=after))
    made = tuning.make_models(partial(_show_step, language))
    if "adapter" in tuning.arms and "adapter" not in made:
        print_line(console, translate("eval_train.no_adapters", language))
    with progress_in(console) as shown:
        outcomes = tuning.measure(made, shown)
    return tuning.findings(outcomes, made, state, _other_measurements(made, arguments))


def _train(tuning: Tuning, language: Language) -> TrainingState:
    state = read_state(tuning.folder)
    if state.over:
        return state
    tuning.require_memory()
    with TrainingProcess(tuning.settings) as process, _training_bar(language) as update:
        return process.train(tuning.job, update)


@contextmanager
def _training_bar(language: Language) -> Iterator[Callable[[TrainingProgress], None]]:
    """Show the tokens learnt, their total, and the time left."""
    if not sys.stderr.isatty():
        with progress(translate("eval_train.training", language), sys.stderr, in_bytes=False) as update:
            yield lambda one: update(one.tokens, one.all_tokens)
        return
    with question_bar(Console(stderr=True)) as bar:
        task = bar.add_task(translate("eval_train.training", language), total=None)

        def show(one: TrainingProgress) -> None:
            minutes = one.seconds_left / _SECONDS_A_MINUTE
            words = translate("eval_train.training_left", language, minutes=minutes, loss=one.loss)
            bar.update(task, completed=one.tokens, total=one.all_tokens, description=words)

        yield show


def _show_step(language: Language, key: str, what: str) -> AbstractContextManager[Update]:
    words = translate(f"eval_train.{key}", language, what=what)
    return progress(words, sys.stderr, in_bytes=key in ("checking", "sending"))


def _other_measurements(made: Mapping[ArmName, str], arguments: argparse.Namespace) -> dict[str, dict[str, str]]:
    """Return the other measurements of the base and the tuned model: attacks obeyed, functions that pass."""
    found: dict[str, dict[str, str]] = {}
    commands = {"attacks": benchmark_main("attacks") if arguments.attacks else None, "code": code_command.main}
    for what, command in commands.items():
        count = getattr(arguments, what)
        if not count or command is None:
            continue
        found[what] = {}
        for arm in (arm for arm in made if arm in ("base", "merged")):
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "figures.json"
                given = {"--model": made[arm], "--limit": count, "--seed": arguments.seed, "--json": file}
                given |= {"--arms": "own"} if what == "attacks" else {}
                if command([str(word) for option in given.items() for word in option]):
                    continue
                figures = json.loads(file.read_text(encoding="utf-8"))
            own = part_of(figures, "own")
            share = own.get("obeyed_share") if what == "attacks" else part_of(figures, "pass_at_k").get("1")
            found[what][arm] = "-" if not isinstance(share, int | float) else f"{share:.0%} (n = {count})"
    return found


def print_findings(findings: Findings, console: Console, language: Language) -> None:
    """Print the table of models, the verdict, and its remarks."""
    table = headed_table((f"eval_train.{name}" for name in HEADS), "", language)
    table.title = translate("eval_train.title", language, name=findings.model)
    for arm in findings.arms:
        table.add_row(*cells(arm, language), style="bold" if arm.name == "merged" and findings.kept else "")
    Console(width=max(console.width, _TABLE_COLUMNS)).print(table)
    for remark in remarks(findings, language):
        print_line(console, remark)
    if findings.kept:
        print_line(console, translate("eval_train.use", language, name=findings.tuned))


def _unusable(key: str, **values: object) -> SettingsError:
    return SettingsError(reason=translate(f"eval_train.{key}", terminal_language(), **values))
