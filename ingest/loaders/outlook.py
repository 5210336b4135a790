"""Outlook's own message files."""

import codecs
import re
import struct
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, cast

from ingest.loaders.encoding import clean
from ingest.loaders.html import fragment_text
from ingest.loaders.mail import message_document, part_name
from ingest.loaders.source import Found, Limits, Part, SourceFile
from ingest.loaders.text import rtf_text
from rag.errors import DocumentUnreadable

if TYPE_CHECKING:
    from oxmsg import Message
    from oxmsg.attachment import Attachment
    from oxmsg.storage import Storage

_RTF_COMPRESSED = 0x1009  # PidTagRtfCompressed, MS-OXPROPS
_EAST_ASIAN = ("932", "936", "949", "950")
_ATTACHED_MESSAGE = "__substg1.0_3701000D"
_ENCRYPTED_CLASS = re.compile(r"IPM\.Note\.(?:SMIME(?!\.MultipartSigned)|rpmsg)", re.IGNORECASE)
_ENCRYPTED_HEADER = "multipart/encrypted"
_RTF_DICTIONARY = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans "
    rb"SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0" + b"\r\n" + rb"\par \pard\plain\f0\fs20\b\i"
    rb"\u\tab\tx"
)


def load_msg(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Found | Part]:
    """Yield the message as a document, titled by its subject, and its attachments as parts."""
    from oxmsg import Message

    codecs.register(_code_page)
    try:
        yield from _message(source, Message.load(raw), limits.depth)
    finally:
        codecs.unregister(_code_page)


def _code_page(name: str) -> codecs.CodecInfo | None:
    """Map the library's names like ``windows-950`` to Python's."""
    number = name.replace("-", "_").removeprefix("windows_")
    return codecs.lookup(f"cp{number}") if number in _EAST_ASIAN else None


def _message(source: SourceFile, message: "Message", depth: int) -> Iterator[Found | Part]:
    if _ENCRYPTED_CLASS.match(message.message_class) or _is_encrypted(message.message_headers):
        raise source.unreadable("encrypted")
    sent = message.sent_date
    fields = {
        "title": clean(message.subject),
        "sender": clean(message.sender or ""),
        "recipients": ", ".join(clean(f"{person.name} <{person.email_address}>") for person in message.recipients),
        "updated": sent.date().isoformat() if sent is not None else "",
    }
    attachments = message.attachments
    yield from message_document(source, _body(message), fields, carries_files=bool(attachments))
    for number, attachment in enumerate(attachments, start=1):
        name = part_name(attachment.file_name or "") or f"part-{number}"
        if attachment.file_bytes is not None:
            yield Part(name, attachment.file_bytes, quiet=_is_inline(attachment))
        elif depth > 0:
            yield from _attached_message(source, attachment, number, depth - 1)


def _attached_message(source: SourceFile, attachment: "Attachment", number: int, depth: int) -> Iterator[Found | Part]:
    from oxmsg import Message

    stored = cast("Storage", attachment._storage)  # the library has no public access to an attached message
    for storage in stored.storages:
        if storage.name == _ATTACHED_MESSAGE:
            inner = Message(storage)
            name = clean(inner.subject).replace("/", "_")[:80] or f"part-{number}"
            try:
                yield from _message(source.part(f"{name}.msg"), inner, depth)
            except DocumentUnreadable as error:
                yield error


def _is_encrypted(headers: Mapping[str, str]) -> bool:
    declared = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    return declared.lower().startswith(_ENCRYPTED_HEADER)


def _is_inline(attachment: "Attachment") -> bool:
    from oxmsg.domain import constants

    return bool(attachment.properties.str_prop_value(constants.PID_ATTACH_CONTENT_ID))


def _body(message: "Message") -> str:
    """Return the plain words, else those of the web page, else those of the rich text."""
    plain = clean(message.body or "")
    if plain.strip():
        return plain
    page = fragment_text(message.html_body or "")
    if page.strip():
        return page
    packed = message.properties.binary_prop_value(_RTF_COMPRESSED)
    return rtf_text(decompressed(packed)) if packed else ""


def decompressed(packed: bytes) -> bytes:
    """Unpack Outlook's rich text.  Source: [MS-OXRTFCP], a sliding window of 4096 bytes with a known beginning."""
    _, unpacked_size, kind = struct.unpack_from("<II4s", packed)
    if kind == b"MELA":
        return packed[16 : 16 + unpacked_size]
    window = bytearray(_RTF_DICTIONARY.ljust(4096, b"\x00"))
    write = len(_RTF_DICTIONARY)
    out = bytearray()
    position = 16
    while position < len(packed):
        control, position = packed[position], position + 1
        for bit in range(8):
            if position >= len(packed):
                break
            if control >> bit & 1:
                (reference,) = struct.unpack_from(">H", packed, position)
                position += 2
                offset, length = reference >> 4, (reference & 15) + 2
                if offset == write:
                    return bytes(out)
                run = [(offset + step) % 4096 for step in range(length)]
            else:
                window[write] = packed[position]
                run, position = [write], position + 1
            for place in run:
                window[write] = window[place]
                out.append(window[place])
                write = (write + 1) % 4096
    return bytes(out)
