"""``python -m ingest``: bring the knowledge base up to date with files."""

from rag.interruption import end_at_interrupt

if __name__ == "__main__":
    end_at_interrupt()  # before the imports, which take seconds

import argparse
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from ingest.commands import (
    OK,
    SOMETHING_WRONG,
    Command,
    confirm_new_details,
    go_back,
    keep_questions,
    record_change,
    set_access,
    show_check,
    show_difference,
    show_documents,
    show_duplicates,
    show_gate,
    show_history,
    summary_json,
    summary_lines,
    warn_of_unsettled_access,
)
from ingest.console import ProgressConsole
from ingest.discovery import places
from ingest.langchain import NamedLoader, ingest_documents, open_loader
from ingest.pipeline import IngestOptions, ingest
from ingest.reader import FileReader
from ingest.summary import IngestSummary
from rag.errors import AnswerdeskError, KnowledgeError, SettingsError, printable
from rag.priority import run_as_batch_work
from rag.private_files import keep_files_private
from rag.protocols import Embedder
from rag.retrieval.embedder import open_embedder
from rag.settings import Settings, checked_settings, load_settings
from rag.storage.sharing import catch_up
from rag.storage.store import KnowledgeStore
from rag.terminal import INTERRUPTED, exit_code_of, fail, terminal_language, warn_root
from rag.translate import translate

SHUT_OUT = 7

_HELP = """examples:
  python -m ingest data/knowledge            read a folder, and what has changed in it the next time
  python -m ingest manuals faq.jsonl         several folders and files
  python -m ingest manuals --prune           also retire the documents whose files are gone
  python -m ingest manuals --reread          read every file, also those that nobody has written to since the last time
  python -m ingest manuals --kb archive      another knowledge base
  python -m ingest --rebuild                 cut, embed and index everything anew, from what the database holds
  python -m ingest --rebuild data/knowledge  the same, reading these files again; mends a damaged database
  python -m ingest manuals --diff            what the next ingest would change
  python -m ingest manuals --workers         let workers of other machines embed, too: python -m ingest.worker --help
  python -m ingest manuals --watch           keep up with a folder until Ctrl-C
  python -m ingest --loader langchain_community.document_loaders:CSVLoader --loader-args '{"file_path": "faq.csv"}'
                                             what any LangChain document loader loads; --collection names it
  python -m ingest --list                    what is in it
  python -m ingest --check                   do rows, postings, vectors and index agree?  --repair mends them
  python -m ingest --confirm                 confirm the addresses that are new: answers mark them no more
  python -m ingest --history                 every generation; --rollback [N] serves an earlier one again
  python -m ingest --questions golden.jsonl  keep these questions: a generation that finds them worse is not published
  python -m ingest --duplicates              which documents say the same, and what stands on page after page
  python -m ingest --gate                    how what is served now does on them
  python -m ingest manuals --force           publish all the same; the history says so
  python -m ingest --kb books --scope finance --audience internal    who may read a knowledge base

Reads Markdown, HTML, text, PDF, Word, PowerPoint, Excel, OpenDocument, CSV, JSON, mail, books, archives and pictures;
in JSON, rows of {"id", "title", "text", "source"} or {"question", "answer"}: see docs/formats.md.  Whatever goes wrong,
the knowledge base that was published before serves on.

exit codes: 0 everything was read, or is sound; 1 published, but some files could not be read, or --check found damage;
  2 wrong options, or a --loader that cannot be imported or built;
  3 nothing was published: nothing readable, another ingest is running, the disk is full, another embedder,
    a loader failed;
  5 the embedder is missing;
  7 built and not published: the regression questions are answered worse (--force publishes all the same);
  130 stopped with Ctrl-C.

ANSWERDESK_DATA_DIR says where the knowledge bases are, ANSWERDESK_CHUNK_TOKENS how large a passage is, and
ANSWERDESK_VISION_MODEL which model describes the documents' pictures, if any."""


def _given_path(text: str) -> Path:
    """Return the path; an empty one, such as a script's variable that is not set, is not the current folder."""
    if not text:
        raise argparse.ArgumentTypeError(
            "this path is empty; the current folder is called .  路径为空；当前文件夹请写作 ."
        )
    return Path(text)


