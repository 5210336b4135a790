"""Corrects typing errors in Latin words to index words one keystroke away.

The index knows its terms by hashes only, so the words that are one keystroke away are made and looked up: some hundred
hashes for a word, whatever the size of the vocabulary.  Figures are never changed: E-1025 is another error than E-1024.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from string import ascii_lowercase

from rag.text.terms import terms

_WORD = re.compile(r"[A-Za-z]{5,32}+(?![A-Za-z0-9'’])")

Frequencies = Callable[[Sequence[str]], Sequence[int]]
"""In how many passages each of some terms is.  All of a word's are asked for at once: some hundred searches."""


def corrected(text: str, frequencies: Frequencies) -> str:
    """Return the text with each unknown word of five letters and more as the known word that is nearest, if one is.

    Of several known ones the most frequent is taken; a swap of neighbours goes before another keystroke.

    >>> known = {"refund": 3, "kettle": 1}
    >>> corrected("Refudn for the ketle", lambda terms: [known.get(term, 0) for term in terms])
    'refund for the kettle'
    """
    words = [*dict.fromkeys(match.group().lower() for match in _WORD.finditer(text))]
    known = dict(zip(words, frequencies(words), strict=True)) if words else {}

    def nearest(match: re.Match[str]) -> str:
        word = match.group().lower()
        before = text[match.start() - 1 : match.start()]
        if (before.isalnum() and before.isascii()) or known[word] or terms(word) != [word]:
            return match.group()
        return most_frequent([*_swaps(word)]) or most_frequent([*_edits(word)]) or match.group()

    def most_frequent(candidates: Sequence[str]) -> str:
        count, best = max(zip(frequencies(candidates), candidates, strict=True), key=itemgetter(0))
        return best if count else ""

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
