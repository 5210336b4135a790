"""reStructuredText and Org: headings and code become plain markup, the rest stays as written."""

import re
from collections.abc import Iterator, Sequence

from ingest.loaders.fields import make_document
from ingest.loaders.plain_markup import code_block, heading
from ingest.loaders.source import Limits, SourceFile
from ingest.loaders.text import decoded
from rag.schema import Document

_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1{2,}[ \t]*")
_DIRECTIVE = re.compile(r"\.\. ([\w-]+)::[ \t]*(.*)")
_CODE = ("code", "code-block", "sourcecode", "parsed-literal")
_WITHOUT_WORDS = ("image", "include", "toctree", "contents", "raw", "math", "autoclass", "automodule", "highlight")
_WORDS_ON_THE_LINE = (
    "note", "warning", "tip", "important", "caution", "danger", "error", "hint", "attention", "seealso", "admonition",
    "versionadded", "versionchanged", "deprecated", "topic", "rubric", "centered", "glossary",
)  # fmt: skip
_RST_COMMENT = re.compile(r"\.\.(?:[ \t]|$)")
_RST_ROLE = re.compile(r":[\w:+-]{1,40}:`([^`<]++)(<[^>`]*+>)?`")
_RST_LINK = re.compile(r"`([^`<]++)<(https?://[^>`]++)>`__?")
_RST_MARKS = re.compile(r"(?<!\w)(\*\*|\*|``)(?=\S)((?:(?!(?<!\w)\1(?=\S)).)+?)(?<=\S)\1(?!\w)")
_ORG_HEADING = re.compile(r"(\*++)[ \t]++(?:(?:TODO|DONE)[ \t]++)?+(.+)")
_ORG_TAGS = re.compile(r":[\w@:]++(?<=.:)")
_ORG_KEYWORD = re.compile(r"#\+(\w+):?[ \t]*(.*)", re.IGNORECASE)
_ORG_LINK = re.compile(r"\[\[([^\[\]]++)\](?:\[([^\]]++)\])?\]")
_DEEPEST = 6


def load_rst(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Document]:
    """Yield the one document of a reStructuredText file.  Its title is the first heading, else the file's name."""
    del limits
    lines = decoded(source, raw).split("\n")
    blocks = list(_rst_lines(lines))
    yield make_document(source, _tidy(blocks), {"title": _first_heading(blocks)}, kind="rst")


def load_org(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Document]:
    """Yield the one document of an Org file.  Its title is declared, or the first heading, or the file's name."""
    del limits
    fields: dict[str, str] = {}
    blocks = list(_org_lines(decoded(source, raw).split("\n"), fields))
    fields.setdefault("title", _first_heading(blocks))
    yield make_document(source, _tidy(blocks), fields, kind="org")


def _rst_lines(lines: Sequence[str]) -> Iterator[str]:
    levels: dict[str, int] = {}
    position = 0
    while position < len(lines):
        line = lines[position]
        following = lines[position + 1] if position + 1 < len(lines) else ""
        if _ADORNMENT.fullmatch(line) and _is_heading(following, lines[position + 2 : position + 3]):
            style, words, position = f"{line[0]}over", following, position + 3
        elif _is_heading(line, [following]):
            style, words, position = following[0], line, position + 2
        elif _DIRECTIVE.match(line) or _RST_COMMENT.match(line):
            block, position = _directive(lines, position)
            yield block
            continue
        else:
            yield _rst_words(line)
            position += 1
            continue
        yield f"\n{heading(min(levels.setdefault(style, len(levels) + 1), _DEEPEST), words)}\n"


def _is_heading(line: str, below: Sequence[str]) -> bool:
    return bool(
        line.strip()
        and below
        and _ADORNMENT.fullmatch(below[0])
        and not _ADORNMENT.fullmatch(line)
        and len(below[0].strip()) >= len(line.strip()) // 2
        and not line.startswith(("+", "="))
    )


def _directive(lines: Sequence[str], start: int) -> tuple[str, int]:
    """Return code as code, the words of a note; comments, pictures and instructions to the program as nothing."""
    end = start + 1
    while end < len(lines) and (not lines[end].strip() or lines[end].startswith((" ", "\t"))):
        end += 1
    match = _DIRECTIVE.match(lines[start])
    body = [line for line in lines[start + 1 : end] if not re.match(r"\s+:[\w-]+:", line)]
    indent = min((len(line) - len(line.lstrip()) for line in body if line.strip()), default=0)
    content = "\n".join(line[indent:] for line in body).strip("\n")
    if match is None:
        return "", end
    if match[1] in _CODE:
        return f"\n{code_block(content, match[2])}\n", end
    if match[1] in _WITHOUT_WORDS:
        return "", end
    said = [match[2]] if match[1] in _WORDS_ON_THE_LINE else []
    return "\n" + _rst_words("\n".join([*said, content]).strip("\n")) + "\n", end


def _rst_words(line: str) -> str:
    linked = _RST_LINK.sub(lambda found: f"{found[1].rstrip()} ({found[2]})", line)
    named = _RST_ROLE.sub(lambda found: found[1].rstrip() if found[2] else found[1], linked)
    return _RST_MARKS.sub(r"\2", named)


def _org_lines(lines: Sequence[str], fields: dict[str, str]) -> Iterator[str]:
    in_block = in_drawer = False
    for line in lines:
        keyword = _ORG_KEYWORD.fullmatch(line.strip())
        title = _ORG_HEADING.fullmatch(line.rstrip(" \t"))
        if keyword is not None:
            name = keyword[1].lower()
            if name.startswith(("begin_src", "begin_example", "end_src", "end_example")):
                in_block = name.startswith("begin")
                yield f"```{keyword[2].split(' ')[0]}" if in_block else "```"
            elif name in ("title", "author", "date", "language") and keyword[2]:
                fields[name] = keyword[2]
        elif in_block:
            yield line
        elif line.strip().upper() in (":PROPERTIES:", ":LOGBOOK:", ":END:"):
            in_drawer = line.strip().upper() != ":END:"
        elif title is not None:
            yield f"\n{heading(min(len(title[1]), _DEEPEST), _without_tags(title[2]))}\n"
        elif not in_drawer:
            yield _ORG_LINK.sub(lambda found: found[2] or found[1], line)


def _without_tags(title: str) -> str:
    words, _, last = title.replace("\t", " ").rpartition(" ")
    return words if words.strip() and _ORG_TAGS.fullmatch(last) else title


def _first_heading(blocks: Sequence[str]) -> str:
    return next((block.strip().lstrip("# ") for block in blocks if block.startswith("\n#")), "")


def _tidy(blocks: Sequence[str]) -> str:
    return re.sub(r"\n{3,}", "\n\n", "\n".join(blocks)).strip()
