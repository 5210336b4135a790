"""A check, a publication or a rollback: while it runs, its result as cards, and the button that publishes."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from api.services.jobs import Job
from api.services.knowledge import CheckResult, KnowledgeService
from ingest.changes import LINES_LISTED, Changes, DocumentChange
from ingest.duplicates import Duplicates
from ingest.summary import (
    FOUND_WITHIN,
    GateReport,
    IngestProgress,
    IngestSummary,
    QuestionChange,
    undescribed_sentence,
    workers_sentence,
)
from rag.errors import AnswerdeskError, DocumentUnreadable
from rag.schema import Language
from rag.storage.contact_details import NewDetail
from rag.storage.store import GenerationChange, GenerationInfo
from rag.text.characters import has_ideographs
from rag.translate import translate
from ui.components.content import Card, Note, TextLine, draw_cards, draw_heading, lang_of
from ui.components.job_view import attempt, draw_button, draw_failure, draw_job_progress, draw_running
from ui.formats import as_markdown, markdown_word
from ui.session import PageContext

_TONES = {"added": "good", "changed": "", "moved": "", "retired": "bad"}
_DUPLICATES_TOLD = 10
_QUESTIONS_TOLD = 20
_DETAILS_TOLD = 50
_DETAIL_DOCUMENTS_TOLD = 3


def change_counts(changes: Changes | GenerationChange, language: Language) -> list[str]:
    """Return the non-zero counts of added, changed, moved and retired articles."""
    moved = changes.moved if isinstance(changes, Changes) else 0
    counts = {
        "kb_added": changes.added,
        "kb_changed": changes.changed,
        "kb_moved": moved,
        "kb_retired": changes.retired,
    }
    return [translate(f"ui.{key}", language, count=count) for key, count in counts.items() if count]


def draw_change_counts(changes: Changes, language: Language) -> None:
    """Draw ``change_counts`` as badges."""
    with st.container(key="kb_counts", horizontal=True):
        for text in change_counts(changes, language):
            st.badge(as_markdown(text), color="blue")


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
    """Return a card for every question that lost or won its article, or whose article is removed."""
    groups = (
        (gate.lost, "kb_question_lost", "bad"),
        (gate.retired, "kb_question_retired", "warning"),
        (gate.won, "kb_question_won", "good"),
    )
    return [_question_card(one, key, tone, language) for group, key, tone in groups for one in group[:_QUESTIONS_TOLD]]


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


def refused_cards(troubles: Sequence[AnswerdeskError], language: Language) -> list[Card]:
    """Return a card for everything that could not be read or is unclear, with the reason; without the file's folder."""
    cards = []
    for trouble in troubles:
        if not isinstance(trouble, DocumentUnreadable):
            continue
        name = Path(str(trouble.details["path"])).name
        reason = trouble.reason_text(language)
        where = trouble.place_text(language)
        shown = translate("ui.kb_refused_file", language, name=where, reason=reason) if where else reason
        cards.append(Card(name, mark="!", tone="warning", lang="", notes=(Note(shown),)))
    return cards


def detail_cards(details: Sequence[NewDetail], language: Language) -> list[Card]:
    """Return a card for each address that nobody has confirmed, with the articles that name it."""
    cards = []
    for detail in details[:_DETAILS_TOLD]:
        kind, _, shown = detail.detail.partition(" ")
        names = tuple(Note(name, name=True) for name in detail.document_ids[:_DETAIL_DOCUMENTS_TOLD])
        more = len(detail.document_ids) - len(names)
        names += (Note(translate("ui.kb_more_changes", language, count=more)),) if more else ()
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


def draw_outcome(context: PageContext, knowledge: KnowledgeService, job: Job | None) -> None:
    """Draw the last job's result, or how to get one; a publication is no news once another generation serves."""
    language = context.language
    if job is None or has_been_replaced(knowledge, job):
        draw_heading("ui.kb_result", language)
        st.caption(translate("ui.kb_result_none", language))
        return
    if job.state != "done":
        draw_ended(job, language)
    elif isinstance(job.result, CheckResult):
        _draw_checked(context, knowledge, job, job.result)
    elif isinstance(job.result, IngestSummary):
        _draw_published(job.result, language)
    elif isinstance(job.result, GenerationInfo):
        draw_restored(job.result, language)
    if job.state == "done" and isinstance(job.result, CheckResult):
        return
    draw_close(knowledge, language)


