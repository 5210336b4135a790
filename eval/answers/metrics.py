"""Is an answer right?  Deterministic, the same for both languages, no model as judge."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

_TOKEN = re.compile(r"[a-z0-9]+|[\u3400-\u9fff]")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_SPACE = re.compile(r"\s+")


def normalise(text: str) -> str:
    """Fold width and case, drop white space and thousands separators: ``"１,000 元"`` becomes ``"1000元"``."""
    return _SPACE.sub("", _THOUSANDS.sub("", unicodedata.normalize("NFKC", text).casefold()))


def holds(text: str, wanted: str) -> bool:
    """Tell whether ``wanted`` occurs in ``text`` after normalising, not as part of a longer number.

    >>> holds("Returns are free for 14 days.", "4 days")
    False
    """
    needle = normalise(wanted)
    if not needle:
        return False
    before = r"(?<![\d.])" if needle[0].isdigit() else ""
    after = r"(?!\d|\.\d)" if needle[-1].isdigit() else ""
    return re.search(before + re.escape(needle) + after, normalise(text)) is not None


def key_points_hit(text: str, key_points: Sequence[Sequence[str]]) -> float:
    """Return the share in [0, 1] of groups of which at least one alternative occurs; 0.0 where there are no groups."""
    if not key_points:
        return 0.0
    return sum(any(holds(text, wanted) for wanted in group) for group in key_points) / len(key_points)


def is_right(text: str, key_points: Sequence[Sequence[str]]) -> bool:
    """Tell whether every group of key points is hit; False where there are none."""
    return bool(key_points) and key_points_hit(text, key_points) == 1.0


def token_f1(text: str, reference: str) -> float:
    """Return SQuAD's token F1 in [0, 1]; a token is a word, a number, or one ideograph (as CMRC 2018 counts).

    Two empty texts agree (1.0), one empty text does not (0.0).
    """
    found, wanted = _tokens(text), _tokens(reference)
    if not found or not wanted:
        return float(found == wanted)
    overlap = sum((Counter(found) & Counter(wanted)).values())
    if overlap == 0:
        return 0.0
    precision, recall = overlap / len(found), overlap / len(wanted)
    return 2 * precision * recall / (precision + recall)


def best_token_f1(text: str, references: Sequence[str]) -> float:
    """Return the F1 against the nearest reference; 0.0 where there is none."""
    return max((token_f1(text, reference) for reference in references), default=0.0)


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(unicodedata.normalize("NFKC", text).casefold())
