"""Chooses the sentences of the passages that a model reads: those that answer to the question, and what they need.

Every token costs time before the first word, so only sentences that fit are sent, those that together answer most of
the question: what others have said already counts no more.  None that fits is left out, for a support answer is a
condition, a row or a list of steps as often as one phrase.  Of 164 answerable customers' texts over 389 and 110 product
pages the evidence held the facts of so many, at 320 / 480 / 1,200 tokens (no model):

    the sentences that answer best, each by itself      115 / 128 / 145
    those that together answer most                     121 / 140 / 145

A sentence needs what it cannot be understood without: the heading above it, the header of its table, the line that
introduces its list, the sentence before where it begins with "otherwise" or "it".  Pure functions.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rag.grounding.prompt_injection import spans_without_injection
from rag.retrieval.late_interaction import Likeness
from rag.retrieval.ranking import z_scores
from rag.schema import Evidence, TextSpan
from rag.text.markup import is_description
from rag.text.parsed import parse_text
from rag.text.quantities import Figures
from rag.text.statements import content_words, stated_figures

SentenceLikeness = Callable[[Evidence, Sequence[TextSpan]], Likeness | None]
"""Says how well sentences of a passage, spans of its document, answer to the question; None where it cannot."""

_RANK_PENALTY = 0.8
"""Standard deviations, times the logarithm of its place, by which a sentence of a later passage must be better."""

_LENGTH_PENALTY = 0.15
"""Standard deviations, times the logarithm of its tokens, by which a longer sentence must be better: it takes the room
of several."""

_COVERAGE_WEIGHT = 12.0
"""How much more than a sentence's own likeness counts by how much it raises that of all that are chosen, both in the
standard deviation of likeness.  From 6 to 20 the counts above stay within two of each other at 480 tokens."""

Spans = tuple[tuple[TextSpan, ...], ...]
"""For each passage, spans of its document: ordered and disjoint."""

_QUOTED_TOKENS = 120
_ALSO_QUOTED_TOKENS = 60
"""Of the best passage and of the others."""

_STRETCH_RANK_PENALTY = 0.2
_BEST_SENTENCE_WEIGHT = 0.5
_DENSITY_WEIGHT = 0.01
"""A stretch of a passage is as good as all its sentences together answer, in standard deviations, less the first times
the logarithm of its passage's place, and with the second times its best sentence.  Of 164 customers' texts so many
found their facts in 120 tokens of one passage: 69 in its best sentences, 73 in what stands around the best one, 79 in
the best stretch (77 to 79 with 0.2 to 0.4 and 0.25 to 0.75).  The mean of all its sentences only tells those apart that
answer alike: with a weight of 0.25 there were 72."""

_SHORT_TOKENS = 100
"""A first passage up to this long goes whole: in a list of questions the answer is a whole entry."""


@dataclass(frozen=True, slots=True)
class _Sentence:
    """``span`` counts in the document.  ``needs`` are places in the list of all sentences of all passages.

    ``is_context`` tells headings and a table's header, which are taken only where a sentence needs them;
    ``is_description`` what a model sees in a picture, which is read and never quoted.
    """

    passage: int
    span: TextSpan
    text: str
    needs: tuple[int, ...]
    is_context: bool
    is_description: bool


class RankedSentences:
    """The sentences of all passages, by how well they answer to the question."""

    def __init__(
        self,
        evidence: Sequence[Evidence],
        question: str,
        likeness: SentenceLikeness,
        count_tokens: Callable[[str], int],
    ) -> None:
        self._evidence = evidence
        self._sentences = _read(evidence)
        self._needed = [_with_needs(place, self._sentences) for place in range(len(self._sentences))]
        self._costs = [count_tokens(sentence.text) for sentence in self._sentences]
        self._codes = stated_figures(question).codes
        found = _likeness(evidence, self._sentences, question, likeness)
        self._shares = found.shares
        self._deviation = (float(np.std(found.scores)) if len(found.scores) else 0.0) or 1.0
        self._scores = self._compared(found.scores, self._sentences) - _RANK_PENALTY * _log_places(self._sentences)
        self._order = _best_first(self._sentences, self._scores)

    def to_send(self, budget_tokens: int) -> Spans:
        """Return what the model is to read: the sentences that fit, the first passage whole if it is short."""
        first = {place for place, sentence in enumerate(self._sentences) if sentence.passage == 0}
        is_short = self._cost(first) <= min(_SHORT_TOKENS, budget_tokens)
        return self._spans(self._covering(budget_tokens, first if is_short else set()))

    def to_quote(self) -> Spans:
        """Return what answers best, for whoever cannot wait for the model: it can be read alone.

        Most is of one passage, what stands around the best sentence.  The rest is of passages further down, for the
        first one that is quoted is shown as the best match.  Where the question names a code and a sentence has it,
        others are about something else: then only sentences with the code are taken.
        """
        quotable = [place for place in self._order if not self._sentences[place].is_description]
        named = [place for place in quotable if self._codes and self._codes & self._codes_of(place)]
        order = named or quotable
        if not order:
            return self._spans(set())
        stretch = set() if named else self._best_stretch()
        best = self._sentences[min(stretch, default=order[0])].passage
        of_others = [place for place in order if self._sentences[place].passage > best]
        of_best = [place for place in order if self._sentences[place].passage == best]
        chosen = stretch or self._chosen(of_best, _QUOTED_TOKENS)
        also = self._chosen(of_others, _ALSO_QUOTED_TOKENS)
        return self._spans(chosen | (also if self._cost(also) <= _ALSO_QUOTED_TOKENS else set()))

    def _codes_of(self, place: int) -> frozenset[str]:
        return self._said(place).codes

    def _best_stretch(self) -> set[int]:
        """Return the stretch of one passage that answers best, with what it needs; empty where none is short enough."""
        stretches = [stretch for first in range(len(self._sentences)) if (stretch := self._stretch_from(first))]
        if not stretches:
            return set()
        firsts = [self._sentences[min(stretch)] for stretch in stretches]
        lengths = np.array([len(stretch) for stretch in stretches])
        begins = np.cumsum(lengths) - lengths
        places = np.array([place for stretch in stretches for place in sorted(stretch)])
        together = np.maximum.reduceat(self._shares[places], begins, axis=0).sum(axis=1)
        scores = self._scores[places]
        worth = self._compared(together, firsts) - _STRETCH_RANK_PENALTY * _log_places(firsts)
        worth += _BEST_SENTENCE_WEIGHT * np.maximum.reduceat(scores, begins)
        worth += _DENSITY_WEIGHT * np.add.reduceat(scores, begins) / lengths
        return stretches[int(np.argmax(worth))]

    def _stretch_from(self, first: int) -> set[int]:
        """Return the sentences from ``first`` on that fit, with what they need; none where they would begin mid-way."""
        stretch: set[int] = set()
        cost = 0
        begins = self._sentences[first]
        for place in range(first, len(self._sentences)) if not (begins.is_context or begins.is_description) else ():
            more = set() if self._sentences[place].is_description else self._needed[place] - stretch
            cost += self._cost(more)
            if self._sentences[place].passage != begins.passage or cost > _QUOTED_TOKENS:
                break
            stretch |= more
        return stretch

    def _compared(self, values: NDArray[np.float64], sentences: Sequence[_Sentence]) -> NDArray[np.float64]:
        """Return the values in standard deviations, each language by itself: likeness does not compare across them."""
        compared = values.copy()
        languages = np.array([self._evidence[sentence.passage].language for sentence in sentences])
        for language in sorted(set(languages.tolist())):
            compared[languages == language] = z_scores(values[languages == language])
        return compared

    def _covering(self, budget_tokens: int, given: set[int]) -> set[int]:
        """Add, one after the other, the sentence with which those that are chosen answer most.

        A copy of one that is chosen is left out: without that 138 instead of 140 texts had their facts in 480 tokens.
        Greedy, as for maximum coverage (Nemhauser, Wolsey and Fisher, doi:10.1007/BF01588971); their bound does not
        hold here, for sentences differ in length.
        """
        worth = self._scores - _LENGTH_PENALTY * np.log1p(self._costs)
        chosen = set(given)
        said = {self._said(place) for place in chosen}
        left = budget_tokens - self._cost(chosen)
        covered = self._shares[sorted(chosen)].max(axis=0) if chosen else np.zeros(self._shares.shape[1])
        candidates = [place for place in self._order if place not in chosen]
        while candidates:
            gains = np.maximum(self._shares[candidates] - covered, 0.0).sum(axis=1) / self._deviation
            place = candidates.pop(int(np.argmax(worth[candidates] + _COVERAGE_WEIGHT * gains)))
            wanted = self._needed[place] - chosen
            cost = self._cost(wanted)
            if wanted and cost <= left and self._said(place) not in said:
                chosen |= wanted
                said.update(map(self._said, wanted))
                left -= cost
                covered = np.maximum(covered, self._shares[sorted(wanted)].max(axis=0))
        return chosen or set(self._order[:1])

    def _said(self, place: int) -> Figures:
        """Return what is equal for a sentence and its copy in another version, whatever list mark it has there."""
        return stated_figures(self._sentences[place].text)

    def _chosen(self, order: Sequence[int], budget_tokens: int) -> set[int]:
        chosen: set[int] = set()
        left = budget_tokens
        for place in order:
            wanted = self._needed[place] - chosen
            cost = self._cost(wanted)
            if cost <= left:
                chosen |= wanted
                left -= cost
        return chosen or set(order[:1])

    def _cost(self, places: Iterable[int]) -> int:
        return sum(self._costs[place] for place in places)

    def _spans(self, chosen: set[int]) -> Spans:
        by_passage = [
            [self._sentences[place].span for place in sorted(chosen) if self._sentences[place].passage == index]
            for index in range(len(self._evidence))
        ]
        return tuple(_merged(passage, spans) for passage, spans in zip(self._evidence, by_passage, strict=True))


def _read(evidence: Sequence[Evidence]) -> list[_Sentence]:
    sentences: list[_Sentence] = []
    for index, passage in enumerate(evidence):
        sentences += _sentences(passage, index, len(sentences))
    return sentences


def _sentences(passage: Evidence, index: int, first_place: int) -> list[_Sentence]:
    """Return a passage's sentences without orders to the model; ``first_place`` is the first one's place among all."""
    return [
        _Sentence(
            passage=index,
            span=TextSpan(passage.start + one.span.start, passage.start + one.span.end),
            text=one.text,
            needs=tuple(first_place + needed for needed in one.needs),
            is_context=one.is_context,
            is_description=one.is_description,
        )
        for one in _readable_sentences(passage.text)
    ]


@lru_cache(maxsize=1024)
def _readable_sentences(text: str) -> tuple[_Sentence, ...]:
    """Return the sentences of a passage by itself, without orders to the model: offsets and places count from 0."""
    parsed = parse_text(text)
    readable = frozenset(spans_without_injection(text))
    kept = [place for place, sentence in enumerate(parsed.sentences) if sentence.span in readable]
    place_among_kept = {place: number for number, place in enumerate(kept)}
    return tuple(
        _Sentence(
            passage=0,
            span=sentence.span,
            text=parsed.words(place),
            needs=tuple(place_among_kept[needed] for needed in sentence.needs if needed in place_among_kept),
            is_context=sentence.is_context,
            is_description=is_description(parsed.words(place)),
        )
        for place, sentence in ((place, parsed.sentences[place]) for place in kept)
    )


def _likeness(
    evidence: Sequence[Evidence], sentences: Sequence[_Sentence], question: str, likeness: SentenceLikeness
) -> Likeness:
    """Return the likeness of all sentences; of the words that they share with the question where it is not known."""
    spans = [[sentence.span for sentence in sentences if sentence.passage == index] for index in range(len(evidence))]
    by_passage = [likeness(passage, own) for passage, own in zip(evidence, spans, strict=True) if own]
    found = [one for one in by_passage if one is not None]
    if found and len(found) == len(by_passage):  # all by the same measure, or they would not compare
        return Likeness(
            np.concatenate([one.scores for one in found]), np.concatenate([one.shares for one in found], axis=0)
        )
    asked = sorted(content_words(question)) or [""]
    held = [content_words(sentence.text) for sentence in sentences]
    shares = np.array([[word in words for word in asked] for words in held], dtype=np.float64) / len(asked)
    shares = shares.reshape(len(sentences), len(asked))
    return Likeness(shares.sum(axis=1), shares)


def _log_places(sentences: Sequence[_Sentence]) -> NDArray[np.float64]:
    return np.log1p(np.array([sentence.passage for sentence in sentences], dtype=np.float64))


def _best_first(sentences: Sequence[_Sentence], scores: NDArray[np.float64]) -> list[int]:
    order = [int(place) for place in np.argsort(-scores, kind="stable")]
    return [place for place in order if not sentences[place].is_context] or order


def _with_needs(place: int, sentences: Sequence[_Sentence]) -> frozenset[int]:
    """Return the sentence's place with those of all that it needs, directly or not."""
    wanted: set[int] = set()
    waiting = [place]
    while waiting:
        one = waiting.pop()
        if one not in wanted:
            wanted.add(one)
            waiting.extend(sentences[one].needs)
    return frozenset(wanted)


def _merged(passage: Evidence, spans: Sequence[TextSpan]) -> tuple[TextSpan, ...]:
    """Join spans between which the document has only white space."""
    merged: list[TextSpan] = []
    for span in spans:
        before = merged[-1] if merged else None
        if before and not passage.text[before.end - passage.start : span.start - passage.start].strip():
            merged[-1] = TextSpan(before.start, span.end)
        else:
            merged.append(span)
    return tuple(merged)
