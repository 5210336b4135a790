"""``python -m eval gaps``: what the knowledge base lacks, by topic, from the questions of the desk."""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from eval.commands.shared import chosen_settings, command_parser, exit_code, headed_table, print_line, write_json
from eval.gaps.report import GapParts, GapReport, draft_article, find_gaps, shortened
from rag.errors import SettingsError
from rag.performance import since_of
from rag.retrieval.embedder import open_embedder
from rag.retrieval.retriever import Retriever
from rag.reuse.curated import Curation
from rag.schema import Language
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.storage.troubled_turns import TroubledTurns
from rag.terminal import terminal_language
from rag.translate import translate

EXAMPLES = """\
examples:
  python -m eval gaps                          the questions of the last 30 days that went badly, by topic
  python -m eval gaps --kb shop --since 7d --json gaps.json
  python -m eval gaps --draft 1 > gift-cards.md       the beginning of the article that the first topic calls for

exit codes: 0 done, 2 usage, 3 no knowledge base, 5 the embedder is missing
"""
_SHOWN = 60


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "gaps",
        "Group the questions that were refused, left unanswered or open, or disliked; name the articles "
        "to write, and those that contradict each other or expired.  知识缺口",
        EXAMPLES,
    )
    parser.add_argument("--kb", default="", metavar="NAME", help="name of the knowledge base  知识库名称")
    parser.add_argument(
        "--since", default="30d", metavar="TIME", help="the last 24h, 30d, ... (default: 30d)  时间范围"
    )
    parser.add_argument("--draft", type=int, metavar="N", help="print the draft of topic N, in Markdown  文章草稿")
    parser.add_argument("--language", choices=["en", "zh"], help="of the draft (default: the terminal's)  语言")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report to FILE  将报告写入文件")
    return parser


def gap_parts(settings: Settings) -> GapParts:
    """Return the parts of a report on the settings' knowledge base.

    Raises ``KnowledgeBaseMissing`` or ``EmbedderMissing``.
    """
    store = KnowledgeStore(settings.knowledge_dir)
    store.require_generation()  # told before the embedder is loaded
    embedder = open_embedder(settings)
    retriever = Retriever(store, embedder, settings)
    return GapParts(store, TroubledTurns(settings.turns_database), embedder, retriever, Curation.of(settings, store))


def print_gaps(report: GapReport, console: Console, language: Language) -> None:
    """Print the topics, then the contradictions and the expired articles."""

    def say(key: str, **values: object) -> None:
        print_line(console, translate(f"eval_gaps.{key}", language, **values))

    if report.topics:
        titles = (f"eval_gaps.{key}" for key in ("topic", "asked", "how", "languages", "nearest"))
        table = headed_table(("", *titles), "eval_gaps.topics", language)
        for topic in report.topics:
            how = topic.troubles_words(language)
            spoken = ", ".join(
                translate(f"eval_gaps.{name}", language, n=count) for name, count in topic.languages.items()
            )
            nearest = topic.nearest.document_id if topic.nearest is not None else "-"
            name = shortened(topic.title(language), _SHOWN)
            table.add_row(
                *(_escape(cell) for cell in (str(topic.number), name, str(topic.count), how, spoken, nearest))
            )
        console.print(table)
    else:
        say("none")
    say("summary", unmet=report.unmet, asked=report.asked, settled=report.settled)
    if report.failed_elsewhere:
        say("elsewhere", n=report.failed_elsewhere)
    if report.left_out:
        say("left_out", n=report.left_out)
    _print_doubts(report, console, language)


def _print_doubts(report: GapReport, console: Console, language: Language) -> None:
    if report.contradictions:
        columns = (f"eval_gaps.{key}" for key in ("article", "says", "but", "says", "answers"))
        table = headed_table(columns, "eval_gaps.contradictions", language)
        for pair in report.contradictions:
            cells = pair.document_id, pair.quote, pair.other_document_id, pair.other_quote, str(pair.count)
            table.add_row(*map(_escape, cells))
        console.print(table)
    if report.expired:
        columns = (f"eval_gaps.{key}" for key in ("article", "since_then", "answers"))
        table = headed_table(columns, "eval_gaps.expired", language)
        for one in report.expired:
            table.add_row(*map(_escape, (one.document_id, one.expired_on.isoformat(), str(one.count))))
        console.print(table)


def _escape(text: str) -> str:
    return text.replace("[", r"\[")  # customers' words are no markup of rich's


def _draft(report: GapReport, number: int, language: Language) -> str:
    if not 1 <= number <= len(report.topics):
        reason = translate("eval_gaps.no_topic", terminal_language(), number=number, count=len(report.topics))
        raise SettingsError(reason=reason)
    return draft_article(report.topics[number - 1], language)


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()

    def work() -> None:
        settings = chosen_settings(arguments)
        since = since_of(arguments.since, datetime.now(UTC), language)
        report = find_gaps(gap_parts(settings), settings.knowledge_base, since)
        if arguments.draft is not None:
            console.file.write(_draft(report, arguments.draft, arguments.language or language))
        else:
            print_gaps(report, console, language)
        write_json(arguments.json, report.to_json())

    return exit_code(work)
