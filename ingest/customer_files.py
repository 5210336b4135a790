"""What a customer sent as a file, as words: a mail, a text, or a picture of what is on their screen.

The file is read, and its words are chosen, in a process of its own (``reader.py``, ``customer_words.py``), for it comes
from anybody.  It is written to no disk.
"""

from pathlib import PurePosixPath

from ingest.loaders.kinds import PICTURE_ENDINGS
from ingest.reader import FileReader, KeepFigure
from rag.errors import DocumentUnreadable

MAIL_ENDINGS = frozenset({".eml", ".msg"})
CUSTOMER_ENDINGS = tuple(sorted(MAIL_ENDINGS | PICTURE_ENDINGS | {".txt"}))
"""Names of files that customers send, in lower case."""

_NAME = "attachment"


def is_mail(name: str) -> bool:
    """Tell from a file's name whether it is a mail."""
    return PurePosixPath(name.lower()).suffix in MAIL_ENDINGS


def is_picture(name: str) -> bool:
    """Tell from a file's name whether it is a picture."""
    return PurePosixPath(name.lower()).suffix in PICTURE_ENDINGS


def copy_picture_of_file(name: str, content: bytes, reader: FileReader, keep_picture: KeepFigure) -> None:
    """Give ``keep_picture`` a picture as a model may be shown it.  Raises ``DocumentUnreadable`` with its name."""
    if not is_picture(name):
        raise DocumentUnreadable(path=name, reason="unsupported")
    try:
        reader.copy_picture(f"{_NAME}{PurePosixPath(name.lower()).suffix}", content, keep_picture)
    except DocumentUnreadable as error:
        raise DocumentUnreadable(path=name, reason=str(error.details["reason"])) from error


def question_of_file(name: str, content: bytes, reader: FileReader) -> str:
    """Return a file's words as a question.

    A mail that only carries a picture has the picture's words.  Raises ``DocumentUnreadable`` with the file's name.
    """
    ending = PurePosixPath(name.lower()).suffix
    if ending not in CUSTOMER_ENDINGS:
        raise DocumentUnreadable(path=name, reason="unsupported")
    failure = ""
    for found in reader.read_customer_file(f"{_NAME}{ending}", content):
        if isinstance(found, str):
            return found
        failure = failure or str(found.details["reason"])
    raise DocumentUnreadable(path=name, reason=failure or "empty")
