"""What ``python -m ingest`` does beside ingesting: tell what is there, what would change, what is wrong; go back."""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Literal

from ingest.boilerplate import RepeatedLine, find_boilerplate
from ingest.check import CheckReport, check
from ingest.console import ProgressConsole
from ingest.difference import Difference, difference
from ingest.duplicates import Duplicates, find_duplicates
from ingest.gate import gate_of_current, register
from ingest.gate_report import FOUND_WITHIN, GateReport, QuestionChange
from ingest.history import history, oldest_restorable, rollback
from ingest.langchain import NamedLoader, documents_difference
from ingest.lock import publication, writer_lock
from ingest.new_details import confirm_details
from ingest.summary import IngestSummary
from rag.errors import AccessUnsettled, KnowledgeError, SettingsError, printable
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
from rag.translate import translate

OK = 0
SOMETHING_WRONG = 1
_SHOWN = 20
_SCOPE = r"([a-z0-9][a-z0-9_-]{0,63})?"
_LINE_SHOWN = 80  # characters
_QUESTION_SHOWN = 100  # characters


def print_json(value: object) -> None:
    """Print JSON in plain letters; all escaped where a file's name holds bytes that are no UTF-8."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(value)
    print(text)


def print_lines(lines: Iterable[str]) -> None:
    """Print one line each, whatever the names in them hold."""
    for line in lines:
        print(printable(line))


def show_documents(settings: Settings, language: Language, *, as_json: bool) -> int:
    """Print every document of the current generation."""
    with KnowledgeStore(settings.knowledge_dir) as store:
        rows = store.documents(store.require_generation())
    access = read_access(settings)
    if as_json:
        print_json([{**asdict(row), "updated_on": _date(row)} for row in rows])
    elif access != Access():
        print(_access_line(access, language))
    for row in [] if as_json else rows:
        print(printable(f"{row.chunk_count:5}  {row.language}  {_date(row) or '-':10}  {row.document_id}  {row.title}"))
    return OK


def show_difference(
    paths: Sequence[Path],
    settings: Settings,
    language: Language,
    *,
    reread: bool,
    as_json: bool,
    loader: NamedLoader | None = None,
) -> int:
    """Print what an ingest of the paths, or of a loader's documents, would change; 1 where some cannot be read."""
    with ProgressConsole(language, sys.stderr) as console:
        if loader is None:
            found = difference(paths, settings, reread=reread, progress=console)
        else:
            found = documents_difference(loader.documents(), settings, collection=loader.collection, progress=console)
    if as_json:
        print_json(report_json(found, language))
    else:
        print_lines(_difference_lines(found, language))
    return SOMETHING_WRONG if found.failures else OK


def report_fields(report: Difference | IngestSummary) -> dict[str, object]:
    """Return the fields of a report by name."""
    return {field.name: getattr(report, field.name) for field in fields(report)}  # asdict would copy the errors


def report_json(report: Difference | IngestSummary, language: Language) -> dict[str, object]:
    """Return the fields of a report for ``json.dumps``, with its failures in words."""
    failures = [{**failure.details, "message": failure.text(language)} for failure in report.failures]
    values = {
        **report_fields(report),
        "failures": failures,
        "links_out": [str(path) for path in report.links_out],
        "new_details": [asdict(detail) for detail in report.new_details],
    }
    if isinstance(report, Difference):
        return values
    del values["changes"]  # of a rehearsal, which no command makes
    missing = report.undescribed
    undescribed = {"pictures": missing.pictures, "reason": missing.reason.get(language, "")}
    return {
        **values,
        "gate": gate_json(report.gate),
        "duplicates": duplicates_json(report.duplicates),
        "undescribed": undescribed,
    }


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
    counts = {name: len(getattr(found, name)) for name in ("added", "changed", "moved", "missing", "failures")}
    lines += links_out_lines(found.links_out, language)
    return [*lines, translate("ingest.difference", language, unchanged=found.unchanged, **counts)]


def links_out_lines(links: Sequence[Path], language: Language, *, verbose: bool = False) -> list[str]:
    """Return one sentence for the links that were left out, if there are any; with ``verbose`` all their names."""
    if not links:
        return []
    said = translate("ingest.links_out", language, count=len(links), example=links[0])
    return [said, *(f"  {link}" for link in links)] if verbose else [said]


def detail_lines(details: Sequence[NewDetail], language: Language) -> list[str]:
    """Return a line for each address that nobody has confirmed, and a document that names it; none without such."""
    if not details:
        return []
    lines = [
        translate("ingest.new_detail", language, detail=detail.detail, document=detail.document_ids[0])
        for detail in details[:_SHOWN]
    ]
    if len(details) > _SHOWN:
        lines.append("@ " + translate("ingest.and_more", language, count=len(details) - _SHOWN))
    return [*lines, translate("ingest.new_details", language, count=len(details))]


