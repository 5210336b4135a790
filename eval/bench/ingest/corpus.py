"""Documents for the ingest's benchmark: the sample knowledge base, varied and written in many formats, by a seed."""

import csv
import io
import json
import random
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from email.message import EmailMessage
from functools import cache
from html import escape
from itertools import islice
from pathlib import Path

from markdown_it import MarkdownIt

from eval.core.question_sets import KNOWLEDGE_DIR
from ingest.loaders.registry import load
from ingest.loaders.source import Limits
from rag.schema import Document

FORMATS = ("md", "html", "docx", "txt", "md", "odt", "html", "pdf", "jsonl", "csv", "md", "eml", "docx", "zip")
"""In this order, again and again."""

_ROWS = 6  # documents in one export or archive
_FILES_A_FOLDER = 200
_NUMBER = re.compile(r"\d+")
_PDF_LINES = 60
_PDF_COLUMNS = 95
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_WORD_TYPE = (
    '<Override PartName="/word/document.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/>'
)
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE_DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
_OPEN_OFFICE, _OPEN_TEXT = (f"urn:oasis:names:tc:opendocument:xmlns:{name}:1.0" for name in ("office", "text"))


def write_corpus(folder: Path, files: int, seed: int, formats: Sequence[str] = FORMATS) -> None:
    """Write so many files below ``folder``, both languages in turn; the same for the same seed."""
    stream = documents(seed)
    for number in range(files):
        place = folder / f"{number // _FILES_A_FOLDER:03d}"
        place.mkdir(parents=True, exist_ok=True)
        kind = formats[number % len(formats)]
        several = list(islice(stream, _ROWS if kind in ("jsonl", "csv", "zip") else 1))
        if kind == "pdf" and several[0].language == "zh":
            kind = "docx"  # the PDF that is written here knows no Chinese
        (place / f"{number:06d}.{kind}").write_bytes(_WRITERS[kind](several))


def documents(seed: int) -> Iterator[Document]:
    """Yield the sample documents without end, Chinese and English in turn, never one of them twice the same.

    Every number in a text is another one each time, and every title has a mark of its own: so no two passages are the
    same, while words, lengths and structure stay those of real articles.
    """
    draw = random.Random(seed)
    by_language = {language: list(_originals(language)) for language in ("zh", "en")}  # copies, to be shuffled
    for round_number in range(1, 1_000_000):
        for every in by_language.values():
            draw.shuffle(every)
        for number in range(max(map(len, by_language.values()))):
            for every in by_language.values():
                yield _varied(every[number % len(every)], f"{round_number}-{draw.randrange(10**6):06d}", draw)


@cache
def _originals(language: str) -> tuple[Document, ...]:
    paths = sorted((KNOWLEDGE_DIR / language).rglob("*.*"))
    found = (item for path in paths for item in load(path, KNOWLEDGE_DIR, Limits(ocr_pages=0)))
    return tuple(item for item in found if isinstance(item, Document))


def _varied(document: Document, mark: str, draw: random.Random) -> Document:
    text = _NUMBER.sub(lambda match: str(draw.randrange(10 ** min(len(match[0]), 9))), document.text)
    return replace(document, title=f"{document.title} ({mark})", text=text)


def _markdown(several: Sequence[Document]) -> bytes:
    return f"# {several[0].title}\n\n{several[0].text}\n".encode()


def _html(several: Sequence[Document]) -> bytes:
    body = MarkdownIt("commonmark").enable("table").render(several[0].text)
    title = escape(several[0].title)
    return (
        f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>{title}</title></head><body><nav>Home</nav><main>'
        f"<h1>{title}</h1>{body}</main><footer>Imprint</footer></body></html>"
    ).encode()


def _text(several: Sequence[Document]) -> bytes:
    encoding = "gb18030" if several[0].language == "zh" else "utf-8"
    return f"{several[0].title}\n\n{several[0].text}\n".encode(encoding, "replace")


def _mail(several: Sequence[Document]) -> bytes:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = several[0].title, "desk@example.com", "team@example.com"
    message.set_content(several[0].text)
    return message.as_bytes()


def _rows(several: Sequence[Document]) -> bytes:
    rows = ({"id": _row_id(one), "title": one.title, "text": one.text} for one in several)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _questions(several: Sequence[Document]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["question", "answer"])
    writer.writerows([one.title, one.text] for one in several)
    return out.getvalue().encode("utf-8-sig")


def _archive(several: Sequence[Document]) -> bytes:
    return _zipped({f"{number}.md": _markdown([one]) for number, one in enumerate(several)})


def _word(several: Sequence[Document]) -> bytes:
    paragraphs = "".join(
        f'<w:p><w:r><w:t xml:space="preserve">{escape(line)}</w:t></w:r></w:p>' for line in _lines(several[0])
    )
    relation = f'<Relationship Id="r1" Type="{_OFFICE_DOCUMENT}" Target="word/document.xml"/>'
    return _zipped(
        {
            "[Content_Types].xml": f'<Types xmlns="{_TYPES}">{_WORD_TYPE}</Types>'.encode(),
            "_rels/.rels": f'<Relationships xmlns="{_RELATIONS}">{relation}</Relationships>'.encode(),
            "word/document.xml": f'<w:document xmlns:w="{_WORD}"><w:body>{paragraphs}</w:body></w:document>'.encode(),
        }
    )


def _open_document(several: Sequence[Document]) -> bytes:
    paragraphs = "".join(f"<text:p>{escape(line)}</text:p>" for line in _lines(several[0]))
    content = (
        f'<office:document-content xmlns:office="{_OPEN_OFFICE}" xmlns:text="{_OPEN_TEXT}"><office:body><office:text>'
        f"{paragraphs}</office:text></office:body></office:document-content>"
    )
    return _zipped({"mimetype": b"application/vnd.oasis.opendocument.text", "content.xml": content.encode()})


def _pdf(several: Sequence[Document]) -> bytes:
    """Return pages of Helvetica, by the plainest means that PDF has."""
    lines = [line[at : at + _PDF_COLUMNS] for line in _lines(several[0]) for at in range(0, len(line), _PDF_COLUMNS)]
    pages = [lines[at : at + _PDF_LINES] for at in range(0, len(lines), _PDF_LINES)]
    numbers = [4 + 2 * page for page in range(len(pages))]
    kids = " ".join(f"{number} 0 R" for number in numbers)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, page in zip(numbers, pages, strict=True):
        escaped = (line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)") for line in page)
        shown = "".join(f"({line}) Tj T*\n" for line in escaped)
        content = f"BT /F1 10 Tf 12 TL 50 790 Td\n{shown}ET".encode("cp1252", "replace")
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {number + 1} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>".encode(),
            f"<< /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream",
        ]
    return _pdf_file(objects)


def _pdf_file(objects: Sequence[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    count = len(objects) + 1
    end = f"trailer << /Size {count} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return bytes(out) + f"xref\n0 {count}\n0000000000 65535 f \n{table}{end}".encode()


def _lines(document: Document) -> list[str]:
    return [line for line in [document.title, *document.text.splitlines()] if line.strip()]


def _row_id(document: Document) -> str:
    return document.title.rsplit("(", 1)[-1].rstrip(")")


def _zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


_WRITERS: dict[str, Callable[[Sequence[Document]], bytes]] = {
    "md": _markdown,
    "html": _html,
    "txt": _text,
    "eml": _mail,
    "jsonl": _rows,
    "csv": _questions,
    "zip": _archive,
    "docx": _word,
    "odt": _open_document,
    "pdf": _pdf,
}
