"""Chooses the sentences of the passages that a model reads: those that answer the question, with what they need.

Every token delays the first word, so the budget goes to the sentences that together answer most of the question; one
that only repeats the others adds nothing.  No sentence that fits is left out, because a support answer is a condition,
a row or a list of steps as often as one phrase.  Of 164 answerable customers' texts over 389 and 110 product pages the
evidence held the facts of so many, at 320 / 480 / 1,200 tokens (no model):

    the best sentences, ranked one by one               115 / 128 / 145
    those that together answer most                     121 / 140 / 145

How probably a sentence answers is a softmax over all sentences of a weighted sum of ``FEATURES``.  Late interaction by
itself takes a question in the documents for its answer, the line that introduces a list for the list, and a sentence
without any figure for the answer to "how long".  ``sentence_weights.json`` has the weights, and on what questions they
were fitted, how, when and how well; ``python -m eval.commands.sentence_weights`` writes it.  Likeness is in standard
deviations, so that the weights hold for any embedder.

A sentence needs the heading above it, the header of its table, the line that introduces its list, and the sentence
before it if it begins with "otherwise" or "it".  A line that introduces a list needs the beginning of that list.  Pure
functions.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence, Set
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from heapq import heapify, heappop, heappush
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.grounding.citations import is_bare_verdict
from rag.grounding.prompt_injection import spans_without_injection
from rag.retrieval.late_interaction import Likeness
from rag.retrieval.question import questions_of
from rag.retrieval.ranking import z_scores
from rag.schema import Evidence, TextSpan
from rag.storage.calibration import logistic, logit_of
from rag.text.markup import QUESTION_ENDS, is_description
from rag.text.parsed import parse_text
from rag.text.quantities import Figures
from rag.text.questions import expected_value
from rag.text.statements import (
    content_words,
    labelling_numbers,
    named_codes,
    named_identifiers,
    possible_codes,
    read_statement,
    stated_figures,
)

SentenceLikeness = Callable[[Sequence[tuple[Evidence, TextSpan]]], Likeness | None]
"""Rates how well sentences, each a passage and a span of its document, match the question; None if it cannot."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class QuestionPart:
    """A part of a question that asks for several things.

    ``likeness`` rates how well sentences match it; ``places`` has each passage's place, from 0, in its search results.
    """

    likeness: SentenceLikeness
    places: Sequence[int]


WEIGHTS_PATH = Path(__file__).with_name("sentence_weights.json")

STRETCH_SIGNALS = (
    "mass",  # logit of the probability that one of its sentences is the answer
    "likeness",  # of all of it together to the question, in [-1, 1]
    "question_tokens",  # logarithm of their number: a long question is never matched as a whole
)
"""What tells whether a stretch holds the answer to the question."""

FEATURES = (
    "likeness",  # to the question, and to the part of it that it matches best
    "needs_likeness",  # the same, together with the heading, the header and the introduction that it needs
    "neighbours_likeness",  # the same, together with the sentences before and after it
    "passage_likeness",  # of the best sentence of its passage
    "passage_place",  # logarithm of its passage's place in the search for the question or for a part of it
    "sentence_place",  # logarithm of its place in the passage
    "expected_value",  # whether it gives a figure of the kind that the question asks for
    "figure",
    "row",
    "question",
    "introduction",
)
"""What is known of a sentence; what is not a likeness or a logarithm is 1 or 0."""

WHOLE_WEIGHT = 0.7
"""For a question with parts: the weight of a sentence's likeness to the whole, against that to the part it matches
best."""

_FIGURE = re.compile(r"\d")
_INTRODUCTION_ENDS = (":", "：")

_LENGTH_PENALTY = 0.3
"""By how much, times the logarithm of its tokens, a longer sentence must score more: it takes more room."""

_COVERAGE_WEIGHT = 24.0
"""Weight of what a sentence adds to the coverage of all chosen ones, in standard deviations of likeness, against its
own score.  With 12 the facts of as many customers' texts are sent, and of fewer pairs of questions."""

Spans = tuple[tuple[TextSpan, ...], ...]
"""For each passage, spans of its document: ordered and disjoint."""

_QUOTED_TOKENS = 120


@dataclass(frozen=True, slots=True)
class _StretchLimits:
    """How long a stretch is, in tokens; it is shorter than ``shortest`` only where its passage ends before."""

    shortest: int
    longest: int
    length_penalty: float