def confirm_new_details(settings: Settings, language: Language, *, as_json: bool) -> int:
    """Confirm the addresses of the current generation; 1 where that is not in the record of changes."""
    generation, count = confirm_details(settings.knowledge_dir, terminal_user(), share=KnowledgeShare.of(settings))
    recorded = record_change("confirmed", settings, language, generation=generation, number=count)
    if as_json:
        print_json({"generation": generation, "confirmed": count})
    else:
        print(translate("ingest.details_confirmed", language, count=count, generation=generation))
    return OK if recorded else SOMETHING_WRONG


def show_check(settings: Settings, language: Language, *, as_json: bool) -> tuple[int, CheckReport]:
    """Compare all parts of the current generation and print what does not belong together; 1 where something is."""
    report = check(settings.knowledge_dir, engine=engine_of(settings))
    if as_json:
        print_json(asdict(report))
    else:
        for finding in report.findings:
            line = translate(f"ingest.wrong_{finding.problem}", language, count=finding.count, example=finding.example)
            print(printable(line))
        key = "check_failed" if report.findings else "check_passed"
        print(
            translate(
                f"ingest.{key}",
                language,
                generation=report.generation,
                documents=report.documents,
                passages=report.chunks,
            )
        )
    return (SOMETHING_WRONG if report.findings else OK), report


def keep_questions(file: Path, settings: Settings, language: Language, *, as_json: bool) -> int:
    """Register a file of regression questions, and say how many there are."""
    count, left_out = register(file, settings)
    out = sys.stderr if as_json else sys.stdout
    print(translate("ingest.questions_kept", language, name=settings.knowledge_base, count=count), file=out)
    if left_out:
        print(translate("ingest.questions_left_out", language, count=left_out), file=out)
    return OK


def show_gate(settings: Settings, embedder: Embedder, language: Language, *, as_json: bool) -> int:
    """Print how the current generation does on the regression questions."""
    report = gate_of_current(settings, embedder)
    if as_json:
        print_json(gate_json(report))
    else:
        print_lines(current_lines(report, settings.knowledge_base, language))
    return OK


def show_duplicates(settings: Settings, language: Language, *, as_json: bool) -> int:
    """Print which documents of the current generation say the same, and which lines stand on many pages."""
    found, repeated = find_duplicates(settings.knowledge_dir), find_boilerplate(settings.knowledge_dir)
    if as_json:
        print_json({**duplicates_json(found), "boilerplate": boilerplate_json(repeated)})
    else:
        print_lines(duplicate_lines(found, repeated, language))
    return OK


def set_access(scope: str | None, audience: Audience | None, settings: Settings, language: Language) -> int:
    """Keep who may read the knowledge base, and say it; what is None stays as it is.

    1 where that is not in the record of changes.  Raises ``SettingsError``, and ``AccessUnsettled`` for an audience
    alone where no scope is known.
    """
    if scope is not None and not re.fullmatch(_SCOPE, scope):
        raise SettingsError(reason=f"--scope {scope!r}: a-z, 0-9, - and _")
    now = read_access(settings)
    if scope is None and not now.settled:
        raise AccessUnsettled(name=settings.knowledge_base)
    access = Access(now.scope if scope is None else scope, audience or now.audience)
    folder, share = settings.knowledge_dir, KnowledgeShare.of(settings)
    with writer_lock(folder, share), KnowledgeWriter(folder) as writer, publication(writer, share) as publisher:
        publisher.set_access(access)
    recorded = record_change("setting", settings, language, scope=access.scope or "*", audience=access.audience)
    print(_access_line(access, language), file=sys.stderr)
    return OK if recorded else SOMETHING_WRONG


def read_access(settings: Settings) -> Access:
    """Return who may read the knowledge base."""
    with KnowledgeStore(settings.knowledge_dir) as store:
        return access_to(store)


def tell_unsettled_access(settings: Settings, language: Language) -> None:
    """Say on standard error where nobody knows any more who may read the knowledge base."""
    if not read_access(settings).settled:
        print(AccessUnsettled(name=settings.knowledge_base).text(language), file=sys.stderr)


def _access_line(access: Access, language: Language) -> str:
    if not access.settled:
        return translate("ingest.access_unsettled", language)
    audience = translate(f"ingest.audience_{access.audience}", language)
    return translate(
        "ingest.access", language, scope=access.scope or translate("ingest.access_all", language), audience=audience
    )


