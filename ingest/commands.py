"""``python -m ingest`` besides ingesting: list, compare, check, confirm, roll back; and all its reports in words."""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

from ingest.check import check
from ingest.console import ProgressConsole
from ingest.difference import Difference, difference
from ingest.duplicates import Duplicates, RepeatedLine, find_boilerplate, find_duplicates
from ingest.gate import check_current, count_without_documents, register
from ingest.langchain import NamedLoader, documents_difference
from ingest.lock import publication, writer_lock
from ingest.new_details import confirm_details
from ingest.publish import history, oldest_restorable, rollback
from ingest.summary import FOUND_WITHIN, GateReport, IngestSummary, QuestionChange, undescribed_sentence
from rag.errors import AccessUnsettled, KnowledgeError, SettingsError, WorkerRefused, printable
from rag.people.audit import AuditTrail, Detail, terminal_user
from rag.protocols import Embedder
from rag.retrieval.vector_engine import engine_of
from rag.schema import Audience, Language
from rag.settings import Settings
from rag.storage.access import Access, access_to
from rag.storage.contact_details import NewDetail
from rag.storage.sharing import KnowledgeShare
from rag.storage.store import DocumentRow, GenerationInfo, KnowledgeStore
from rag.storage.writer import KnowledgeWriter
from rag.terminal import print_json
from rag.translate import translate

OK = 0
SOMETHING_WRONG = 1
_SHOWN = 20
_DETAIL_DOCUMENTS_SHOWN = 3
_KINDS_SHOWN = 8
_SCOPE = r"([a-z0-9][a-z0-9_-]{0,63})?"
_LINE_SHOWN = 80  # characters
_QUESTION_SHOWN = 100  # characters


@dataclass(frozen=True, slots=True)
class Command:
    """One run of the command: its settings, the language of its sentences, and whether it prints JSON."""

    settings: Settings
    language: Language
    as_json: bool

    def show(self, value: object, lines: Iterable[str]) -> None:
        """Print a result: ``value`` as JSON, or the lines, whatever the names in them hold."""
        if self.as_json:
            print_json(value)
            return
        for line in lines:
            print(printable(line))


def show_documents(command: Command) -> int:
    """Print every document of the current generation."""
    with KnowledgeStore(command.settings.knowledge_dir) as store:
        rows = store.documents(store.require_generation())
    lines = (
        f"{row.chunk_count:5}  {row.language}  {_date(row) or '-':10}  {row.document_id}  {row.title}" for row in rows
    )
    values = [{**asdict(row), "updated_on": _date(row)} for row in rows]
    command.show(values, [*_restriction(read_access(command.settings), command.language), *lines])
    return OK


def show_difference(command: Command, paths: Sequence[Path], *, reread: bool, loader: NamedLoader | None = None) -> int:
    """Print what an ingest of the paths, or of a loader's documents, would change; 1 where some cannot be read."""
    settings, language = command.settings, command.language
    with ProgressConsole(language, sys.stderr) as console:
        if loader is None:
            found = difference(paths, settings, reread=reread, progress=console)
        else:
            found = documents_difference(loader.documents(), settings, collection=loader.collection, progress=console)
    command.show(_report_json(found, language), _difference_lines(found, language))
    return SOMETHING_WRONG if found.failures else OK


def _fields(report: Difference | IngestSummary) -> dict[str, object]:
    return {field.name: getattr(report, field.name) for field in fields(report)}  # asdict would copy the errors


def _report_json(report: Difference | IngestSummary, language: Language) -> dict[str, object]:
    """Return the fields of a report for ``json.dumps``, with its failures in words."""
    return {
        **_fields(report),
        "failures": [{**failure.details, "message": failure.text(language)} for failure in report.failures],
        "links_out": [str(path) for path in report.links_out],
        "new_details": [asdict(detail) for detail in report.new_details],
    }


