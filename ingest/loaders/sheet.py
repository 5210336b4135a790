"""Rows of cells, of spreadsheets and of separated values (CSV, TSV), in the plain form of ``plain_markup``."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from ingest.loaders.fields import make_document
from ingest.loaders.plain_markup import heading, table
from ingest.loaders.records import ANSWER, QUESTION, record_documents
from ingest.loaders.source import Limits, SourceFile
from ingest.loaders.table_header import with_one_header
from ingest.loaders.text import decoded
from rag.errors import DocumentUnreadable
from rag.schema import Document

Row = Sequence[str]

_WIDE_HEADER_CHARACTERS = 400  # about as many tokens as a passage has


_SEPARATORS = (",", "\t", ";", "|")
_NO_SEPARATOR = "\x1f"  # which no text has: control characters are dropped
_EVEN = 0.5
_SAMPLE_ROWS = 100


def sheet_documents(
    source: SourceFile, sheets: Sequence[tuple[str, Sequence[Row]]], fields: dict[str, str], limits: Limits, kind: str
) -> Iterator[Document | DocumentUnreadable]:
    """Yield the questions of sheets that hold some, and the other sheets together as one document."""
    texts = []
    asked = 0
    for name, rows in sheets:
        records = question_records(rows)
        asked += len(records)
        if asked > limits.parts:
            raise source.unreadable("too_many")
        yield from record_documents(source, records, kind=kind, where=f"{name}, row")
        text = "" if records else sheet_text(rows)
        if text:
            texts.append(f"{heading(2, name)}\n\n{text}")
    if texts or not asked:
        yield make_document(source, "\n\n".join(texts), fields, kind=kind)


def sheet_text(rows: Sequence[Row]) -> str:
    """Return tables and paragraphs: a blank row ends a table, a lone cell above one is its title."""
    return "\n\n".join(block for island in _islands(rows) for block in _blocks(island))


def question_records(rows: Sequence[Row]) -> list[tuple[int, dict[str, str]]]:
    """Return the rows below the header, numbered from 1 on, by its names, if it names a question and an answer."""
    start = next((number for number, row in enumerate(rows) if any(cell.strip() for cell in row)), 0)
    header = [cell.strip() for cell in rows[start]] if rows else []
    names = {cell.lower() for cell in header}
    if names.isdisjoint(QUESTION) or names.isdisjoint(ANSWER):
        return []
    records = ({name: cell for name, cell in zip(header, row, strict=False) if name} for row in rows)
    filled = enumerate(records, start=1)
    return [
        (number, record) for number, record in filled if number > start + 1 and any(map(str.strip, record.values()))
    ]


def _islands(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Yield the runs of rows between blank ones, without the columns that are blank in the whole run."""
    for is_filled, group in groupby(rows, key=lambda row: any(cell.strip() for cell in row)):
        if not is_filled:
            continue
        island = list(group)
        width = max(len(row) for row in island)
        used = [any(len(row) > column and row[column].strip() for row in island) for column in range(width)]
        yield [[cell for cell, keep in zip(row, used, strict=False) if keep] for row in island]


def _blocks(island: Sequence[Row]) -> Iterator[str]:
    rows = list(island)
    width = max(len(row) for row in rows)
    if width == 1:
        yield "\n".join(row[0].strip() for row in rows)
        return
    while len(rows) > 1 and rows[0][0].strip() and not any(cell.strip() for cell in rows[0][1:]):
        yield rows.pop(0)[0].strip()  # a title above the header
    rows = [*with_one_header(rows)]
    if len(" | ".join(rows[0])) > _WIDE_HEADER_CHARACTERS:
        yield from filter(None, (_record(rows[0], row) for row in rows[1:]))
    else:
        yield table(rows)


def _record(header: Row, row: Row) -> str:
    """Return a row as ``name: value`` pairs, for tables too wide to match cells with the header above."""
    pairs = [(name.strip(), cell.strip()) for name, cell in zip(header, row, strict=False)]
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in pairs if cell)


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
    """Return the content, and the separator that gives most rows the same number of cells, at least two."""
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
