"""``python -m ingest``: bring the knowledge base up to date with files."""

import argparse
import json
import signal
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from ingest.commands import (
    OK,
    SOMETHING_WRONG,
    go_back,
    report_fields,
    report_json,
    show_check,
    show_difference,
    show_documents,
    show_history,
)
from ingest.console import ProgressConsole
from ingest.discovery import places
from ingest.pipeline import ingest
from ingest.reader import FileReader
from ingest.summary import IngestSummary
from ingest.watch import watch
from ingest.words import words
from rag.errors import AnswerdeskError, KnowledgeError, SettingsError
from rag.protocols import Embedder
from rag.retrieval.embedder import open_embedder
from rag.schema import Language
from rag.settings import Settings, load_settings
from rag.terminal import fail, terminal_language

STOPPED = 130
_KINDS_SHOWN = 8

_HELP = """examples:
  python -m ingest data/knowledge            read a folder, and what has changed in it the next time
  python -m ingest manuals faq.jsonl         several folders and files
  python -m ingest manuals --prune           also retire the documents whose files are gone
  python -m ingest manuals --reread          read every file, also those that nobody has written to since the last time
  python -m ingest manuals --kb archive      another knowledge base
  python -m ingest --rebuild                 cut, embed and index everything anew, from what the database holds
  python -m ingest --rebuild data/knowledge  the same, reading these files again; mends a damaged database
  python -m ingest manuals --diff            what the next ingest would change
  python -m ingest manuals --watch           keep up with a folder until Ctrl-C
  python -m ingest --list                    what is in it
  python -m ingest --check                   do rows, postings, vectors and index agree?  --repair mends them
  python -m ingest --history                 every generation; --rollback [N] serves an earlier one again

Reads Markdown, HTML, text, PDF, Word, PowerPoint, Excel, OpenDocument, CSV, JSON, mail, books, archives and pictures;
in JSON, rows of {"id", "title", "text", "source"} or {"question", "answer"}: see docs/formats.md.  Whatever goes wrong,
the knowledge base that was published before serves on.

exit codes: 0 everything was read, or is sound; 1 published, but some files could not be read, or --check found damage;
  2 wrong options;
  3 nothing was published: nothing readable, another ingest is running, the disk is full, another embedder;
  5 the embedder is missing; 130 stopped with Ctrl-C.

ANSWERDESK_DATA_DIR says where the knowledge bases are, ANSWERDESK_CHUNK_TOKENS how large a passage is."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not (options.paths or options.rebuild or _asks_only(options)):
        parser.error("name a file or a folder  请指定文件或文件夹")
    language = terminal_language()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stopped by a service manager, end as at Ctrl-C
    try:
        settings = _settings(options.kb)
        return _run(options, settings, language)
    except AnswerdeskError as error:
        return fail(error)
    except KeyboardInterrupt:
        print(words("stopped", language), file=sys.stderr)
        return STOPPED


def _asks_only(options: argparse.Namespace) -> bool:
    """Whether no paths are needed."""
    return bool(options.list or options.check or options.repair or options.history or options.rollback is not None)


def _run(options: argparse.Namespace, settings: Settings, language: Language) -> int:
    if options.list:
        return show_documents(settings, as_json=options.json)
    if options.diff:
        return show_difference(options.paths, settings, language, reread=options.reread, as_json=options.json)
    if options.check:
        return show_check(settings, language, as_json=options.json)[0]
    if options.repair:
        return _repair(settings, language, as_json=options.json)
    if options.history:
        return show_history(settings, language, as_json=options.json)
    if options.rollback is not None:
        return go_back(settings, options.rollback or None, language, as_json=options.json)
    if options.watch:
        return _watch(options, settings, language)
    places(options.paths)  # a path that is misspelt is told before the embedder is loaded
    return _ingest(options, settings, open_embedder(settings), language)


def _watch(options: argparse.Namespace, settings: Settings, language: Language) -> int:
    """Ingest until Ctrl-C.  What ends a single ingest is said here, and tried again after the next change."""
    places(options.paths)
    embedder = open_embedder(settings)
    print(words("watching", language, paths=", ".join(map(str, options.paths))), flush=True)
    with FileReader.of(settings) as reader:

        def update() -> None:
            try:
                _ingest(options, settings, embedder, language, reader)
            except KnowledgeError as error:
                fail(error)

        watch(options.paths, update, threading.Event())
    return OK


def _repair(settings: Settings, language: Language, *, as_json: bool) -> int:
    """Make anew from the documents' texts what does not belong together."""
    code, report = show_check(settings, language, as_json=as_json)
    if not report.findings:
        return code
    with ProgressConsole(language, sys.stderr) as console:
        summary = ingest([], settings, open_embedder(settings), rebuild=True, keep_vectors=True, progress=console)
    print(words("repaired", language, generation=summary.generation), file=sys.stderr if as_json else sys.stdout)
    return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ingest",
        description="Make a knowledge base of your documents, or bring it up to date.  导入或更新知识库文档。",
        epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="folders and files  文件夹或文件")
    parser.add_argument("--prune", action="store_true", help="retire documents whose files are gone  移除已删除的文档")
    parser.add_argument("--rebuild", action="store_true", help="make everything anew  全部重建")
    parser.add_argument("--reread", action="store_true", help="read unchanged files, too  未改动的文件也重新读取")
    parser.add_argument("--kb", metavar="NAME", help="which knowledge base (default: default)  知识库名称")
    ask = parser.add_mutually_exclusive_group()
    ask.add_argument("--list", action="store_true", help="list the documents  列出文档")
    ask.add_argument("--diff", action="store_true", help="say what would change, write nothing  只比较，不写入")
    ask.add_argument("--watch", action="store_true", help="ingest, and again whenever files change  持续监视并更新")
    ask.add_argument("--check", action="store_true", help="prove that all parts agree  检查一致性")
    ask.add_argument("--repair", action="store_true", help="check, and mend what is damaged  检查并修复")
    ask.add_argument("--history", action="store_true", help="list the generations  列出历史版本")
    ask.add_argument(
        "--rollback",
        nargs="?",
        type=int,
        const=0,
        metavar="N",
        help="serve generation N again, or the last but one  回退",
    )
    parser.add_argument("--json", action="store_true", help="print JSON  以 JSON 输出")
    parser.add_argument("--verbose", action="store_true", help="name every file that is left out  列出跳过的每个文件")
    return parser


