"""What a customer sent as a file, as words: a mail, a text, or a picture of what is on their screen.

The file is read by the ingest's own loaders in a process of its own (``reader.py``), for it comes from anybody.  Of a
mail only the subject and the newest words are taken; who sent it is read by nobody and written nowhere.
"""

import tempfile
from pathlib import Path, PurePosixPath

from ingest.loaders.kinds import PICTURE_ENDINGS
from ingest.loaders.mail import subject_of
from ingest.mail_text import newest_words, plain_subject
from ingest.reader import FileReader
from rag.errors import DocumentUnreadable
from rag.schema import Document

MAIL_ENDINGS = frozenset({".eml", ".msg"})
CUSTOMER_ENDINGS = tuple(sorted(MAIL_ENDINGS | PICTURE_ENDINGS | {".txt"}))
"""Names of files that customers send, in lower case."""

_NAME = "attachment"


def is_mail(name: str) -> bool:
    """Tell from a file's name whether it is a mail."""
    return PurePosixPath(name.lower()).suffix in MAIL_ENDINGS


def question_of_file(name: str, content: bytes, reader: FileReader) -> str:
    """Return a file's words as a question.

    A mail that only carries a picture has the picture's words.  Raises ``DocumentUnreadable`` with the file's name.
    """
    ending = PurePosixPath(name.lower()).suffix
    if ending not in CUSTOMER_ENDINGS:
        raise DocumentUnreadable(path=name, reason="unsupported")
    with tempfile.TemporaryDirectory(prefix="answerdesk-") as folder:  # for this user alone, and gone afterwards
        path = Path(folder) / f"{_NAME}{ending}"
        path.write_bytes(content)
        try:
            document = _first_document(name, path, reader)
        except DocumentUnreadable as error:
            subject = plain_subject(subject_of(content)) if ending == ".eml" else ""
            if error.details["reason"] != "empty" or not subject:
                raise
            return subject  # all that somebody typed on their telephone
    if document.metadata.get("format") != "email":
        return document.text.strip()
    subject = plain_subject("" if document.title == _NAME else document.title)
    words = newest_words(document.text)
    if subject and subject.lower() not in words.lower():
        words = f"{subject}\n\n{words}".strip()
    if not words:
        raise DocumentUnreadable(path=name, reason="empty")
    return words


def _first_document(name: str, path: Path, reader: FileReader) -> Document:
    """Return the file's own words, or those of the first part of it that has any."""
    failure: DocumentUnreadable | None = None
    found = reader.read(path, path.parent)
    for one in found:
        if isinstance(one, Document):
            return one
        failure = failure or one
    reason = str(failure.details["reason"]) if failure is not None else "empty"
    raise DocumentUnreadable(path=name, reason=reason)
