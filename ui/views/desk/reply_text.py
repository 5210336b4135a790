"""What leaves the desk: the reply to the customer, or the note that hands the question over."""

from rag.text.invisible import one_line, without_invisible
from rag.text.web_address import web_address
from rag.translate import translate
from rag.turns import TurnSnapshot
from ui.answer_blocks import plain_text
from ui.turn_data import Data, Reading


def reply_data(snapshot: TurnSnapshot, reading: Reading) -> Data | None:
    """Return what the reply editor is filled with: the answer, what there is of it, or the note that hands it over.

    Empty while the answer is still coming, or where nothing came: the best match can be used all the same.  None where
    there is nothing to use.
    """
    language = reading.language
    if snapshot.state == "refused":
        return {
            "turn": snapshot.turn_id,
            "mode": "handoff",
            "heading": translate("ui.handoff", language),
            "lang": language,
            "text": handoff_note(snapshot, reading),
            "sources": "",
        }
    text = plain_text(snapshot.text) if snapshot.final else ""
    if not text.strip() and not any(passage.quoted for passage in snapshot.evidence):
        return None
    return {
        "turn": snapshot.turn_id,
        "mode": "reply",
        "heading": translate("ui.reply_incomplete" if text and snapshot.answer is None else "ui.reply", language),
        "lang": snapshot.language,
        "text": text,
        "sources": _sources(snapshot),
    }


def handoff_note(snapshot: TurnSnapshot, reading: Reading) -> str:
    """Return plain text for whoever takes the question over."""
    language = reading.language
    asked_at = snapshot.asked_at.astimezone(reading.zone)
    lines = [
        translate("ui.handoff_question", language, question=without_invisible(snapshot.question)),
        translate("ui.handoff_language", language, name=translate(f"ui.language_{snapshot.language}", language)),
        translate("ui.handoff_asked_at", language, time=f"{asked_at:%Y-%m-%d %H:%M}"),
        translate("ui.handoff_searched", language, generation=snapshot.generation),
    ]
    if snapshot.evidence:
        nearest = dict.fromkeys(one_line(passage.title) for passage in snapshot.evidence)
        lines += [translate("ui.handoff_nearest", language), *(f"- {title}" for title in nearest)]
    if reading.address:
        lines.append(translate("ui.handoff_link", language, link=f"{reading.address}/?turn={snapshot.turn_id}"))
    if snapshot.answer is not None and snapshot.answer.stand_in:
        lines.append(translate("ui.stand_in", language))
    return "\n".join(lines)


def _sources(snapshot: TurnSnapshot) -> str:
    """Return the titles of the cited documents, for a reply that leaves with its sources; internal ones stay here.

    A turn that an older version recorded may have anything as title and source.
    """
    if snapshot.answer is None:
        return ""
    cited = {citation.document_id for citation in snapshot.answer.citations}
    lines = [
        f"- {one_line(passage.title)} {web_address(passage.source)}".rstrip()
        for passage in snapshot.evidence
        if passage.document_id in cited and passage.audience == "public"
    ]
    heading = translate("ui.sources", snapshot.language)
    return "\n".join([heading, *dict.fromkeys(lines)]) if lines else ""
