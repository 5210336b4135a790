"""Records of exports, mostly JSON: question and answer, title and text, or any fields.

A question-answer pair becomes a document whose title is the question and whose text is the answer: it is found by the
question, and quoted with the answer.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ingest.loaders.encoding import clean
from ingest.loaders.fields import make_document
from ingest.loaders.source import Limits, SourceFile
from ingest.loaders.text import decoded
from rag.errors import DocumentUnreadable
from rag.schema import Document

QUESTION = (
    "question", "questions", "q", "query", "faq", "instruction", "prompt", "problem",
    "问题", "问", "提问", "标准问题", "标准问", "常见问题", "用户问题", "問題", "問",
)  # fmt: skip
ANSWER = (
    "answer", "answers", "a", "response", "reply", "output", "completion", "solution", "accepted_answer",
    "答案", "答", "回答", "回复", "解答", "标准答案", "答复", "解决方案", "回覆", "解決方案",
)  # fmt: skip
_TEXT = ("text", "content", "body", "article", "正文", "内容", "文本", "內容")
_TITLE = ("title", "name", "subject", "headline", "标题", "名称", "主题", "標題")
_ID = ("id", "_id", "uuid", "编号")
_NAME_LIMIT_CHARACTERS = 80
_DEEPEST = 20
_DEEPEST_EXPORT = 5
_ALIKE_SHARE = 0.5


class RecordNames:
    """Makes documents of the records of one file, each under a unique name."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._names: set[str] = set()

    def document(
        self, source: SourceFile, record: object, *, kind: str, number: int, where: str
    ) -> Document | DocumentUnreadable:
        """Return the record's document, or an error."""
        if not isinstance(record, Mapping) or not record:
            return source.unreadable("row", where)
        fields = {clean(str(name)).strip(): value for name, value in record.items()}
        title, text, used = title_and_text(fields)
        row_id = clean(_plain(_pick(fields, _ID)[1])).strip() if not isinstance(_pick(fields, _ID)[1], bool) else ""
        if row_id and row_id in self._ids:
            return source.unreadable("duplicate", where)
        described = {**_metadata(fields, used), "title": clean(title)}
        try:
            if row_id:
                self._ids.add(row_id)
                return make_document(source, clean(text), described, kind=kind, row_id=row_id)
            return make_document(source.part(self._name(title, number)), clean(text), described, kind=kind)
        except DocumentUnreadable:
            return source.unreadable("empty", where)

    def _name(self, title: str, number: int) -> str:
        """Name a record by its title, so that it keeps its name when others are inserted before it."""
        name = " ".join(clean(title).split())[:_NAME_LIMIT_CHARACTERS].strip() or str(number)
        if name in self._names:
            name = f"{name} #{number}"
        self._names.add(name)
        return name


def load_jsonl(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Document | DocumentUnreadable]:
    """Yield a document for each row, or an error with its line; the other rows are still read.

    Further keys with plain values become metadata; those of one level below are named ``meta.key``.
    """
    content = decoded(source, raw)
    if not content.strip():
        raise source.unreadable("empty")
    names = RecordNames()
    rows = 0
    for number, line in enumerate(content.split("\n"), start=1):
        if line.strip():
            rows += 1
            if rows > limits.parts:
                raise source.unreadable("too_many", f"line {number}")
            yield _row(source, line, number, names)


def _row(source: SourceFile, line: str, number: int, names: RecordNames) -> Document | DocumentUnreadable:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return source.unreadable("row", f"line {number}")
    return names.document(source, record, kind="jsonl", number=number, where=f"line {number}")


def load_json(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Document | DocumentUnreadable]:
    """Yield the records of an export, wherever in the file its lists are, or the whole file as one document."""
    content = decoded(source, raw)
    if not content.strip():
        raise source.unreadable("empty")
    try:
        value = json.loads(content)
    except RecursionError as error:
        raise source.unreadable("nested") from error
    except ValueError as error:
        if _is_row(content.lstrip().split("\n", 1)[0]):  # JSONL with the wrong ending
            yield from load_jsonl(source, raw, limits)
            return
        raise source.unreadable("malformed", str(error)) from error
    records = list(_records(value, _DEEPEST_EXPORT))
    if len(records) > limits.parts:
        raise source.unreadable("too_many")
    if records:
        yield from record_documents(source, enumerate(records, start=1), kind="json", where="record")
    else:
        yield make_document(source, clean(as_text(value)), _fields(value), kind="json")