_IN_BEST_MATCH = _StretchLimits(50, _QUOTED_TOKENS, 0.8)
_BELOW_REPLY = _StretchLimits(80, 200, 0.4)
"""So many of 304 customers' texts over the pages of four companies, and of the sample's 210 questions, have their facts
in the best match with a penalty of .6 / .8 / 1: 168 / 175 / 177 and 154 / 152 / 151; below the reply with .3 / .4 / .5:
200 / 197 / 195 and 153 / 153 / 150, in 685 / 664 / 639 characters of the first."""
_SECOND_BELOW_REPLY = _StretchLimits(80, _QUOTED_TOKENS, 0.8)
"""For a question with parts: with such a second stretch 28 instead of 24 of 60 answers are right."""

_SMALLEST_PROBABILITY = 1e-6

_CODE_WEIGHT = 3.0
"""What, times the logarithm of all sentences over those with it, a code of the question adds to a
sentence in a quotation: an error's code is in few of them, a product's name in many.  With it the code is in the
quotation of all 49 questions with one that is found; in 45 if each code adds 2."""

_IMPLIED_WEIGHT, _IMPLIED_SHARE = 2.0, 0.75
"""What the score of a row gains whose code is named in more than this share of the lines, and in two at least,
that have a word of the question.  With 1 to 3 the facts of 195 instead of 194 of the sample's 210 questions are sent,
and of 331 customers' texts as many as without."""

_LEAST_PROBABILITY = 0.02
"""Of a sentence that is quoted beside the best stretch, unless it has a code of the question or the question has parts.
Of 251 customers' texts over three companies' pages, and of the sample's 210 questions, so many have their facts in the
best match, in so many lines: 146 and 149, 4.5 and 4.0, without this limit; 146 and 153, 4.2 and 3.3, with it."""

_WHOLE_TIMES = 2.0
"""How many times as much as a part the whole question counts in what sentences answer together."""

_SHORT_LINE_CHARACTERS = 160
"""A line of several sentences, an item or a paragraph, is sent whole if it is no longer: the second sentence is the
exception or the remedy of the first.  So many questions had their facts sent, of 42 about a shop's and a password
manager's pages, 44 about a help site, 120 about product pages, and 210 of the sample:

    each sentence by itself           28, 38, 94, 193
    a short line whole                31, 38, 96, 194

In quotations it loses: 62 instead of 64 of the 120."""

_SHORT_LIST_TOKENS = 40
"""A list, table or code up to this long is sent whole with the sentence that introduces it ("Delete the contents of
this folder:"), a longer one with its first line.  So many texts had their facts sent, of 42 about a content delivery
network, 42 about a game and a desktop program, 120 about product pages, and 44 about a help site:

    the introduction alone                                  25, 32, 94, 36
    with the first line                                     25, 33, 95, 37
    and the items above those of a list within a list       26, 34, 95, 37

With 60 tokens the counts are the same, with 100 one less of the 120."""

_SHORT_TOKENS = 100
"""A first passage up to this long is sent whole: in a list of questions an answer is a whole entry."""


@dataclass(frozen=True, slots=True)
class _Sentence:
    """``span`` is in the document; ``needs`` are places in the list of all passages' sentences.

    ``introduced_by`` is the last of these that introduces its list, table or code, or asks what it answers; -1 if none.
    ``is_context`` marks headings and a table's header, which are taken only if a sentence needs them;
    ``is_description`` a model's description of a picture, which is read and never quoted.
    """

    passage: int
    span: TextSpan
    text: str
    needs: tuple[int, ...]
    introduced_by: int
    is_context: bool
    is_description: bool


@dataclass(frozen=True, slots=True)
class _Run:
    """The ``places`` of sentences of a passage that follow one another, with what they need.

    ``costs`` has the lengths at which stretches from its beginning may end, each with its tokens.  The stretch of
    length 1 has the row ``first_row`` among those of all stretches, the next one the row after.
    """

    passage: int
    places: list[int]
    costs: dict[int, int]
    first_row: int

    def lengths_within(self, limits: _StretchLimits, given: Set[int]) -> list[int]:
        """Return the lengths of its stretches within the limits that have none of the ``given`` places."""
        end = next((number for number, place in enumerate(self.places) if place in given), len(self.places))
        lengths = [(length, cost) for length, cost in self.costs.items() if 0 < length <= end]
        short = [length for length, cost in lengths if cost <= limits.shortest]
        return short[-1:] + [length for length, cost in lengths if limits.shortest < cost <= limits.longest]


