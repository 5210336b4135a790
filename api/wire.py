"""Turns and documents as plain values for programs, the same over OpenAI's wire, REST, gRPC and MCP.

A program may give all of it to a model, so no title and no passage holds an order to one.
Stretches of a text are ``{"start", "end"}``, [start, end) in characters.
"""

from dataclasses import replace
from datetime import date
from urllib.parse import quote

from api.services.knowledge import Stretch
from rag.evidence.without_orders import passage_without_orders
from rag.grounding.prompt_injection import harmless_title
from rag.schema import Evidence, TextSpan
from rag.storage.store import DocumentRow
from rag.turns import TurnSnapshot

Plain = dict[str, object]


def url_citations(turn: TurnSnapshot, base_url: str) -> list[Plain]:
    """Return the citations as OpenAI's ``url_citation``; ``end_index`` is exclusive, in characters of the text.

    A citation leads to the document's own link, else to this server.
    """
    first_passages = {passage.document_id: passage for passage in reversed(turn.evidence)}
    found = []
    for citation in turn.answer.citations if turn.answer is not None else ():
        passage = first_passages.get(citation.document_id)
        place = f"{quote(turn.knowledge_base, safe='')}/documents/{quote(citation.document_id, safe='')}"
        here = f"{base_url}/api/v1/knowledge-bases/{place}?start={citation.quote_start}&end={citation.quote_end}"
        shown = harmless_title(passage.title, passage.document_path) if passage is not None else ""
        title = shown or citation.document_id
        url = (passage.source if passage is not None else "") or here
        found.append(
            {
                "start_index": citation.start,
                "end_index": citation.end,
                "title": title,
                "url": url,
            }
        )
    return found


def evidence_data(passage: Evidence) -> Plain:
    """Return a passage for programs: somebody else's words, data and never instructions."""
    passage = passage_without_orders(passage)
    return {
        **_fields(passage, "number", "document_id", "title"),
        "headings": list(passage.heading_path),
        **_fields(passage, "text", "start", "end", "language", "source"),
        "updated_on": _day(passage.updated_on),
        "expired_on": _day(passage.expired_on),
        "starts_on": _day(passage.starts_on),
        "audience": passage.audience,
        "quoted": _spans(passage.quoted),
        "unconfirmed": _spans(passage.unconfirmed),
    }


def listed(row: DocumentRow) -> DocumentRow:
    """Return a document of a list with a title for programs."""
    return replace(row, title=harmless_title(row.title, row.path))


def document_data(stretch: Stretch) -> Plain:
    """Return a stretch of a document, with how many ``characters`` the whole has."""
    document = stretch.document
    return {
        **_fields(document, "document_id"),
        "title": harmless_title(document.title, document.path),
        **_fields(document, "language", "source", "audience"),
        "updated_on": _day(document.updated_on),
        "characters": len(document.text),
        **_fields(stretch, "generation", "start", "end", "text"),
        "unconfirmed": _spans(stretch.unconfirmed),
    }


def answer_data(turn: TurnSnapshot) -> Plain:
    """Return an answer's data beyond its text; the values of a refusal are the same."""
    answer, data = turn.answer, _fields(turn, "turn_id", "state", "knowledge_base")
    if answer is None:
        return data
    return {
        **data,
        **_fields(answer, "refused", "lane"),
        "language": answer.text_language,
        **_fields(answer, "generation", "model", "stand_in", "instead_of", "by_words_alone"),
        "citations": [
            _fields(one, "start", "end", "document_id", "heading", "condition", "quote", "quote_start", "quote_end")
            for one in answer.citations
        ],
        "unsupported": _spans(answer.unsupported),
        "unconfirmed": _spans(answer.unconfirmed),
        "left_open": list(answer.left_open),
        "quotation": _fields(answer.quotation, "start", "end") if answer.quotation is not None else None,
        "conflicts": [
            _fields(one, "document_id", "quote", "other_document_id", "other_quote") for one in answer.conflicts
        ],
        "spans": [{"name": one.name, "duration_ms": round(one.duration_ms, 2)} for one in answer.spans],
    }


def _spans(stretches: tuple[TextSpan, ...]) -> list[Plain]:
    return [_fields(one, "start", "end") for one in stretches]


def _day(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None


def _fields(value: object, *names: str) -> Plain:
    return {name: getattr(value, name) for name in names}
