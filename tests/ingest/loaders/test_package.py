"""A package of XML that unpacks to more than there is memory for is refused with that reason, never read in part."""

from dataclasses import replace
from pathlib import Path

import pytest

from ingest.loaders.source import Limits, SourceFile
from ingest.reader import FileReader
from rag.errors import DocumentUnreadable
from rag.settings import Settings
from tests.ingest.loaders.archives import zip_bytes
from tests.ingest.loaders.loading import LIMITS, load_one, reason

_SPACES = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:r="urn:r" xmlns:a="urn:a"'
_TO_DOCUMENT = (
    '<Relationships><Relationship Id="r1" Type="t/officeDocument" Target="word/document.xml"/></Relationships>'
)
_TO_PICTURE = '<Relationships><Relationship Id="r2" Type="t/image" Target="big.bmp"/></Relationships>'
SMALL = replace(LIMITS, memory_bytes=1_000_000)
"""One part may have 150 kB."""


def document(paragraphs: int, inside: str = "", picture: bytes = b"") -> bytes:
    body = "<w:p><w:r><w:t>some words</w:t></w:r></w:p>" * paragraphs + inside
    return zip_bytes(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": _TO_DOCUMENT,
            "word/_rels/document.xml.rels": _TO_PICTURE,
            "word/document.xml": f"<w:document {_SPACES}><w:body>{body}</w:body></w:document>",
            "word/big.bmp": picture,
        }
    )


@pytest.mark.slow
def test_a_part_that_unpacks_to_too_much_is_not_unpacked(tmp_path: Path) -> None:
    assert load_one(tmp_path, "a.docx", document(3000), SMALL).text.count("some words") == 3000
    assert reason(tmp_path, "a.docx", document(4000), SMALL) == "too_much_memory"
    assert Limits().part_bytes == 150_000_000


def test_nor_in_a_book_or_an_open_document(tmp_path: Path) -> None:
    content = zip_bytes(
        {"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": "<a>" + " " * 200_000 + "</a>"}
    )
    assert reason(tmp_path, "a.odt", content, SMALL) == "too_much_memory"
    book = zip_bytes({"mimetype": "application/epub+zip", "META-INF/container.xml": " " * 200_000})
    assert reason(tmp_path, "a.epub", book, SMALL) == "too_much_memory"


def test_a_picture_that_is_too_large_costs_itself_only(tmp_path: Path) -> None:
    inside = '<w:p><w:r><a:blip r:embed="r2"/></w:r></w:p>'
    content = document(1, inside, picture=bytes(200_000))
    assert load_one(tmp_path, "a.docx", content, replace(SMALL, ocr_pages=3)).text == "some words"


@pytest.mark.slow
def test_xml_for_which_memory_does_not_suffice_is_told_as_that(tmp_path: Path) -> None:
    """lxml says that such XML were wrong."""
    (tmp_path / "a.docx").write_bytes(document(700_000))
    with FileReader(Limits(memory_bytes=300_000_000, ocr_pages=0)) as reader:
        (found,) = reader.read(SourceFile(tmp_path / "a.docx", tmp_path))
    assert isinstance(found, DocumentUnreadable)
    assert found.details["reason"] == "too_much_memory"


def test_every_limit_is_the_settings_own(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("sesame\nfoo\n", "utf-8")
    settings = Settings(
        data_dir=tmp_path, document_limit_megabytes=1, unpacked_limit_megabytes=2, archive_limit_entries=3,
        archive_limit_depth=4, ocr_limit_pages=5, figure_limit=6, picture_limit_megapixels=7,
        reading_memory_megabytes=800, ocr_memory_megabytes=3500, passwords_file=passwords,
    )  # fmt: skip
    assert Limits.of(settings) == Limits(
        1_000_000, 2_000_000, 3, 4, 5, 6, 7_000_000, 800_000_000, 3_500_000_000, ("sesame", "foo")
    )
    assert Limits.of(Settings(data_dir=tmp_path)).memory_bytes == 1_000_000_000, "1 GB unless it looks at pictures"
