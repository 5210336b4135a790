"""E-mail: the message with its quoted history; attachments become documents of their own."""

import email
import email.errors
import email.header
import email.policy
import email.utils
import re
from collections.abc import Iterator, Mapping
from email.message import EmailMessage, MIMEPart

from ingest.loaders.encoding import clean, decode, decode_declared
from ingest.loaders.fields import make_document
from ingest.loaders.html import fragment_text
from ingest.loaders.source import Found, Limits, Part, SourceFile
from rag.errors import DocumentUnreadable
from rag.schema import Document

_FLOWED = re.compile(r"(?<![\n-]) \n(?!\n|>| )")  # RFC 3676: a blank at a line's end says that it goes on
_BLANK_LINES = re.compile(r"\n[ \t\u00a0]*(?:\n[ \t\u00a0]*)+(?=\n|\S)")
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")
_SIGNATURES = ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature")
_ENCRYPTED = ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")
_ENDINGS = {
    "text/html": ".html", "text/plain": ".txt", "text/csv": ".csv", "text/calendar": ".txt", "text/markdown": ".md",
    "application/pdf": ".pdf", "application/json": ".json", "application/zip": ".zip",
    "image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "message/rfc822": ".eml",
}  # fmt: skip


def load_eml(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Found | Part]:
    """Yield the message as a document, titled by its subject, and its attachments as parts.

    Metadata: ``sender``, ``recipients``, and the date as ``updated_on``.  Of a message in two forms the plain one is
    kept.  Forwarded messages are parts too.
    """
    del limits  # parts are counted by the registry
    message = _parse(source, raw)
    if message.get_content_type() in _ENCRYPTED:
        raise source.unreadable("encrypted")
    body, body_part = _body(message)
    fields = {
        "title": _header(message, "subject"),
        "sender": _header(message, "from"),
        "recipients": _header(message, "to"),
        "updated": _date(message),
    }
    attachments = list(_attachments(message, body_part))
    yield from message_document(source, body, fields, carries_files=bool(attachments))
    yield from attachments


def message_document(
    source: SourceFile, words: str, fields: Mapping[str, str], *, carries_files: bool
) -> Iterator[Document]:
    """Yield the document of a message; one that only carries files may be without words."""
    try:
        document = make_document(source, words, fields, kind="email")
    except DocumentUnreadable:
        if not carries_files:
            raise
    else:
        yield document


def part_name(written: str) -> str:
    """Return an attachment's file name without slashes; empty for none."""
    return clean(written).replace("/", "_").strip()


def subject_of(raw: bytes) -> str:
    """Return the subject of a message; empty where it has none."""
    return _header(email.message_from_bytes(raw, policy=email.policy.default), "subject")


def _parse(source: SourceFile, raw: bytes) -> EmailMessage:
    if raw.startswith(_WIDE_MARKS) or b"\x00" in raw[:200]:  # saved by an editor as UTF-16
        text = decode(raw)
        raw = text.encode("utf-8", "surrogateescape") if text is not None else raw
    message = email.message_from_bytes(raw.lstrip(b"\xef\xbb\xbf \t\r\n"), policy=email.policy.default)
    if not message.keys():
        raise source.unreadable("malformed" if raw.strip() else "empty")
    return message


def _body(message: EmailMessage) -> tuple[str, MIMEPart | None]:
    """Return the message's words and their part: the plain text, or the web page where that is blank."""
    fallback: tuple[str, MIMEPart | None] = ("", None)
    for preference in ("plain", "html"):
        part = message.get_body(preferencelist=(preference,))
        if part is not None and not part.is_multipart():
            text = _words(part)
            if text.strip():
                return text, part
            fallback = ("", part)
    return fallback


def _words(part: MIMEPart) -> str:
    text = _decoded(part)
    if part.get_content_subtype() == "html":
        return fragment_text(text)
    if part.get_param("format") == "flowed":
        text = _FLOWED.sub(" ", text)
    return _BLANK_LINES.sub("\n\n", clean(text))


def _decoded(part: MIMEPart) -> str:
    """Decode by the declared character set; by detection where that is wrong or unknown."""
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return str(part.get_payload())
    text = decode_declared(payload, part.get_content_charset() or "us-ascii")
    return text if text is not None else payload.decode("utf-8", "replace")


def _attachments(message: EmailMessage, body: MIMEPart | None) -> Iterator[Part]:
    """Yield the message's leaves but its words, their other form and signatures."""
    number = 0
    for leaf, alternative in _leaves(message, within_alternative=False):
        kind = leaf.get_content_type()
        if (
            leaf is body
            or kind in _SIGNATURES
            or (alternative and not leaf.is_attachment() and not leaf.get_filename())
        ):
            continue
        number += 1
        raw = _content(leaf)
        is_named = leaf.is_attachment() or leaf.get_filename() is not None
        yield Part(_name(leaf, number), raw, quiet=not is_named or leaf["content-id"] is not None)


def _leaves(message: EmailMessage, *, within_alternative: bool) -> Iterator[tuple[EmailMessage, bool]]:
    if not message.is_multipart() or message.get_content_type() == "message/rfc822":
        yield message, within_alternative
        return
    alternative = message.get_content_type() == "multipart/alternative"
    for child in message.iter_parts() if message.get_content_maintype() == "multipart" else message.get_payload():
        if isinstance(child, EmailMessage):
            yield from _leaves(child, within_alternative=alternative or within_alternative)


def _content(leaf: EmailMessage) -> bytes:
    if leaf.get_content_type() == "message/rfc822":
        inner = leaf.get_payload(0) if leaf.is_multipart() else None
        return inner.as_bytes() if isinstance(inner, EmailMessage) else b""
    payload = leaf.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return b""
    return _decoded(leaf).encode("utf-8", "replace") if leaf.get_content_maintype() == "text" else payload


def _name(leaf: EmailMessage, number: int) -> str:
    name = part_name(str(leaf.get_filename() or ""))
    kind = leaf.get_content_type()
    if not name and kind == "message/rfc822" and leaf.is_multipart():
        inner = leaf.get_payload(0)
        name = _header(inner, "subject").replace("/", "_")[:80] if isinstance(inner, EmailMessage) else ""
    if not name:
        name = f"part-{number}"
    ending = _ENDINGS.get(kind, "")
    return name if "." in name[-6:] or not ending else f"{name}{ending}"


def _header(message: EmailMessage, name: str) -> str:
    """Return a header's words, unparsed where Python's parser fails."""
    try:
        value = message[name]
    except (email.errors.HeaderParseError, ValueError, IndexError, AttributeError, TypeError):
        value = next((written for key, written in message.raw_items() if key.lower() == name), "")
    return " ".join(clean(str(value or "")).split())


def _date(message: EmailMessage) -> str:
    try:
        return email.utils.parsedate_to_datetime(_header(message, "date")).date().isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return ""
