"""Typing errors in Latin words that no passage has: the word of the index that one keystroke turns them into.

The index knows its terms by hashes only, so the words that are one keystroke away are made and looked up: some hundred
hashes for a word, whatever the size of the vocabulary.  Figures are never changed: E-1025 is another error than E-1024.
"""

import re
from collections.abc import Callable, Iterator
from string import ascii_lowercase

from rag.retrieval.terms import terms

SHORTEST_WORD = 5
_WORD = re.compile(r"[A-Za-z]{5,32}(?![A-Za-z0-9'’])")

Frequency = Callable[[str], int]
"""In how many passages a term is."""


def corrected(text: str, frequency: Frequency) -> str:
    """Return the text with each unknown word of five letters and more as the known word that is nearest, if one is.

    Of several known ones the most frequent is taken; a swap of neighbours goes before another keystroke.

    >>> known = {"refund": 3, "kettle": 1}
    >>> corrected("Refudn for the ketle", lambda term: known.get(term, 0))
    'refund for the kettle'
    """

    def nearest(match: re.Match[str]) -> str:
        word = match.group().lower()
        before = text[match.start() - 1 : match.start()]
        if (before.isalnum() and before.isascii()) or terms(word) != [word] or frequency(word):
            return match.group()
        swapped = [candidate for candidate in _swaps(word) if frequency(candidate)]
        near = swapped or [candidate for candidate in _edits(word) if frequency(candidate)]
        return max(near, key=frequency, default=match.group())

    return _WORD.sub(nearest, text)


def _swaps(word: str) -> Iterator[str]:
    for place in range(len(word) - 1):
        yield word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def _edits(word: str) -> Iterator[str]:
    """Yield the words that one letter left out, put in, or taken for another one makes, the first letter kept."""
    for place in range(1, len(word) + 1):
        before, after = word[:place], word[place:]
        for letter in ascii_lowercase:
            yield before + letter + after
            if after:
                yield before + letter + after[1:]
        if after:
            yield before + after[1:]
