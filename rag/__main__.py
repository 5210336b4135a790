"""``python -m rag``: ask in the terminal."""

from rag.interruption import end_at_interrupt

if __name__ == "__main__":
    end_at_interrupt()  # before the imports, which take seconds

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from rag.cli import add_command, day_of, share_examples
from rag.cli.answer_printer import AnswerPrinter
from rag.cli.batch import (
    AnswerFile,
    Conversation,
    FailureReport,
    answer_all,
    answer_bar,
    is_endless,
    read_conversations,
    require_other_file,
)
from rag.cli.curated import add_curated_commands
from rag.cli.forget import add_forgetting_commands
from rag.cli.migrate import add_migrate_command
from rag.errors import AnswerCancelled, AnswerdeskError, FileUnusable, printable
from rag.pipeline import AskOptions, Pipeline
from rag.private_files import keep_files_private
from rag.retrieval.filters import Filters, permitted_chunks
from rag.retrieval.question import clean_question
from rag.schema import Answer, Language
from rag.settings import Settings, checked_settings, load_settings
from rag.storage.store import KnowledgeStore
from rag.storage.turn_times import TurnTimesTable
from rag.terminal import argument_text, exit_code_of, print_json, run_command, terminal_language
from rag.translate import translate

_EXAMPLES = """examples:
  python -m rag ask "How long can I return an order?"
  python -m rag ask --no-think --json "退款多久到账？"
  python -m rag ask --product "Drift R3" --since 2026-01-01 "How do I clean the brush?"
  echo "E07" | python -m rag ask -
  python -m rag batch conversations.jsonl answers.jsonl --kb shop
      lines of {"id": "c1", "turns": [{"user": "Do you ship to Oslo?", "assistant": "Yes."}, {"user": "How fast?"}]};
      each gives the answer's JSON with its id; what answers.jsonl holds is not asked again
  python -m rag batch questions.jsonl > answers.jsonl     lines of {"id": ..., "question": ...}
  python -m rag latency --since 24h                       p50/p95/p99 of the desk's answers, and the objective
  python -m rag curated add "How long is the warranty?" "Two years." --document en/warranty.md
  python -m rag curated list --state waiting              answers that persons wrote; approve, retire, export
  python -m rag forget --customer "Anna Wu" --dry-run     what is kept of a customer, and how to erase it
  python -m rag retention                                 delete questions that are older than they are kept
  python -m rag migrate --to server                       copy people and questions to the PostgreSQL server

exit codes: 0 answered or refused, 2 the question or a setting, 3 the knowledge base, 4 the model server, 5 set-up"""


def _settings(options: argparse.Namespace) -> Settings:
    """Return the environment's settings with the command line's on top."""
    settings = load_settings()
    changes = {"knowledge_base": options.kb, "model": options.model}
    values = {**settings.model_dump(), **{name: value for name, value in changes.items() if value is not None}}
    return checked_settings(values, {"knowledge_base": "--kb", "model": "--model"})


def _build(settings: Settings) -> Pipeline:
    from rag.factory import build_pipeline  # brings the embedder and the indexes; --help does not wait for them

    def say() -> None:
        said = translate("ask.starting_server", terminal_language(), url=settings.ollama_url)
        print(said, file=sys.stderr, flush=True)

    return build_pipeline(settings, on_server_start=say)


def _question(argument: str) -> str:
    return _read("-").decode("utf-8", errors="replace") if argument == "-" else argument


def _ask(options: argparse.Namespace, language: Language) -> int:
    settings = _settings(options)
    question = clean_question(_question(options.question), settings.question_limit_characters)
    asking = replace(_ask_options(options, language), fresh=options.fresh, quote="only" if options.instant else "never")
    pipeline = _build(settings)
    _warn_of_no_document(settings, asking.filters, options, language)
    if options.json:
        answer = pipeline.answer(question, asking)
        print_json(answer.to_json())
        return 0
    color = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    printer = AnswerPrinter(sys.stdout, language, question, color=color)
    try:
        for event in pipeline.stream(question, asking):
            printer.show(event)
    except (AnswerdeskError, KeyboardInterrupt):
        printer.interrupt()
        raise
    return 0


def _batch(options: argparse.Namespace, language: Language) -> int:
    """Answer a file of conversations; one that fails is reported on its line and the rest goes on."""
    asking = _ask_options(options, language)
    if options.out is not None:
        require_other_file(options.out, options.file)
    conversations = read_conversations(_read(options.file), options.file)
    if not conversations:
        print(translate("ask.batch_empty", language, name=printable(options.file)), file=sys.stderr)
    out = AnswerFile(options.out, conversations) if options.out else None
    settings = _settings(options)
    pipeline = _build(settings)
    _warn_of_no_document(settings, asking.filters, options, language)

    def answer(one: Conversation) -> Answer:
        return pipeline.answer(one.question, asking, earlier=one.earlier)

    left = [one for one in conversations if out is None or not out.is_done(one)]
    report = FailureReport(language, len(conversations))
    rows = answer_all(left, answer, report)
    with closing(report):
        if out is None:
            for row in rows:
                print_json(row)
            return report.exit_code
        out.tidy()
        try:
            with answer_bar(language, done=len(conversations) - len(left), total=len(conversations)) as advance:
                for row in rows:
                    out.write(row)
                    advance()
        finally:
            out.tidy()
        return report.exit_code


