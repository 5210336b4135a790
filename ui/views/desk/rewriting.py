"""Rewrites a reply and translates passages: begun in the browser, written by the model in the background.

The browser hands over the text as it stands in the editor; the page keeps the ids of what it began, never a text.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast, get_args

import streamlit as st

from rag.errors import AnswerdeskError, OwnQueueFull, RewritingUnusable
from rag.rewriting import Wish
from rag.schema import Language
from rag.translate import translate
from rag.turns import Failure, PersonalRewritings, TurnSnapshot, WritingSnapshot
from ui.blocks import plain_text
from ui.session import PageContext, tab_name
from ui.turn_data import Data, failure_sentence

_TICK_SECONDS = 0.4
_STATE = "writings"
_REPLY = 0
_TELL_THEMSELVES = {"FactsChanged", "RewritingUnusable", "ModelTooSlow", "TurnFailed"}
_WISH_WORDS: dict[Wish, str] = {
    "friendlier": "wish_friendlier",
    "formal": "wish_formal",
    "shorter": "wish_shorter",
    "longer": "wish_longer",
}
_WISH_KEYS: dict[Wish, str] = {"shorter": "Alt+J", "longer": "Alt+O", "translate": "Alt+X"}


@dataclass(frozen=True, slots=True)
class _WritingJob:
    """What was begun beside a turn: for passage ``number``, or the reply (0).  ``failure`` is why it was not."""

    number: int
    wish: Wish
    writing_id: str = ""
    failure: Failure | None = None


def rewriting_data(context: PageContext, turn: TurnSnapshot) -> Data:
    """Return the reply editor's data for rewriting its text."""
    language = context.language
    begun = _writing_jobs(turn).get(_REPLY)
    writing = _writing(context.services.rewritings, begun)
    done = None
    if writing is not None and writing.state == "done":
        done = {"job": writing.writing_id, "before": writing.source, "text": writing.text}
    return {
        "tone": [translate("ui.tone", language), "Alt+T"],
        "wishes": {wish: [_wish_words(wish, turn, language), _WISH_KEYS.get(wish, "")] for wish in get_args(Wish)},
        "undo": [translate("ui.undo_rewriting", language), "Alt+Z"],
        "target": turn.language,
        "busy": writing is not None and not writing.final,
        "done": done,
        "ended": [begun.writing_id if begun is not None else "", _ended_words(begun, writing, language)],
    }


def translation_data(context: PageContext, turn: TurnSnapshot) -> dict[int, Data]:
    """Return how far each passage in the other language is translated into the page's, by its number."""
    language, rewritings = context.language, context.services.rewritings
    foreign = [passage.number for passage in turn.evidence if passage.language != language]
    if not foreign:
        return {}
    model = context.services.model()
    kept = rewritings.translations(turn.turn_id, language, model.name)
    begun = _writing_jobs(turn)
    found = {}
    for number in foreign:
        writing = _writing(rewritings, begun.get(number))
        if writing is not None and writing.text:
            said = _translation_done(writing.text, writing.model, language, stand_in=writing.stand_in)
        elif number in kept:
            said = _translation_done(kept[number], model.name, language, stand_in=model.stand_in)
        elif writing is not None and not writing.final:
            said = {"state": "running", "text": "", "note": translate("ui.writing_passage", language, number=number)}
        else:
            note = _ended_words(begun.get(number), writing, language)
            said = {"state": "failed" if note else "none", "text": "", "note": note}
        found[number] = {
            **said,
            "label": translate("ui.translation_zh" if language == "zh" else "ui.translation_en", language),
            "again": translate("ui.translate_again", language),
            "stop": translate("ui.stop", language),
        }
    return found


def _translation_done(text: str, model: str, language: Language, *, stand_in: bool) -> Data:
    note = translate("ui.translated_by_stand_in" if stand_in else "ui.translated_by", language, model=model)
    return {"state": "done", "text": plain_text(text), "note": note}


def begin_rewriting(context: PageContext, turn: TurnSnapshot, asked: Data) -> None:
    """Begin the editor's request: ``turn``, ``wish``, ``text``, and ``token``, the click's own."""
    wish, text = str(asked["wish"]), str(asked["text"])
    rewritings = context.services.rewritings
    if asked["turn"] != turn.turn_id or wish not in get_args(Wish):
        return
    known = cast(Wish, wish)
    token, tab = str(asked["token"]), tab_name()
    _begin(turn, _REPLY, known, lambda: rewritings.rewrite(token, turn.turn_id, text, known, tab=tab))


def begin_translation(context: PageContext, turn: TurnSnapshot, asked: Data) -> None:
    """Begin, or stop, the translation of a passage: ``turn``, ``number``, ``stop`` and ``token``, the click's own."""
    number, rewritings = int(str(asked["number"])), context.services.rewritings
    if asked["turn"] != turn.turn_id:
        return
    before = _writing_jobs(turn).get(number)
    if asked.get("stop"):
        if before is not None:
            rewritings.cancel(before.writing_id)
        return
    token, tab, language = str(asked["token"]), tab_name(), context.language
    _begin(
        turn,
        number,
        "translate",
        lambda: rewritings.translate_passage(token, turn.turn_id, number, language, tab=tab),
    )


