"""The installed models, and one of them: load, unload, choose, delete, and what it needs on this machine."""

from datetime import datetime, timedelta
from functools import partial

import streamlit as st

from api.services.models import ModelListing, ModelService
from rag.cli.model_size import arithmetic
from rag.cli.models import ListedModel
from rag.ollama.advice import Advice
from rag.schema import Language
from rag.text.characters import one_line
from rag.translate import translate
from ui.components.content import (
    Card,
    Cell,
    Row,
    TextLine,
    chosen_row,
    columns_of,
    draw_cards,
    draw_heading,
    draw_table,
    two_panes,
)
from ui.components.job_view import draw_button, show_failure
from ui.formats import as_markdown, format_clock, format_gigabytes, markdown_word
from ui.session import PageContext
from ui.views.models.jobs import draw_job, failure_words

_ALWAYS = timedelta(days=365)
_SLOTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_CONTEXTS = (1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072)
_GIGABYTE = 1e9


def draw_models(context: PageContext, models: ModelService) -> None:
    """Draw the table at the left, and the chosen model at the right."""
    listing = models.listing()
    left, right = two_panes(3, 2, chooses=("model", context.language))
    with left:
        _draw_table(context, models, listing)
    with right:
        draw_job(context, models.serving, models.stop_serving, key="m_stop_serving")
        row = listing.row(chosen_row("model")) or next((one for one in listing.rows if one.chosen), None)
        if row is not None:
            _draw_model(context, models, listing, row)
        elif listing.rows:
            st.caption(translate("ui.m_choose", context.language))


def _draw_table(context: PageContext, models: ModelService, listing: ModelListing) -> None:
    language, settings = context.language, models.settings()
    if listing.failure is not None:
        show_failure(listing.failure, language, failure_words)
        return
    if not listing.looked:
        st.caption(translate("ui.m_looking", language))
        return
    following = models.next_model()
    draw_table(
        "m_models",
        columns_of(
            language,
            ("m_model", "wide"),
            "m_quantization",
            ("m_on_disk", "figure"),
            ("m_in_memory", "words"),
            ("m_remarks", "words"),
        ),
        [_row(row, context, listing, settings.parallel_slots, following) for row in listing.rows],
        words=(translate("ui.m_installed", language), translate("ui.m_none", language)),
        chooses=("model", language),
    )
    key = "ui.m_slots_ours" if listing.managed else "ui.m_slots_adopted"
    st.caption(markdown_word(key, language, slots=settings.parallel_slots, context=f"{settings.context_tokens:,}"))
    if len(settings.ollama_urls) > 1:
        st.caption(translate("ui.m_first_host", language, count=len(settings.ollama_urls)))


def _row(row: ListedModel, context: PageContext, listing: ModelListing, slots: int, following: str) -> Row:
    language = context.language
    remarks = [translate("ui.stand_in", language)] if row.stand_in else []
    if row.reconstructed_from:
        remarks.append(translate("ui.m_reconstructed", language, kind=row.reconstructed_from))
    if not row.template:
        remarks.append(translate("ui.m_no_format", language))
    state = translate("ui.m_answers_now", language) if row.chosen else ""
    if following == row.name and not row.chosen:
        state = translate("ui.m_answers_next", language)
    memory, note = "–", ""
    if row.memory_bytes:
        memory = format_gigabytes(row.memory_bytes, language)
        note = _serving_words(row, context, slots if listing.managed else 0)
    return Row(
        row.name,
        (
            Cell(row.name, names=True),
            Cell(row.quantization or "?", names=True),
            Cell(format_gigabytes(row.size_bytes, language)),
            Cell(memory, note=note),
            Cell(state, note=translate("ui.list_comma", language).join(remarks), tone="good"),
        ),
    )


def _serving_words(row: ListedModel, context: PageContext, slots: int) -> str:
    """Return how a loaded model is served, and until when it stays; ``slots`` 0: unknown."""
    language, tokens = context.language, f"{row.context_tokens:,}"
    until = _expiry_words(row.loaded_until, context)
    if not slots:
        return translate("ui.m_served_unknown", language, context=tokens, until=until)
    return translate("ui.m_served", language, slots=slots, context=tokens, until=until)


