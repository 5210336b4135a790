"""Builds a Document from a text and the file's own metadata: title, language, date, audience, link."""

import re
from collections.abc import Mapping

from ingest.loaders.dates import WrittenDays, is_endless, read_day, written_days
from ingest.loaders.source import SourceFile
from rag.schema import Audience, Document, Language
from rag.text.characters import ideographs, one_line, web_address, without_invisible

TITLE_LIMIT_CHARACTERS = 200
_FIRST_LINE_LIMIT_CHARACTERS = 100
_METADATA_LIMIT_CHARACTERS = 2000
_CHINESE_SHARE = 0.15

_LETTER = re.compile(r"[^\W\d_]")
_NAME_JOINTS = re.compile(r"[\s_-]+")
_INTERNAL = re.compile(
    r"\b(?:internal|private|staff|employees?|confidential|restricted)\b|[内內]部|[员員]工|[机機]密|保密", re.IGNORECASE
)

_MEANINGLESS_TITLE = re.compile(
    r"(?:untitled.*|无标题.*|文档\d*|document\d*|microsoft word.*|powerpoint presentation|\(?anonymous\)?|\W*+\d*+\W*+"
    r"|\S*\.\w{2,8}|[\w-](?=[\w-]*?_[\w-])[\w-]++|.*\.(?:docx?|pdf|pptx?|xlsx?))",
    re.IGNORECASE,
)  # what programs write when their user has given none

_NAME_OF_A_PICTURE = re.compile(
    r"\W*(?:picture|image|img|graphic|grafik|bild|screenshot|photo|object|logo|icon|图片|图像|图形|图|圖片|照片|截图"
    r"|[0-9a-f]{16,64})?[\s_-]*\d*\W*",
    re.IGNORECASE,
)
_DESCRIPTION_LIMIT_CHARACTERS = 300

_TITLE = ("title",)
_LANGUAGE = ("language", "lang")
_UPDATED = (
    "updated", "updatedon", "lastupdated", "lastmodified", "date", "更新日期", "更新时间", "更新時間", "最后更新",
    "最後更新", "最后更新日期", "最后更新时间", "修改日期", "修改时间", "最后修改",
)  # fmt: skip
_AUDIENCE = ("audience", "visibility", "受众", "受眾", "可见范围", "可見範圍")
_SOURCE = ("source", "sourceurl", "url", "link")
_KNOWN = {*_TITLE, *_LANGUAGE, *_UPDATED, *_AUDIENCE, *_SOURCE}
_LAST_DAY = "valid_until"
_DAYS = {
    "valid_from": ("validfrom", "effective", "effectivefrom", "effectivedate", "生效日期", "生效日", "生效时间"),
    _LAST_DAY: (
        "validuntil", "validto", "validtill", "validthrough", "effectiveuntil", "effectiveto", "expireson",
        "expirydate", "expirationdate", "失效日期", "失效日", "失效时间", "有效期至", "到期日", "到期日期",
    ),
}  # fmt: skip
"""The validity of a rule in the metadata, as YYYY-MM-DD, and the names that people give it.

Names are compared as ``_normalized`` makes them: "Valid until", "valid-until" and "validUntil" are one.
"""


def make_document(
    source: SourceFile, text: str, fields: Mapping[str, str], *, kind: str, row_id: str | None = None
) -> Document:
    """Build the document of a file, or of a row with its own id.

    ``fields`` are the file's own words under lower-case names; those without a place in ``Document`` become metadata,
    beside ``format``, which is ``kind``.  Blank ones and invisible characters are dropped, and a source that is no web
    address.  Raises ``DocumentUnreadable`` where the text is blank.
    """
    body = without_invisible(text).strip()
    if not body:
        raise source.unreadable("empty", where=row_id or "")
    metadata = {
        one_line(name): without_invisible(value)[:_METADATA_LIMIT_CHARACTERS]
        for name, value in fields.items()
        if value.strip() and _normalized(name) not in _KNOWN
    }
    title = _first_value(fields, _TITLE) or (_NAME_JOINTS.sub(" ", source.name.stem) if row_id is None else "")
    said = written_days(title, body) if row_id is None else WrittenDays()
    for name, given in _DAYS.items():
        stated = _first_value(fields, given)
        if day := read_day(stated, last=name == _LAST_DAY) if stated else getattr(said, name):
            metadata[name] = day.isoformat()
    return Document(
        document_id=source.document_id if row_id is None else row_id,
        path=str(source.path),
        title=one_line(title)[:TITLE_LIMIT_CHARACTERS],
        text=body,
        language=_language(_first_value(fields, _LANGUAGE)) or text_language(f"{title}\n{body}"),
        source=web_address(_first_value(fields, _SOURCE)),
        updated_on=read_day(_first_value(fields, _UPDATED)) or said.updated_on,
        audience=_audience(_first_value(fields, _AUDIENCE)),
        metadata={**metadata, "format": kind},
    )


def unread_days(document: Document) -> list[str]:
    """Return the dates of a document's validity that cannot be read: ``valid_until: soon``."""
    unread = []
    for name, given in _DAYS.items():
        written = _first_value(document.metadata, given)
        if written and read_day(written, last=name == _LAST_DAY) is None and not is_endless(written):
            unread.append(f"{name}: {written}")
    return unread


def is_written_by_a_person(title: str) -> bool:
    """Tell whether a title is neither a file's name nor a program's placeholder."""
    return bool(title.strip()) and _MEANINGLESS_TITLE.fullmatch(title.strip()) is None


def picture_description(alt: str) -> str:
    """Return a person's description of a picture in one line; nothing for a file's name or a program's placeholder.

    >>> picture_description("The reset button"), picture_description("image-12")
    ('The reset button', '')
    """
    line = one_line(alt)[:_DESCRIPTION_LIMIT_CHARACTERS]
    return line if is_written_by_a_person(line) and _NAME_OF_A_PICTURE.fullmatch(line) is None else ""


def first_line(text: str) -> str:
    """Return the first line with words if it is short enough for a title, else an empty string."""
    line = next((line.strip() for line in text.splitlines() if _LETTER.search(line)), "")
    is_title = len(line) <= _FIRST_LINE_LIMIT_CHARACTERS and not line.startswith("|")  # a bar begins a table
    return line.lstrip("# ") if is_title else ""


def text_language(text: str) -> Language:
    """Return ``zh`` where more than 15 % of the letters are ideographs: Chinese pages are full of English names.

    >>> text_language("在 Settings 里打开 Bluetooth"), text_language("The button 退款 gives it back")
    ('zh', 'en')
    """
    letters = len(_LETTER.findall(text))
    return "zh" if len(ideographs(text)) > _CHINESE_SHARE * letters else "en"


def _first_value(fields: Mapping[str, str], names: tuple[str, ...]) -> str:
    by_name = {_normalized(name): value.strip() for name, value in fields.items() if value.strip()}
    return next((by_name[name] for name in names if name in by_name), "")


def _normalized(name: str) -> str:
    return _NAME_JOINTS.sub("", name).lower()


def _language(declared: str) -> Language | None:
    """Read ``zh-CN``, ``zh_Hans``, ``en-GB`` and the like; for another language the text decides."""
    primary = re.split(r"[-_]", declared.lower())[0]
    if primary in ("zh", "chinese", "中文"):
        return "zh"
    return "en" if primary in ("en", "english") else None


def _audience(declared: str) -> Audience:
    return "internal" if _INTERNAL.search(declared) else "public"
