"""Turns as plain values for programs, the same in every face."""

from collections.abc import Mapping
from urllib.parse import quote

from rag.schema import Citation, Evidence, TextSpan
from rag.turns import TurnSnapshot

Plain = dict[str, object]


def link_of(passage: Evidence | None, citation: Citation, base_url: str, knowledge_base: str) -> str:
    """Return where the cited words can be read: the document's own link, else this server's."""
    if passage is not None and passage.source:
        return passage.source
    place = f"{quote(knowledge_base, safe='')}/documents/{quote(citation.document_id, safe='')}"
    return f"{base_url}/api/v1/knowledge-bases/{place}?start={citation.quote_start}&end={citation.quote_end}"


def cited_passages(turn: TurnSnapshot) -> Mapping[str, Evidence]:
    """Return, by the document's id, the first passage shown of each document."""
    found: dict[str, Evidence] = {}
    for passage in turn.evidence:
        found.setdefault(passage.document_id, passage)
    return found


def url_citations(turn: TurnSnapshot, base_url: str) -> list[Plain]:
    """Return the citations as OpenAI's ``url_citation``; ``end_index`` is exclusive, in characters of the text."""
    passages = cited_passages(turn)
    citations = turn.answer.citations if turn.answer is not None else ()
    found = []
    for citation in citations:
        passage = passages.get(citation.document_id)
        title = passage.title if passage is not None else citation.document_id
        url = link_of(passage, citation, base_url, turn.knowledge_base)
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
        "quoted": spans(passage.quoted),
        "unconfirmed": spans(passage.unconfirmed),
    }


def answer_data(turn: TurnSnapshot) -> Plain:
    """Return what the product knows of an answer beyond its text; the values of a refusal are the same."""
    answer = turn.answer
    if answer is None:
        return {"turn_id": turn.turn_id, "state": turn.state, "knowledge_base": turn.knowledge_base}
    return {
        "turn_id": turn.turn_id,
        "state": turn.state,
        "knowledge_base": turn.knowledge_base,
        "refused": answer.refused,
        "lane": answer.lane,
        "language": answer.text_language,
        "generation": answer.generation,
        "model": answer.model,
        "stand_in": answer.stand_in,
        "instead_of": answer.instead_of,
        "by_words_alone": answer.by_words_alone,
        "citations": [
            {
                "start": one.start,
                "end": one.end,
                "document_id": one.document_id,
                "quote": one.quote,
                "quote_start": one.quote_start,
                "quote_end": one.quote_end,
            }
            for one in answer.citations
        ],
        "unsupported": spans(answer.unsupported),
        "unconfirmed": spans(answer.unconfirmed),
        "left_open": list(answer.left_open),
        "conflicts": [
            {
                "document_id": one.document_id,
                "quote": one.quote,
                "other_document_id": one.other_document_id,
                "other_quote": one.other_quote,
            }
            for one in answer.conflicts
        ],
        "spans": [{"name": one.name, "duration_ms": round(one.duration_ms, 2)} for one in answer.spans],
    }


def spans(stretches: tuple[TextSpan, ...]) -> list[Plain]:
    """Return stretches of a text, [start, end) in characters."""
    return [{"start": one.start, "end": one.end} for one in stretches]
