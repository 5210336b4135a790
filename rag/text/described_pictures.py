"""The line that says what a model sees in a picture, in a question and in a document's text.

No document says it: the model that answers may read the line, with its mark, and search finds it; whoever chooses what
supports an answer leaves it out (``rag/grounding/confirmation.py``).  The line is one sentence, which is never cut: a
part of it would have lost the mark.  The same mark typed into a document makes that line count for less, not for more.
"""

from functools import cache
from typing import get_args

from rag.schema import Language
from rag.text.characters import one_line
from rag.text.language import text_language
from rag.translate import translate

_BRACKETS = str.maketrans("[]", "()")
_END = "]"
LONGEST_CHARACTERS = 400
"""Of a description, without its mark."""
_LONGEST_LINE = LONGEST_CHARACTERS + 100
"""With its mark.  A longer line was typed into a document, and is cut and read as one: else it could be as long as it
likes and never be cut."""


def marked_description(text: str) -> str:
    """Return a description with the words that say where it comes from, as one line.

    >>> marked_description("Error E-42.")
    '[Picture, described by a model: Error E-42.]'
    """
    return translate("ask.picture_described", text_language(text), text=one_line(without_brackets(text)))


def is_description(sentence: str) -> bool:
    """Tell whether a sentence begins with the mark of a description, in either language, and is as short as one.

    >>> is_description(marked_description("Error E-42.")), is_description("[Figure: Error E-42]")
    (True, False)
    """
    return len(sentence) <= _LONGEST_LINE and sentence.startswith(_beginnings())


def without_descriptions(text: str) -> str:
    r"""Return a text without the lines that are descriptions.

    >>> without_descriptions("Press it.\n\n[Picture, described by a model: A red button.]\nIt starts.")
    'Press it.\n\nIt starts.'
    """
    return "\n".join(line for line in text.split("\n") if not is_description(line.lstrip()))


def without_brackets(text: str) -> str:
    """Return a text that cannot end its place between square brackets."""
    return text.translate(_BRACKETS)


@cache
def _beginnings() -> tuple[str, ...]:
    languages: tuple[Language, ...] = get_args(Language)
    empty = (translate("ask.picture_described", language, text="") for language in languages)
    return tuple(line.removesuffix(_END).rstrip() for line in empty)
