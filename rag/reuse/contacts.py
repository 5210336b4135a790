"""Ways to reach somebody that a text names: links, mail addresses and telephone numbers.

A wrong one sends customers, and their money, to strangers, so an answer that a person wrote is held against the
documents in this respect at least: ``UnknownContacts`` tells which of them no document has.
"""

import re
import unicodedata

from rag.generation.output_filter import links_in
from rag.storage.store import VISIBLE, KnowledgeStore

_NUMBER = re.compile(r"(?<![\w.,/-])\+?\(?\d(?:[ ()/.-]{0,2}\d){6,17}(?![\w-])")
"""Seven to eighteen digits (E.164 has fifteen at most; extensions come on top), in groups or not."""
_DAY = re.compile(r"\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{4}")
_NO_DIGIT = re.compile(r"\D")
_SCHEME = re.compile(r"^(?:https?://|mailto:)?(?:www\.)?", re.IGNORECASE)
_REMEMBERED = 2000
_BETWEEN_DIGITS = (" ", "-", "(", ")", "/", ".")


def contacts_in(text: str) -> frozenset[str]:
    """Return what a text names, in one way of writing: links without their scheme, numbers as digits alone.

    >>> sorted(contacts_in("Call +49 (30) 123-4567 until 2026-01-31, or see https://www.shop.example/Help/."))
    ['49301234567', 'shop.example/help']
    """
    text = unicodedata.normalize("NFKC", text)
    links = {_address(link) for link in links_in(text)}
    numbers = {_NO_DIGIT.sub("", found) for found in _NUMBER.findall(text) if _DAY.fullmatch(found) is None}
    return frozenset((links | numbers) - {""})


class UnknownContacts:
    """Tells which contacts no document of a knowledge base has; remembers what it found, a generation at a time."""

    def __init__(self, store: KnowledgeStore) -> None:
        self._store = store
        self._known: dict[tuple[int, str], bool] = {}

    def of(self, text: str, generation: int) -> frozenset[str]:
        """Return those of a text that no document of the generation has, neither in its text nor as its source."""
        return frozenset(contact for contact in contacts_in(text) if not self._is_known(contact, generation))

    def _is_known(self, contact: str, generation: int) -> bool:
        key = (generation, contact)
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = self._look(contact, generation)
        return self._known[key]

    def _look(self, contact: str, generation: int) -> bool:
        text = "text"
        for sign in _BETWEEN_DIGITS if contact.isdecimal() else ():
            text = f"replace({text}, '{sign}', '')"
        with self._store.reading() as connection:
            row = connection.execute(
                f"SELECT 1 FROM document WHERE {VISIBLE.format('document')} "
                f"AND (instr(lower({text}), :contact) OR instr(lower(source), :contact)) LIMIT 1",
                {"generation": generation, "contact": contact},
            ).fetchone()
        return row is not None


def _address(link: str) -> str:
    if link.startswith(("[", "!")):  # Markdown: what is shown may be anything, what counts is where it leads
        link = link.rpartition("(")[2].rstrip(")").split(" ")[0]
    return _SCHEME.sub("", link).rstrip("/").lower()
