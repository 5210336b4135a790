"""Ways to reach somebody that a text names: links, mail addresses and telephone numbers.

A wrong one sends customers, and their money, to strangers, so an answer that a person wrote is held against the
documents in this respect at least: ``UnknownContacts`` tells which of them no document has.
"""

import re
import unicodedata

from rag.grounding.contact_details import ContactDetail, possible_contact_details
from rag.storage.store import VISIBLE, KnowledgeStore

_SCHEME = re.compile(r"^\w+://(?:www\.)?")
_PATH = re.compile(r"(?::\d+)?[/?#][^\s)>\]\"'”，。；、）」]*")
_REMEMBERED = 2000
_BETWEEN_DIGITS = (" ", "-", "–", "(", ")", "/", ".", "·")


def contacts_in(text: str) -> frozenset[str]:
    """Return what a text names, in one way of writing: links without their scheme, numbers as digits alone.

    >>> sorted(contacts_in("Call +49 (30) 123-4567 until 2026-01-31, or see https://www.shop.example/Help/."))
    ['49301234567', 'shop.example/help']
    """
    text = unicodedata.normalize("NFKC", text)
    return frozenset(_searched(one, text) for one in possible_contact_details(text) if one.kind != "directive")


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
        is_number = contact.isalnum() and any(map(str.isdecimal, contact))  # an IBAN has letters, too
        for sign in _BETWEEN_DIGITS if is_number else ():
            text = f"replace({text}, '{sign}', '')"
        with self._store.reading() as connection:
            row = connection.execute(
                f"SELECT 1 FROM document WHERE {VISIBLE.format('document')} "
                f"AND (instr(lower({text}), :contact) OR instr(lower(source), :contact)) LIMIT 1",
                {"generation": generation, "contact": contact},
            ).fetchone()
        return row is not None


def _searched(detail: ContactDetail, text: str) -> str:
    """Return how an address is looked for in documents, in small letters; a link with its path."""
    name = detail.key.partition(" ")[2].lower()
    if detail.kind != "host":
        return name
    written = text[detail.start : detail.end].lower()
    path = _PATH.match(text, detail.end)
    place = _SCHEME.sub("", written) if "://" in written else name
    return (place + (path.group().lower() if path else "")).rstrip("/.,;:!?")