def _parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="python -m ingest",
        description="Make a knowledge base of your documents, or bring it up to date.  导入或更新知识库文档。",
        epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("paths", nargs="*", type=_given_path, metavar="PATH", help="folders and files  文件夹或文件")
    options.add_argument("--prune", action="store_true", help="retire documents whose files are gone  移除已删除的文档")
    options.add_argument("--rebuild", action="store_true", help="make everything anew  全部重建")
    options.add_argument("--reread", action="store_true", help="read unchanged files, too  未改动的文件也重新读取")
    options.add_argument(
        "--follow-links",
        action="store_true",
        help="read links that lead out of the folders, too  同时读取指向文件夹之外的链接",
    )
    options.add_argument(
        "--workers",
        action="store_true",
        help="share the embedding out to workers on any machine, over ANSWERDESK_DATABASE_URL  由其他机器协助",
    )
    options.add_argument("--kb", metavar="NAME", help="which knowledge base (default: default)  知识库名称")
    options.add_argument(
        "--loader",
        metavar="MODULE:CLASS",
        help="ingest what a LangChain document loader loads; it is trusted code and runs in this process, "
        "not in the confined reader of files  用 LangChain 加载器导入（受信任的代码，在本进程内运行）",
    )
    options.add_argument("--loader-args", metavar="JSON", help="its keyword arguments, a JSON object  加载器参数")
    options.add_argument(
        "--collection",
        metavar="NAME",
        help="what --prune compares a loader's documents with (default: its class and arguments)  文档集合名称",
    )
    ask = options.add_mutually_exclusive_group()
    ask.add_argument("--list", action="store_true", help="list the documents  列出文档")
    ask.add_argument("--diff", action="store_true", help="say what would change, write nothing  只比较，不写入")
    ask.add_argument("--watch", action="store_true", help="ingest, and again whenever files change  持续监视并更新")
    ask.add_argument("--check", action="store_true", help="prove that all parts agree  检查一致性")
    ask.add_argument("--repair", action="store_true", help="check, and mend what is damaged  检查并修复")
    ask.add_argument("--confirm", action="store_true", help="confirm new addresses  确认新出现的联系方式")
    ask.add_argument("--history", action="store_true", help="list the generations  列出历史版本")
    ask.add_argument("--duplicates", action="store_true", help="list what is there twice  列出重复内容")
    ask.add_argument("--gate", action="store_true", help="how the regression questions fare  查看回归问题的结果")
    ask.add_argument(
        "--rollback",
        nargs="?",
        type=int,
        const=0,
        metavar="N",
        help="serve generation N again, or the last but one  回退",
    )
    options.add_argument(
        "--questions", type=_given_path, metavar="FILE", help="keep regression questions  登记回归问题"
    )
    options.add_argument("--force", action="store_true", help="publish even if they fare worse  结果变差也发布")
    options.add_argument("--scope", metavar="NAME", help="who may read it; '' for everybody  访问范围")
    options.add_argument("--audience", choices=["public", "internal"], help="whom it is for  受众")
    options.add_argument("--json", action="store_true", help="print JSON  以 JSON 输出")
    options.add_argument("--verbose", action="store_true", help="name every file that is left out  列出跳过的每个文件")
    return options


def _contradiction(options: argparse.Namespace) -> str:
    """Return why options cannot be given together, in both languages; empty where they can."""
    if options.workers and (options.diff or (_action(options) not in (None, _repair))):
        return "--workers helps where passages are embedded  --workers 仅用于需要向量化的操作"
    if options.paths and _action(options) is not None:
        return (
            "a path goes with no option that only looks at the knowledge base, or changes it as a whole  "
            "路径不能与仅查看或整体变更知识库的选项同时使用"
        )
    if options.loader is None:
        if options.loader_args is not None or options.collection is not None:
            return "--loader-args and --collection need --loader  --loader-args 和 --collection 须与 --loader 一起使用"
        return ""
    if options.paths or options.watch or _action(options) is not None:
        return (
            "--loader goes with neither paths nor --watch, nor with what only looks at the knowledge base  "
            "--loader 不能与路径、--watch 或仅查看知识库的选项同时使用"
        )
    return ""


