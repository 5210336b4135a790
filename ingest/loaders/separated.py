"""CSV and TSV, whatever the separator is."""

import csv
import io
from collections import Counter
from collections.abc import Iterator

from ingest.loaders.fields import make_document
from ingest.loaders.records import record_documents
from ingest.loaders.sheet import question_records, sheet_text
from ingest.loaders.source import Limits, SourceFile
from ingest.loaders.text import decoded
from rag.errors import DocumentUnreadable
from rag.schema import Document

_SEPARATORS = (",", "\t", ";", "|")
_NO_SEPARATOR = "\x1f"  # which no text has: control characters are dropped
_EVEN = 0.5
_SAMPLE_ROWS = 100


def load_csv(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Document | DocumentUnreadable]:
    """Yield the table as one document; a document a row where its header names question and answer."""
    content, separator = _separator(decoded(source, raw))
    csv.field_size_limit(limits.document_bytes)
    rows = list(_rows(content, separator))
    kind = "tsv" if source.name.suffix.lower() == ".tsv" else "csv"
    records = question_records(rows)
    if len(records) > limits.parts:
        raise source.unreadable("too_many")
    if records:
        yield from record_documents(source, records, kind=kind, where="row")
    else:
        yield make_document(source, sheet_text(rows), {}, kind=kind)


def _rows(content: str, separator: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(content), delimiter=separator, skipinitialspace=True)


def _separator(content: str) -> tuple[str, str]:
    """Return the content, and the separator by which most rows have the same number of cells, at least two."""
    said, _, rest = content.partition("\n")
    if said.lower().startswith("sep=") and len(said) == 5:  # Excel's own hint, which is no row
        return rest, said[4]
    best = max(_SEPARATORS, key=lambda separator: _evenness(content, separator))
    return content, best if _evenness(content, best) >= _EVEN else _NO_SEPARATOR


def _evenness(content: str, separator: str) -> float:
    sample = "\n".join(content.split("\n", _SAMPLE_ROWS)[:_SAMPLE_ROWS])
    widths = Counter(len(row) for row in _rows(sample, separator) if row)
    wide = {width: count for width, count in widths.items() if width > 1}
    if not wide:
        return 0.0
    width, count = max(wide.items(), key=lambda item: (item[1], item[0]))
    return count / sum(widths.values()) + min(width, 50) / 1000
