"""``python -m ingest``: bring the knowledge base up to date with files."""

import argparse
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
    confirm_new_details,
    detail_lines,
    gate_lines,
    go_back,
    keep_questions,
    links_out_lines,
    print_json,
    print_lines,
    record_change,
    report_fields,
    report_json,
    set_access,
    show_check,
    show_difference,
    show_documents,
    show_duplicates,
    show_gate,
    show_history,
    summary_line,
    tell_unsettled_access,
)
from ingest.console import ProgressConsole
from ingest.discovery import places
from ingest.langchain import NamedLoader, ingest_documents, open_loader
from ingest.options import asks, contradiction, needs_no_paths
from ingest.options import parser as make_parser
from ingest.pipeline import IngestOptions, ingest
from ingest.reader import FileReader
from ingest.summary import IngestSummary, undescribed_sentence
from ingest.watch import watch
from rag.errors import AnswerdeskError, KnowledgeError, SettingsError, WorkerRefused, printable
from rag.priority import run_as_batch_work
from rag.private_files import keep_files_private
from rag.protocols import Embedder
from rag.retrieval.embedder import open_embedder
from rag.schema import Language
from rag.settings import Settings, load_settings
from rag.storage.sharing import catch_up
from rag.storage.store import KnowledgeStore
from rag.terminal import exit_code_of, fail, terminal_language, warn_root
from rag.translate import translate

SHUT_OUT = 7
STOPPED = 130
_KINDS_SHOWN = 8


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if not (options.paths or options.rebuild or needs_no_paths(options)):
        parser.error("name a file or a folder  请指定文件或文件夹")
    if said := contradiction(options):
        parser.error(said)
    language = terminal_language()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stopped by a service manager, end as at Ctrl-C
    try:
        settings = _settings(options)
        problem = catch_up(settings)
        before = _current(settings)
    except AnswerdeskError as error:
        return fail(error)
    if problem is not None:
        said = translate("ingest.behind", language, reason=problem.text(language))
        print(printable(said), file=sys.stderr)
    try:
        return _run(options, settings, language)
    except AnswerdeskError as error:
        return fail(error)
    except KeyboardInterrupt:
        now = _current(settings)
        print(
            translate("ingest.stopped_published" if now > before else "ingest.stopped", language, generation=now),
            file=sys.stderr,
        )
        return STOPPED


def _current(settings: Settings) -> int:
    """Return the number of what is served; 0 where that cannot be told."""
    store = KnowledgeStore(settings.knowledge_dir)
    try:
        return store.current_generation()
    except KnowledgeError:  # a rebuild may be about to mend it
        return 0
    finally:
        store.close()


def _run(options: argparse.Namespace, settings: Settings, language: Language) -> int:
    if options.questions is not None:
        keep_questions(options.questions, settings, language, as_json=options.json)
    code = OK
    if options.scope is not None or options.audience is not None:
        code = set_access(options.scope, options.audience, settings, language)
    if asks(options):
        return _tell(options, settings, language)
    if not (options.paths or options.rebuild or options.loader):
        return code
    warn_root()  # files of strangers are read from here on
    loader = open_loader(options.loader, options.loader_args or "{}", options.collection) if options.loader else None
    if options.diff:
        return show_difference(
            options.paths, settings, language, reread=options.reread, as_json=options.json, loader=loader
        )
    if options.watch:
        return _watch(options, settings, language)
    places(options.paths)  # a path that is misspelt is told before the embedder is loaded
    return _ingest(options, settings, open_embedder(settings), language, loader=loader)


def _tell(options: argparse.Namespace, settings: Settings, language: Language) -> int:
    """Say something of what is there already, mend it, or go back."""
    if options.list:
        return show_documents(settings, language, as_json=options.json)
    if options.check:
        return show_check(settings, language, as_json=options.json)[0]
    if options.gate:
        return show_gate(settings, open_embedder(settings), language, as_json=options.json)
    if options.duplicates:
        return show_duplicates(settings, language, as_json=options.json)
    if options.repair:
        return _repair(settings, language, as_json=options.json)
    if options.confirm:
        return confirm_new_details(settings, language, as_json=options.json)
    if options.history:
        return show_history(settings, language, as_json=options.json)
    return go_back(settings, options.rollback or None, language, as_json=options.json)