def summary_json(summary: IngestSummary, language: Language) -> dict[str, object]:
    """Return a summary for ``json.dumps``."""
    missing = summary.undescribed
    values = {
        **_report_json(summary, language),
        "gate": gate_json(summary.gate),
        "duplicates": duplicates_json(summary.duplicates),
        "undescribed": {"pictures": missing.pictures, "reason": missing.reason.get(language, "")},
        "chunks_per_second": round(summary.chunks_per_second, 2),
        "unsupported": [str(path) for path in summary.unsupported],
        "partly_read": sorted(map(str, summary.partly_read)),
    }
    del values["changes"]  # of a rehearsal, which no command makes
    return values


def summary_lines(summary: IngestSummary, name: str, language: Language, *, verbose: bool = False) -> list[str]:
    """Return what an ingest of the knowledge base ``name`` prints."""
    figures = {
        **_fields(summary),
        "name": name,
        "failed": sum(not failure.is_remark for failure in summary.failures),
        "rate": summary.chunks_per_second,
    }
    keys = ["counts", "published" if summary.published else "not_published" if summary.is_held_back else "unchanged"]
    keys.append("speed" if summary.embedded else "no_embedding")
    if summary.missing:
        keys.append("missing")
    if summary.mended:
        keys.append("mended")
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
    reasons = {name: WorkerRefused(reason=key).reason_text(language) for name, key in summary.refused_workers.items()}
    lines = [translate("ingest.worker_refused", language, name=name, reason=reasons[name]) for name in reasons]
    if summary.workers:
        counts = {"workers": len(summary.workers), "passages": sum(summary.workers.values())}
        lines.insert(0, translate("ingest.by_workers", language, **counts))
    return lines


def _kinds(paths: Sequence[Path], language: Language) -> str:
    counts = Counter(path.suffix.lower() or translate("ingest.no_ending", language) for path in paths).most_common()
    shown = [f"{count} {kind}" for kind, count in counts[:_KINDS_SHOWN]]
    return ", ".join([*shown, "..."] if len(counts) > _KINDS_SHOWN else shown)


def _difference_lines(found: Difference, language: Language) -> list[str]:
    moved = [f"{old} -> {new}" for old, new in found.moved]
    groups = {"+": found.added, "~": found.changed, ">": moved, "-": found.missing}
    lines = []
    for mark, names in groups.items():
        lines += [f"{mark} {name}" for name in names[:_SHOWN]]
        if len(names) > _SHOWN:
            lines.append(f"{mark} " + translate("ingest.and_more", language, count=len(names) - _SHOWN))
    lines += [f"! {failure.text(language)}" for failure in found.failures]
    lines += detail_lines(found.new_details, language)
    counts = {name: len(getattr(found, name)) for name in ("added", "changed", "moved", "missing")}
    counts["failures"] = sum(not failure.is_remark for failure in found.failures)
    lines += links_out_lines(found.links_out, language)
    return [*lines, translate("ingest.difference", language, unchanged=found.unchanged, **counts)]


def links_out_lines(links: Sequence[Path], language: Language, *, verbose: bool = False) -> list[str]:
    """Return a sentence about the links left out, if any; with ``verbose`` all their names."""
    if not links:
        return []
    said = translate("ingest.links_out", language, count=len(links), example=links[0])
    return [said, *(f"  {link}" for link in links)] if verbose else [said]


def _names(document_ids: Sequence[str], language: Language) -> str:
    """Return the first documents, and how many more there are."""
    names = ", ".join(document_ids[:_DETAIL_DOCUMENTS_SHOWN])
    more = len(document_ids) - _DETAIL_DOCUMENTS_SHOWN
    return f"{names} {translate('ingest.and_more', language, count=more)}" if more > 0 else names


