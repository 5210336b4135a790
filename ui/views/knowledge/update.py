"""Updates the knowledge base: hand in files, check what would change, publish."""

import math
from functools import partial
from typing import cast

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from api.services.jobs import Job
from api.services.knowledge import CheckResult, KnowledgeService
from rag.schema import Language
from rag.translate import translate
from ui.components.content import Card, Note, draw_cards, draw_heading, two_panes
from ui.components.job_view import attempt, draw_button, show_refusal
from ui.formats import markdown_word
from ui.session import PageContext
from ui.views.knowledge.articles import source_names
from ui.views.knowledge.outcome import draw_new_details, draw_outcome, draw_work


def draw_update(context: PageContext, knowledge: KnowledgeService) -> None:
    """Draw the inputs at the left, and the result at the right."""
    left, right = two_panes(2, 3)
    job = knowledge.job()
    with left:
        _draw_waiting(context, knowledge, job)
    with right:
        show_refusal(context.language)
        if job is not None and job.running:
            draw_work(context, knowledge, job)
        else:
            draw_outcome(context, knowledge, job)
            draw_new_details(knowledge, context.language)


def _draw_waiting(context: PageContext, knowledge: KnowledgeService, job: Job | None) -> None:
    language = context.language
    busy = job is not None and job.running
    draw_heading("ui.kb_update_heading", language)
    if not knowledge.may("lead"):
        st.info(translate("ui.kb_lead_only", language))
        return
    size = knowledge.largest_upload_megabytes
    st.file_uploader(
        translate("ui.kb_upload", language),
        accept_multiple_files=True,
        key=_uploader_key(),
        max_upload_size=size,
        help=markdown_word("ui.kb_upload_kinds", language, size=size),
        disabled=busy,
        on_change=_keep,
        args=(knowledge,),
    )
    waiting = knowledge.waiting()
    draw_cards(
        "kb_waiting",
        [
            Card(
                upload.name,
                mark=translate("ui.kb_replaces" if upload.replaces else "ui.kb_new_file", language),
                notes=(
                    Note(translate("ui.kb_size_kilobytes", language, count=f"{math.ceil(upload.size_bytes / 1000):,}")),
                ),
            )
            for upload in waiting
        ],
        heading=translate("ui.kb_waiting", language),
        empty=translate("ui.kb_waiting_none", language),
    )
    if waiting:
        label = translate("ui.kb_discard", language)
        st.button(label, key="kb_discard", type="tertiary", disabled=busy, on_click=attempt, args=(knowledge.discard,))
    roots, prune = _sources(knowledge, language, busy=busy)
    again = job is not None and isinstance(job.result, CheckResult)
    draw_button(
        "kb_check",
        language,
        partial(knowledge.check, roots, prune=prune),
        words="ui.kb_check_again" if again else "ui.kb_check",
        primary=not again,
        disabled=busy or not (waiting or roots),
    )
    st.caption(translate("ui.kb_check_why", language))


def _sources(knowledge: KnowledgeService, language: Language, *, busy: bool) -> tuple[list[str], bool]:
    """Draw the folders to read again, and return them with whether missing files are removed."""
    sources = {source.root: source for source in knowledge.sources() if source.here}
    if not sources:
        return [], False
    names = source_names(tuple(sources.values()), language)
    roots = st.pills(
        translate("ui.kb_reread", language),
        list(sources),
        selection_mode="multi",
        format_func=lambda root: markdown_word(
            "ui.kb_reread_option", language, name=names[root], count=sources[root].articles
        ),
        key="kb_reread",
        disabled=busy,
    )
    prune = bool(roots) and st.checkbox(translate("ui.kb_prune", language), key="kb_prune", disabled=busy)
    return list(roots or ()), prune


# what the buttons do: a refusal is kept for the run that follows


def _keep(knowledge: KnowledgeService) -> None:
    files = cast("list[UploadedFile]", st.session_state.get(_uploader_key()) or [])
    attempt(lambda: knowledge.keep([(file.name, file.getbuffer()) for file in files]))
    st.session_state["kb_upload_round"] = int(st.session_state.get("kb_upload_round", 0)) + 1


def _uploader_key() -> str:
    """Return the uploader's key: a new one after each round, because the uploads are on disk by then."""
    return f"kb_upload_{st.session_state.get('kb_upload_round', 0)}"
