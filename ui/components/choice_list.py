"""A list of texts to choose from: earlier questions, or topics to try.

Streamlit's buttons read their labels as Markdown, and these texts come from customers and documents; here they are set
as plain text.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from rag.schema import Language
from ui.browser import component, told
from ui.formats import visible


@dataclass(frozen=True, slots=True)
class Choice:
    """One row.  ``tone`` colours the dot before a row of the history: running, good, warning or bad."""

    choice_id: str
    text: str
    language: Language
    note: str = ""
    tone: str = ""
    tone_words: str = ""


def draw_choices(
    key: str,
    choices: Sequence[Choice],
    *,
    words: tuple[str, str],
    look: Literal["rows", "chips"],
    on_choose: Callable[[str], None],
    current: str = "",
) -> None:
    """Draw the list; ``words`` are its heading and what it says when it is empty.

    ``on_choose`` is called before the next run with the id of the row that was chosen.
    """
    heading, empty = words
    rows = [visible(asdict(choice), ids=("choice_id",)) for choice in choices]
    data = {"rows": rows, "heading": heading, "empty": empty, "look": look, "current": current}
    component("choice_list")(key=key, data=data, on_chosen_change=lambda: on_choose(str(told(key, "chosen") or "")))
