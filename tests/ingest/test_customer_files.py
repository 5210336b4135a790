"""What a customer sent becomes a question, read by a process that costs nothing else when it breaks."""

from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from ingest.customer_files import CUSTOMER_ENDINGS, is_mail, question_of_file
from ingest.loaders.source import Limits
from ingest.reader import FileReader
from rag.errors import DocumentUnreadable
from tests.ingest.loaders.test_picture import drawn

BODY = "Can I return it within 30 days?\n\n-- \nAnn\n\nOn 1 Aug 2026, Desk <help@shop.example> wrote:\n> Hello Ann"


@pytest.fixture(scope="module")
def reader() -> Iterator[FileReader]:
    with FileReader(Limits(1_000_000, ocr_pages=2, picture_pixels=4_000_000)) as found:
        yield found


def mail(subject: str = "Re: Scratched", body: str = BODY, *, html: bool = False, picture: bytes = b"") -> bytes:
    message = EmailMessage()
    message["From"] = "Ann Example <ann@private.example>"
    message["To"] = "help@shop.example"
    if subject:
        message["Subject"] = subject
    message.set_content(body, subtype="html" if html else "plain")
    if picture:
        message.add_attachment(picture, maintype="image", subtype="png", filename="screen.png")
    return message.as_bytes()


@pytest.mark.slow
def test_a_mail_is_its_subject_and_newest_words_and_nobodys_address(reader: FileReader) -> None:
    assert question_of_file("Frage.EML", mail(), reader) == "Scratched\n\nCan I return it within 30 days?"
    page = "<p>Can I return it?</p><p>-- <br>Ann</p>"
    assert question_of_file("a.eml", mail("", page, html=True), reader) == "Can I return it?"
    assert question_of_file("a.eml", mail("Can I return it"), reader) == "Can I return it within 30 days?"
    assert question_of_file("a.eml", mail("回复：划痕", "可以退吗？"), reader) == "划痕\n\n可以退吗？"


@pytest.mark.slow
def test_a_mail_of_a_subject_alone_is_that(reader: FileReader) -> None:
    assert question_of_file("a.eml", mail("Where is my order 1234?", " "), reader) == "Where is my order 1234?"


def test_a_text_is_its_words(reader: FileReader) -> None:
    assert (
        question_of_file("chat.txt", "收到的货有划痕，能退吗？\n".encode("gb18030"), reader)
        == "收到的货有划痕，能退吗？"
    )


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.exe", b"MZ", "unsupported"),
        ("noending", b"words", "unsupported"),
        ("a.txt", b"", "empty"),
        ("a.eml", b"", "empty"),
        ("a.eml", mail("", " "), "empty"),
        ("a.eml", b"\x00\x01\x02 no mail at all", "malformed"),
        ("a.png", b"\x89PNG\r\n\x1a\nbroken", "malformed"),
        ("../../etc/a.txt", b" ", "empty"),
        ("a.txt", b"x" * 1_000_001, "too_large"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_reason(
    reader: FileReader, name: str, content: bytes, reason: str
) -> None:
    with pytest.raises(DocumentUnreadable) as found:
        question_of_file(name, content, reader)
    assert (found.value.details["path"], found.value.details["reason"]) == (name, reason)


def test_nothing_of_it_stays_on_the_disk(reader: FileReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    question_of_file("a.eml", mail(), reader)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.real
def test_a_picture_is_the_words_in_it_also_in_a_mail(reader: FileReader) -> None:
    picture = drawn("Error E07", "Battery of the lock is low")
    words = "Error E07\nBattery of the lock is low"
    assert question_of_file("screen.png", picture, reader) == words
    assert question_of_file("a.eml", mail("", " ", picture=picture), reader) == words


def test_which_files_are_mails() -> None:
    assert [is_mail(name) for name in ("a.eml", "A.MSG", "a.txt", "eml")] == [True, True, False, False]
    assert ".png" in CUSTOMER_ENDINGS