def _needs_no_paths(options: argparse.Namespace) -> bool:
    given = (_action(options), options.loader, options.questions, options.scope, options.audience)
    return options.rebuild or any(value is not None for value in given)


def _action(options: argparse.Namespace) -> Callable[[Command], int] | None:
    """Return the command about the existing knowledge base; None where files are to be ingested."""
    if options.rollback is not None:
        return partial(go_back, target=options.rollback or None)
    return next((action for name, action in _ACTIONS.items() if getattr(options, name)), None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not (options.paths or _needs_no_paths(options)):
        parser.error("name a file or a folder  请指定文件或文件夹")
    if said := _contradiction(options):
        parser.error(said)
    language = terminal_language()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stopped by a service manager, end as at Ctrl-C
    try:
        settings = _settings(options)
        problem = catch_up(settings)
        before = _current_generation(settings)
    except AnswerdeskError as error:
        return fail(error)
    if problem is not None:
        said = translate("ingest.behind", language, reason=problem.text(language))
        print(printable(said), file=sys.stderr)
    try:
        return _run(options, Command(settings, language, options.json))
    except AnswerdeskError as error:
        return fail(error)
    except KeyboardInterrupt:
        now = _current_generation(settings)
        print(translate(_stopped_key(before, now), language, generation=now), file=sys.stderr)
        return INTERRUPTED


def _stopped_key(before: int, now: int) -> str:
    """Return the key of what a stopped ingest left, by the generations that served before it and serve now."""
    if now > before:
        return "ingest.stopped_published"
    return "ingest.stopped" if now else "ingest.stopped_unpublished"


def _current_generation(settings: Settings) -> int:
    """Return the number of the current generation; 0 where it cannot be read."""
    store = KnowledgeStore(settings.knowledge_dir)
    try:
        return store.current_generation()
    except KnowledgeError:  # a rebuild may be about to mend it
        return 0
    finally:
        store.close()


def _run(options: argparse.Namespace, command: Command) -> int:
    if options.questions is not None:
        keep_questions(command, options.questions, before_ingest=bool(options.paths or options.loader))
    code = OK
    if options.scope is not None or options.audience is not None:
        code = set_access(command, options.scope, options.audience)
    if (action := _action(options)) is not None:
        return action(command)
    if not (options.paths or options.rebuild or options.loader):
        return code
    warn_root()  # untrusted files are read from here on
    loader = open_loader(options.loader, options.loader_args or "{}", options.collection) if options.loader else None
    if options.diff:
        return show_difference(command, options.paths, reread=options.reread, loader=loader)
    if options.watch:
        return _watch(options, command)
    places(options.paths)  # a path that is misspelt is reported before the embedder is loaded
    return _ingest(options, command, open_embedder(command.settings), loader=loader)


def _show_gate(command: Command) -> int:
    return show_gate(command, open_embedder(command.settings))


def _repair(command: Command) -> int:
    """Rebuild what is damaged from the documents' texts."""
    if show_check(command) == OK:
        return OK
    with ProgressConsole(command.language, sys.stderr) as console:
        summary = ingest(
            [],
            command.settings,
            open_embedder(command.settings),
            # the texts are those that are served: there is nothing to hold back
            IngestOptions(rebuild=True, keep_vectors=True, force=True),
            progress=console,
        )
    recorded = _record(summary, command)
    said = translate("ingest.repaired", command.language, generation=summary.generation)
    print(said, file=sys.stderr if command.as_json else sys.stdout)
    return OK if recorded else SOMETHING_WRONG


_ACTIONS = {
    "list": show_documents,
    "check": show_check,
    "gate": _show_gate,
    "duplicates": show_duplicates,
    "repair": _repair,
    "confirm": confirm_new_details,
    "history": show_history,
}
"""By the name of the option that asks for it."""


def _settings(options: argparse.Namespace) -> Settings:
    """Return the settings with the changes of the options."""
    settings = load_settings()
    otherwise: dict[str, object] = {"follow_links": True} if options.follow_links else {}
    if options.kb is not None:
        otherwise["knowledge_base"] = options.kb
    if options.workers:
        if settings.embedding_database is None:
            raise SettingsError(reason=f"--workers: {translate('ingest.no_server', terminal_language())}")
        otherwise["ingest_workers"] = True
    return (
        checked_settings({**settings.model_dump(), **otherwise}, {"knowledge_base": "--kb"}) if otherwise else settings
    )


def _ingest(
    options: argparse.Namespace,
    command: Command,
    embedder: Embedder,
    reader: FileReader | None = None,
    loader: NamedLoader | None = None,
) -> int:
    settings, language = command.settings, command.language
    chosen = IngestOptions(prune=options.prune, rebuild=options.rebuild, reread=options.reread, force=options.force)
    with ProgressConsole(language, sys.stderr) as console:
        if loader is None:
            summary = ingest(options.paths, settings, embedder, chosen, progress=console, reader=reader)
        else:
            summary = ingest_documents(
                loader.documents(), settings, embedder, chosen, collection=loader.collection, progress=console
            )
    recorded = _record(summary, command)
    warn_of_unsettled_access(command)
    lines = summary_lines(summary, settings.knowledge_base, language, verbose=options.verbose)
    command.show(summary_json(summary, language), lines)
    if summary.is_held_back:
        return SHUT_OUT
    return SOMETHING_WRONG if summary.failures or not recorded else OK


def _record(summary: IngestSummary, command: Command) -> bool:
    """Record what was published, if anything; return False where that failed."""
    figures = {"generation": summary.generation, "added": summary.added, "changed": summary.changed}
    return not summary.published or record_change(command, "published", **figures)


def _watch(options: argparse.Namespace, command: Command) -> int:
    """Ingest until Ctrl-C.  An error that ends one ingest is printed, and the next change is ingested again."""
    places(options.paths)
    embedder = open_embedder(command.settings)
    said = translate("ingest.watching", command.language, paths=", ".join(map(str, options.paths)))
    print(said, flush=True)
    with FileReader.of(command.settings) as reader:

        def update() -> None:
            try:
                _ingest(options, command, embedder, reader)
            except KnowledgeError as error:
                fail(error)

        watch(options.paths, update, threading.Event())
    return OK


QUIET_SECONDS = 0.5
"""How long nothing may change before an ingest begins: editors and copies write a file in several steps."""

_LONGEST_BURST_SECONDS = 10.0
_LOOK_EVERY_SECONDS = 0.1
_UNIMPORTANT = {"opened", "closed_no_write"}  # reading is no change, and the ingest itself reads


class _Changes(FileSystemEventHandler):
    """Records the times of the first and last change."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._first_at: float | None = None
        self._last_at = 0.0

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in _UNIMPORTANT:
            return
        with self._lock:
            self._last_at = time.monotonic()
            self._first_at = self._first_at or self._last_at

    def take(self) -> bool:
        """Tell whether a burst of changes has ended, and forget it."""
        now = time.monotonic()
        with self._lock:
            if self._first_at is None:
                return False
            if now - self._last_at < QUIET_SECONDS and now - self._first_at < _LONGEST_BURST_SECONDS:
                return False
            self._first_at = None
            return True


def watch(paths: Sequence[Path], update: Callable[[], None], ended: threading.Event) -> None:
    """Call ``update`` once at the start and after every burst of changes under ``paths``, until ``ended`` is set.

    An error of ``update`` ends the watch.  A change during an update starts the next one.
    """
    with _watch_folders(paths) as changes:
        update()
        while not ended.wait(_LOOK_EVERY_SECONDS):
            if changes.take():
                update()


@contextmanager
def _watch_folders(paths: Sequence[Path]) -> Iterator[_Changes]:
    changes = _Changes()
    observer = Observer()
    for folder in {path if path.is_dir() else path.parent for path in paths}:
        observer.schedule(changes, str(folder), recursive=True)
    observer.start()
    try:
        yield changes
    finally:
        observer.stop()
        observer.join()


if __name__ == "__main__":
    keep_files_private()
    sys.exit(run_as_batch_work(lambda: exit_code_of(main)))