def has_been_replaced(knowledge: KnowledgeService, job: Job) -> bool:
    """Tell whether a job published a generation that no longer serves: by a later publication, here or elsewhere."""
    result = job.result
    if isinstance(result, GenerationInfo) or (isinstance(result, IngestSummary) and not result.is_held_back):
        return not knowledge.is_serving(result.generation)
    return False


def draw_close(knowledge: KnowledgeService, language: Language) -> None:
    """Draw the button that dismisses a job's result."""
    if knowledge.may("lead"):
        st.button(translate("ui.kb_close", language), key="kb_close", on_click=knowledge.forget_job)


def draw_work(context: PageContext, knowledge: KnowledgeService, job: Job) -> None:
    """Draw a job while it runs."""
    draw_heading(f"ui.kb_job_{job.kind}", context.language)
    draw_running(context, job, knowledge.job, lambda now: _draw_progress(now, context.language))
    if knowledge.may("lead") and job.kind != "rollback":
        st.button(translate("ui.stop", context.language), key="kb_stop", on_click=knowledge.stop)


def _draw_progress(job: Job, language: Language) -> None:
    draw_job_progress(progress_words, language, job)
    _draw_troubles("kb_refused_now", job.troubles, "kb_troubles", language)


def progress_words(progress: object, language: Language) -> tuple[float | None, str]:
    """Return the share done, in [0, 1], None if unknown, and the same in words."""
    if not isinstance(progress, IngestProgress):
        return None, translate("ui.job_starting", language)
    if progress.stage == "publishing":
        return None, translate("ui.kb_publishing", language)
    done, total = progress.counts
    if not total:
        return None, translate(f"ui.kb_stage_{progress.stage}", language)
    words = translate(f"ui.kb_{progress.stage}", language, done=done, total=total)
    words += workers_sentence(progress.workers, language)
    return min(1.0, done / total), words


def draw_ended(job: Job, language: Language) -> None:
    """Show why a job failed, and the unreadable files."""
    draw_failure(job, language, "ui.kb_job_stopped")
    _draw_troubles("kb_refused", job.troubles, "kb_troubles", language)


def failure_groups(summary: IngestSummary) -> dict[str, list[DocumentUnreadable]]:
    """Return what went wrong by the key of its heading: files that gave nothing, and those that gave something."""
    groups: dict[str, list[DocumentUnreadable]] = {"kb_refused": [], "kb_partly_read": []}
    unread = summary.unread
    for failure in summary.failures:
        groups["kb_refused" if Path(str(failure.details["path"])) in unread else "kb_partly_read"].append(failure)
    return groups


def _draw_troubles(key: str, troubles: Sequence[AnswerdeskError], heading: str, language: Language) -> None:
    cards = refused_cards(troubles, language)
    if cards:
        draw_cards(key, cards, heading=translate(f"ui.{heading}", language))


def draw_restored(info: GenerationInfo, language: Language) -> None:
    """Show which state serves again."""
    st.success(markdown_word("ui.kb_went_back", language, restored=info.change.restored, generation=info.generation))


def _draw_published(summary: IngestSummary, language: Language) -> None:
    if summary.is_held_back and summary.gate is not None:
        st.error(as_markdown(gate_sentence(summary.gate, language)))
        draw_cards("kb_questions", question_cards(summary.gate, language), heading=translate("ui.kb_gate", language))
        return
    figures = {"generation": summary.generation, "documents": summary.documents, "passages": summary.chunks}
    if summary.published:
        st.success(markdown_word("ui.kb_published", language, **figures))
    else:
        st.info(markdown_word("ui.kb_unchanged", language, generation=summary.generation))
    for heading, troubles in failure_groups(summary).items():
        _draw_troubles(heading, troubles, heading, language)
    _draw_undescribed(summary, language)


def _draw_undescribed(summary: IngestSummary, language: Language) -> None:
    """Say that pictures have no description by the model that is set for that, and why."""
    if summary.undescribed.pictures:
        st.caption(as_markdown(undescribed_sentence(summary.undescribed, language)))


