"""What the commands share: options and the questions that they choose, tables, bars and lines, exit codes."""

import argparse
import errno
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar
from rich.table import Table

from eval.core.progress import Progress
from eval.core.question_sets import GOLDEN_DIR, KNOWLEDGE_DIR, QuestionSet, sets_in, stored_questions
from eval.core.runs import checked_name
from ingest.console import ProgressConsole
from rag.errors import SettingsError
from rag.schema import Language
from rag.settings import Settings, load_settings
from rag.terminal import run_command, terminal_language
from rag.translate import translate

EXIT_CODES = """\
exit codes: 0 measured, 2 usage, 3 no knowledge base or nothing to ingest, 4 no model server, 5 the embedder is missing,
  130 interrupted (the run can be resumed)
"""


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of commands that keep a run."""
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn by chance  随机种子")
    parser.add_argument("--run", default="", metavar="NAME", help="name of the run, new or unfinished  运行名称")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE  将指标写入文件")


def question_limit(text: str) -> int:
    """Return the number of a ``--limit``, 1 or more; it is the ``type`` of an argument of ``argparse``."""
    number = int(text)
    if number < 1:  # the library's 0 means all of them: hours of a model's time by a slip
        raise argparse.ArgumentTypeError(translate("eval.limit_too_small", terminal_language(), given=number))
    return number


def command_parser(command: str, description: str, examples: str) -> argparse.ArgumentParser:
    """Return a parser of ``python -m eval COMMAND``; ``examples`` end its help, with exit codes if they have none."""
    return argparse.ArgumentParser(
        prog=command if command.startswith("python") else f"python -m eval {command}".strip(),
        description=description,
        epilog=examples if "exit codes:" in examples else f"{examples}\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def question_parser(command: str, description: str, examples: str, *, sets: bool = True) -> argparse.ArgumentParser:
    """Return a command's parser with the options that choose questions."""
    parser = command_parser(command, description, examples)
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
    parser.add_argument(
        "--limit", type=question_limit, default=0, metavar="N", help="only N a set, drawn by --seed  题数"
    )
    add_run_options(parser)
    return parser


def chosen_settings(arguments: argparse.Namespace) -> Settings:
    """Return the environment's settings with the command line's knowledge base and model on top."""
    changes = {"model": getattr(arguments, "model", ""), "knowledge_base": getattr(arguments, "kb", "")}
    return load_settings().changed(**{name: value for name, value in changes.items() if value})


def chosen_sets(arguments: argparse.Namespace, sample: Path | None = KNOWLEDGE_DIR) -> list[QuestionSet]:
    """Return the question sets, before sampling.

    Corpora with their questions, the sets of a folder, or a knowledge base, with the regression questions that it keeps
    where no others are given; with none of these, the sample questions, of the ``sample`` documents or, where that is
    None, of the desk's knowledge base.  Raises ``SettingsError`` where the options contradict each other.
    """
    folder = getattr(arguments, "sets", None)
    if arguments.kb and (arguments.corpus or folder):
        raise SettingsError(reason=translate("eval.corpus_or_kb", terminal_language()))
    if arguments.kb and not arguments.questions and (kept := stored_questions(chosen_settings(arguments))):
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
    return only_set(chosen_sets(arguments, sample)).draw_sample(arguments.limit, arguments.seed)


def run_name(arguments: argparse.Namespace) -> str:
    """Return the run's name: the time of day where none was given.  Raises ``SettingsError`` for an unusable one."""
    return checked_name(str(arguments.run) or datetime.now().strftime("%Y-%m-%d-%H%M%S"))


def require_writable(path: Path | None) -> None:
    """Raise ``SettingsError`` where a file that is written at the end has no folder, or is one."""
    if path is None:
        return
    if path.is_dir():
        raise SettingsError(reason=f"{path}: {os.strerror(errno.EISDIR)}")
    if not path.absolute().parent.is_dir():
        raise SettingsError(reason=f"{path}: {os.strerror(errno.ENOENT)}")


def exit_code(work: Callable[[], int | None], interrupted: Callable[[], str] = str) -> int:
    """Do a command's work and return its exit code, 0 for None; print what ``interrupted`` says at Ctrl-C."""

    def say() -> None:
        if said := interrupted():
            print_line(Console(), said)

    return run_command(work, say)


def finish(arguments: argparse.Namespace, work: Callable[[str], None]) -> int:
    """Do the work of a run that can be resumed, under its name, and return the command's exit code."""
    name = str(arguments.run)

    def work_on_run() -> None:
        nonlocal name
        name = run_name(arguments)
        require_writable(arguments.json)  # before hours of a model's time
        work(name)

    return exit_code(work_on_run, lambda: translate("eval.resume", terminal_language(), run=name))


def measure(work: Callable[[], int | None]) -> int:
    """Do the work of a command that keeps no run, and return its exit code."""
    return exit_code(work, lambda: translate("eval.nothing_measured", terminal_language()))


def headed_table(heads: Iterable[str], title: str, language: Language) -> Table:
    """Return a table without rows; heads and a title with a point are keys of the catalogue."""
    said = [translate(one, language) if "." in one else one for one in (title, *heads)]
    return Table(*said[1:], title=said[0] or None)


def model_line(summary: Mapping[str, object], language: Language) -> str:
    """Return the name of the model whose figures these are, and whether it is a stand-in."""
    key = "eval.stand_in" if summary["stand_in"] else "eval.model"
    return translate(key, language, model=summary["model"])


def print_machine(load: float, console: Console, language: Language) -> None:
    """Print the machine's load average and its cores."""
    print_line(console, translate("bench_load.machine", language, load=load, cores=os.cpu_count()))


def load_average() -> float:
    """Return the load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def is_agreed(question: str) -> bool:
    """Ask at the terminal; False without one."""
    return sys.stdin.isatty() and input(question).strip().lower() in {"y", "yes", "是"}


def print_line(console: Console, text: str) -> None:
    """Print a line as it is: without rich's markup, and unbroken by a narrow terminal."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def write_json(path: Path | None, figures: Mapping[str, object]) -> None:
    """Write the figures, if a file was named.  Raises ``SettingsError`` where it cannot be written."""
    if path is not None:
        write_text(path, json.dumps(figures, ensure_ascii=False, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file.  Raises ``SettingsError`` where it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(reason=f"{path}: {error.strerror}") from error


def question_bar(console: Console, *, disable: bool = False) -> ProgressBar:
    """Return a bar that counts questions and estimates the remaining time."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return ProgressBar(*columns, console=console, transient=True, disable=disable)


@contextmanager
def counted_steps(console: Console, name: str, total: int | None) -> Iterator[Callable[[], None]]:
    """Draw a bar, if the console is a terminal, and yield the function that advances it."""
    with question_bar(console, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=total)
        yield lambda: bar.advance(task)


SHOWN_INGEST = Progress(ingest=lambda: ProgressConsole(terminal_language(), sys.stderr))


"""Reports ingests alone, on standard error."""


@contextmanager
def progress_in(console: Console) -> Iterator[Progress]:
    """Draw a bar for each question set, if the console is a terminal, and an ingest's progress on standard error."""
    tasks: dict[str, TaskID] = {}
    with question_bar(console, disable=not console.is_terminal) as bar:

        def show(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=done, total=total)

        yield replace(SHOWN_INGEST, questions=show)
