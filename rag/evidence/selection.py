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
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from rag.grounding.prompt_injection import spans_without_injection
from rag.retrieval.late_interaction import Likeness
from rag.retrieval.ranking import z_scores
from rag.schema import Evidence, TextSpan
from rag.text.markup import is_description
from rag.text.parsed import parse_text
from rag.text.quantities import Figures
from rag.text.statements import content_words, named_codes, stated_figures

SentenceLikeness = Callable[[Sequence[tuple[Evidence, TextSpan]]], Likeness | None]
"""Says how well sentences, each a passage and a span of its document, answer to the question; None where it cannot."""


@dataclass(frozen=True, slots=True)
class AskedPart:
    """A part of a question that asks for several things.

    ``likeness`` says how well sentences answer to it, and ``places`` at which place, from 0 on, each passage was found
    for it.
    """

    likeness: SentenceLikeness
    places: Sequence[int]


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
_SHORTEST_STRETCH_TOKENS = 50
"""Where a passage has as many behind its first sentence, a stretch is no shorter."""

_STRETCH_RANK_PENALTY = 0.2
_STRETCH_LENGTH_PENALTY = 0.3
_BEST_SENTENCE_WEIGHT = 0.5
_DENSITY_WEIGHT = 0.01
"""A stretch of a passage is as good as all its sentences together answer, in standard deviations, less the first times
the logarithm of its passage's place and the second times that of its tokens, and with the third times its best
sentence.  The mean of all its sentences only tells those apart that answer alike.

Of 164 customers' texts over product pages, and of the sample's 210 questions, so many found their facts in 120 tokens
of such quotations:

    the stretch that answers best, as long as it may be                        74, 125
    the sentences that together answer most, of all passages                   79, 131
    such a stretch, and such sentences in the room that it leaves              81, 140
    the same, where a longer stretch must be better than a shorter one         87, 140

With .15 and .6 in the place of the second penalty there were 88, 139 and 83, 137; with 30 to 80 tokens for the
shortest stretch 85 to 88, 142 to 143 (both with 2 for each code).
"""

_CODE_WEIGHT = 3.0
"""Standard deviations, times the logarithm of all sentences over those with it, that a code of the question adds to a
sentence in a quotation: an error's code is in few of them, a product's name in many.  So the code stands in the
quotation of all 49 questions with one that is found; in 45 where each code adds 2."""

_BESIDE_A_CODE = 1.0
"""Standard deviations by which a sentence without the code must be better than others to stand beside it: as many
facts are found as without this, and a code's line does not stand among lines about anything."""