def _draw_checked(context: PageContext, knowledge: KnowledgeService, job: Job, checked: CheckResult) -> None:
    """Show the changes, and offer to publish them: at the top, for the list may be long."""
    language, summary = context.language, checked.summary
    draw_heading("ui.kb_result", language)
    if summary.changes.is_empty:
        st.info(translate("ui.kb_nothing_changes", language))
    else:
        draw_change_counts(summary.changes, language)
        st.caption(markdown_word("ui.kb_would_hold", language, documents=summary.documents, passages=summary.chunks))
    if not summary.changes.is_empty:
        _draw_verdict(summary, language)
        _offer_to_publish(knowledge, job, checked, language)
    _draw_lists(summary, language)


def draw_new_details(knowledge: KnowledgeService, language: Language) -> None:
    """List the addresses in what is served that nobody has confirmed, with the button that confirms them."""
    details = knowledge.new_details()
    if not details:
        return
    draw_cards("kb_unconfirmed", detail_cards(details, language), heading=translate("ui.kb_unconfirmed", language))
    st.caption(markdown_word("ui.kb_unconfirmed_why", language))
    if knowledge.may("lead"):
        st.button(
            translate("ui.kb_confirm", language, count=len(details)),
            key="kb_confirm",
            on_click=lambda: attempt(lambda: knowledge.confirm_details([one.detail for one in details])),
        )


def _draw_verdict(summary: IngestSummary, language: Language) -> None:
    say = st.info if summary.gate is None else st.success if summary.gate.passed else st.error
    say(as_markdown(gate_sentence(summary.gate, language)))
    if summary.gate is not None and summary.gate.retired:
        st.warning(as_markdown(translate("ui.kb_gate_retired", language, count=len(summary.gate.retired))))


def _offer_to_publish(knowledge: KnowledgeService, job: Job, checked: CheckResult, language: Language) -> None:
    """Draw the button; if questions would be lost, their number must be typed first."""
    if not knowledge.is_current(checked):
        st.warning(translate("ui.kb_outdated", language))
        return
    if not knowledge.may("admin"):
        st.info(translate("ui.kb_publish_wait", language))
        return
    lost = len(checked.summary.gate.lost) if checked.summary.gate is not None else 0
    sure = True
    if lost:
        typed = st.text_input(
            translate("ui.kb_force", language, count=lost), key=f"kb_force_{job.job_id}", live=True, width=420
        )
        sure = (typed or "").strip() == str(lost)
    publish = partial(_publish, knowledge, checked, bool(lost))
    draw_button("kb_publish", language, publish, primary=True, disabled=not sure)


def _draw_lists(summary: IngestSummary, language: Language) -> None:
    questions = question_cards(summary.gate, language) if summary.gate is not None else []
    if questions:
        draw_cards("kb_questions", questions, heading=translate("ui.kb_gate", language))
    if summary.new_details:
        cards_of_details = detail_cards(summary.new_details, language)
        draw_cards("kb_new_details", cards_of_details, heading=translate("ui.kb_new_details", language))
    notes = []
    if summary.missing:
        notes.append(
            translate("ui.kb_missing", language, count=summary.missing, option=translate("ui.kb_prune", language))
        )
    if summary.unsupported:
        notes.append(translate("ui.kb_unsupported", language, count=len(summary.unsupported)))
    if summary.links_out:
        notes.append(translate("ui.kb_links_out", language, count=len(summary.links_out)))
    for note in notes:
        st.caption(note)
    _draw_undescribed(summary, language)
    cards = [
        *refused_cards(summary.failures, language),
        *(Card(line, mark="=", tone="warning") for line in duplicate_lines(summary.duplicates, language)),
        *change_cards(summary.changes, language),
    ]
    if cards:
        follows_others = bool(summary.new_details or questions)
        draw_cards("kb_changes", cards, heading=translate("ui.kb_changes", language) if follows_others else "")


def _publish(knowledge: KnowledgeService, checked: CheckResult, force: bool) -> None:
    if knowledge.is_current(checked):  # else the run that follows says so
        knowledge.publish(checked, force=force)