@dataclass(frozen=True, slots=True, eq=False)
class BelowReply:
    """What is quoted below a reply: its ``spans``, and the ``places`` of its sentences, as in ``candidates``.

    ``signals`` are its ``STRETCH_SIGNALS``, float64 [signals]; None if nothing is quoted or likeness is unknown.
    """

    spans: Spans
    places: frozenset[int]
    signals: Floats | None

    @property
    def probability(self) -> float:
        """The calibrated probability that it holds the answer; 0 where that is unknown."""
        if self.signals is None:
            return 0.0
        intercept, weights = shipped_stretch_fit()
        return logistic(intercept + float(self.signals @ weights))


class RankedSentences:
    """The sentences of all passages, ranked by how well they match the question.

    For a question with ``parts`` all of them are covered: otherwise the words of one part, rare ones above all, would
    outweigh another's.  ``features`` are the ``FEATURES`` of each.
    """

    def __init__(
        self,
        evidence: Sequence[Evidence],
        question: str,
        likeness: SentenceLikeness,
        count_tokens: Callable[[str], int],
        parts: Sequence[QuestionPart] = (),
    ) -> None:
        self._evidence = evidence
        self._sentences = _all_sentences(evidence)
        self._closures = [_needs_closure(place, self._sentences) for place in range(len(self._sentences))]
        self._costs = [count_tokens(sentence.text) for sentence in self._sentences]
        self._languages = [evidence[sentence.passage].language for sentence in self._sentences]
        self._codes = self._codes_of(question)
        self._labels = self._codes | named_identifiers(question)
        texts = [sentence.text for sentence in self._sentences] if self._labels else []
        self._sentence_codes = [named_codes(text) | labelling_numbers(text) for text in texts]
        self._sentence_labels = [
            codes | named_identifiers(text) for codes, text in zip(self._sentence_codes, texts, strict=True)
        ]
        self._only_other_codes = self._find_only_other_codes()
        self._closures_sent = self._closures_to_send()
        known = _known_likeness(evidence, self._sentences, likeness)
        self._shares_of_question = known.shares if known is not None else None
        of_whole = known or _likeness_by_words(self._sentences, question)
        of_parts = [
            _known_likeness(evidence, self._sentences, part.likeness) or _likeness_by_words(self._sentences, question)
            for part in parts
        ]
        self._has_parts = bool(parts)
        in_passages = np.array([sentence.passage for sentence in self._sentences], dtype=np.int64)
        places = np.min([range(len(evidence)), *(part.places for part in parts)], axis=0).astype(np.int64)
        self.features = sentence_features(
            SentenceFacts(
                [sentence.text for sentence in self._sentences],
                in_passages,
                places[in_passages],
                self._languages,
                self._closures,
            ),
            of_whole,
            of_parts,
            self._giving_expected_value(question),
        )
        self._scores = centred(self.features @ shipped_weights())
        if not self._labels:
            self._scores = self._scores + _IMPLIED_WEIGHT * self._rows_of_implied_codes(question)
        shares = [_WHOLE_TIMES * _shares(of_whole), *map(_shares, of_parts)]
        self._shares = np.concatenate(shares, axis=1) / (_WHOLE_TIMES + len(of_parts))
        self._order = _best_first(self._sentences, self._scores)

    @property
    def candidates(self) -> list[tuple[int, Evidence, str]]:
        """The sentences that may answer by themselves: the row of each in ``features``, its passage, and its text."""
        return [
            (place, self._evidence[sentence.passage], sentence.text)
            for place, sentence in enumerate(self._sentences)
            if not sentence.is_context and place not in self._only_other_codes
        ]

    def spans_to_send(self, budget_tokens: int) -> Spans:
        """Return what the model reads: the sentences that fit, and the first passage whole if it is short.

        If sentences have a code of the question, those with only other codes are left out: a small model answers a
        question about E09 with the row of E05.  Of 51 customers' questions with a code 47 had their facts with and
        without them, and without a third fewer codes.
        """
        first = {place for place, sentence in enumerate(self._sentences) if sentence.passage == 0}
        is_short = self._cost(first) <= min(_SHORT_TOKENS, budget_tokens)
        given = first - self._only_other_codes if is_short else set[int]()
        candidates = [
            place
            for place in self._order
            if place not in self._only_other_codes and not _FRAGMENT.fullmatch(self._sentences[place].text)
        ]
        chosen = self._choose_covering(budget_tokens, given, candidates, self._scores, self._closures_sent)
        return self._spans(chosen)

    def spans_to_quote(self) -> Spans:
        """Return what answers best in ``_QUOTED_TOKENS``, to be read by itself before the model's answer.

        It begins with the best stretch of one passage.  The remaining room goes to the sentences of any passage that
        add most and say something by themselves.  Sentences with only other codes are left out, as in
        ``spans_to_send``.
        """
        scores = self._scores_to_quote
        coded = {place for place, labels in enumerate(self._sentence_labels) if labels & self._labels}
        probable = set(np.flatnonzero(self._probabilities() >= _LEAST_PROBABILITY).tolist())
        fitting = [
            place
            for place in self._quotable
            if (self._has_parts or place in coded | probable) and not _says_little(self._sentences[place].text)
        ]
        stretch = self._best_stretch(_IN_BEST_MATCH)
        return self._spans(self._choose_covering(_QUOTED_TOKENS, stretch, fitting, scores, self._closures))

    def below_reply(self, may_quote: Callable[[Evidence], bool]) -> BelowReply:
        """Return what is quoted below a reply: a longer stretch of one passage than in ``spans_to_quote``.

        For a question with parts it is followed by the one that adds most to it.  Only passages are quoted that
        ``may_quote`` lets through.
        """
        passages = frozenset(place for place, passage in enumerate(self._evidence) if may_quote(passage))
        chosen = self._best_stretch(_BELOW_REPLY, passages)
        if self._has_parts:
            chosen |= self._best_stretch(_SECOND_BELOW_REPLY, passages, chosen)
        return BelowReply(self._spans(chosen), frozenset(chosen), self._signals(sorted(chosen)))

    def _signals(self, places: list[int]) -> Floats | None:
        """Return the ``STRETCH_SIGNALS`` of a stretch; None without one, or if likeness is unknown."""
        if not places or self._shares_of_question is None:
            return None
        likeness = self._shares_of_question[places].max(axis=0)
        mass = logit_of(float(self._probabilities()[places].sum()))
        return np.array([mass, likeness.sum(), np.log1p(len(likeness))])

    @cached_property
    def _scores_to_quote(self) -> NDArray[np.float64]:
        return self._scores + self._code_weights()

    @cached_property
    def _quotable(self) -> list[int]:
        """The places that may be quoted, best first."""
        return [
            place
            for place in self._order
            if not self._sentences[place].is_description and place not in self._only_other_codes
        ]

    def _rows_of_implied_codes(self, question: str) -> NDArray[np.float64]:
        """Return 1 for each row about a code that the passages use for a word of the question, else 0.

        "How long is the warranty on the kettle?" is answered by the row of the Ember K2, if the lines about kettles
        name it, themselves or by their title.
        """
        rows = [named_codes(cell) if (cell := _first_cell(one.text)) else frozenset() for one in self._sentences]
        if not any(rows):
            return np.zeros(len(rows))
        titles = [named_codes(passage.title) for passage in self._evidence]
        lines = [(passage.title, codes) for passage, codes in zip(self._evidence, titles, strict=True)]
        lines += [(one.text, named_codes(one.text) | titles[one.passage]) for one in self._sentences]
        coded = [(content_words(text), codes) for text, codes in dict.fromkeys(lines) if codes]
        implied = set[str]()
        for word in content_words(question):
            having = [codes for words, codes in coded if word in words]
            counts = Counter(chain.from_iterable(having))
            implied |= {code for code, count in counts.items() if 1 < count > _IMPLIED_SHARE * len(having)}
        return np.array([bool(codes & implied) for codes in rows], dtype=np.float64)

    def _giving_expected_value(self, question: str) -> NDArray[np.float64]:
        """Return 1 for each sentence that gives a value that the question, or a part of it, asks for, else 0."""
        values = [value for one in questions_of(question) if (value := expected_value(one)) is not None]

        def gives_one(sentence: str) -> bool:
            figures = stated_figures(sentence).quantities
            return any(value.matching(figures) or value.is_given_in_words(sentence) for value in values)

        return np.array([bool(values) and gives_one(one.text) for one in self._sentences], dtype=np.float64)

    def _codes_of(self, question: str) -> frozenset[str]:
        """Return the codes that a question names, and its numbers with which lines of the passages begin."""
        numbers = possible_codes(question)
        if not numbers:
            return named_codes(question)
        beginnings = (labelling_numbers(sentence.text) for sentence in self._sentences)
        return named_codes(question) | numbers.intersection(chain.from_iterable(beginnings))

    def _closures_to_send(self) -> list[frozenset[int]]:
        """Return all closures, with the rest of short lines and the beginning of what the sentences introduce."""
        closures, lines = list(self._closures), self._lines()
        for line in lines:
            span = self._sentences[line[-1]].span.end - self._sentences[line[0]].span.start
            if len(line) > 1 and span <= _SHORT_LINE_CHARACTERS:
                self._join(closures, line, line)
        introduced: dict[int, list[list[int]]] = {}
        for line in lines:
            introduced.setdefault(self._sentences[line[0]].introduced_by, []).append(line)
        introduced.pop(-1, None)
        for place in sorted(introduced, reverse=True):  # the inner ones first
            whole = list(chain.from_iterable(introduced[place]))
            is_short = self._cost(frozenset[int]().union(*(closures[one] for one in whole))) <= _SHORT_LIST_TOKENS
            self._join(closures, [place], whole if is_short else introduced[place][0])
        return closures

    def _join(self, closures: list[frozenset[int]], places: Iterable[int], others: Iterable[int]) -> None:
        """Add to the closures of some places those of others, unless these are about other codes only."""
        together = frozenset[int]().union(*(closures[one] for one in others if one not in self._only_other_codes))
        for place in places:
            closures[place] |= together

    def _lines(self) -> list[list[int]]:
        """Return the places of the sentences of each line; headings and headers are lines by themselves."""
        lines: list[list[int]] = []
        for place, sentence in enumerate(self._sentences):
            before = self._sentences[place - 1] if place else sentence
            passage = self._evidence[sentence.passage]
            is_next = place > 0 and before.passage == sentence.passage
            between = passage.words(TextSpan(before.span.end, sentence.span.start)) if is_next else "\n"
            if "\n" in between or before.is_context or sentence.is_context:
                lines.append([])
            lines[-1].append(place)
        return lines

    def _find_only_other_codes(self) -> frozenset[int]:
        """Return the sentences that, with their needs, name codes but none of the question's; none if all do so.

        In a table whose rows begin with codes, one of them the question's, the other rows are about other codes, even
        if they name its device: "| E22 | R3 | Tank full |" for an R3 that shows E30.  So are rows with only other
        identifiers (``mdb.shard.4x``) in their cells, but a sentence that names another identifier may well answer.
        """
        if not self._labels:
            return frozenset()
        first_cells = [_first_cell(sentence.text) for sentence in self._sentences]
        labels = [
            named_codes(cell)
            | labelling_numbers(sentence.text)
            | (named_identifiers(sentence.text) if cell else frozenset())
            for cell, sentence in zip(first_cells, self._sentences, strict=True)
        ]
        about = [frozenset[str]().union(*(self._sentence_codes[one] for one in needed)) for needed in self._closures]
        return _places_of_others(labels, self._labels) | _places_of_others(about, self._codes)

    def _code_weights(self) -> NDArray[np.float64]:
        """Return what the question's rarest code or identifier adds to each sentence that has it; 0 without one."""
        count = len(self._sentences)
        if not self._labels:
            return np.zeros(count)
        having = {label: sum(label in own for own in self._sentence_labels) for label in self._labels}
        rarest = [min((having[label] for label in own & self._labels), default=count) for own in self._sentence_labels]
        return _CODE_WEIGHT * np.log(count / np.array(rarest, dtype=np.float64))

    def _best_stretch(
        self, limits: _StretchLimits, passages: Container[int] | None = None, given: Set[int] = frozenset()
    ) -> set[int]:
        """Return the stretch of one passage that answers best beside what is ``given``, with what it needs.

        It scores the logarithm of the probability that the answer is in it, plus what its sentences answer together, in
        standard deviations, less the limits' penalty times the logarithm of its tokens.

        It is of one of the ``passages``, by their place, or of any.  Empty if none is short enough.
        """
        of_each = [
            (run, length)
            for run in self._runs
            if passages is None or run.passage in passages
            for length in run.lengths_within(limits, given)
        ]
        if not of_each:
            return set()
        rows = [run.first_row + length - 1 for run, length in of_each]
        covered = self._shares[sorted(given)].max(axis=0) if given else 0.0
        together = np.maximum(self._answered_by_stretches[rows] - covered, 0.0).sum(axis=1)
        worth = standardized(together, [self._languages[run.places[0]] for run, _ in of_each])
        by_sentence = self._probabilities(given)
        by_stretch = np.concatenate([np.cumsum(by_sentence[run.places]) for run in self._runs])
        worth += np.log(by_stretch[rows] + _SMALLEST_PROBABILITY)
        worth -= limits.length_penalty * np.log1p([run.costs[length] for run, length in of_each])
        run, length = of_each[int(np.argmax(worth))]
        return set(run.places[:length])

    @cached_property
    def _answered_by_stretches(self) -> NDArray[np.float64]:
        """How much of each of q tokens n stretches answer, float64 [n, q]."""
        return np.concatenate([np.maximum.accumulate(self._shares[run.places], axis=0) for run in self._runs])

    def _probabilities(self, given: Set[int] = frozenset()) -> NDArray[np.float64]:
        """Return the probability that the answer is each of n sentences; 0 for what is given or not quotable."""
        open_places = [place for place in self._quotable if place not in given]
        of_each = np.zeros(len(self._sentences))
        of_each[open_places] = probabilities(self._scores[open_places])
        return of_each

    @cached_property
    def _runs(self) -> list[_Run]:
        """The sentences from each quotable one on, up to the longest stretch."""
        quotable = frozenset(self._quotable)
        runs: list[_Run] = []
        rows = 0
        for first in sorted(quotable):
            runs.append(self._run_from(first, quotable, rows))
            rows += len(runs[-1].places)
        return runs

    def _run_from(self, first: int, quotable: Set[int], first_row: int) -> _Run:
        passage = self._sentences[first].passage
        places: list[int] = []
        costs: dict[int, int] = {}
        cost = 0
        for place in range(first, len(self._sentences)):
            if self._sentences[place].passage != passage:
                break
            more = self._closures[place].difference(places) if place in quotable else frozenset[int]()
            cost += self._cost(more)
            if cost > _BELOW_REPLY.longest:
                break
            places += sorted(more)
            costs[len(places)] = cost
        return _Run(passage, places, costs, first_row)

    def _choose_covering(
        self,
        budget_tokens: int,
        given: set[int],
        candidates: Sequence[int],
        scores: NDArray[np.float64],
        closures: Sequence[frozenset[int]],
    ) -> set[int]:
        """Add candidates to those ``given``, each time the one with which the chosen sentences answer most.

        A copy of a chosen sentence is left out: otherwise 138 instead of 140 texts had their facts in 480 tokens.
        Greedy, as for maximum coverage (Nemhauser, Wolsey and Fisher, doi:10.1007/BF01588971); their bound does not
        hold here, because sentences differ in length.  What a sentence adds only falls as more are chosen, so only the
        best one's value is computed again (Minoux's lazy greedy, doi:10.1007/BFb0006528).
        """
        worth = scores - _LENGTH_PENALTY * np.log1p(self._costs)
        chosen = set(given)
        keys = {self._copy_key(place) for place in chosen}
        left = budget_tokens - self._cost(chosen)
        covered = self._shares[sorted(chosen)].max(axis=0) if chosen else np.zeros(self._shares.shape[1])
        waiting = [place for place in candidates if place not in chosen]
        values = worth[waiting] + _COVERAGE_WEIGHT * np.maximum(self._shares[waiting] - covered, 0.0).sum(axis=1)
        queue = [(-value, order, len(chosen)) for order, value in enumerate(values.tolist())]
        heapify(queue)
        while queue:
            _, order, valued_with = heappop(queue)
            place = waiting[order]
            if self._costs[place] > left:
                continue
            if valued_with < len(chosen):
                value = worth[place] + _COVERAGE_WEIGHT * np.maximum(self._shares[place] - covered, 0.0).sum()
                heappush(queue, (-float(value), order, len(chosen)))
                continue
            added = closures[place] - chosen
            if not added or self._cost(added) > left or self._copy_key(place) in keys:
                continue
            chosen |= added
            keys.update(map(self._copy_key, added))
            left -= self._cost(added)
            covered = np.maximum(covered, self._shares[sorted(added)].max(axis=0))
        return chosen or set(candidates[:1])

    def _copy_key(self, place: int) -> Figures:
        """Return what a sentence has in common with its copies, whatever their list marks."""
        return stated_figures(self._sentences[place].text)

    def _cost(self, places: Iterable[int]) -> int:
        return sum(map(self._costs.__getitem__, places))

    def _spans(self, chosen: set[int]) -> Spans:
        by_passage = [
            [self._sentences[place].span for place in sorted(chosen) if self._sentences[place].passage == index]
            for index in range(len(self._evidence))
        ]
        return tuple(_merged(passage, spans) for passage, spans in zip(self._evidence, by_passage, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class SentenceFacts:
    """The n sentences that are ranked, those of a passage one after another.

    ``passages`` and ``languages`` are those of each; ``places`` are the passages' places, from 0, in the search where
    it is found first; ``needs`` has each one's place with the places of all that it needs.
    """

    texts: Sequence[str]
    passages: NDArray[np.int64]
    places: NDArray[np.int64]
    languages: Sequence[str]
    needs: Sequence[Set[int]]


def standardized(values: Floats, languages: Sequence[str]) -> Floats:
    """Return values [n] in standard deviations, by language: likeness is not comparable across languages."""
    found = values.copy()
    own = np.array(languages)
    for language in sorted(set(languages)):
        found[own == language] = z_scores(values[own == language])
    return found


def sentence_features(sentences: SentenceFacts, whole: Likeness, parts: Sequence[Likeness], expected: Floats) -> Floats:
    """Return the ``FEATURES`` of n sentences, float64 [n, features].

    ``whole`` and ``parts`` are their likeness to the question and to its parts, of which a question with one has none;
    ``expected`` is that feature, float64 [n].
    """
    texts, passages = sentences.texts, sentences.passages
    if not texts:
        return np.empty((0, len(FEATURES)))

    def likeness_by(read: Callable[[Likeness], Floats]) -> Floats:
        """Return what is read of the likeness to the whole and to the best part, in standard deviations."""
        of_whole, *of_parts = (standardized(read(one), sentences.languages) for one in (whole, *parts))
        return WHOLE_WEIGHT * of_whole + (1 - WHOLE_WEIGHT) * np.max(of_parts, axis=0) if of_parts else of_whole

    likeness = likeness_by(lambda one: one.scores)
    begins = np.flatnonzero(np.diff(passages, prepend=-1))
    lengths = np.diff(begins, append=len(texts))
    ends = [text.rstrip() for text in texts]
    columns = {
        "likeness": likeness,
        "needs_likeness": likeness_by(lambda one: _together(one.shares, sentences.needs)),
        "neighbours_likeness": likeness_by(lambda one: _with_neighbours(one.shares, passages).sum(axis=1)),
        "passage_likeness": np.repeat(np.maximum.reduceat(likeness, begins), lengths),
        "passage_place": np.log1p(sentences.places),
        "sentence_place": np.log1p(np.arange(len(texts)) - np.repeat(begins, lengths)),
        "expected_value": expected,
        "figure": np.array([_FIGURE.search(text) is not None for text in texts]),
        "row": np.array([text.lstrip().startswith("|") for text in texts]),
        "question": np.array([text.endswith(QUESTION_ENDS) for text in ends]),
        "introduction": np.array([text.endswith(_INTRODUCTION_ENDS) for text in ends]),
    }
    return np.stack([columns[name] for name in FEATURES], axis=1).astype(np.float64)


def _together(shares: Floats, needs: Sequence[Set[int]]) -> Floats:
    """Return how well each sentence matches with all that it needs, float64 [n]."""
    alone = shares.sum(axis=1)
    return np.array(
        [shares[sorted(own)].max(axis=0).sum() if len(own) > 1 else alone[place] for place, own in enumerate(needs)]
    )


def _with_neighbours(shares: Floats, passages: NDArray[np.int64]) -> Floats:
    """Return the larger of each sentence's shares and those of the ones beside it in its passage, [n, q]."""
    found = shares.copy()
    is_next = (passages[1:] == passages[:-1])[:, None]
    found[1:] = np.where(is_next, np.maximum(found[1:], shares[:-1]), found[1:])
    found[:-1] = np.where(is_next, np.maximum(found[:-1], shares[1:]), found[:-1])
    return found


def centred(scores: Floats) -> Floats:
    """Return scores [n] less their mean."""
    return scores - scores.mean() if len(scores) else scores


def probabilities(scores: Floats) -> Floats:
    """Return the softmax of scores, float64 [n]."""
    raised = np.exp(scores - scores.max(initial=-np.inf))
    return np.asarray(raised / raised.sum(), dtype=np.float64)


@cache
def _shipped() -> dict[str, dict[str, float]]:
    content: dict[str, dict[str, float]] = json.loads(WEIGHTS_PATH.read_text(encoding="utf-8"))
    return content


@cache
def shipped_weights() -> Floats:
    """Return the fitted weights, float64 [features]."""
    weights = _shipped()["weights"]
    return np.array([weights[name] for name in FEATURES])


@cache
def shipped_stretch_fit() -> tuple[float, Floats]:
    """Return the intercept and the weights, float64 [signals], of the probability that a stretch holds the answer."""
    fit = _shipped()["stretch"]
    return fit["intercept"], np.array([fit[name] for name in STRETCH_SIGNALS])


def _all_sentences(evidence: Sequence[Evidence]) -> list[_Sentence]:
    sentences: list[_Sentence] = []
    for index, passage in enumerate(evidence):
        sentences += _sentences(passage, index, len(sentences))
    return sentences


def _sentences(passage: Evidence, index: int, first_place: int) -> list[_Sentence]:
    """Return a passage's sentences without injected ones; ``first_place`` is the first one's place among all."""
    return [
        _Sentence(
            passage=index,
            span=TextSpan(passage.start + one.span.start, passage.start + one.span.end),
            text=one.text,
            needs=tuple(first_place + needed for needed in one.needs),
            introduced_by=first_place + one.introduced_by if one.introduced_by >= 0 else -1,
            is_context=one.is_context,
            is_description=one.is_description,
        )
        for one in _readable_sentences(passage.text)
    ]


@lru_cache(maxsize=1024)
def _readable_sentences(text: str) -> tuple[_Sentence, ...]:
    """Return the sentences of a passage by itself, without injected ones: offsets and places count from 0."""
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
            introduced_by=place_among_kept.get(sentence.introductions[-1], -1) if sentence.introductions else -1,
            is_context=sentence.is_context,
            is_description=is_description(parsed.words(place)),
        )
        for place, sentence in ((place, parsed.sentences[place]) for place in kept)
    )


