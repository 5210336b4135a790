"""Is an answer right?  Deterministic, the same for both languages, no model as judge.

What a right reply must hold depends on the reference.  Our own questions name key points, and each must be there.
Public sets give answers only.  A short answer is a span and must occur in whole words.  A longer one is an entry (of a
FAQ or a forum), which no reply repeats word for word: a reply is right when half of its pairs of words come from the
entry, or it holds four tenths of the entry's, and it gives no number that neither the entry nor the question has.  That
is generous to a reply made of the entry's unimportant sentences, and between entries that say nearly the same:
docs/measurements.md tells how often it is fooled.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import Literal

from ingest.golden import GoldenQuestion

_TOKEN = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+")
_ARTICLE = re.compile(r"^(?:an?|the)\s+", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_SPACE = re.compile(r"\s+")

GoldKind = Literal["key_points", "span", "entry", "none"]

ENTRY_TOKENS = 12
"""An answer of more words, or ideographs, than that is an entry."""

ENTRY_HELD = 0.4
OWN_FROM_ENTRY = 0.5
LEAST_OWN_TOKENS = 8


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


def contains_span(text: str, span: str) -> bool:
    """Tell whether a span occurs in ``text`` in whole words, whatever its article, width, case and punctuation.

    >>> contains_span("It is party politics.", "art")
    False
    >>> contains_span("They live in United States territories.", "the United States")
    True
    """
    wanted = tokens(_ARTICLE.sub("", span.strip()))
    found = tokens(text)
    together = any(found[at : at + len(wanted)] == wanted for at in range(len(found) - len(wanted) + 1))
    return bool(wanted) and together and all(holds(text, number) for number in _NUMBER.findall(normalise(span)))


def has_numbers_of(text: str, references: Sequence[str]) -> bool | None:
    """Tell whether the text has all numbers of one of the references; None where none of them has a number."""
    numbered = [found for one in references if (found := set(_NUMBER.findall(normalise_lines(one))))]
    own = set(_NUMBER.findall(normalise_lines(text)))
    return any(found <= own for found in numbered) if numbered else None


def numbers_within(text: str, *sources: str) -> bool:
    """Tell whether every number of ``text`` occurs in one of the sources."""
    known = {number for source in sources for number in _NUMBER.findall(normalise_lines(source))}
    return all(number in known for number in _NUMBER.findall(normalise_lines(text)))


def normalise_lines(text: str) -> str:
    """Fold width and case and drop thousands separators, but keep white space, which keeps numbers apart."""
    return _THOUSANDS.sub("", unicodedata.normalize("NFKC", text).casefold())


def token_f1(text: str, reference: str) -> float:
    """Return SQuAD's token F1 in [0, 1]; a token is a word, a number, or one ideograph (as CMRC 2018 counts).

    Two empty texts agree (1.0), one empty text does not (0.0).
    """
    return _harmonic(*_overlap(tokens(text), tokens(reference)))


def pair_overlap(text: str, reference: str) -> tuple[float, float]:
    """Return the share in [0, 1] of the text's token pairs that are in the reference, and vice versa.

    Pairs show what a text says; single words are shared by any text about the same subject.
    """
    found, wanted = tokens(text), tokens(reference)
    return _overlap(list(pairwise(found)), list(pairwise(wanted)))


def _overlap(found: Sequence[Hashable], wanted: Sequence[Hashable]) -> tuple[float, float]:
    if not found or not wanted:
        return (1.0, 1.0) if found == wanted else (0.0, 0.0)
    shared = sum((Counter(found) & Counter(wanted)).values())
    return shared / len(found), shared / len(wanted)


def rouge_l(text: str, reference: str) -> float:
    """Return ROUGE-L in [0, 1]: the harmonic mean of the longest common subsequence's share of both texts.

    C.-Y. Lin, *ROUGE: A Package for Automatic Evaluation of Summaries*, 2004; as ``rouge-score`` computes it, without
    stemming, with the tokens of ``token_f1``, so that it counts characters in Chinese.  Empty texts as there.
    """
    found, wanted = tokens(text), tokens(reference)
    if not found or not wanted:
        return float(found == wanted)
    common = longest_common_subsequence(found, wanted)
    return _harmonic(common / len(found), common / len(wanted))


def longest_common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """Return its length, by bits in parallel: H. Hyyrö, *Bit-parallel LCS-length computation revisited*, 2004."""
    places: dict[str, int] = {}
    for place, token in enumerate(one):
        places[token] = places.get(token, 0) | 1 << place
    row = every = (1 << len(one)) - 1
    for token in other:
        matched = row & places.get(token, 0)
        row = (row + matched | row - matched) & every
    return len(one) - row.bit_count()


def best_rouge_l(text: str, references: Sequence[str]) -> float:
    """Return ROUGE-L against the nearest reference; 0.0 where there is none."""
    return max((rouge_l(text, reference) for reference in references), default=0.0)


def best_token_f1(text: str, references: Sequence[str]) -> float:
    """Return the F1 against the nearest reference; 0.0 where there is none."""
    return max((token_f1(text, reference) for reference in references), default=0.0)


def tokens(text: str) -> list[str]:
    """Return words, numbers and single ideographs in small letters, without punctuation.

    >>> tokens("Latch S5 报错 E07！")
    ['latch', 's5', '报', '错', 'e07']
    """
    return _TOKEN.findall(unicodedata.normalize("NFKC", text).casefold())


def _harmonic(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def gold_kind(question: GoldenQuestion) -> GoldKind:
    """Return the way to judge replies to the question; ``none`` if nothing is known of the answer."""
    if question.key_points and question.key_points != (question.answers,):
        return "key_points"
    if not question.answers:
        return "none"
    return "entry" if min(len(tokens(answer)) for answer in question.answers) > ENTRY_TOKENS else "span"


def wanted_words(question: GoldenQuestion) -> str:
    """Return the required content of a right reply, for people; empty if nothing is known."""
    gold = question.key_points if gold_kind(question) == "key_points" else question.answers
    return "; ".join(" / ".join(one) if isinstance(one, tuple) else one for one in gold)


def is_right_reply(question: GoldenQuestion, text: str) -> bool:
    """Tell whether a reply to an answerable question is right."""
    match gold_kind(question):
        case "key_points":
            return is_right(text, question.key_points)
        case "span":
            return any(contains_span(text, answer) for answer in question.answers)
        case "entry":
            return any(_has_substance(text, answer, question.question) for answer in question.answers)
        case "none":
            return False


def holds_gold(question: GoldenQuestion, text: str, documents: tuple[str, ...]) -> bool:
    """Tell whether the text that the model read, from ``documents``, holds the answer.

    An entry cannot be looked for sentence by sentence, so there its document counts.
    """
    if gold_kind(question) in ("entry", "none"):
        return any(document in question.relevant for document in documents)
    return is_right_reply(question, text)


def _has_substance(text: str, entry: str, question: str) -> bool:
    if contains_span(text, entry):
        return True
    own, held = pair_overlap(text, entry)
    is_enough = held >= ENTRY_HELD or (own >= OWN_FROM_ENTRY and len(tokens(text)) >= LEAST_OWN_TOKENS)
    return is_enough and numbers_within(text, entry, question)
