"""Marks what nobody has confirmed in passages and answers, or leaves it out for the public.

A sentence of a passage is one of four kinds:

- An instruction to the model supports nothing; it is not read, quoted, cited or linked to (``supporting_sentences`` in
  ``claims.py``).
- A sentence that sends customers to an address, or says what to tell them, and that nobody has confirmed, supports an
  answer, which says so (``unconfirmed_sentences``) and is not reused.  If a customer uses a program, no colleague sees
  that mark, so such a sentence does not exist for them (``confirmed_only``).
- A model's description of a picture is read by the model, with its mark, and supports nothing: no document says it.
- Any other sentence supports an answer.

The knowledge base knows what is confirmed (``rag/storage/contact_details.py``); packed passages carry it along.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from rag.grounding.contact_details import details_named, key_at
from rag.schema import Audience, Citation, Evidence, TextSpan, renumbered
from rag.text.sentences import split_sentences


def mark_unconfirmed(evidence: Sequence[Evidence], unconfirmed: Mapping[str, Collection[str]]) -> tuple[Evidence, ...]:
    """Return the passages with the spans of unconfirmed details; ``unconfirmed`` are keys by document id."""
    return tuple(
        replace(passage, unconfirmed=_unconfirmed_spans(passage, keys))
        if (keys := unconfirmed.get(passage.document_id))
        else passage
        for passage in evidence
    )


def without_unconfirmed(passage: Evidence) -> Evidence:
    """Return a passage with blanks in place of its unconfirmed sentences, so that offsets stay valid.

    For texts in which nothing can be marked as unconfirmed.
    """
    places = [(span.start - passage.start, span.end - passage.start) for span in passage.unconfirmed]
    return replace(passage, text=_blanked(passage.text, places))


def confirmed_text(text: str, unconfirmed: Collection[str]) -> str:
    """Return a document's text in the same way, for the public; ``unconfirmed`` are its keys.

    >>> confirmed_text("Ask us. Write to pay@evil.example.", {"mail pay@evil.example"})
    'Ask us.                           '
    """
    return _blanked(text, [(detail.start, detail.end) for detail in details_named(text, unconfirmed)])


def _blanked(text: str, places: Sequence[tuple[int, int]]) -> str:
    """Return a text with blanks in place of the sentences that touch one of these spans; offsets stay valid."""
    for sentence in split_sentences(text) if places else ():
        if any(start < sentence.end and sentence.start < end for start, end in places):
            text = text[: sentence.start] + " " * (sentence.end - sentence.start) + text[sentence.end :]
    return text


def evidence_for_audience(
    audience: Audience, evidence: Sequence[Evidence], unconfirmed: Mapping[str, Collection[str]]
) -> tuple[Evidence, ...]:
    """Return the passages with unconfirmed details marked for colleagues, or left out for the public."""
    return (confirmed_only if audience == "public" else mark_unconfirmed)(evidence, unconfirmed)


def confirmed_only(evidence: Sequence[Evidence], unconfirmed: Mapping[str, Collection[str]]) -> tuple[Evidence, ...]:
    """Return the passages that the public may read, renumbered; ``unconfirmed`` as in ``mark_unconfirmed``.

    Unconfirmed sentences are blanked, and ``Evidence.unconfirmed`` holds their spans.  A passage that consists of them,
    or whose title or headings name such an address, is left out.
    """
    public = [
        without_unconfirmed(passage)
        for passage in mark_unconfirmed(evidence, unconfirmed)
        if not sentences_naming(
            "\n".join([passage.title, *passage.heading_path]), unconfirmed.get(passage.document_id, ())
        )
    ]
    return renumbered(passage for passage in public if passage.text.strip())


def unconfirmed_sentences(
    text: str, citations: Sequence[Citation], evidence: Sequence[Evidence]
) -> tuple[TextSpan, ...]:
    """Return the sentences of an answer that name an unconfirmed address, or cite a sentence that tells us what to say.

    An address is recognised however it is written.  Lines of a quotation are judged by their citations.
    """
    new = [(passage, span) for passage in evidence for span in passage.unconfirmed]
    if not new:
        return ()
    named: set[str] = set()
    directives: list[tuple[str, TextSpan]] = []
    for passage, span in new:
        key = key_at(passage.text, span.start - passage.start, span.end - passage.start)
        if key.startswith("directive "):
            directives.append((passage.document_id, span))
        elif key:
            named.add(key)
    return _sentences_with(text, named, citations, directives)


def sentences_naming(text: str, keys: Collection[str]) -> tuple[TextSpan, ...]:
    """Return the spans of the sentences that name one of these addresses."""
    return _sentences_with(text, keys, (), ())


def _sentences_with(
    text: str,
    keys: Collection[str],
    citations: Sequence[Citation],
    directives: Sequence[tuple[str, TextSpan]],
) -> tuple[TextSpan, ...]:
    places = [(one.start, one.end) for one in details_named(text, keys)]
    places += [
        (citation.start, citation.end)
        for citation in citations
        if any(
            citation.document_id == document_id and citation.rests_on(span.start, span.end)
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


def _unconfirmed_spans(passage: Evidence, keys: Collection[str]) -> tuple[TextSpan, ...]:
    return tuple(
        TextSpan(passage.start + detail.start, passage.start + detail.end)
        for detail in details_named(passage.text, keys)
    )
