"""What the gate found, in words and for programs."""

from collections.abc import Sequence
from dataclasses import asdict

from ingest.gate_report import FOUND_WITHIN, GateReport, QuestionChange
from rag.schema import Language
from rag.translate import translate

_SHOWN = 20
_QUESTION_SHOWN = 100  # characters


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
