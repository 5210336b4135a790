"""What a right reply to a question must hold: key points, a span, or the substance of a whole entry.

Our own questions name key points, and each must be there.  Public sets give answers only.  A short answer is a span and
must occur in whole words.  A longer one is an entry (a FAQ's, a forum's), which no reply repeats word for word: a reply
is right when half of its pairs of words come from the entry, or it holds four tenths of the entry's, and it gives no
number that neither the entry nor the question has.  That is generous to a reply made of the entry's unimportant
sentences, and between entries that say nearly the same: see docs/quality.md for how often it is fooled.
"""

from typing import Literal

from eval.answers.metrics import is_right, numbers_within, pair_overlap, says, tokens
from ingest.golden import GoldenQuestion

GoldKind = Literal["key_points", "span", "entry", "none"]

ENTRY_TOKENS = 12
"""An answer of more words, or ideographs, than that is an entry."""

ENTRY_HELD = 0.4
OWN_FROM_ENTRY = 0.5
LEAST_OWN_TOKENS = 8


def gold_kind(question: GoldenQuestion) -> GoldKind:
    """Return how replies to the question are judged; ``none`` where nothing is known of the answer."""
    if question.key_points and question.key_points != (question.answers,):
        return "key_points"
    if not question.answers:
        return "none"
    return "entry" if min(len(tokens(answer)) for answer in question.answers) > ENTRY_TOKENS else "span"


def wanted_words(question: GoldenQuestion) -> str:
    """Return what a right reply must hold, as a person reads it; empty where nothing is known."""
    gold = question.key_points if gold_kind(question) == "key_points" else question.answers
    return "; ".join(" / ".join(one) if isinstance(one, tuple) else one for one in gold)


def is_right_reply(question: GoldenQuestion, text: str) -> bool:
    """Tell whether a reply to an answerable question is right."""
    match gold_kind(question):
        case "key_points":
            return is_right(text, question.key_points)
        case "span":
            return any(says(text, answer) for answer in question.answers)
        case "entry":
            return any(_has_substance(text, answer, question.question) for answer in question.answers)
        case "none":
            return False


def holds_gold(question: GoldenQuestion, text: str, documents: tuple[str, ...]) -> bool:
    """Tell whether what the model read holds the answer: ``text``, which came from ``documents``.

    Of an entry that cannot be told sentence by sentence, so there its document counts.
    """
    if gold_kind(question) in ("entry", "none"):
        return any(document in question.relevant for document in documents)
    return is_right_reply(question, text)


def _has_substance(text: str, entry: str, question: str) -> bool:
    if says(text, entry):
        return True
    own, held = pair_overlap(text, entry)
    is_enough = held >= ENTRY_HELD or (own >= OWN_FROM_ENTRY and len(tokens(text)) >= LEAST_OWN_TOKENS)
    return is_enough and numbers_within(text, entry, question)
