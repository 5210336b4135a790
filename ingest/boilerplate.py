"""Lines that stand on many pages of a folder: navigation, footers, notices.  They are told, with where they are.

The documents are read twice: first every line is counted in a table of fixed size by its hash, where lines may share a
place and so are counted too high at worst; then only those that may be frequent are counted by themselves.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rag.storage.store import VISIBLE, KnowledgeStore

FEWEST_PAGES = 5
SMALLEST_SHARE = 0.5
"""A line on half of a folder's pages, and on five at least, is no page's own."""

_SHORTEST_LINE = 12  # characters: shorter ones are headings, cells and marks that many pages have of their own accord
_COUNTERS = 1 << 20


@dataclass(frozen=True, slots=True)
class RepeatedLine:
    """A line, and on how many of a folder's ``pages`` it stands."""

    folder: str
    text: str
    on_pages: int
    pages: int


def find_boilerplate(folder: Path) -> tuple[RepeatedLine, ...]:
    """Find the repeated lines of the current generation, the most frequent first; reads only.

    Raises ``KnowledgeBaseMissing``.
    """
    with KnowledgeStore(folder) as store:
        generation = store.require_generation()
        counters = np.zeros(_COUNTERS, dtype=np.uint32)
        pages: Counter[str] = Counter()
        for place, lines in _pages(store, generation):
            pages[place] += 1
            counters[[_counter(place, line) for line in lines]] += 1
        counted: dict[tuple[str, str], int] = defaultdict(int)
        for place, lines in _pages(store, generation):
            least = _least(pages[place])
            for line in lines:
                if counters[_counter(place, line)] >= least:
                    counted[place, line] += 1
    found = [
        RepeatedLine(place, line, count, pages[place])
        for (place, line), count in counted.items()
        if count >= _least(pages[place])
    ]
    return tuple(sorted(found, key=lambda one: (-one.on_pages, one.folder, one.text)))


def _least(pages: int) -> float:
    return max(FEWEST_PAGES, SMALLEST_SHARE * pages)


def _pages(store: KnowledgeStore, generation: int) -> Iterator[tuple[str, set[str]]]:
    """Yield each document's folder and its distinct lines, white space evened out."""
    last = 0
    while True:
        rows = store.rows(
            f"SELECT document_key, path, text FROM document WHERE document_key > :last "
            f"AND {VISIBLE.format('document')} ORDER BY document_key LIMIT 256",
            {"generation": generation, "last": last},
        )
        if not rows:
            return
        last = rows[-1]["document_key"]
        for row in rows:
            lines = {" ".join(line.split()) for line in row["text"].splitlines()}
            yield str(Path(row["path"]).parent), {line for line in lines if len(line) >= _SHORTEST_LINE}


def _counter(place: str, line: str) -> int:
    digest = hashlib.blake2b(f"{place}\0{line}".encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return int.from_bytes(digest, "little") % _COUNTERS