def show_history(settings: Settings, language: Language, *, as_json: bool) -> int:
    """Print every generation, the newest first, and whether a rollback can bring it back."""
    generations = history(settings.knowledge_dir)
    oldest = oldest_restorable(generations)
    access = read_access(settings)
    if as_json:
        rows = [
            {**_generation_json(info), "restorable": info.generation >= oldest, **asdict(access)}
            for info in generations
        ]
        print_json(rows)
    elif access != Access():
        print(_access_line(access, language))
    for info in [] if as_json else generations:
        mark = "*" if info is generations[0] else " " if info.generation >= oldest else "x"
        print(f"{mark} {_generation_line(info, language)}")
    return OK


def go_back(settings: Settings, target: int | None, language: Language, *, as_json: bool) -> int:
    """Publish an earlier generation again; 1 where that is not in the record of changes."""
    info = rollback(settings.knowledge_dir, target, KnowledgeShare.of(settings))
    figures = {"generation": info.generation, "restored": info.change.restored}
    recorded = record_change("rolled_back", settings, language, **figures)
    if as_json:
        print_json(_generation_json(info))
    else:
        print(
            translate(
                "ingest.rolled_back",
                language,
                generation=info.generation,
                restored=info.change.restored,
                documents=info.document_count,
                passages=info.chunk_count,
            )
        )
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
    what: Literal["published", "rolled_back", "setting", "confirmed"],
    settings: Settings,
    language: Language,
    **details: Detail,
) -> bool:
    """Take down what the user of this terminal did to the knowledge base; say it and return False where that fails."""
    trail = AuditTrail(settings.people_database)
    try:
        trail.record(terminal_user(), what, settings.knowledge_base, **details)
    except KnowledgeError as error:
        print(printable(translate("ingest.not_recorded", language, reason=error.text(language))), file=sys.stderr)
        return False
    finally:
        trail.close()
    return True


def duplicates_json(found: Duplicates) -> dict[str, object]:
    """Return duplicates for ``json.dumps``."""
    return {"same": [list(group) for group in found.same], "near": [asdict(pair) for pair in found.near]}


def boilerplate_json(found: tuple[RepeatedLine, ...]) -> list[dict[str, object]]:
    """Return repeated lines for ``json.dumps``."""
    return [asdict(one) for one in found]


def summary_line(found: Duplicates, language: Language) -> list[str]:
    """Return what an ingest says of the duplicates among its documents: a line, or none."""
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
    """Return what to print after an ingest: the figures, then every question that lost or won its document."""
    figures = {name: getattr(report, name) for name in ("questions", "before", "after", "unknown", "new")}
    key = "gate_passed" if report.passed else "gate_forced" if report.forced else "gate_shut"
    lines = [translate(f"ingest.{key}", language, within=FOUND_WITHIN, margin=100 * report.margin, **figures)]
    lines += _question_lines("-", report.lost, language)
    lines += _question_lines("+", report.won, language)
    if report.retired:
        lines.append(translate("ingest.gate_retired", language, count=len(report.retired)))
        lines += _question_lines("x", report.retired, language)
    return lines + _apart(report, language)


def current_lines(report: GateReport, name: str, language: Language) -> list[str]:
    """Return what ``--gate`` prints about the current generation."""
    figures = translate(
        "ingest.gate_current", language, name=name, within=FOUND_WITHIN, questions=report.questions, found=report.after
    )
    return [figures, *_question_lines("-", report.lost, language, alone=True), *_apart(report, language)]


def _apart(report: GateReport, language: Language) -> list[str]:
    counts = {"gate_unknown": report.unknown, "gate_new": report.new}
    return [translate(f"ingest.{key}", language, count=count) for key, count in counts.items() if count]


def _question_lines(
    mark: str, questions: Sequence[QuestionChange], language: Language, *, alone: bool = False
) -> list[str]:
    """Return a line a question; ``alone`` where only one generation was asked."""
    lines = [
        f"{mark} {_shortened(one.question.splitlines()[-1])}  ({_where(one, language, alone=alone)})"
        for one in questions[:_SHOWN]
    ]
    if len(questions) > _SHOWN:
        lines.append(f"{mark} " + translate("ingest.and_more_questions", language, count=len(questions) - _SHOWN))
    return lines


def _shortened(question: str) -> str:
    return question if len(question) <= _QUESTION_SHOWN else f"{question[: _QUESTION_SHOWN - 1]}…"


def _where(one: QuestionChange, language: Language, *, alone: bool) -> str:
    named = {"document": " / ".join(one.document_ids), "first": one.first or "-"}
    if one.after is None:
        return translate("ingest.document_not_found" if one.present else "ingest.document_gone", language, **named)
    if alone:
        return translate("ingest.document_stands", language, place=one.after, **named)
    before = one.before or translate("ingest.place_none", language)
    return translate("ingest.document_at", language, before=before, after=one.after, **named)