_WHOLE_WEIGHT = 0.7
_WHOLE_TIMES = 2.0
"""Of a question with parts: the weight of a sentence's score for the whole beside that for the part that it answers
best, and how many times as much as a part the whole is to be answered.

So many facts are sent of the sample's questions asked two or three at once (480), and of customers' texts whose parts
lean on one another (66), and so many stand in the best match:

    the whole alone            349, 52    157, 31
    the parts alone            393, 43    176, 27
    .5 and once                385, 48    172, 33
    .7 and twice               377, 50    164, 34
"""

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
    """The sentences of all passages, by how well they answer to the question.

    Where it has ``parts``, a sentence is as good as it is for the whole and for the part that it answers best, and what
    is chosen is to answer all of them: the words of one part, rare ones above all, would outweigh another's.
    """

    def __init__(
        self,
        evidence: Sequence[Evidence],
        question: str,
        likeness: SentenceLikeness,
        count_tokens: Callable[[str], int],
        parts: Sequence[AskedPart] = (),
    ) -> None:
        self._evidence = evidence
        self._sentences = _read(evidence)
        self._needed = [_with_needs(place, self._sentences) for place in range(len(self._sentences))]
        self._costs = [count_tokens(sentence.text) for sentence in self._sentences]
        self._codes = named_codes(question)
        self._named = [named_codes(one.text) if self._codes else frozenset[str]() for one in self._sentences]
        self._of_other_codes = self._naming_only_other_codes()
        whole = self._ranked(question, AskedPart(likeness, range(len(evidence))))
        of_parts = [self._ranked(question, part) for part in parts]
        self._scores = whole.scores
        if of_parts:
            best_of_parts = np.max([one.scores for one in of_parts], axis=0)
            self._scores = _WHOLE_WEIGHT * whole.scores + (1 - _WHOLE_WEIGHT) * best_of_parts
        shares = [_WHOLE_TIMES * whole.shares, *(one.shares for one in of_parts)]
        self._shares = np.concatenate(shares, axis=1) / (_WHOLE_TIMES + len(of_parts))
        self._order = _best_first(self._sentences, self._scores)

    def to_send(self, budget_tokens: int) -> Spans:
        """Return what the model is to read: the sentences that fit, the first passage whole if it is short.

        Where sentences have a code that the question names, those that have only another are left out: a small model
        tells the row of E05 to who asks for E09.  Of 51 customers' questions with a code 47 had their facts with them
        and without, and a third fewer codes.
        """
        first = {place for place, sentence in enumerate(self._sentences) if sentence.passage == 0}
        is_short = self._cost(first) <= min(_SHORT_TOKENS, budget_tokens)
        given = first - self._of_other_codes if is_short else set[int]()
        candidates = [place for place in self._order if place not in self._of_other_codes]
        return self._spans(self._covering(budget_tokens, given, candidates, self._scores))

    def to_quote(self) -> Spans:
        """Return what answers best, in ``_QUOTED_TOKENS``, for whoever cannot wait for the model: it can be read alone.

        It begins with the stretch of one passage that answers best.  The room that is left goes to the sentences of any
        passage that with it answer most.  Where sentences have a code that the question names, those that have only
        another are about something else, and left out.
        """
        scores = self._scores + self._code_weights()
        named = {place for place in self._order if self._named[place] & self._codes}
        quotable = [
            place
            for place in self._order
            if not self._sentences[place].is_description and place not in self._of_other_codes
        ]
        fitting = [place for place in quotable if not named or place in named or scores[place] >= _BESIDE_A_CODE]
        return self._spans(self._covering(_QUOTED_TOKENS, self._best_stretch(quotable, scores), fitting, scores))

    def _ranked(self, question: str, asked: AskedPart) -> Likeness:
        """Return all sentences' likeness in its standard deviations, less, in ``scores``, for the passage's place."""
        found = _likeness(self._evidence, self._sentences, question, asked.likeness)
        places = np.array([asked.places[sentence.passage] for sentence in self._sentences], dtype=np.float64)
        scores = self._compared(found.scores, self._sentences) - _RANK_PENALTY * np.log1p(places)
        return Likeness(scores, found.shares / ((float(np.std(found.scores)) if len(found.scores) else 0.0) or 1.0))

    def _naming_only_other_codes(self) -> frozenset[int]:
        """Return the sentences that name codes, they or what they need, but none of the question's; none if all do."""
        if not self._codes:
            return frozenset()
        about = [frozenset[str]().union(*(self._named[one] for one in needed)) for needed in self._needed]
        others = frozenset(place for place, codes in enumerate(about) if codes and not codes & self._codes)
        return others if any(codes & self._codes for codes in about) else frozenset()

    def _code_weights(self) -> NDArray[np.float64]:
        """Return what the rarest of the question's codes that it has adds to each sentence; 0 for one without."""
        count = len(self._named)
        if not self._codes:
            return np.zeros(count)
        having = {code: sum(code in own for own in self._named) for code in self._codes}
        rarest = [min((having[code] for code in own & self._codes), default=count) for own in self._named]
        return _CODE_WEIGHT * np.log(count / np.array(rarest, dtype=np.float64))

    def _best_stretch(self, quotable: Sequence[int], scores: NDArray[np.float64]) -> set[int]:
        """Return the stretch of one passage that answers best, with what it needs; empty where none is short enough."""
        allowed = frozenset(quotable)
        stretches = [stretch for first in sorted(quotable) for stretch in self._stretches_from(first, allowed)]
        if not stretches:
            return set()
        firsts = [self._sentences[stretch[0]] for stretch in stretches]
        lengths = np.array([len(stretch) for stretch in stretches])
        begins = np.cumsum(lengths) - lengths
        places = np.fromiter(chain.from_iterable(stretches), np.intp)
        together = np.maximum.reduceat(self._shares[places], begins, axis=0).sum(axis=1)
        worth = self._compared(together, firsts)
        worth -= _STRETCH_RANK_PENALTY * _log_places(firsts)
        worth -= _STRETCH_LENGTH_PENALTY * np.log1p(np.add.reduceat(np.array(self._costs)[places], begins))
        worth += _BEST_SENTENCE_WEIGHT * np.maximum.reduceat(scores[places], begins)
        worth += _DENSITY_WEIGHT * np.add.reduceat(scores[places], begins) / lengths
        return set(stretches[int(np.argmax(worth))])

    def _stretches_from(self, first: int, allowed: frozenset[int]) -> list[list[int]]:
        """Return the stretches of a passage from one sentence on that fit, with what they need."""
        places: list[int] = []
        lengths: list[int] = []
        cost = 0
        for place in range(first, len(self._sentences)):
            if self._sentences[place].passage != self._sentences[first].passage:
                break
            more = self._needed[place].difference(places) if place in allowed else frozenset[int]()
            cost += self._cost(more)
            if cost > _QUOTED_TOKENS:
                break
            places += sorted(more)
            if cost <= _SHORTEST_STRETCH_TOKENS:
                lengths = [len(places)]
            elif more:
                lengths.append(len(places))
        return [places[:length] for length in lengths]

    def _compared(self, values: NDArray[np.float64], sentences: Sequence[_Sentence]) -> NDArray[np.float64]:
        """Return the values in standard deviations, each language by itself: likeness does not compare across them."""
        compared = values.copy()
        languages = np.array([self._evidence[sentence.passage].language for sentence in sentences])
        for language in sorted(set(languages.tolist())):
            compared[languages == language] = z_scores(values[languages == language])
        return compared

    def _covering(
        self, budget_tokens: int, given: set[int], candidates: Sequence[int], scores: NDArray[np.float64]
    ) -> set[int]:
        """Add to what is ``given``, one after the other, the candidate with which all that are chosen answer most.

        A copy of one that is chosen is left out: without that 138 instead of 140 texts had their facts in 480 tokens.
        Greedy, as for maximum coverage (Nemhauser, Wolsey and Fisher, doi:10.1007/BF01588971); their bound does not
        hold here, for sentences differ in length.
        """
        worth = scores - _LENGTH_PENALTY * np.log1p(self._costs)
        chosen = set(given)
        said = {self._said(place) for place in chosen}
        left = budget_tokens - self._cost(chosen)
        covered = self._shares[sorted(chosen)].max(axis=0) if chosen else np.zeros(self._shares.shape[1])
        costs, waiting = np.array(self._costs), np.array([one for one in candidates if one not in chosen], np.intp)
        while len(waiting := waiting[costs[waiting] <= left]):
            gains = np.maximum(self._shares[waiting] - covered, 0.0).sum(axis=1)
            best_first = np.argsort(-(worth[waiting] + _COVERAGE_WEIGHT * gains), kind="stable")
            added, tried = self._first_to_add(waiting[best_first].tolist(), left, chosen, said)
            if not added:
                break
            waiting = np.delete(waiting, best_first[:tried])
            chosen |= added
            said.update(map(self._said, added))
            left -= self._cost(added)
            covered = np.maximum(covered, self._shares[sorted(added)].max(axis=0))
        return chosen or set(candidates[:1])

    def _first_to_add(
        self, places: Sequence[int], left: int, chosen: set[int], said: set[Figures]
    ) -> tuple[frozenset[int], int]:
        """Return the first of the places that is no copy and has room, with what it needs, and how many were tried."""
        for tried, place in enumerate(places, start=1):
            wanted = self._needed[place] - chosen
            if wanted and self._cost(wanted) <= left and self._said(place) not in said:
                return wanted, tried
        return frozenset(), len(places)

    def _said(self, place: int) -> Figures:
        """Return what is equal for a sentence and its copy in another version, whatever list mark it has there."""
        return stated_figures(self._sentences[place].text)

    def _cost(self, places: Iterable[int]) -> int:
        return sum(map(self._costs.__getitem__, places))

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
    found = likeness([(evidence[one.passage], one.span) for one in sentences]) if sentences else None
    if found is not None:
        return found
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
    if not sentences[place].needs:
        return frozenset((place,))
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
