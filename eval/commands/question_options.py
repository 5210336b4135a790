"""The options that all commands on questions share, and what they choose."""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console

from eval.core.question_sets import GOLDEN_DIR, KNOWLEDGE_DIR, QuestionSet, kept_questions, sets_in
from eval.core.runs import checked_name
from rag.errors import AnswerdeskError, SettingsError
from rag.settings import Settings, load_settings
from rag.terminal import fail, terminal_language
from rag.translate import translate

INTERRUPTED = 130
EXIT_CODES = """\
exit codes: 0 measured, 2 usage, 3 no knowledge base or nothing to ingest, 4 no model server, 5 the embedder is missing,
  130 interrupted (the run can be resumed)
"""


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add what every command has that keeps a run."""
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn by chance  随机种子")
    parser.add_argument("--run", default="", metavar="NAME", help="name of the run, new or unfinished  运行名称")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE  将指标写入文件")


def question_parser(command: str, description: str, examples: str, *, sets: bool = True) -> argparse.ArgumentParser:
    """Return a parser of ``python -m eval COMMAND`` with the shared options; ``examples`` end its help."""
    parser = argparse.ArgumentParser(
        prog=command if command.startswith("python") else f"python -m eval {command}".strip(),
        description=description,
        epilog=f"{examples}\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--corpus",
        type=Path,
        action="append",
        default=[],
        help="documents: JSONL, another file or a folder; may be given again  文档",
    )
    parser.add_argument(
        "--questions", type=Path, action="append", default=[], help="JSONL, one for each --corpus  问题文件"
    )
    if sets:
        parser.add_argument("--sets", type=Path, metavar="FOLDER", help="question sets, a subfolder each  多个题集")
    parser.add_argument("--kb", default="", metavar="NAME", help="ask this knowledge base instead  知识库名称")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="only N a set, drawn by --seed  题数")
    add_run_options(parser)
    return parser


def chosen_settings(arguments: argparse.Namespace) -> Settings:
    """Return the environment's settings with the command line's knowledge base and model on top."""
    changes = {"model": getattr(arguments, "model", ""), "knowledge_base": arguments.kb}
    return load_settings().changed(**{name: value for name, value in changes.items() if value})


def chosen_sets(arguments: argparse.Namespace, sample: Path | None = KNOWLEDGE_DIR) -> list[QuestionSet]:
    """Return what is to be asked, before anything is drawn.

    Corpora with their questions, the sets of a folder, or a knowledge base, with the regression questions that it keeps
    where no others are given; with none of these, the sample questions, of the ``sample`` documents or, where that is
    None, of the desk's knowledge base.  Raises ``SettingsError`` where the options contradict each other.
    """
    folder = getattr(arguments, "sets", None)
    if arguments.kb and (arguments.corpus or folder):
        raise SettingsError(reason=translate("eval.corpus_or_kb", terminal_language()))
    if arguments.kb and not arguments.questions and (kept := kept_questions(chosen_settings(arguments))):
        return [QuestionSet(arguments.kb, None, kept)]
    if arguments.kb or (arguments.questions and not arguments.corpus and not folder):
        return [QuestionSet.load(None, path) for path in arguments.questions or [GOLDEN_DIR]]
    if len(arguments.corpus) != len(arguments.questions):
        counts = {"corpora": len(arguments.corpus), "questions": len(arguments.questions)}
        raise SettingsError(reason=translate("eval.as_many", terminal_language(), **counts))
    sets = [QuestionSet.load(*pair) for pair in zip(arguments.corpus, arguments.questions, strict=True)]
    sets += sets_in(folder) if folder else []
    return sets or [QuestionSet.load(sample, GOLDEN_DIR)]


def only_set(sets: Sequence[QuestionSet]) -> QuestionSet:
    """Return the one set that was chosen.  Raises ``SettingsError`` where there are several."""
    if len(sets) != 1:
        raise SettingsError(reason=translate("eval.one_set", terminal_language(), count=len(sets)))
    return sets[0]


def one_set(arguments: argparse.Namespace, sample: Path | None = KNOWLEDGE_DIR) -> QuestionSet:
    """Return the one set that was chosen, with the questions that ``--limit`` and ``--seed`` draw."""
    return only_set(chosen_sets(arguments, sample)).drawn(arguments.limit, arguments.seed)


def run_name(arguments: argparse.Namespace) -> str:
    """Return the run's name: the time of day where none was given.  Raises ``SettingsError`` for an unusable one."""
    return checked_name(str(arguments.run) or datetime.now().strftime("%Y-%m-%d-%H%M%S"))


def finish(arguments: argparse.Namespace, console: Console, work: Callable[[str], None]) -> int:
    """Do the work of a run that can be gone on with, under its name, and return the command's exit code."""
    name = str(arguments.run)
    try:
        name = run_name(arguments)
        work(name)
    except AnswerdeskError as error:
        return fail(error)
    except KeyboardInterrupt:
        print_line(console, translate("eval.resume", terminal_language(), run=name))
        return INTERRUPTED
    return 0


def measure(console: Console, work: Callable[[], None]) -> int:
    """Do the work of a command that keeps no run, and return its exit code."""
    try:
        work()
    except AnswerdeskError as error:
        return fail(error)
    except KeyboardInterrupt:
        print_line(console, translate("eval.nothing_measured", terminal_language()))
        return INTERRUPTED
    return 0


def print_line(console: Console, text: str) -> None:
    """Print a line as it is: nothing in it is rich's markup, and a narrow terminal does not break it."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def write_json(path: Path | None, figures: Mapping[str, object]) -> None:
    """Write the figures, if a file was named.  Raises ``SettingsError`` where it cannot be written."""
    if path is None:
        return
    try:
        path.write_text(json.dumps(figures, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise SettingsError(reason=f"{path}: {error.strerror}") from error