def _expiry_words(at: str, context: PageContext) -> str:
    try:
        moment = datetime.fromisoformat(at).astimezone(context.reading.zone)
    except ValueError:
        return "–"
    now = context.reading.now
    if moment - now > _ALWAYS:  # kept for ever, which Ollama tells as a day in centuries
        return translate("ui.m_for_ever", context.language)
    return format_clock(moment, now, context.language)


def _draw_model(context: PageContext, models: ModelService, listing: ModelListing, row: ListedModel) -> None:
    language = context.language
    job = models.serving()
    busy = job is not None and job.running
    draw_heading("ui.m_this_model", language)
    with st.container(key="m_name", horizontal=True, vertical_alignment="center"):
        st.text(one_line(row.name))
        if row.stand_in:
            st.badge(translate("ui.stand_in", language), color="orange")
    loaded = bool(row.memory_bytes)
    with st.container(key="m_buttons", horizontal=True):
        draw_button("m_load", language, partial(models.load, row.name), disabled=busy or loaded)
        draw_button("m_unload", language, partial(models.unload, row.name), disabled=busy or not loaded)
        draw_button("m_use", language, partial(models.use, row.name), disabled=busy or not row.template)
    others = tuple(name for name in listing.loaded if name != row.name)
    if loaded:
        st.caption(markdown_word("ui.m_unload_waits", language, count=listing.answers))
    elif others:
        st.caption(markdown_word("ui.m_load_waits", language, name=", ".join(others), count=listing.answers))
    _draw_advice(context, models, row)
    _draw_delete(models, row, language, busy=busy)


def _draw_delete(models: ModelService, row: ListedModel, language: Language, *, busy: bool) -> None:
    """Draw the box for the model's name, which confirms the deletion."""
    draw_heading("ui.m_delete_heading", language)
    if row.chosen:
        st.warning(translate("ui.m_delete_chosen", language))
    typed = st.text_input(
        translate("ui.m_delete_type", language), key="m_typed", placeholder=one_line(row.name), live=True
    )
    sure = (typed or "").strip() == row.name

    def delete() -> None:
        models.delete(row.name, str(st.session_state.get("m_typed") or ""))

    draw_button("m_delete", language, delete, disabled=busy or not sure)


def _draw_advice(context: PageContext, models: ModelService, row: ListedModel) -> None:
    """Show what the model takes on this machine, for the chosen slots and tokens."""
    language, settings = context.language, models.settings()
    draw_heading("ui.m_advice", language)
    with st.container(key="m_what_if", horizontal=True):
        slots = _draw_number_choice(
            "m_what_if_slots", translate("ui.m_slots", language), _SLOTS, settings.parallel_slots
        )
        tokens = _draw_number_choice(
            "m_what_if_context", translate("ui.m_context", language), _CONTEXTS, settings.context_tokens
        )
    advice = models.advice(row.name, slots, tokens)
    if advice is None:
        st.caption(translate("ui.m_no_shape", language))
        return
    st.markdown(as_markdown(advice_words(advice, language)))
    lines = tuple(TextLine(line) for line in arithmetic(advice, language))
    draw_cards("m_arithmetic", [Card(translate("ui.m_arithmetic", language), mark="Σ", lines=lines)])


def _draw_number_choice(key: str, label: str, usual: tuple[int, ...], now: int) -> int:
    """Draw a choice of numbers, including the present one."""
    numbers = sorted({*usual, now})
    return int(
        st.selectbox(as_markdown(label), numbers, index=numbers.index(now), format_func=lambda one: f"{one:,}", key=key)
    )


def advice_words(advice: Advice, language: Language) -> str:
    """Return the advice in a few sentences with their numbers."""
    fits = "m_advice_fits" if advice.fits else "m_advice_too_much"
    key = fits if advice.quantization else "m_advice_none"
    return translate(
        f"ui.{key}",
        language,
        asked=advice.serving.slots,
        context=f"{advice.serving.context_tokens:,}",
        total=f"{advice.memory.total_bytes / _GIGABYTE:.2f}",
        budget=f"{advice.machine.budget_bytes / _GIGABYTE:.1f}",
        most=f"{advice.slots_by_memory:,}",
        slots=advice.slots,
        kind=advice.quantization,
    )