def detail_lines(details: Sequence[NewDetail], language: Language) -> list[str]:
    """Return a line for each unconfirmed address, with the first documents that name it."""
    if not details:
        return []
    lines = [
        translate("ingest.new_detail", language, detail=detail.detail, document=_names(detail.document_ids, language))
        for detail in details[:_SHOWN]
    ]
    if len(details) > _SHOWN:
        lines.append("@ " + translate("ingest.and_more", language, count=len(details) - _SHOWN))
    return [*lines, translate("ingest.new_details", language, count=len(details))]


def confirm_new_details(command: Command) -> int:
    """Confirm the addresses of the current generation; 1 where that is not in the record of changes."""
    settings = command.settings
    generation, count = confirm_details(settings.knowledge_dir, terminal_user(), share=KnowledgeShare.of(settings))
    recorded = record_change(command, "confirmed", generation=generation, number=count)
    said = translate("ingest.details_confirmed", command.language, count=count, generation=generation)
    command.show({"generation": generation, "confirmed": count}, [said])
    return OK if recorded else SOMETHING_WRONG


def show_check(command: Command) -> int:
    """Compare all parts of the current generation and print what disagrees; 1 where something does."""
    report = check(command.settings.knowledge_dir, engine=engine_of(command.settings))
    lines = [
        translate(f"ingest.wrong_{finding.problem}", command.language, count=finding.count, example=finding.example)
        for finding in report.findings
    ]
    counts = {"generation": report.generation, "documents": report.documents, "passages": report.chunks}
    key = "ingest.check_failed" if report.findings else "ingest.check_passed"
    command.show(asdict(report), [*lines, translate(key, command.language, **counts)])
    return SOMETHING_WRONG if report.findings else OK


def keep_questions(command: Command, file: Path, *, before_ingest: bool = False) -> None:
    """Register a file of regression questions, and print how many there are.

    ``before_ingest``: their documents may come with the ingest that follows, whose gate names those that do not.
    """
    count, left_out = register(file, command.settings)
    name, language = command.settings.knowledge_base, command.language
    lines = [translate("ingest.questions_kept", language, name=name, count=count)]
    if left_out:
        lines.append(translate("ingest.questions_left_out", language, count=left_out))
    if not before_ingest and (unknown := count_without_documents(command.settings)):
        lines.append(translate("ingest.questions_unknown", language, count=unknown))
    print("\n".join(lines), file=sys.stderr if command.as_json else sys.stdout)


def show_gate(command: Command, embedder: Embedder) -> int:
    """Print how the current generation does on the regression questions."""
    report = check_current(command.settings, embedder)
    command.show(gate_json(report), current_lines(report, command.settings.knowledge_base, command.language))
    return OK


def show_duplicates(command: Command) -> int:
    """Print the duplicates of the current generation, and the lines repeated on many pages."""
    folder = command.settings.knowledge_dir
    found, repeated = find_duplicates(folder), find_boilerplate(folder)
    values = {**duplicates_json(found), "boilerplate": [asdict(line) for line in repeated]}
    command.show(values, duplicate_lines(found, repeated, command.language))
    return OK


def set_access(command: Command, scope: str | None, audience: Audience | None) -> int:
    """Keep who may read the knowledge base, and print it; what is None stays as it is.

    1 where that is not in the record of changes.  Raises ``SettingsError``, and ``AccessUnsettled`` for an audience
    alone where no scope is known.
    """
    if scope is not None and not re.fullmatch(_SCOPE, scope):
        raise SettingsError(reason=f"--scope {scope!r}: a-z, 0-9, - and _")
    settings = command.settings
    now = read_access(settings)
    if scope is None and not now.settled:
        raise AccessUnsettled(name=settings.knowledge_base)
    access = Access(now.scope if scope is None else scope, audience or now.audience)
    folder, share = settings.knowledge_dir, KnowledgeShare.of(settings)
    with writer_lock(folder, share), KnowledgeWriter(folder) as writer, publication(writer, share) as publisher:
        publisher.set_access(access)
    recorded = record_change(command, "setting", scope=access.scope or "*", audience=access.audience)
    print(_access_line(access, command.language), file=sys.stderr)
    return OK if recorded else SOMETHING_WRONG


