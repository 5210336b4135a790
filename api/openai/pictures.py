"""Pictures in a conversation's last message: read as the desk reads a customer's screenshot, never fetched.

They come as data URLs.  An address of another server would make this one ask whatever it names, so it is refused.
"""

import asyncio
import base64
import binascii
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from api.openai.requests import InputItem, Message, Part
from api.services.attachments import Attachments, PictureDescriptions, ReadFile
from api.services.jobs import Job
from api.services.shared import DeskServices
from api.wire import Plain
from rag.errors import AnswerInterrupted, RequestUnusable, TurnFailed
from rag.generation.picture_description import PictureDescription
from rag.pictures import Picture
from rag.schema import Language
from rag.text.language import text_language
from rag.text.markup import marked_description
from rag.turns import Failure

MOST_PICTURES = 4
LARGEST_PICTURES_BYTES = 10_000_000
"""Of one message, all of its pictures together."""
LARGEST_BASE64_BYTES = LARGEST_PICTURES_BYTES * 4 // 3 + 4
"""So many characters they may be written in."""

_ENDINGS = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/jpg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/bmp": ".bmp",
    "image/tiff": ".tiff",
}
_LOOK_EVERY_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class SentPicture:
    """A picture of a message: a ``name`` of ours, whose ending tells what it is said to be, and the file."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class PictureReading:
    """What became of a message's pictures: the ``question`` with their words, and a ``report`` on each.

    ``failure`` is why one of them could not be read; then nothing is asked.
    """

    question: str
    report: tuple[Plain, ...] = ()
    failure: Failure | None = None


def pictures_in(messages: Sequence[Message | InputItem]) -> tuple[SentPicture, ...]:
    """Return the pictures of the user's last message; those of earlier ones are left out.

    Raises ``RequestUnusable`` for an address, for what is no picture, for more than four and more than 10 MB.
    """
    last = next((one for one in reversed(messages) if one.role == "user"), None)
    parts = last.content if last is not None and not isinstance(last.content, str) else None
    images = [part for part in parts or () if part.type == "image_url"]
    if len(images) > MOST_PICTURES:
        raise RequestUnusable(reason="too_many_pictures")
    found = tuple(_parse_picture(part, number) for number, part in enumerate(images, 1))
    if sum(len(one.content) for one in found) > LARGEST_PICTURES_BYTES:
        raise RequestUnusable(reason="pictures_too_large")
    return found


def has_pictures(messages: Sequence[Message | InputItem]) -> bool:
    """Tell whether any message of the user has a picture."""
    lists = [one.content for one in messages if one.role == "user" and not isinstance(one.content, str)]
    return any(part.type == "image_url" for content in lists for part in content or ())


def _parse_picture(part: Part, number: int) -> SentPicture:
    given = (part.model_extra or {}).get("image_url")
    url = given.get("url") if isinstance(given, dict) else given
    if not isinstance(url, str) or not url[:5].lower() == "data:":
        raise RequestUnusable(reason="picture_address")
    head, comma, data = url.partition(",")
    kind, *options = head[5:].lower().split(";")
    if not comma or kind not in _ENDINGS or "base64" not in options:
        raise RequestUnusable(reason="no_picture")
    if len(data) > LARGEST_BASE64_BYTES:
        raise RequestUnusable(reason="pictures_too_large")
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestUnusable(reason="no_picture") from error
    return SentPicture(f"picture {number}{_ENDINGS[kind]}", content)


class PictureReadings:
    """Reads pictures for one caller, with the limits and the queue that a person has at the desk."""

    def __init__(self, desk: DeskServices, tab: str, language: Language) -> None:
        self._desk = desk
        self._tab = tab
        self._language: Language = language

    async def read(self, typed: str, pictures: Sequence[SentPicture]) -> PictureReading:
        """Return the question: what was typed, then each picture's words and what a model says that it shows.

        A picture without words needs the description; one with words is asked by them where there is none, and the
        report says why.  Being cancelled ends the reading.  Raises ``OwnFilesWaiting``.
        """
        parts: list[str] = [typed.strip()]
        report: list[Plain] = []
        for picture in pictures:
            read = await self._words(picture)
            if isinstance(read, Failure):
                return PictureReading("", failure=read)
            parts.append(read.question)
            told: Plain = {"words": bool(read.question), "described_by": None, "problem": None}
            if read.picture is not None:
                found = await self._describe(read.picture, read.question)
                if isinstance(found, PictureDescription):
                    parts.append(marked_description(found.text))
                    told["described_by"] = found.model
                elif read.question:
                    told["problem"] = found.kind
                else:
                    return PictureReading("", failure=found)
            report.append(told)
        return PictureReading("\n\n".join(filter(None, parts)), tuple(report))

    async def _words(self, picture: SentPicture) -> ReadFile | Failure:
        attachments, file_id = self._desk.attachments, secrets.token_urlsafe(12)
        attachments.start(file_id, picture.name, picture.content, "", tab=self._tab)
        job = await _wait_for_job(attachments, file_id)
        return job.result if isinstance(job.result, ReadFile) else _failure(job)

    async def _describe(self, picture: Picture, words: str) -> PictureDescription | Failure:
        descriptions, picture_id = self._desk.descriptions, secrets.token_urlsafe(12)
        if descriptions is None:
            raise AssertionError("a picture is kept only where a model can be shown it")
        language = text_language(words) if words else self._language
        descriptions.start(picture_id, picture, language, tab=self._tab)
        job = await _wait_for_job(descriptions, picture_id)
        return job.result if isinstance(job.result, PictureDescription) else _failure(job)


async def _wait_for_job(service: Attachments | PictureDescriptions, picture_id: str) -> Job:
    """Return a picture's job once it has ended, and forget it; it is stopped when nobody waits any more."""
    try:
        while (job := service.job(picture_id)) is not None and job.running:
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
    finally:
        service.stop(picture_id)
        service.forget(picture_id)
    if job is None:
        raise AnswerInterrupted
    return job


def _failure(job: Job) -> Failure:
    return job.failure or Failure.of(TurnFailed(number=job.number or "-"))
