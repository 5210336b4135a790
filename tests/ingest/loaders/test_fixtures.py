"""Hard files from the tests of other projects: each gives what its manifest says, through the real worker.

``ANSWERDESK_PARSER_FIXTURES`` names another folder of the same form, with its own ``manifest.csv``, to be walked too.
"""

import csv
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.loaders.source import Limits, SourceFile
from ingest.reader import FileReader
from rag.errors import DocumentUnreadable
from rag.schema import Document

pytestmark = pytest.mark.real  # scans are read with the real OCR models

OWN = Path(__file__).parent.parent / "fixtures"
FOLDERS = [OWN, *(Path(folder) for folder in [os.environ.get("ANSWERDESK_PARSER_FIXTURES", "")] if folder)]

LOCKED = ("password_protected", "fake-encrypted", "onyx__encrypted")
WITHOUT_TEXT = ("empty.eml", "empty.xlsx")
TEXT_SHARE = 0.5  # PyMuPDF counts the blanks between columns and the ends of lines
FEW_CHARACTERS = 40
CJK_SHARE = 0.9
PASSWORDS = ("wrong", "foo", "usersecret", "asdfzxcv", "openpassword", "test")
OPENED = {
    "pdfminer.six__aes-128.pdf": "Secret!",
    "pdfminer.six__aes-128-m.pdf": "Secret!",
    "pdfminer.six__aes-256-m.pdf": "Secret!",
    "pdfminer.six__rc4-128.pdf": "Secret!",
    "pypdf__encrypted-file.pdf": "",
    "pypdf__r4-user-password.pdf": "test",
    "pypdf__libreoffice-writer-password.pdf": "",
}
PHRASES = {
    "Langchain-Chatchat__ocr_test.pptx": ["我是文字", "竖向文本框", "| 我是表格3 | 我是表格4 |"],
    "haystack__basic_tables_two_sheets.xlsx": ["## Basic Table", "| col_a | col_b |", "## Table Missing Value"],
    "haystack__non_text_searchable.pdf": ["This is an example of a non-text-searchable PDF."],
    "haystack__sample_docx_3.docx": ["| Industry | AI Use Case | Impact |"],
    "haystack__sample_docx_with_single_link.docx": ["https://en.wikipedia.org/wiki/PDF"],
    "haystack__sample_pptx_with_link.pptx": ["## Slide With Link", "https://example.com"],
    "haystack__spreadsheet_with_links.xlsx": ["Docs (https://python.org)"],
    "markitdown__MEDRPT-2024-PAT-3847_medical_report_scan.pdf": ["| Heart Rate | 78 bpm |", "Sumatriptan 50mg"],
    "markitdown__test.epub": ["# Chapter 1: Test Content", "- A bullet point"],
    "markitdown__test.xlsx": ["| Alpha | Beta | Gamma | Delta |", "6ff4173b-42a5-4784-9b19-f49caff4d93d"],
    "markitdown__test_mskanji.csv": ["| 名前 | 年齢 | 住所 |", "髙橋淳"],
    "unstructured__README.org": ["## XBRL 10-K", "```bash"],
    "unstructured__README.rst": ["## XBRL 10-K", "```bash"],
    "unstructured__docx-shapes.docx": ["<inline-image1>", "<floating-shape>"],
    "unstructured__docx-tables.docx": ["| Lorem ipsum | A link example (https://tabul.com/) |"],
    "unstructured__fake-doc-emphasized-text.doc": ["| Header Col 1 | Header Col 2 |", "I am a normal text."],
    "unstructured__fake-power-point-table.pptx": ["| Purple | Orange | Yellow |"],
    "unstructured__fake.odt": ["| Leader | Sarah | Mark | Ryan |"],
    "unstructured__mime-html-only.eml": ["This is a text/html part."],
    "unstructured__signed-doc.p7s": ["This is a test"],
    "unstructured__stanley-cups-utf-16.csv": ["| Maple Leafs | TOR | 13 |"],
    "unstructured__table-semicolon-delimiter.csv": ["| 2023 | 2 | 143,1 | -814,38 |"],
    "unstructured__xlsx-subtable-cases.xlsx": ["| a | b |\n| --- | --- |\n| c | d |\n| e |  |"],
}
TITLES = {
    "unstructured__mime-word-encoded-subject.eml": "Simple email with ☸☿ Unicode subject",
    "unstructured__fake-email-attachment.msg": "Fake email with attachment",
    "unstructured__sample-presentation.pptx": "Title Slide",
}
SAME_TEXT = "unstructured__eng_spa_mult."
PARTS = {
    "unstructured__fake-email-attachment.msg": ["fake-attachment.txt"],
    "unstructured__mime-multipart-digest.eml": ["First Message.eml", "Second Message.eml", "Third Message.eml"],
}