def _records(value: object, depth: int) -> Iterator[object]:
    """Yield the members of every list, or mapping by id, of mostly questions with answers or articles."""
    if depth == 0:
        return
    if is_question_and_answer(value):
        yield value
        return
    members = _members(value)
    alike = sum(is_question_and_answer(member) or is_article(member) for member in members)
    if alike and alike >= _ALIKE_SHARE * sum(isinstance(member, Mapping) for member in members):
        yield from members
    else:
        for member in members:
            yield from _records(member, depth - 1)


def _members(value: object) -> Sequence[object]:
    if isinstance(value, Mapping):
        return [member for member in value.values() if isinstance(member, list | Mapping)]
    return value if isinstance(value, list) else []


def _is_row(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _fields(value: object) -> dict[str, str]:
    title = value.get("title") if isinstance(value, Mapping) else None
    return {"title": clean(title)} if isinstance(title, str) else {}


def record_documents(
    source: SourceFile, records: Iterable[tuple[int, object]], *, kind: str, where: str
) -> Iterator[Document | DocumentUnreadable]:
    """Yield a document for each record, or an error that names it by ``where`` and its number.

    A record's own id is the document's; one without gets a name in the file by its title or number.
    """
    names = RecordNames()
    for number, record in records:
        yield names.document(source, record, kind=kind, number=number, where=f"{where} {number}")


def is_question_and_answer(record: object) -> bool:
    """Tell whether a record has a question and an answer to it."""
    if not isinstance(record, Mapping):
        return False
    return bool(_pick(record, QUESTION)[0] and _pick(record, ANSWER)[0])


def is_article(record: object) -> bool:
    """Tell whether a record has a text of its own beside a title or an id."""
    if not isinstance(record, Mapping):
        return False
    return bool(_pick(record, _TEXT)[0] and (_pick(record, _TITLE)[0] or _pick(record, _ID)[0]))


def title_and_text(fields: Mapping[str, object]) -> tuple[str, str, set[str]]:
    """Return a record's title, its text, and the names of their fields."""
    asked, question = _pick(fields, QUESTION)
    answered, answer = _pick(fields, ANSWER)
    if asked and (answered or _has(fields, ANSWER)):  # an unanswered question has no text
        first, *others = _as_list(question)
        text = "\n\n".join(filter(None, ["\n".join(others), as_text(answer)]))
        return first, text, {asked, answered}
    titled, title = _pick(fields, _TITLE)
    written, text_value = _pick(fields, _TEXT)
    if written:
        return _plain(title), as_text(text_value), {titled, written}
    return _plain(title), as_text(fields), set(fields)


def as_text(value: object, depth: int = 0) -> str:
    """Return a value in words: ``name: value`` a line, lists as bullets, deeper levels indented."""
    if depth > _DEEPEST:
        return ""
    if isinstance(value, Mapping):
        lines = [_field_line(str(name), as_text(inner, depth + 1)) for name, inner in value.items()]
        return "\n".join(line for line in lines if line)
    if isinstance(value, list):
        items = [as_text(item, depth + 1) for item in value]
        return "\n".join("- " + item.replace("\n", "\n  ") for item in items if item)
    return _plain(value)


def _field_line(name: str, text: str) -> str:
    if not text:
        return ""
    return f"{name}:\n  " + text.replace("\n", "\n  ") if "\n" in text or text.startswith("- ") else f"{name}: {text}"


def _pick(fields: Mapping[str, object], names: Sequence[str]) -> tuple[str, object]:
    """Return the name and value of the first of the fields that has a value; both empty for none."""
    by_name = {str(name).strip().lower(): str(name) for name, value in fields.items() if value not in (None, "", [])}
    found = next((by_name[name] for name in names if name in by_name), "")
    return found, fields.get(found, "")


def _has(fields: Mapping[str, object], names: Sequence[str]) -> bool:
    return not {str(name).strip().lower() for name in fields}.isdisjoint(names)


def _as_list(value: object) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [text for text in map(as_text, items) if text] or [""]


def _metadata(fields: Mapping[str, object], used: set[str]) -> dict[str, str]:
    """Return the other fields' plain values under lower-case names; those of one level below as ``meta.key``."""
    left: dict[str, str] = {}
    for name, value in fields.items():
        if name in used or name.lower() in _ID:
            continue
        if isinstance(value, Mapping):
            left.update({f"{name}.{inner}": _plain(deeper) for inner, deeper in value.items()})
        else:
            left[name.lower()] = _plain(value)
    return {clean(name): clean(value) for name, value in left.items() if value}


def _plain(value: object) -> str:
    """Return a plain value as text; an empty string for lists, mappings and null."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else ""
