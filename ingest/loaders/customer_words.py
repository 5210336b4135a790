"""The words of a file that a customer sent, as a question.  Runs in the reading process, for it comes from anybody.

Of a mail only the subject and the newest words are taken; who sent it is read by nobody and written nowhere.
"""

from collections.abc import Iterator

from ingest.loaders.mail import subject_of
from ingest.loaders.mail_text import newest_words, plain_subject
from ingest.loaders.opening import read_file
from ingest.loaders.registry import load_open_file
from ingest.loaders.source import Found, Limits, SourceFile, StillReading
from rag.errors import DocumentUnreadable
from rag.schema import Document


def words_of_customer(source: SourceFile, descriptor: int, limits: Limits, *, skip: int = 0) -> Iterator[Found | str]:
    """Yield the file's words, or those of the first part of it that has any; else why there are none.

    A mail without words is its subject.  ``skip`` is how many parts were read before.
    """
    failures: list[DocumentUnreadable] = []
    for found in load_open_file(source, descriptor, limits, skip=skip):
        if isinstance(found, StillReading):
            yield found
        elif isinstance(found, Document):
            yield _question(found, source) or source.unreadable("empty")
            return
        else:
            failures.append(found)
    subject = ""
    if skip == 0 and source.path.suffix == ".eml" and failures and failures[0].details["reason"] == "empty":
        subject = _subject(source, descriptor, limits)
    if subject:  # all that somebody typed on their telephone
        yield subject
        return
    yield from failures


def _subject(source: SourceFile, descriptor: int, limits: Limits) -> str:
    try:
        return plain_subject(subject_of(read_file(source, descriptor, limits)))
    except DocumentUnreadable:  # a file of no bytes
        return ""


def _question(document: Document, source: SourceFile) -> str:
    if document.metadata.get("format") != "email":
        return document.text.strip()
    subject = plain_subject("" if document.title == source.path.stem else document.title)
    words = newest_words(document.text)
    if subject and subject.lower() not in words.lower():
        words = f"{subject}\n\n{words}".strip()
    return words
