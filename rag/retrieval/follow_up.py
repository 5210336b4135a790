"""Builds search requests for follow-up questions from the conversation, without calling a model.

A follow-up leans on the question before ("Was he a communist?"), and a new topic must not be dragged back to the old
one.  Nothing has to tell the two apart: the earlier question takes part in everything, by a share.  A follow-up says
little that is rare, so the share decides; a question that stands alone says enough.  R@1 / R@5 on the 146 follow-ups of
MTRAG, and on 605 questions of six sets behind another question of the same set that has nothing to do with them:

    the question alone              76.7 / 91.1        76.5 / 92.2
    behind the one before it        87.7 / 97.3        35.4 / 69.6
    with a share of the one before  90.4 / 97.9        74.5 / 90.4
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rag.protocols import Embedder, FloatMatrix, QueryTokens, QueryVectors
from rag.retrieval.query import Query, Wording, joined_tokens
from rag.schema import Language
from rag.text.characters import simplified
from rag.text.terms import terms

EARLIER_SHARE = 0.25
"""How much the earlier question's words and tokens count beside the question's own.  Of .2 to .4 more finds more for
follow-ups (88 to 91 %) and less for new topics (76 to 73 %)."""

_DIRECTION_SHARE = 0.5
"""How much of the direction of both questions together is added to the direction of the question's vector."""

_ALONE_SHARE = 0.5
"""Of the question's tokens: half as they are by themselves, half as they are behind the earlier question."""

_LONGEST_EARLIER_CHARACTERS = 400
_COURTESY = re.compile(
    r"(?:(?:thank you|thanks?|thx|okay|ok|yes|no|great|hello|hi|hey|please|help|sure|good|very|much|so|a lot"
    r"|那|好的?|谢谢|多谢|你|是的?|嗯|哦|您?好|在吗|明白|知道|了)[\W_]*)*",
    re.IGNORECASE,
)
_LEANS = re.compile(
    r"\b(?:it|its|they|them|their|this|that|these|those|there|he|she|him|his|her|then|else|too|instead|same|one|ones)\b"
    r"|^(?:and|but|so|or|what about|how about|why)\b|它|他|她|这|那|此|该|其中|呢|还有|上述|刚才|前面|同样|为什么|为何",
    re.IGNORECASE,
)


def in_context(question: str, previous: str = "") -> str:
    r"""Return the question behind the user's last turn, as one text.

    >>> in_context("Which is more important?", "What is market cap, what is NAV?")
    'What is market cap, what is NAV?\nWhich is more important?'
    """
    return f"{previous}\n{question}" if previous else question


def last_said(earlier: Sequence[str]) -> str:
    """Return the latest of the earlier questions, oldest first, that says more than thanks; empty where none does.

    >>> last_said(["Can I see Mars?", "Thank you!"])
    'Can I see Mars?'
    """
    for text in reversed(earlier):
        if not _COURTESY.fullmatch(text.strip(" \t\n?!.,？！。，")):
            return text[-_LONGEST_EARLIER_CHARACTERS:].strip()
    return ""


def leans(question: str) -> bool:
    """Tell whether a question by its words may lean on what was said before it: "How long does it take?", "那邮费呢".

    Its reader then needs the earlier question as well.
    """
    return _LEANS.search(question) is not None or len(set(terms(question))) <= 3


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A question as it is searched, and what was said before it; ``previous`` is empty where it stands alone."""

    wording: Wording
    previous: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """What is to be embedded: the question alone, and behind what was said before."""
        alone = self.wording.embedded
        return (alone, in_context(alone, simplified(self.previous))) if self.previous else (alone,)

    def query(self, language: Language, vectors: QueryVectors) -> Query:
        """Return the query, of the vectors of the ``texts``."""
        if self.previous:
            return _in_both(self.wording, language, self.previous, vectors)
        return Query.worded(self.wording, language, vectors)


def queries_of(asked: Sequence[SearchRequest], language: Language, embedder: Embedder) -> list[Query]:
    """Embed several questions at once, each text once, and return their queries in their order."""
    texts = list(dict.fromkeys(text for one in asked for text in one.texts))
    found = embedder.embed_queries(texts)
    places = [[texts.index(text) for text in one.texts] for one in asked]
    return [
        one.query(language, QueryVectors(found.vectors[rows], tuple(found.tokens[row] for row in rows)))
        for one, rows in zip(asked, places, strict=True)
    ]


def _in_both(wording: Wording, language: Language, previous: str, both: QueryVectors) -> Query:
    """Join the question alone and behind the one before it; alone where together they are too long."""
    alone, behind = both.tokens
    count = len(alone.numbers)
    first = len(behind.numbers) - count
    if first < 1 or not np.array_equal(behind.numbers[first + 1 :], alone.numbers[1:]):  # the embedder cut its end off
        return Query.worded(wording, language, QueryVectors(both.vectors[:1], (alone,)))
    own = QueryTokens(behind.numbers[first:], behind.vectors[first:])
    before = QueryTokens(behind.numbers[:first], behind.vectors[:first])
    tokens, shares = joined_tokens(
        (alone, _ALONE_SHARE),
        (own, 1 - _ALONE_SHARE),
        (before, EARLIER_SHARE),
    )
    return Query(
        question=wording.question,
        language=language,
        vector=_between(both.vectors),
        terms=dict.fromkeys(terms(previous), EARLIER_SHARE) | wording.terms,
        tokens=tokens,
        shares=shares,
        wider=both.vectors[1:],
    )


def _between(vectors: FloatMatrix) -> FloatMatrix:
    """Return the direction between the two rows, nearer to the first, float32 [1, dimension] of length 1."""
    row = vectors[0] + _DIRECTION_SHARE * vectors[1]
    return np.asarray(row / np.linalg.norm(row), dtype=np.float32)[np.newaxis]
