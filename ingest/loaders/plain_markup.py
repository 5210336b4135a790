"""The plain markup that keeps structure in a document's text, whatever its format.

Headings are ``## words``, lists ``- item`` and ``1. item`` with deeper levels indented, tables ``| cell | cell |``
with a rule below the header, code stands between fences, a footnote is ``[^1] words``, and a picture
``[Figure: caption; words in it]`` or, in Chinese, ``[图：说明；文字]``.  Blocks are separated by a blank line.  The
chunker reads this form; people read it as it is.  For text in pages, the places where they begin are kept.
"""

import re
from collections.abc import Sequence

from rag.schema import Language
from rag.text.characters import UNSPACED_PRINT, ideographs
from rag.text.markup import read_lines

_WRAP = re.compile(rf"(?<=[{UNSPACED_PRINT}])[ \t]*\v\s*(?=[{UNSPACED_PRINT}])")
_MARKS_BEHIND = re.compile(r"(?P<end>[.!?。！？…]{1,3}+)(?P<marks>(?:\[\^[^\[\]\s]{1,100}+\])++)")
_BLOCK_END = "\n\n"
_REPEATED_LIMIT_CHARACTERS = 300
_FIGURE_MARKS = ("[Figure", "[图")
_END_OF_WORDS = " \t\u3000:：.。？"
_LATIN_END_OF_WORDS = " \t:：."
_SPACES = re.compile(r"[ \t\v\u00a0]+")
_AROUND_LINE_END = re.compile(r" ?\n ?")


def heading(level: int, words: str) -> str:
    """Return one line; empty where there are no words."""
    line = " ".join(words.split())
    return f"{'#' * level} {line}" if line else ""


def bullet(content: str, number: int | None) -> str:
    """Return a list item; its further lines are indented below its words."""
    mark = "-" if number is None else f"{number}."
    first, *further = content.split("\n")
    indent = " " * (len(mark) + 1)
    return "\n".join([f"{mark} {first}", *(f"{indent}{line}" if line else "" for line in further)])


def with_colon(words: str) -> str:
    """Return what introduces something, with a colon of its script.

    >>> with_colon("macOS"), with_colon("谁可以？")
    ('macOS:', '谁可以：')
    """
    if ideographs(words):
        return f"{words.rstrip(_END_OF_WORDS)}："
    return f"{words.rstrip(_LATIN_END_OF_WORDS)}:"


def definition(term: str, content: str) -> str:
    r"""Return an item that says what a term means; longer content stands below the term, which introduces it.

    >>> definition("Deposit", "EUR 300"), definition("Who may?", "All.\n\nAnd you.")
    ('- Deposit: EUR 300', '- Who may?:\n\n  All.\n\n  And you.')
    """
    label = with_colon(term)
    if not term.strip() or not content:
        return term or content
    if "\n" in content or not repeated(content):
        return bullet(f"{label}\n\n{content}", None)
    return bullet(f"{label}{content}" if label.endswith("：") else f"{label} {content}", None)


def footnote_mark(label: str) -> str:
    """Return a reference to a footnote.  A number alone in brackets would read as one of a passage in the prompt."""
    return f"[^{label}]"


def marks_within_sentences(words: str) -> str:
    """Move references to footnotes before the ends of their sentences: behind them they would begin the next ones.

    >>> marks_within_sentences("保修两年。[^1]退货免费。")
    '保修两年[^1]。退货免费。'
    """
    return _MARKS_BEHIND.sub(r"\g<marks>\g<end>", words)


def footnote(label: str, content: str) -> str:
    """Return a footnote; empty where it has no words."""
    if not content:
        return ""
    begins_as_text = next(iter(read_lines(content))).kind == "text"
    return f"{footnote_mark(label)}{' ' if begins_as_text else _BLOCK_END}{content}"


def code_block(content: str, info: str = "") -> str:
    """Return the code between fences that it does not contain itself."""
    fence = "```"
    while fence in content:
        fence += "`"
    return f"{fence}{info.strip()}\n{content.rstrip()}\n{fence}" if content.strip() else ""


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose first row is the header; rows without any word are left out."""
    kept = [[_cell(cell) for cell in row] for row in rows if any(cell.strip() for cell in row)]
    if not kept:
        return ""
    width = max(len(row) for row in kept)
    lines = ["| " + " | ".join([*row, *[""] * (width - len(row))]) + " |" for row in kept]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


def repeated(words: str) -> str:
    """Return a merged cell's words for the other rows that it covers; empty for a long text and a picture.

    A row is found and quoted alone, and so has to name what it is about.  The limit also keeps small what a hostile
    file merges over thousands of rows.
    """
    is_name = len(words) <= _REPEATED_LIMIT_CHARACTERS and not any(mark in words for mark in _FIGURE_MARKS)
    return words if is_name else ""


def link(words: str, target: str) -> str:
    """Return a link's words, with the target where it leads out of the site and the words do not contain it."""
    if not target.startswith(("http://", "https://", "mailto:")):
        return words
    address = target.removeprefix("mailto:")
    return words if address.rstrip("/") in words or not words.strip() else f"{words} ({address})"


def figure(sayings: Sequence[str], language: Language) -> str:
    """Return the line that stands for a picture: its captions and the words in it, each once.

    >>> figure(["Fig. 2: Status page", "", "Error E-42"], "en"), figure([], "zh")
    ('[Figure: Fig. 2: Status page; Error E-42]', '[图]')
    """
    name, colon, joint = ("图", "：", "；") if language == "zh" else ("Figure", ": ", "; ")
    words = joint.join(dict.fromkeys(line for saying in sayings if (line := _bracket_safe(saying))))
    return f"[{name}{colon}{words}]" if words else f"[{name}]"


def join_lines(text: str) -> str:
    """Make wrapped lines (vertical tabs) one line and blanks single; real line ends stay."""
    return _AROUND_LINE_END.sub("\n", _SPACES.sub(" ", _WRAP.sub("", text)))


def _bracket_safe(words: str) -> str:
    return _cell(words).replace("[", "(").replace("]", ")")


def _cell(words: str) -> str:
    return " ".join(words.split()).replace("|", "｜")


def join_pages(pages: Sequence[str]) -> tuple[str, dict[str, str]]:
    r"""Return the pages as one text, and the metadata that tells them apart.

    ``pages`` is their number, ``page_starts`` the offsets into the text at which they begin, separated by blanks.

    >>> join_pages(["one", "", "three"])
    ('one\n\nthree', {'pages': '3', 'page_starts': '0 5 5'})
    """
    text = "\n\n".join(page for page in pages if page)
    starts = []
    length = 0
    for page in pages:
        starts.append(min(length, len(text)))
        length += len(page) + 2 if page else 0
    return text, {"pages": str(len(pages)), "page_starts": " ".join(map(str, starts))}