def _watch(options: argparse.Namespace, settings: Settings, language: Language) -> int:
    """Ingest until Ctrl-C.  What ends a single ingest is said here, and tried again after the next change."""
    places(options.paths)
    embedder = open_embedder(settings)
    print(translate("ingest.watching", language, paths=", ".join(map(str, options.paths))), flush=True)
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
        summary = ingest(
            [],
            settings,
            open_embedder(settings),
            # the texts are those that are served: there is nothing to hold back
            IngestOptions(rebuild=True, keep_vectors=True, force=True),
            progress=console,
        )
    recorded = _record(summary, settings, language)
    print(
        translate("ingest.repaired", language, generation=summary.generation),
        file=sys.stderr if as_json else sys.stdout,
    )
    return OK if recorded else SOMETHING_WRONG


def _settings(options: argparse.Namespace) -> Settings:
    """Return the settings with what the options say otherwise."""
    settings = load_settings()
    otherwise: dict[str, object] = {"follow_links": True} if options.follow_links else {}
    if options.kb is not None:
        otherwise["knowledge_base"] = options.kb
    if options.workers:
        if settings.embedding_database is None:
            raise SettingsError(reason=f"--workers: {translate('ingest.no_server', terminal_language())}")
        otherwise["ingest_workers"] = True
    if not otherwise:
        return settings
    try:
        return Settings.model_validate({**settings.model_dump(), **otherwise})
    except ValidationError as error:
        raise SettingsError(reason=f"--kb {options.kb}: {error.errors()[0]['msg']}") from error


def _ingest(
    options: argparse.Namespace,
    settings: Settings,
    embedder: Embedder,
    language: Language,
    reader: FileReader | None = None,
    loader: NamedLoader | None = None,
) -> int:
    chosen = IngestOptions(prune=options.prune, rebuild=options.rebuild, reread=options.reread, force=options.force)
    with ProgressConsole(language, sys.stderr) as console:
        if loader is None:
            summary = ingest(options.paths, settings, embedder, chosen, progress=console, reader=reader)
        else:
            summary = ingest_documents(
                loader.documents(), settings, embedder, chosen, collection=loader.collection, progress=console
            )
    recorded = _record(summary, settings, language)
    tell_unsettled_access(settings, language)
    if options.json:
        print_json(summary_json(summary, language))
    else:
        print_lines(summary_lines(summary, settings.knowledge_base, language, verbose=options.verbose))
    if summary.shut_out:
        return SHUT_OUT
    return SOMETHING_WRONG if summary.failures or not recorded else OK


def _record(summary: IngestSummary, settings: Settings, language: Language) -> bool:
    """Take down what was published, if anything; return False where that could not be done."""
    figures = {"generation": summary.generation, "added": summary.added, "changed": summary.changed}
    return not summary.published or record_change("published", settings, language, **figures)


def summary_lines(summary: IngestSummary, name: str, language: Language, *, verbose: bool = False) -> list[str]:
    """Return the summary in words."""
    figures = {
        **report_fields(summary),
        "name": name,
        "failed": len(summary.failures),
        "rate": summary.chunks_per_second,
    }
    keys = ["counts", "published" if summary.published else "not_published" if summary.shut_out else "unchanged"]
    keys.append("speed" if summary.embedded else "no_embedding")
    if summary.missing:
        keys.append("missing")
    lines = [translate(f"ingest.{key}", language, **figures) for key in keys]
    lines += _worker_lines(summary, language)
    if summary.gate is not None:
        lines += gate_lines(summary.gate, language)
    lines += summary_line(summary.duplicates, language)
    lines += links_out_lines(summary.links_out, language, verbose=verbose)
    lines += detail_lines(summary.new_details, language)
    if summary.undescribed.pictures:
        lines.append(undescribed_sentence(summary.undescribed, language))
    if summary.unsupported:
        lines.append(translate("ingest.unsupported", language, kinds=_kinds(summary.unsupported, language)))
        if verbose:
            lines += [f"  {path}" for path in summary.unsupported]
    return lines


def _worker_lines(summary: IngestSummary, language: Language) -> list[str]:
    """Return how many passages workers embedded, and which were refused."""
    lines = [
        translate(
            "ingest.worker_refused", language, name=name, reason=WorkerRefused(reason=reason).reason_text(language)
        )
        for name, reason in summary.refused_workers.items()
    ]
    if summary.workers:
        counts = {"workers": len(summary.workers), "passages": sum(summary.workers.values())}
        lines.insert(0, translate("ingest.by_workers", language, **counts))
    return lines


def _kinds(paths: Sequence[Path], language: Language) -> str:
    counts = Counter(path.suffix.lower() or translate("ingest.no_ending", language) for path in paths).most_common()
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
    keep_files_private()
    sys.exit(run_as_batch_work(lambda: exit_code_of(main)))