def _settings(knowledge_base: str | None) -> Settings:
    settings = load_settings()
    if knowledge_base is None:
        return settings
    try:
        return Settings(**{**settings.model_dump(), "knowledge_base": knowledge_base})
    except ValidationError as error:
        raise SettingsError(reason=f"--kb {knowledge_base}: {error.errors()[0]['msg']}") from error


def _ingest(
    options: argparse.Namespace,
    settings: Settings,
    embedder: Embedder,
    language: Language,
    reader: FileReader | None = None,
) -> int:
    with ProgressConsole(language, sys.stderr) as console:
        summary = ingest(
            options.paths,
            settings,
            embedder,
            prune=options.prune,
            rebuild=options.rebuild,
            reread=options.reread,
            progress=console,
            reader=reader,
        )
    if options.json:
        print(json.dumps(summary_json(summary, language), ensure_ascii=False))
    else:
        for line in summary_lines(summary, settings.knowledge_base, language, verbose=options.verbose):
            print(line)
    return SOMETHING_WRONG if summary.failures else OK


def summary_lines(summary: IngestSummary, name: str, language: Language, *, verbose: bool = False) -> list[str]:
    """Return the summary in words."""
    figures = {
        **report_fields(summary),
        "name": name,
        "failed": len(summary.failures),
        "rate": summary.chunks_per_second,
    }
    keys = ["counts", "published" if summary.published else "unchanged"]
    keys.append("speed" if summary.embedded else "no_embedding")
    if summary.missing:
        keys.append("missing")
    lines = [words(key, language, **figures) for key in keys]
    if summary.unsupported:
        lines.append(words("unsupported", language, kinds=_kinds(summary.unsupported, language)))
        if verbose:
            lines += [f"  {path}" for path in summary.unsupported]
    return lines


def _kinds(paths: Sequence[Path], language: Language) -> str:
    counts = Counter(path.suffix.lower() or words("no_ending", language) for path in paths).most_common()
    shown = [f"{count} {kind}" for kind, count in counts[:_KINDS_SHOWN]]
    return ", ".join([*shown, "..."] if len(counts) > _KINDS_SHOWN else shown)


def summary_json(summary: IngestSummary, language: Language) -> dict[str, object]:
    """Return the summary for ``json.dumps``."""
    return {
        **report_json(summary, language),
        "chunks_per_second": round(summary.chunks_per_second, 2),
        "unsupported": [str(path) for path in summary.unsupported],
    }


if __name__ == "__main__":
    sys.exit(main())
