"""A turn for programs that draw its text as Markdown: nothing is loaded, and doubts are marked, as in articles.

A passage may name a picture's address, and who draws Markdown fetches it: a stranger hears of the customer.  So a
picture becomes a link, or its own words, and a link that runs a script is none.  A sentence with an address that nobody
has confirmed, and, where that is wished for, one that no document supports, is followed by a mark.  Citations and all
other offsets move along.
"""

import html
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from rag.schema import Answer, Language, TextSpan
from rag.text.sentences import split_sentences
from rag.translate import translate
from rag.turns import TurnSnapshot

_MAY_LOAD = re.compile(r"!(?=\[|\Z)|<(?=[A-Za-z]|\Z)")
_PICTURE = re.compile(r"(?P<plain>(?<!\S)!(?=\[[^\[\]\n]*+\]\())|!(?=\[)")
_TAG = re.compile(r"<(?P<name>[A-Za-z][A-Za-z0-9-]*+)(?P<rest>[^<>]*+)(?P<end>>?)")
_LOADING_TAGS = frozenset(
    "audio base embed frame iframe image img input link meta object picture script source style svg track video".split()  # noqa: SIM905
)
_TAGS_OF_NO_PICTURE = frozenset("base link meta script style".split())  # noqa: SIM905
_LOADING_ATTRIBUTE = re.compile(r"[\s/\"'](?P<name>src|srcset|poster|background|style)\s*+=", re.IGNORECASE)
_ALTERNATIVE = re.compile(r"\balt\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'>]++))", re.IGNORECASE)
_SCHEME = re.compile(
    r"(?:[(<=\"']|\]:)\s*+(?P<scheme>[A-Za-z&\\][A-Za-z0-9&#;\\]{3,80}?)(?=:|&colon;|&#0{0,6}58;|&#x0{0,6}3a;)",
    re.IGNORECASE,
)
_SCRIPT_SCHEMES = frozenset({"javascript", "vbscript", "data"})
_NO_WORDS = re.compile(r"[^\w ,.;?%-]+")
_LONGEST_WORDS = 200


@dataclass(frozen=True, slots=True)
class _Edit:
    """``text[start:end]`` becomes ``words``.  Edits of a text are in order and disjoint."""

    start: int
    end: int
    words: str


def as_markdown(turn: TurnSnapshot, *, marks_unsupported: bool = False) -> TurnSnapshot:
    """Return a turn whose text and thought load nothing and have their marks; once for each turn.

    Of one that goes on, the text stays as it is: ``SettledText`` tells none of it that may become another.  The thought
    ends before the first place where it may, until the model has thought it.
    """
    language = turn.language
    if not turn.final:
        thought = turn.thinking[: loading_start(turn.thinking)] if turn.state == "thinking" else turn.thinking
        return replace(turn, thinking=without_pictures(thought, language))
    turn = replace(turn, thinking=without_pictures(turn.thinking, language))
    for find in _FINDERS:
        turn = _edit_turn(turn, list(find(turn.text, language)))
    return _edit_turn(turn, _marks(turn, unsupported=marks_unsupported))


def without_pictures(text: str, language: Language) -> str:
    """Return a text that loads nothing when it is drawn as Markdown.

    >>> without_pictures("See ![status](https://evil.example/p.png) and <img src=//evil.example alt='the map'>.", "en")
    'See [status](https://evil.example/p.png) and [the map].'
    >>> without_pictures("Click [here](javascript:alert(1)).", "en")
    'Click [here](javascript :alert(1)).'
    """
    for find in _FINDERS:
        text = _apply(text, list(find(text, language)))
    return text


def loading_start(text: str) -> int:
    """Return where the first thing is that may be a picture or runs a script, also where the text breaks off in it.

    Else the end.

    >>> loading_start("Hm! See ![a"), loading_start("Great!"), loading_start("1 < 2")
    (8, 5, 5)
    """
    found = _MAY_LOAD.search(text)
    return min([len(text) if found is None else found.start(), *(edit.start for edit in _script_links(text, "en"))])


def _pictures(text: str, language: Language) -> Iterator[_Edit]:
    """Yield the edits that make links of pictures: ``![a](b)`` becomes ``[a](b)``.

    What may be no picture (``vec![1]``, ``if (![1].length)``, ``Great![more](b)``) keeps its sign, apart.
    """
    for found in _PICTURE.finditer(text):
        yield _Edit(found.start(), found.end(), "" if found["plain"] else "! ")


def _tags(text: str, language: Language) -> Iterator[_Edit]:
    """Yield the edits that put words in the place of HTML that loads something."""
    for found in _TAG.finditer(text):
        rest = found["rest"]
        if found["name"].lower() not in _LOADING_TAGS and not _loads_by_attribute(rest):
            continue
        said = next(filter(None, (one for match in _ALTERNATIVE.finditer(rest) for one in match.groups())), "")
        words = _NO_WORDS.sub(" ", said).strip()[:_LONGEST_WORDS]
        end = found.end() if found["end"] else found.end("name")
        is_picture = found["name"].lower() not in _TAGS_OF_NO_PICTURE
        # a blank, for what stands before and behind may be a tag together
        shown = f"[{words or translate('api.picture', language)}]" if words or is_picture else " "
        yield _Edit(found.start(), end, shown)