def _warn_of_no_document(settings: Settings, filters: Filters, options: argparse.Namespace, language: Language) -> None:
    """Say on standard error that the filters let no document pass: a misspelt product looks like a missing answer."""
    if not filters.restrict:
        return
    with KnowledgeStore(settings.knowledge_dir) as store:
        generation = store.current_generation()
        if not generation or permitted_chunks(store, generation, filters).size:
            return
    since = f"--since {options.since}" if options.since else ""
    product = f'--product "{printable(options.product)}"' if options.product else ""
    named = " ".join(filter(None, (since, product)))
    print(translate("ask.no_document", language, options=named), file=sys.stderr)


def _latency(options: argparse.Namespace, language: Language) -> int:
    """Show where the time of the desk's recorded turns went."""
    from rag.performance import measure_latency, show_latency, since_of  # brings rich's tables, which ask does without

    since = since_of(options.since, datetime.now(UTC), language)
    times = TurnTimesTable(load_settings().turns_database, reads_only=True)
    report = measure_latency(times, since)
    times.close()
    if options.json:
        print_json(report.to_json())
    else:
        show_latency(report, language, Console())
    return 0


def _read(name: str) -> bytes:
    """Return a file's bytes, or those of standard input for ``-``.  Raises ``FileUnusable``, also for a device."""
    try:
        with nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb") as file:
            if is_endless(file):
                raise FileUnusable(path=name, reason="device")
            return file.read()
    except OSError as error:
        raise FileUnusable.because(name, error) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rag",
        description="Ask the knowledge base, and see what the answer rests on.  向知识库提问，并查看回答的依据。",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(
        required=True, metavar="ask | batch | latency | curated | forget | retention | migrate"
    )
    actions: tuple[tuple[str, Callable[[argparse.Namespace, Language], int], str], ...] = (
        ("ask", _ask, "answer one question  回答一个问题"),
        ("batch", _batch, "answer a JSONL file of questions  批量回答 JSONL 文件中的问题"),
    )
    for name, action, described in actions:
        command = add_command(commands, name, action, described)
        if name == "ask":
            command.add_argument(
                "question", type=argument_text, help="the question, or - to read it from standard input  问题"
            )
            command.add_argument("--json", action="store_true", help="print the final answer as JSON  输出 JSON")
            command.add_argument("--instant", action="store_true", help="quote the passages, ask no model  仅引用原文")
            command.add_argument("--fresh", action="store_true", help="give no answer that is there already  重新生成")
        else:
            command.add_argument("file", help='lines of {"id": ..., "turns": [{"user": ...}]}, or -  对话文件')
            command.add_argument("out", nargs="?", type=Path, help="file of the answers; it is gone on with  回答文件")
        thinking = command.add_mutually_exclusive_group()
        thinking.add_argument(
            "--think", dest="think", action="store_true", default=None, help="let the model think first  先思考"
        )
        thinking.add_argument("--no-think", dest="think", action="store_false", help="answer at once  直接回答")
        command.add_argument("--model", help="a model of this Ollama  模型名称")
        command.add_argument("--top-k", type=int, help="chunks of the ranking that are used, 1 to 24  采用的片段数")
        command.add_argument("--kb", help="name of the knowledge base  知识库名称")
        _add_filters(command)
    command = add_command(commands, "latency", _latency, "times of the recorded turns  已记录提问的耗时")
    command.add_argument("--since", metavar="TIME", help="only turns of the last 90m, 24h, 7d  时间范围")
    command.add_argument("--json", action="store_true", help="print the figures as JSON  输出 JSON")
    add_curated_commands(commands)
    add_forgetting_commands(commands)
    add_migrate_command(commands)
    share_examples(commands, _EXAMPLES)
    return parser


def _add_filters(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--language-of-sources", choices=("en", "zh"), help="only documents in this language  资料语言"
    )
    command.add_argument("--since", metavar="DAY", help="only documents changed on this day or later  资料日期")
    command.add_argument("--product", default="", metavar="NAME", help="only documents of this product  产品名称")


def _ask_options(options: argparse.Namespace, language: Language) -> AskOptions:
    """Return the options of the questions.  Raises ``SettingsError``."""
    filters = Filters(options.language_of_sources, day_of(options.since, "--since", language), options.product)
    return AskOptions(filters=filters, think=options.think, top_k=options.top_k, reader_language=language)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    language = terminal_language()
    return run_command(
        lambda: int(options.action(options, language)),
        lambda: print(AnswerCancelled().text(language), file=sys.stderr),
    )


if __name__ == "__main__":
    keep_files_private()
    sys.exit(exit_code_of(main))