_FRAGMENT = re.compile(r"""\s*+(?:[\[\]{}()<>,;:]++|"[^"\n]*+",?|&[\w.]++=\S*+)\s*+""")
"""A line of an example that is no key and no value by itself: a bracket, a string of a list, a part of an address."""


@lru_cache(maxsize=4096)
def _says_little(text: str) -> bool:
    """Tell whether a sentence says nothing by itself: "No.", "- limescale", "We will never:", ``"13579",``.

    Without such sentences the best matches hold the facts of as many questions (87 of 164 customers' texts, 142 of the
    sample's 210), and 85 of their 117 lines of this kind are gone.
    """
    statement = read_statement(text)
    is_short = len(statement.words) < 2 and not (statement.quantities or statement.codes)
    is_cut_off = text.rstrip().endswith((":", "：")) or _FRAGMENT.fullmatch(text) is not None
    return is_short or is_bare_verdict(text) or is_cut_off


def _known_likeness(
    evidence: Sequence[Evidence], sentences: Sequence[_Sentence], likeness: SentenceLikeness
) -> Likeness | None:
    return likeness([(evidence[one.passage], one.span) for one in sentences]) if sentences else None


def _likeness_by_words(sentences: Sequence[_Sentence], question: str) -> Likeness:
    """Return the likeness of all sentences by the words that they share with the question."""
    wanted = sorted(content_words(question)) or [""]
    contents = [content_words(sentence.text) for sentence in sentences]
    shares = np.array([[word in words for word in wanted] for words in contents], dtype=np.float64) / len(wanted)
    shares = shares.reshape(len(sentences), len(wanted))
    return Likeness(shares.sum(axis=1), shares)