def read_access(settings: Settings) -> Access:
    """Return who may read the knowledge base."""
    with KnowledgeStore(settings.knowledge_dir) as store:
        return access_to(store)


def warn_of_unsettled_access(command: Command) -> None:
    """Warn on standard error if it is no longer known who may read the knowledge base."""
    if not read_access(command.settings).settled:
        print(AccessUnsettled(name=command.settings.knowledge_base).text(command.language), file=sys.stderr)


def _restriction(access: Access, language: Language) -> list[str]:
    """Return a line that says who may read the knowledge base; none where everybody may."""
    return [_access_line(access, language)] if access != Access() else []


def _access_line(access: Access, language: Language) -> str:
    if not access.settled:
        return translate("ingest.access_unsettled", language)
    audience = translate(f"ingest.audience_{access.audience}", language)
    return translate(
        "ingest.access", language, scope=access.scope or translate("ingest.access_all", language), audience=audience
    )


def show_history(command: Command) -> int:
    """Print every generation, the newest first, and whether a rollback can bring it back."""
    generations = history(command.settings.knowledge_dir)
    oldest = oldest_restorable(generations)
    access = read_access(command.settings)
    values = [
        {**_generation_json(info), "restorable": info.generation >= oldest, **asdict(access)} for info in generations
    ]
    marks = ["*", *(" " if info.generation >= oldest else "x" for info in generations[1:])]
    lines = (
        f"{mark} {_generation_line(info, command.language)}" for mark, info in zip(marks, generations, strict=True)
    )
    command.show(values, [*_restriction(access, command.language), *lines])
    return OK


def go_back(command: Command, target: int | None) -> int:
    """Publish an earlier generation again; 1 where that is not in the record of changes."""
    info = rollback(command.settings.knowledge_dir, target, KnowledgeShare.of(command.settings))
    figures = {"generation": info.generation, "restored": info.change.restored}
    recorded = record_change(command, "rolled_back", **figures)
    counts = {"documents": info.document_count, "passages": info.chunk_count}
    command.show(_generation_json(info), [translate("ingest.rolled_back", command.language, **figures, **counts)])
    return OK if recorded else SOMETHING_WRONG


def _generation_json(info: GenerationInfo) -> dict[str, object]:
    return {**asdict(info), "published_at": info.published_at.isoformat()}


def _generation_line(info: GenerationInfo, language: Language) -> str:
    change = info.change
    line = translate(
        "ingest.generation_restored" if change.restored else "ingest.generation_ingested",
        language,
        generation=info.generation,
        at=info.published_at.astimezone().strftime("%Y-%m-%d %H:%M"),
        documents=info.document_count,
        passages=info.chunk_count,
        **asdict(change),
    )
    if not change.lost:
        return line
    return line + translate("ingest.forced_mark" if change.forced else "ingest.lost_mark", language, lost=change.lost)


def _date(row: DocumentRow) -> str | None:
    return row.updated_on.isoformat() if row.updated_on is not None else None


def record_change(
    command: Command, what: Literal["published", "rolled_back", "setting", "confirmed"], **details: Detail
) -> bool:
    """Record what the user of this terminal did to the knowledge base; print it and return False where that fails."""
    trail = AuditTrail(command.settings.people_database)
    try:
        trail.record(terminal_user(), what, command.settings.knowledge_base, **details)
    except KnowledgeError as error:
        said = translate("ingest.not_recorded", command.language, reason=error.text(command.language))
        print(printable(said), file=sys.stderr)
        return False
    finally:
        trail.close()
    return True


def duplicates_json(found: Duplicates) -> dict[str, object]:
    """Return duplicates for ``json.dumps``."""
    return {"same": [list(group) for group in found.same], "near": [asdict(pair) for pair in found.near]}


