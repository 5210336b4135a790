"""What ``python -m ingest`` does beside ingesting: tell what is there, what would change, what is wrong; go back."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from ingest.check import CheckReport, check
from ingest.console import ProgressConsole
from ingest.difference import Difference, difference
from ingest.history import history, oldest_restorable, rollback
from ingest.summary import IngestSummary
from ingest.words import words
from rag.schema import Language
from rag.settings import Settings
from rag.storage.store import DocumentRow, GenerationInfo, KnowledgeStore

OK = 0
SOMETHING_WRONG = 1
_SHOWN = 20


def show_documents(settings: Settings, *, as_json: bool) -> int:
    """Print every document of the current generation."""
    store = KnowledgeStore(settings.knowledge_dir)
    try:
        rows = store.documents(store.require_generation())
    finally:
        store.close()
    if as_json:
        print(json.dumps([{**asdict(row), "updated_on": _date(row)} for row in rows], ensure_ascii=False))
    for row in [] if as_json else rows:
        print(f"{row.chunk_count:5}  {row.language}  {_date(row) or '-':10}  {row.document_id}  {row.title}")
    return OK


def show_difference(
    paths: Sequence[Path], settings: Settings, language: Language, *, reread: bool, as_json: bool
) -> int:
    """Print what an ingest of the paths would change; 1 where files cannot be read."""
    with ProgressConsole(language, sys.stderr) as console:
        found = difference(paths, settings, reread=reread, progress=console)
    if as_json:
        print(json.dumps(report_json(found, language), ensure_ascii=False))
    else:
        for line in _difference_lines(found, language):
            print(line)
    return SOMETHING_WRONG if found.failures else OK


def report_fields(report: Difference | IngestSummary) -> dict[str, object]:
    """Return the fields of a report by name."""
    return {field.name: getattr(report, field.name) for field in fields(report)}  # asdict would copy the errors


def report_json(report: Difference | IngestSummary, language: Language) -> dict[str, object]:
    """Return the fields of a report for ``json.dumps``, with its failures in words."""
    failures = [{**failure.details, "message": failure.text(language)} for failure in report.failures]
    return {**report_fields(report), "failures": failures}


def _difference_lines(found: Difference, language: Language) -> list[str]:
    moved = [f"{old} -> {new}" for old, new in found.moved]
    groups = {"+": found.added, "~": found.changed, ">": moved, "-": found.missing}
    lines = []
    for mark, names in groups.items():
        lines += [f"{mark} {name}" for name in names[:_SHOWN]]
        if len(names) > _SHOWN:
            lines.append(f"{mark} " + words("and_more", language, count=len(names) - _SHOWN))
    lines += [f"! {failure.text(language)}" for failure in found.failures]
    counts = {name: len(getattr(found, name)) for name in ("added", "changed", "moved", "missing", "failures")}
    return [*lines, words("difference", language, unchanged=found.unchanged, **counts)]


def show_check(settings: Settings, language: Language, *, as_json: bool) -> tuple[int, CheckReport]:
    """Compare all parts of the current generation and print what does not belong together; 1 where something is."""
    report = check(settings.knowledge_dir)
    if as_json:
        print(json.dumps(asdict(report), ensure_ascii=False))
    else:
        for finding in report.findings:
            print(words(f"wrong_{finding.problem}", language, count=finding.count, example=finding.example))
        key = "check_failed" if report.findings else "check_passed"
        print(words(key, language, generation=report.generation, documents=report.documents, passages=report.chunks))
    return (SOMETHING_WRONG if report.findings else OK), report


def show_history(settings: Settings, language: Language, *, as_json: bool) -> int:
    """Print every generation, the newest first, and whether a rollback can bring it back."""
    generations = history(settings.knowledge_dir)
    oldest = oldest_restorable(generations)
    if as_json:
        rows = [{**_generation_json(info), "restorable": info.generation >= oldest} for info in generations]
        print(json.dumps(rows, ensure_ascii=False))
    for info in [] if as_json else generations:
        mark = "*" if info is generations[0] else " " if info.generation >= oldest else "x"
        print(f"{mark} {_generation_line(info, language)}")
    return OK


def go_back(settings: Settings, target: int | None, language: Language, *, as_json: bool) -> int:
    """Publish an earlier generation again."""
    info = rollback(settings.knowledge_dir, target)
    if as_json:
        print(json.dumps(_generation_json(info)))
    else:
        print(
            words(
                "rolled_back",
                language,
                generation=info.generation,
                restored=info.change.restored,
                documents=info.document_count,
                passages=info.chunk_count,
            )
        )
    return OK


def _generation_json(info: GenerationInfo) -> dict[str, object]:
    return {**asdict(info), "published_at": info.published_at.isoformat()}


def _generation_line(info: GenerationInfo, language: Language) -> str:
    change = info.change
    key = "generation_restored" if change.restored else "generation_ingested"
    return words(
        key,
        language,
        generation=info.generation,
        at=info.published_at.astimezone().strftime("%Y-%m-%d %H:%M"),
        documents=info.document_count,
        passages=info.chunk_count,
        **asdict(change),
    )


def _date(row: DocumentRow) -> str | None:
    return row.updated_on.isoformat() if row.updated_on is not None else None
