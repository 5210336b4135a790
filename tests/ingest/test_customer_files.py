"""What a customer sent becomes a question, read by a process that costs nothing else when it breaks."""

import os
import subprocess
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from ingest.loaders.source import Limits
from ingest.reader import CUSTOMER_ENDINGS, FileReader, is_mail, question_of_file
from rag.errors import DocumentUnreadable
from tests.ingest.loaders.test_package_zip import LOCKED
from tests.ingest.loaders.test_picture import drawn
from tests.support.stalls import LONGEST_STALL_SECONDS, watched

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
def test_one_process_reads_file_after_file(reader: FileReader) -> None:
    question_of_file("a.eml", mail(), reader)
    first = reader._worker
    question_of_file("b.eml", mail(), reader)
    assert first is not None
    assert reader._worker is first


@pytest.mark.slow
def test_a_mail_of_a_subject_alone_is_that(reader: FileReader) -> None:
    assert question_of_file("a.eml", mail("Where is my order 1234?", " "), reader) == "Where is my order 1234?"


@pytest.mark.slow
def test_a_strangers_file_is_not_opened_with_the_teams_passwords() -> None:
    with FileReader(Limits(passwords=("sesame",))) as own:
        (found,) = own.read_customer_file("a.zip", LOCKED)
    assert isinstance(found, DocumentUnreadable)
    assert found.details["reason"] == "encrypted"


@pytest.mark.slow
def test_a_text_is_its_words(reader: FileReader) -> None:
    assert (
        question_of_file("chat.txt", "收到的货有划痕，能退吗？\n".encode("gb18030"), reader)
        == "收到的货有划痕，能退吗？"
    )


@pytest.mark.slow
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


@pytest.mark.slow
def test_nothing_of_it_stays_on_the_disk(reader: FileReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object, flags: int = 0, *_: object, **__: object) -> int:
        pytest.fail(f"{path} was opened")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    question_of_file("a.eml", mail(), reader)  # starts the process that reads, which opens its own pipes
    with monkeypatch.context() as watched:
        for name in ("os.open", "io.open", "builtins.open", "os.mkdir"):
            watched.setattr(name, refuse)
        said = question_of_file("a.eml", mail(), reader)
    assert said == "Scratched\n\nCan I return it within 30 days?"
    assert list(tmp_path.iterdir()) == []


_ENDLESS = """
import ingest.loaders.customer_words as customer_words
def endless(body):
    while True:
        pass
customer_words.newest_words = endless
"""


@pytest.mark.slow
def test_no_mail_holds_up_the_process_that_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules of mail run in the reading process under its limits, however long they take."""
    (tmp_path / "sitecustomize.py").write_text(_ENDLESS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    slow = FileReader(Limits(1_000_000), timeout_seconds=1.0)
    with slow, watched() as watcher, pytest.raises(DocumentUnreadable) as found:
        question_of_file("a.eml", mail(), slow)
    assert found.value.details["reason"] == "too_slow"
    assert watcher.longest_seconds < LONGEST_STALL_SECONDS, "a pattern that holds the lock takes all of a second"


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    ["a " * 500_000, ">" * 1_000_000 + " a", "> " * 500_000 + "b", "- a\n" * 250_000],
    ids=["words", "deep quotes", "quotes", "items"],
)
@pytest.mark.parametrize("name", ["a.eml", "a.txt"])
def test_no_long_file_holds_up_the_process_that_asked(name: str, body: str) -> None:
    head = b"From: ann@private.example\nSubject: Scratched\n\n" if is_mail(name) else b""
    with FileReader(Limits(2_000_000)) as reader, watched() as watcher:
        said = question_of_file(name, head + body.encode(), reader)
    assert said
    assert watcher.longest_seconds < LONGEST_STALL_SECONDS


_KILLED = """
import sys, pathlib
from ingest.reader import question_of_file
from ingest.loaders.source import Limits
from ingest.reader import FileReader
with FileReader(Limits(), timeout_seconds=30) as reader:
    original = reader._replies
    def replies(*arguments, **named):
        for found in original(*arguments, **named):
            print("reading", flush=True)
            sys.stdin.read()
            yield found
    reader._replies = replies
    question_of_file("a.txt", b"the words of a customer", reader)
"""


@pytest.mark.slow
def test_a_desk_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    desk = subprocess.Popen(
        [sys.executable, "-c", _KILLED],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert desk.stdout is not None
    assert desk.stdout.readline() == "reading\n", "it has the customer's file in its hands"
    desk.kill()
    desk.communicate()
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.real
def test_a_picture_is_the_words_in_it_also_in_a_mail(reader: FileReader) -> None:
    picture = drawn("Error E07", "Battery of the lock is low")
    words = "Error E07\nBattery of the lock is low"
    assert question_of_file("screen.png", picture, reader) == words
    assert question_of_file("a.eml", mail("", " ", picture=picture), reader) == words


def test_which_files_are_mails() -> None:
    assert [is_mail(name) for name in ("a.eml", "A.MSG", "a.txt", "eml")] == [True, True, False, False]
    assert ".png" in CUSTOMER_ENDINGS