def draw_writings(context: PageContext, turn: TurnSnapshot) -> None:
    """Say what the model is writing beside this turn, with the way to stop it, and what became of the reply."""
    rewritings = context.services.rewritings
    found = [(begun, _writing(rewritings, begun)) for begun in _writing_jobs(turn).values()]
    running = [(begun, writing) for begun, writing in found if writing is not None and not writing.final]
    if running:
        ids = tuple(writing.writing_id for _, writing in running)
        with st.container(key="writings", horizontal=True, vertical_alignment="center"):
            st.button(
                translate("ui.stop", context.language),
                key="stop_writing",
                # Alt+S stops the turn itself while that runs
                shortcut="alt+s" if turn.final else None,
                on_click=partial(_stop, rewritings, ids),
            )
            st.fragment(_follow, run_every=_TICK_SECONDS)(context, turn, ids)
    _draw_end(context, turn, rewritings)


def _draw_end(context: PageContext, turn: TurnSnapshot, rewritings: PersonalRewritings) -> None:
    begun = _writing_jobs(turn).get(_REPLY)
    writing = _writing(rewritings, begun)
    words = _ended_words(begun, writing, context.language)
    # st.text, for a refusal quotes the model and the draft: nothing of these is read as markup
    if words:
        with st.container(key="writing_refused"):
            st.text(words)
    elif writing is not None and writing.state == "done":
        key = "rewritten_by_stand_in" if writing.stand_in else "rewritten_by"
        with st.container(key="writing_done"):
            st.text(translate(f"ui.{key}", context.language, model=writing.model))


def _follow(context: PageContext, turn: TurnSnapshot, ids: tuple[str, ...]) -> None:
    """Draw each one's progress; the whole page is redrawn when one has ended."""
    rewritings = context.services.rewritings
    by_id = {begun.writing_id: begun for begun in _writing_jobs(turn).values()}
    lines = []
    for writing_id in ids:
        try:
            writing = rewritings.snapshot(writing_id)
        except AnswerdeskError:
            st.rerun()  # signed out, or out of scope meanwhile: the whole page says so
        if writing.final or writing_id not in by_id:
            st.rerun()
        lines.append(_running_words(by_id[writing_id], writing, turn, context.language))
    st.caption("  \n".join(lines))


def _running_words(begun: _WritingJob, writing: WritingSnapshot, turn: TurnSnapshot, language: Language) -> str:
    if begun.number == _REPLY:
        what = translate("ui.writing_reply", language, wish=_wish_words(begun.wish, turn, language))
    else:
        what = translate("ui.writing_passage", language, number=begun.number)
    if writing.state == "waiting" and not writing.model:
        return translate("ui.writing_prepared", language)
    if not writing.ahead:
        return what
    if writing.wait_seconds is None:
        return translate("ui.writing_queued_unknown", language, what=what, ahead=writing.ahead)
    wait = {"from": int(writing.wait_seconds * 0.8), "to": int(writing.wait_seconds * 1.3) + 1}
    return translate("ui.writing_queued", language, what=what, ahead=writing.ahead, **wait)


def _ended_words(begun: _WritingJob | None, writing: WritingSnapshot | None, language: Language) -> str:
    """Return why there is no text; empty if there is one, or none was requested."""
    failure = writing.failure if writing is not None else begun.failure if begun is not None else None
    if failure is None:
        return ""
    if writing is not None and writing.state == "stopped":
        return translate("ui.writing_stopped", language)
    if failure.kind in _TELL_THEMSELVES:
        return failure.sentence(language)
    return failure_sentence(failure, language)


def _wish_words(wish: Wish, turn: TurnSnapshot, language: Language) -> str:
    if wish == "translate":
        return translate("ui.wish_translate_zh" if turn.language == "zh" else "ui.wish_translate_en", language)
    return translate(f"ui.{_WISH_WORDS[wish]}", language)


def _writing_jobs(turn: TurnSnapshot) -> dict[int, _WritingJob]:
    """Return what was begun beside this turn in this tab, by passage; what was begun beside others is forgotten."""
    kept = st.session_state.get(_STATE)
    if not isinstance(kept, tuple) or kept[0] != turn.turn_id:
        return {}
    return dict(kept[1])


def _begin(turn: TurnSnapshot, number: int, wish: Wish, call: Callable[[], str]) -> None:
    try:
        begun = _WritingJob(number, wish, call())
    except (RewritingUnusable, OwnQueueFull) as error:
        begun = _WritingJob(number, wish, failure=Failure.of(error))
    st.session_state[_STATE] = (turn.turn_id, {**_writing_jobs(turn), number: begun})


def _writing(rewritings: PersonalRewritings, begun: _WritingJob | None) -> WritingSnapshot | None:
    if begun is None or not begun.writing_id:
        return None
    try:
        return rewritings.snapshot(begun.writing_id)
    except AnswerdeskError:  # forgotten meanwhile, or no longer this person's
        return None


def _stop(rewritings: PersonalRewritings, ids: tuple[str, ...]) -> None:
    for writing_id in ids:
        rewritings.cancel(writing_id)