def _rows() -> Iterator[tuple[Path, dict[str, str]]]:
    for folder in FOLDERS:
        with (folder / "manifest.csv").open(encoding="utf-8") as file:
            yield from ((folder, row) for row in csv.DictReader(file))


ROWS = list(_rows())


@pytest.fixture(scope="module")
def reader() -> Iterator[FileReader]:
    with FileReader(Limits()) as found:
        yield found


@pytest.mark.parametrize(("folder", "row"), ROWS, ids=[f"{folder.name}-{row['file']}" for folder, row in ROWS])
def test_a_file_gives_what_the_manifest_says(reader: FileReader, folder: Path, row: dict[str, str]) -> None:
    path = folder / row["file"]
    found = list(reader.read(SourceFile(path, folder)))
    documents = [item for item in found if isinstance(item, Document)]
    reasons = [str(item.details["reason"]) for item in found if isinstance(item, DocumentUnreadable)]
    assert found, "neither a document nor a reason"
    assert all(document.text.strip() and document.title for document in documents)
    if row["pymupdf_status"] == "needs_pass" or any(name in path.name for name in LOCKED):
        assert (documents, reasons) == ([], ["encrypted"])
    elif path.name.endswith(WITHOUT_TEXT):
        assert (documents, reasons) == ([], ["empty"])
    elif row["pymupdf_status"].startswith("error"):
        assert set(reasons) <= {"malformed"}
    elif row["text_chars_first6"] == "0":
        assert len(found) == 1
        assert set(reasons) <= {"empty", "picture", "malformed"}
    else:
        assert reasons == []
        _check_text(path.name, documents, row)


def _check_text(name: str, documents: list[Document], row: dict[str, str]) -> None:
    text = "\n".join(document.text for document in documents)
    if int(row["text_chars_first6"] or 0) >= FEW_CHARACTERS:
        assert len(text) >= TEXT_SHARE * int(row["text_chars_first6"])
    assert len([character for character in text if "\u4e00" <= character <= "\u9fff"]) >= CJK_SHARE * int(
        row["cjk_chars"] or 0
    )
    if int(row["pages"] or 0) > 0:
        assert documents[0].metadata["pages"] == row["pages"]
        assert len(documents[0].metadata["page_starts"].split()) == int(row["pages"])
    for phrase in PHRASES.get(name, []):
        assert phrase in text
    assert documents[0].title == TITLES.get(name, documents[0].title)
    inside = [document.document_id.split("!/")[1] for document in documents if "!/" in document.document_id]
    assert inside == PARTS.get(name, inside)
    if name.startswith(SAME_TEXT):
        assert 3000 < len(text) < 3200
        assert "All human beings are born free" in text
        assert "Todos los seres humanos nacen libres" in text


def test_locked_files_open_with_their_password() -> None:
    with FileReader(Limits(passwords=PASSWORDS)) as reader:
        for name, phrase in OPENED.items():
            (found,) = reader.read(SourceFile(OWN / "pdf-encrypted" / name, OWN))
            assert isinstance(found, Document), found
            assert phrase in found.text
