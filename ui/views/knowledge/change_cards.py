"""What differs between two states of the knowledge base, and what the gate says of it, as cards.  Pure."""

from collections.abc import Sequence
from pathlib import Path

from ingest.changes import LINES_LISTED, Changes, DocumentChange
from ingest.duplicates import Duplicates
from ingest.summary import FOUND_WITHIN, GateReport, QuestionChange
from rag.errors import AnswerdeskError, DocumentUnreadable
from rag.schema import Language
from rag.storage.contact_details import NewDetail
from rag.storage.store import GenerationChange
from rag.text.characters import has_ideographs
from rag.translate import translate
from ui.components.plain_table import lang_of
from ui.components.text_cards import Card, Note, TextLine

_TONES = {"added": "good", "changed": "", "moved": "", "retired": "bad"}
_DUPLICATES_TOLD = 10
_QUESTIONS_TOLD = 20
_DETAILS_TOLD = 50
_DETAIL_DOCUMENTS_TOLD = 3


def counted(changes: Changes | GenerationChange, language: Language) -> list[str]:
    """Return how many articles came, changed, moved and went; none of what did not happen."""
    moved = changes.moved if isinstance(changes, Changes) else 0
    counts = {
        "kb_added": changes.added,
        "kb_changed": changes.changed,
        "kb_moved": moved,
        "kb_retired": changes.retired,
    }
    return [translate(f"ui.{key}", language, count=count) for key, count in counts.items() if count]


def change_cards(changes: Changes, language: Language) -> list[Card]:
    """Return a card an article."""
    cards = [_change_card(change, language) for change in changes.documents]
    left = changes.added + changes.changed + changes.moved + changes.retired - len(cards)
    return [*cards, Card(translate("ui.kb_more_changes", language, count=left))] if left > 0 else cards


def _change_card(change: DocumentChange, language: Language) -> Card:
    passages = translate("ui.kb_passages_from_to", language, before=change.passages_before, after=change.passages_after)
    notes = [Note(change.document_id, name=True), Note(passages)]
    if change.former_id:
        notes.append(Note(translate("ui.kb_moved_from", language, name=change.former_id)))
    lines = [TextLine(line.text, line.sign) for line in change.lines]
    if change.lines:
        notes.append(Note(translate("ui.kb_lines", language, came=change.lines_came, gone=change.lines_gone)))
        left = change.lines_came + change.lines_gone - LINES_LISTED
        if left > 0:
            lines.append(TextLine(translate("ui.kb_more_lines", language, count=left), quiet=True))
    elif change.kind == "changed":
        lines.append(TextLine(translate("ui.kb_details_changed", language), quiet=True))
    return Card(
        title=change.title or change.document_id,
        lang=lang_of(change.language),
        mark=translate(f"ui.kb_fate_{change.kind}", language),
        tone=_TONES[change.kind],
        notes=tuple(notes),
        lines=tuple(lines),
        open=change.kind == "changed",
    )


def gate_sentence(gate: GateReport | None, language: Language) -> str:
    """Return the gate's verdict."""
    if gate is None:
        return translate("ui.kb_gate_none", language)
    key = "kb_gate_passed" if gate.passed else "kb_gate_shut"
    return translate(
        f"ui.{key}", language, after=gate.after, before=gate.before, questions=gate.questions, within=FOUND_WITHIN
    )


def question_cards(gate: GateReport, language: Language) -> list[Card]:
    """Return a card for every question that lost or won its article."""
    lost = [_question_card(one, "kb_question_lost", "bad", language) for one in gate.lost]
    won = [_question_card(one, "kb_question_won", "good", language) for one in gate.won]
    return [*lost[:_QUESTIONS_TOLD], *won[:_QUESTIONS_TOLD]]


def _question_card(one: QuestionChange, key: str, tone: str, language: Language) -> Card:
    nowhere = translate("ui.kb_place_none", language)
    places = translate(
        "ui.kb_question_places",
        language,
        document=" / ".join(one.document_ids),
        before=one.before or nowhere,
        after=one.after or nowhere,
        first=one.first or "–",
    )
    question = one.question.splitlines()[-1] if one.question else ""
    is_chinese = has_ideographs(question)
    return Card(
        title=question,
        lang=lang_of("zh" if is_chinese else "en"),
        mark=translate(f"ui.{key}", language),
        tone=tone,
        notes=(Note(places, name=True),),
    )


def refused_cards(troubles: tuple[AnswerdeskError, ...], language: Language) -> list[Card]:
    """Return a card for every file that could not be read, with the reason; its folder is nobody's business."""
    cards = []
    for trouble in troubles:
        if not isinstance(trouble, DocumentUnreadable):
            continue
        name = Path(str(trouble.details["path"])).name
        reason = trouble.reason_text(language)
        where = str(trouble.details.get("where") or "")
        shown = translate("ui.kb_refused_file", language, name=where, reason=reason) if where else reason
        cards.append(Card(name, mark="!", tone="warning", lang="", notes=(Note(shown),)))
    return cards


def detail_cards(details: Sequence[NewDetail], language: Language) -> list[Card]:
    """Return a card for each address that nobody has confirmed, with the articles that name it."""
    cards = []
    for detail in details[:_DETAILS_TOLD]:
        kind, _, shown = detail.detail.partition(" ")
        names = tuple(Note(name, name=True) for name in detail.document_ids[:_DETAIL_DOCUMENTS_TOLD])
        mark = translate(f"ui.kb_detail_{kind}", language)
        cards.append(Card(shown, mark=mark, tone="warning", notes=names))
    left = len(details) - len(cards)
    return [*cards, Card(translate("ui.kb_more_details", language, count=left))] if left > 0 else cards


def duplicate_lines(duplicates: Duplicates, language: Language) -> list[str]:
    """Return a sentence for each group of articles that say the same, or nearly."""
    comma = translate("ui.list_comma", language)
    same = [translate("ui.kb_same", language, names=comma.join(names)) for names in duplicates.same]
    near = [
        translate(
            "ui.kb_near", language, percent=round(100 * pair.similarity), names=comma.join((pair.first, pair.second))
        )
        for pair in duplicates.near
    ]
    return [*same[:_DUPLICATES_TOLD], *near[:_DUPLICATES_TOLD]]
