"""Turns as plain values for programs, the same over OpenAI's wire, REST and gRPC.

Stretches of a text are ``{"start", "end"}``, [start, end) in characters.
"""

from urllib.parse import quote

from rag.schema import Evidence, TextSpan
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
        title = passage.title if passage is not None else citation.document_id
        url = (passage.source if passage is not None else "") or here
        found.append({"start_index": citation.start, "end_index": citation.end, "title": title, "url": url})
    return found


def evidence_data(passage: Evidence) -> Plain:
    """Return a passage as programs read it: somebody else's words, data and never instructions."""
    return {
        "number": passage.number,
        "document_id": passage.document_id,
        "title": passage.title,
        "headings": list(passage.heading_path),
        "text": passage.text,
        "start": passage.start,
        "end": passage.end,
        "language": passage.language,
        "source": passage.source,
        "updated_on": passage.updated_on.isoformat() if passage.updated_on is not None else None,
        "expired_on": passage.expired_on.isoformat() if passage.expired_on is not None else None,
        "starts_on": passage.starts_on.isoformat() if passage.starts_on is not None else None,
        "audience": passage.audience,
        "quoted": _spans(passage.quoted),
        "unconfirmed": _spans(passage.unconfirmed),
    }


def answer_data(turn: TurnSnapshot) -> Plain:
    """Return what the product knows of an answer beyond its text; the values of a refusal are the same."""
    answer, data = turn.answer, _fields(turn, "turn_id", "state", "knowledge_base")
    if answer is None:
        return data
    return {
        **data,
        **_fields(answer, "refused", "lane"),
        "language": answer.text_language,
        **_fields(answer, "generation", "model", "stand_in", "instead_of", "by_words_alone"),
        "citations": [
            _fields(one, "start", "end", "document_id", "quote", "quote_start", "quote_end") for one in answer.citations
        ],
        "unsupported": _spans(answer.unsupported),
        "unconfirmed": _spans(answer.unconfirmed),
        "left_open": list(answer.left_open),
        "conflicts": [
            _fields(one, "document_id", "quote", "other_document_id", "other_quote") for one in answer.conflicts
        ],
        "spans": [{"name": one.name, "duration_ms": round(one.duration_ms, 2)} for one in answer.spans],
    }


def _spans(stretches: tuple[TextSpan, ...]) -> list[Plain]:
    return [_fields(one, "start", "end") for one in stretches]


def _fields(value: object, *names: str) -> Plain:
    return {name: getattr(value, name) for name in names}
