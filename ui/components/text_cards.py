"""Cards that open: passages as they are, articles with the lines that came and went, messages to a model.

Texts come from documents and are set as plain text, white space and all.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from ui.browser import component
from ui.formats import visible


@dataclass(frozen=True, slots=True)
class Note:
    """A few words below a card's title; ``tone`` colours them: good, warning or bad.  ``name``: of a file."""

    text: str
    tone: str = ""
    name: bool = False


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line, or a text of several; ``sign`` is "+" for what came and "-" for what is gone.

    ``lang`` is the line's own, where it is not the card's.  ``name``: of a file.
    """

    text: str
    sign: Literal["", "+", "-"] = ""
    quiet: bool = False
    lang: str = ""
    name: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """``mark`` stands before the title, a file's name where it has no ``lang``.  Without lines a card stays shut."""

    title: str
    mark: str = ""
    tone: str = ""
    lang: str = ""
    notes: tuple[Note, ...] = ()
    lines: tuple[TextLine, ...] = ()
    open: bool = False


def draw_cards(key: str, cards: Sequence[Card], *, heading: str = "", empty: str = "") -> None:
    """Draw the cards below each other; ``empty`` is said where there are none."""
    component("text_cards")(
        key=key, data={"cards": [visible(asdict(card)) for card in cards], "heading": heading, "empty": empty}
    )
