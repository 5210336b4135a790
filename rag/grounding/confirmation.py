"""One rule for what may support an answer.

A sentence of a passage is in one of four states.  It is an order to the model: then it supports nothing, is not read,
quoted, cited or linked to (``supporting_sentences``).  It sends customers to an address, or says what they are to hear,
and nobody has confirmed that: then it supports an answer, and the answer says so (``unconfirmed_sentences``) and is not
kept for others; but a customer who asks a program has nobody who would look at that mark, and for them such a sentence
is not there (``confirmed_only``).  It says what a model sees in a picture, and no document says that: then the model
that answers reads it, with its mark, and it supports nothing.  Or it is about the matter.  What is confirmed is said by
the knowledge base (``rag/storage/contact_details.py``) when passages are packed, and travels with them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from rag.grounding.contact_details import contact_details
from rag.grounding.prompt_injection import spans_without_injection
from rag.schema import Audience, Citation, Evidence, TextSpan
from rag.text.markup import is_description
from rag.text.sentences import split_sentences


def supporting_sentences(passage: str) -> tuple[TextSpan, ...]:
    """Return the sentences of a passage's text that may support an answer, as offsets into it."""
    spans = spans_without_injection(passage)
    return tuple(span for span in spans if not is_description(passage[span.start : span.end]))


def mark_unconfirmed(evidence: Sequence[Evidence], unconfirmed: Mapping[str, Collection[str]]) -> tuple[Evidence, ...]:
    """Return the passages with the places of what nobody has confirmed; ``unconfirmed`` are keys by document id."""
    return tuple(
        replace(one, unconfirmed=_places(one, keys)) if (keys := unconfirmed.get(one.document_id)) else one
        for one in evidence
    )


def without_unconfirmed(passage: Evidence) -> Evidence:
    """Return a passage with blanks where a sentence of it is not confirmed, so that offsets stay what they are.

    For texts in which nothing can be marked as unconfirmed.
    """
    places = [(one.start - passage.start, one.end - passage.start) for one in passage.unconfirmed]
    return replace(passage, text=_blanked(passage.text, places))


def confirmed_text(text: str, unconfirmed: Collection[str]) -> str:
    """Return a document's text in the same way, as the public may read it; ``unconfirmed`` are its keys.

    >>> confirmed_text("Ask us. Write to pay@evil.example.", {"mail pay@evil.example"})
    'Ask us.                           '
    """
    return _blanked(text, [(one.start, one.end) for one in contact_details(text) if one.key in unconfirmed])


def _blanked(text: str, places: Sequence[tuple[int, int]]) -> str:
    """Return a text with blanks for the sentences that touch one of these places; offsets stay what they are."""
    for sentence in split_sentences(text) if places else ():
        if any(start < sentence.end and sentence.start < end for start, end in places):
            text = text[: sentence.start] + " " * (sentence.end - sentence.start) + text[sentence.end :]
    return text


def as_told_to(
    audience: Audience, evidence: Sequence[Evidence], unconfirmed: Mapping[str, Collection[str]]
) -> tuple[Evidence, ...]:
    """Return the passages with what nobody has confirmed marked for colleagues, and left out for the public."""
    return (confirmed_only if audience == "public" else mark_unconfirmed)(evidence, unconfirmed)


def confirmed_only(evidence: Sequence[Evidence], unconfirmed: Mapping[str, Collection[str]]) -> tuple[Evidence, ...]:
    """Return the passages as the public may read them, numbered anew; ``unconfirmed`` are as in ``mark_unconfirmed``.

    Blanks stand where a sentence is not confirmed, and ``Evidence.unconfirmed`` tells where that is.  A passage that is
    nothing else, or whose title or headings name such an address, is left out.
    """
    told = [
        without_unconfirmed(one)
        for one in mark_unconfirmed(evidence, unconfirmed)
        if not sentences_naming("\n".join([one.title, *one.heading_path]), unconfirmed.get(one.document_id, ()))
    ]
    kept = (one for one in told if one.text.strip())
    return tuple(replace(one, number=number) for number, one in enumerate(kept, start=1))


def unconfirmed_sentences(
    text: str, citations: Sequence[Citation], evidence: Sequence[Evidence]
) -> tuple[TextSpan, ...]:
    """Return the sentences of an answer that name an address which nobody has confirmed, or rest on such a sentence.

    They rest on it where it says what customers are to hear.  An address that the passages have is named however it is
    written.  Lines of a quotation are told by their citations.
    """
    new = [(passage, span) for passage in evidence for span in passage.unconfirmed]
    if not new:
        return ()
    details = {passage.number: contact_details(passage.text) for passage, _ in new}
    named: set[str] = set()
    directives: list[tuple[str, TextSpan]] = []
    for passage, span in new:
        for detail in details[passage.number]:
            if (detail.start + passage.start, detail.end + passage.start) == (span.start, span.end):
                if detail.kind == "directive":
                    directives.append((passage.document_id, span))
                else:
                    named.add(detail.key)
    return _naming(text, named, citations, directives)


def sentences_naming(text: str, keys: Collection[str]) -> tuple[TextSpan, ...]:
    """Return the sentences of a text that name one of these addresses."""
    return _naming(text, keys, (), ())


def _naming(
    text: str,
    keys: Collection[str],
    citations: Sequence[Citation],
    directives: Sequence[tuple[str, TextSpan]],
) -> tuple[TextSpan, ...]:
    places = [(one.start, one.end) for one in contact_details(text) if one.key in keys]
    places += [
        (citation.start, citation.end)
        for citation in citations
        if any(
            citation.document_id == document_id and citation.quote_start < span.end and span.start < citation.quote_end
            for document_id, span in directives
        )
    ]
    if not places:
        return ()
    cited = {(citation.start, citation.end) for citation in citations}
    judged = [TextSpan(*span) for span in sorted(cited)]
    judged += [
        one for one in split_sentences(text) if not any(start < one.end and one.start < end for start, end in cited)
    ]
    marked = {one for one in judged if any(start < one.end and one.start < end for start, end in places)}
    return tuple(sorted(marked, key=lambda one: (one.start, one.end)))


def _places(passage: Evidence, keys: Collection[str]) -> tuple[TextSpan, ...]:
    return tuple(
        TextSpan(passage.start + one.start, passage.start + one.end)
        for one in contact_details(passage.text)
        if one.key in keys
    )
