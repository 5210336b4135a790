"""A file is what its content says, whatever its name is."""

from pathlib import Path, PurePosixPath

import pytest

from ingest.loaders.kinds import true_ending
from tests.ingest.loaders.archives import zip_bytes
from tests.ingest.loaders.loading import load_one
from tests.ingest.loaders.pdf_writer import Words, pdf_bytes


@pytest.mark.parametrize(
    ("name", "content", "ending"),
    [
        ("a.md", b"%PDF-1.4", ".pdf"),
        ("a.docx", b"{\\rtf1", ".rtf"),
        ("a.jpg", b"\x89PNG\r\n\x1a\n", ".png"),
        ("a.png", b"RIFF\x00\x00\x00\x00WEBPVP8 ", ".webp"),
        ("a.doc", b"\xef\xbb\xbf\r\n<HTML><body>", ".html"),
        ("a.doc", b"MIME-Version: 1.0\r\n", ".eml"),
        ("a.txt", b"<html>", ".txt"),
        ("a.TXT", b"words", ".txt"),
        ("part", b"words", ""),
        ("a.docx", b"PK\x03\x04 torn", ".docx"),
        ("part", b"PK\x03\x04 torn", ".zip"),
        ("a.doc", zip_bytes({"[Content_Types].xml": "", "word/document.xml": ""}), ".docx"),
        ("a.bin", zip_bytes({"[Content_Types].xml": "", "xl/workbook.xml": ""}), ".xlsx"),
        ("a.docx", zip_bytes({"readme.md": ""}), ".zip"),
        ("a.zip", zip_bytes({"mimetype": "application/epub+zip"}), ".epub"),
    ],
)
def test_endings(name: str, content: bytes, ending: str) -> None:
    assert true_ending(PurePosixPath(name), content) == ending


def test_a_pdf_with_another_name(tmp_path: Path) -> None:
    assert load_one(tmp_path, "a.txt", pdf_bytes([[Words("Hello there")]])).text == "Hello there"