def summary_line(found: Duplicates, language: Language) -> list[str]:
    """Return a line about the duplicates among an ingest's documents, if any."""
    if not (found.same or found.near):
        return []
    return [translate("ingest.duplicates_new", language, same=len(found.same), near=len(found.near))]


def duplicate_lines(found: Duplicates, repeated: tuple[RepeatedLine, ...], language: Language) -> list[str]:
    """Return what ``--duplicates`` prints."""
    lines = ["= " + "  ".join(group) for group in found.same[:_SHOWN]]
    lines += [f"~ {pair.similarity:.2f}  {pair.first}  {pair.second}" for pair in found.near[:_SHOWN]]
    lines += [f"# {one.on_pages}/{one.pages}  {one.folder}  {one.text[:_LINE_SHOWN]}" for one in repeated[:_SHOWN]]
    lines.append(
        translate("ingest.duplicates", language, same=len(found.same), near=len(found.near), lines=len(repeated))
    )
    return lines


def gate_json(report: GateReport | None) -> dict[str, object] | None:
    """Return a report for ``json.dumps``: its fields, ``passed``, and recall before and after."""
    if report is None:
        return None
    count = max(report.questions, 1)
    return {
        **asdict(report),
        "passed": report.passed,
        "recall_before": round(report.before / count, 4),
        "recall_after": round(report.after / count, 4),
    }


def gate_lines(report: GateReport, language: Language) -> list[str]:
    """Return the gate's lines after an ingest: the figures, then every question that lost or won its document."""
    figures = {name: getattr(report, name) for name in ("questions", "before", "after", "unknown", "new")}
    key = "gate_passed" if report.passed else "gate_forced" if report.forced else "gate_shut"
    lines = [translate(f"ingest.{key}", language, within=FOUND_WITHIN, margin=100 * report.margin, **figures)]
    lines += _question_lines("-", report.lost, language)
    lines += _question_lines("+", report.won, language)
    if report.retired:
        lines.append(translate("ingest.gate_retired", language, count=len(report.retired)))
        lines += _question_lines("x", report.retired, language)
    return lines + _uncompared_lines(report, language)


def current_lines(report: GateReport, name: str, language: Language) -> list[str]:
    """Return what ``--gate`` prints about the current generation."""
    figures = translate(
        "ingest.gate_current", language, name=name, within=FOUND_WITHIN, questions=report.questions, found=report.after
    )
    return [figures, *_question_lines("-", report.lost, language, alone=True), *_uncompared_lines(report, language)]


def _uncompared_lines(report: GateReport, language: Language) -> list[str]:
    counts = {"gate_unknown": report.unknown, "gate_new": report.new}
    return [translate(f"ingest.{key}", language, count=count) for key, count in counts.items() if count]


def _question_lines(
    mark: str, questions: Sequence[QuestionChange], language: Language, *, alone: bool = False
) -> list[str]:
    """Return a line a question; ``alone`` where only one generation was asked."""
    lines = [
        f"{mark} {_shortened(one.question.splitlines()[-1])}  ({_place_text(one, language, alone=alone)})"
        for one in questions[:_SHOWN]
    ]
    if len(questions) > _SHOWN:
        lines.append(f"{mark} " + translate("ingest.and_more_questions", language, count=len(questions) - _SHOWN))
    return lines


def _shortened(question: str) -> str:
    return question if len(question) <= _QUESTION_SHOWN else f"{question[: _QUESTION_SHOWN - 1]}…"


def _place_text(one: QuestionChange, language: Language, *, alone: bool) -> str:
    named = {"document": " / ".join(one.document_ids), "first": one.first or "-"}
    if one.after is None:
        return translate("ingest.document_not_found" if one.present else "ingest.document_gone", language, **named)
    if alone:
        return translate("ingest.document_stands", language, place=one.after, **named)
    before = one.before or translate("ingest.place_none", language)
    return translate("ingest.document_at", language, before=before, after=one.after, **named)