def _script_links(text: str, language: Language) -> Iterator[_Edit]:
    """Yield the edits that put a blank behind "javascript": no renderer takes that for an address which it can open."""
    for found in _SCHEME.finditer(text):
        if html.unescape(found["scheme"]).replace("\\", "").lower() in _SCRIPT_SCHEMES:
            yield _Edit(found.end(), found.end(), " ")


_FINDERS = (_tags, _pictures, _script_links)


def _loads_by_attribute(rest: str) -> bool:
    if rest.startswith(":"):  # <https://...> is a link
        return False
    return any(one["name"].lower() != "style" or "(" in rest for one in _LOADING_ATTRIBUTE.finditer(rest))


def with_marks(text: str, unconfirmed: Sequence[TextSpan], language: Language) -> str:
    """Return a document's words, where each sentence has its mark that names an address which nobody has confirmed.

    >>> with_marks("Ask us. Write to pay@evil.example. Thanks.", [TextSpan(17, 33)], "en")
    'Ask us. Write to pay@evil.example. [new address, not confirmed] Thanks.'
    """
    marked = [
        one
        for one in (split_sentences(text) if unconfirmed else ())
        if any(span.start < one.end and one.start < span.end for span in unconfirmed)
    ]
    return _apply(text, [_mark(text, one, "mark_unconfirmed", language) for one in marked])


def _marks(turn: TurnSnapshot, *, unsupported: bool) -> list[_Edit]:
    answer = turn.answer
    if answer is None:
        return []
    marked = [(one, "mark_unsupported") for one in answer.unsupported if unsupported]
    marked += [(one, "mark_unconfirmed") for one in answer.unconfirmed]
    return sorted((_mark(turn.text, span, key, turn.language) for span, key in marked), key=lambda one: one.start)


def _mark(text: str, span: TextSpan, key: str, language: Language) -> _Edit:
    place = _mark_place(text, span)
    return _Edit(place, place, f" [{translate(f'api.{key}', language)}]")


def _mark_place(text: str, span: TextSpan) -> int:
    """Return the end of a sentence's words; in a table's row that is within its last cell, else it is not drawn."""
    end = span.start + len(text[span.start : span.end].rstrip())
    line = text[text.rfind("\n", 0, end) + 1 : end].lstrip()
    is_row = line.startswith("|") and len(line) > 1 and line.endswith("|")
    return len(text[: end - 1].rstrip()) if is_row else end


def _edit_turn(turn: TurnSnapshot, edits: Sequence[_Edit]) -> TurnSnapshot:
    if not edits:
        return turn
    text = _apply(turn.text, edits)
    answer = turn.answer
    return replace(turn, text=text, answer=_move_offsets(answer, text, edits) if answer is not None else None)


def _move_offsets(answer: Answer, text: str, edits: Sequence[_Edit]) -> Answer:
    def move(span: TextSpan) -> TextSpan:
        return TextSpan(_shifted_start(span.start, edits), _shifted_end(span.end, edits))

    citations = tuple(
        replace(one, start=_shifted_start(one.start, edits), end=_shifted_end(one.end, edits))
        for one in answer.citations
    )
    return replace(
        answer,
        text=text,
        citations=citations,
        unsupported=tuple(map(move, answer.unsupported)),
        unconfirmed=tuple(map(move, answer.unconfirmed)),
        quotation=move(answer.quotation) if answer.quotation is not None else None,
    )


def _shifted_start(place: int, edits: Sequence[_Edit]) -> int:
    """Return a stretch's new start: after insertions before it."""
    return _shifted(place, edits, lambda edit: edit.end <= place, lambda edit: edit.start)


def _shifted_end(place: int, edits: Sequence[_Edit]) -> int:
    """Return a stretch's new end: before insertions after it."""
    return _shifted(
        place, edits, lambda edit: edit.end <= place and edit.start < place, lambda edit: edit.start + len(edit.words)
    )


def _shifted(
    place: int, edits: Sequence[_Edit], is_before: Callable[[_Edit], bool], within: Callable[[_Edit], int]
) -> int:
    shift = 0
    for edit in edits:
        if is_before(edit):
            shift += len(edit.words) - (edit.end - edit.start)
        elif edit.start < place < edit.end:
            return within(edit) + shift
    return place + shift


def _apply(text: str, edits: Sequence[_Edit]) -> str:
    pieces, position = [], 0
    for edit in edits:
        pieces += [text[position : edit.start], edit.words]
        position = edit.end
    return "".join([*pieces, text[position:]])