def _shares(likeness: Likeness) -> NDArray[np.float64]:
    """Return the shares in standard deviations of likeness."""
    return likeness.shares / ((float(np.std(likeness.scores)) if len(likeness.scores) else 0.0) or 1.0)


def _best_first(sentences: Sequence[_Sentence], scores: NDArray[np.float64]) -> list[int]:
    order = [int(place) for place in np.argsort(-scores, kind="stable")]
    return [place for place in order if not sentences[place].is_context] or order


def _first_cell(sentence: str) -> str:
    """Return the first cell of a table's row; empty for any other sentence."""
    return sentence.strip().split("|")[1] if sentence.lstrip().startswith("|") else ""


def _places_of_others(named: Sequence[frozenset[str]], wanted: frozenset[str]) -> frozenset[int]:
    """Return the places that name something but nothing wanted; none if all do so."""
    others = frozenset(place for place, names in enumerate(named) if names and not names & wanted)
    return others if any(names & wanted for names in named) else frozenset()


def _needs_closure(place: int, sentences: Sequence[_Sentence]) -> frozenset[int]:
    """Return a sentence's place with those of all that it needs, directly or not."""
    if not sentences[place].needs:
        return frozenset((place,))
    wanted: set[int] = set()
    waiting = [place]
    while waiting:
        current = waiting.pop()
        if current not in wanted:
            wanted.add(current)
            waiting.extend(sentences[current].needs)
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
