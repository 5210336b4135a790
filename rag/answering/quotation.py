"""The instant answer: the sentences that answer best, word for word, with the place where they stand.

It needs no model, is there with the evidence, and cannot say anything that the documents do not.
"""

from collections.abc import Iterator, Sequence

from rag.schema import Citation, Evidence, TextSpan


def quoted_text(evidence: Sequence[Evidence]) -> str:
    """Return the quoted sentences, each stretch on a line of its own; empty where nothing is quoted."""
    return "\n".join(passage.words(span) for passage, span in _quoted(evidence))


def quoted_citations(evidence: Sequence[Evidence]) -> tuple[Citation, ...]:
    """Return the citations of ``quoted_text``: every line of it rests on the words that it is."""
    citations = []
    start = 0
    for passage, span in _quoted(evidence):
        words = passage.words(span)
        citations.append(
            Citation(
                start=start,
                end=start + len(words),
                document_id=passage.document_id,
                document_path=passage.document_path,
                quote=words,
                quote_start=span.start,
                quote_end=span.end,
            )
        )
        start += len(words) + 1
    return tuple(citations)


def _quoted(evidence: Sequence[Evidence]) -> Iterator[tuple[Evidence, TextSpan]]:
    for passage in evidence:
        for span in passage.quoted:
            yield passage, span
