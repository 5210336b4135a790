from dataclasses import replace

from rag.answering.quotation import quoted_citations, quoted_text
from rag.schema import Evidence, TextSpan

TEXT = "Fees. The first is 5. The second is free."
PASSAGE = Evidence(1, "a.md", "/kb/a.md", "Fees", (), TEXT, 10, 10 + len(TEXT), 10, 10 + len(TEXT), "en")


def test_each_line_is_cited_with_its_place() -> None:
    first = replace(PASSAGE, quoted=(TextSpan(16, 31), TextSpan(32, 51)))
    second = replace(PASSAGE, document_id="b.md", quoted=(TextSpan(10, 15),))
    evidence = [first, replace(PASSAGE, document_id="none.md"), second]
    text = quoted_text(evidence)
    assert text == "The first is 5.\nThe second is free.\nFees."
    citations = quoted_citations(evidence)
    assert [text[one.start : one.end] for one in citations] == [one.quote for one in citations]
    assert [(one.document_id, one.quote_start, one.quote_end) for one in citations] == [
        ("a.md", 16, 31),
        ("a.md", 32, 51),
        ("b.md", 10, 15),
    ]


def test_nothing_quoted_is_an_empty_text() -> None:
    assert quoted_text([PASSAGE]) == ""
    assert quoted_citations([PASSAGE]) == ()
