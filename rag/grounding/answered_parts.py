"""Finds which parts of a question a reply answers and what it invents about the others, without a model.

If a customer asks two things and the documents hold one, a small model answers that one in silence, or invents the
other.  A part that asks for a figure is answered by a supported sentence with a figure of that kind that no other part
has taken; any other part, by a supported sentence with a word of the part's own.  A part that names something that no
passage names is not answered by a figure: the price of the courier to Norway is none for Iceland.  Of the parts of 504
questions five are of this kind, all without an answer.  A question with one part is not refused for that: the city may
be in a country that is named.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rag.grounding.citations import Grounding, has_its_figures_from, states_nothing
from rag.grounding.claims import QuotableSpan, quotable_spans
from rag.grounding.topic_match import known_across_languages, known_names
from rag.retrieval.question import last_question, may_be_follow_up
from rag.schema import Citation, Evidence, TextSpan
from rag.text.language import text_language
from rag.text.quantities import MONTH_OF_THE_YEAR, Quantity, figures_beyond, units_named
from rag.text.questions import (
    CHINESE_QUESTION_WORDS,
    ExpectedValue,
    asks_for_figure,
    asks_yes_or_no,
    expected_value,
    says_that_it_depends,
    without_asked_time,
)
from rag.text.sentences import split_sentences
from rag.text.statements import content_words, read_statement, stated_figures


def lacks_expected_value(text: str, parts: Sequence[str], unanswered: Sequence[str]) -> bool:
    """Tell whether a reply answers no part of a question that asks for a figure.

    ``unanswered`` are the parts that it leaves open (``PartsOfReply``).  A reply that says what the figure depends on
    is an answer; and if a yes or no would be an answer as well, the figure may only be mentioned in passing.
    """
    return any(map(asks_for_figure, parts)) and len(unanswered) == len(parts) and not says_that_it_depends(text)


_SHARE_OF_WORDS = 0.5
_WORDS_IN_COMMON = 3
"""How much of a part's words a sentence must have to be taken for its answer.

Of 37 customers' texts that ask several things, one for a figure, 18 parts had such a sentence, and all held the answer.
When two words in common were enough, and those of "how many days" counted, it was 23 of 26, and one stood for an answer
that the documents do not hold.
"""


def stating_spans(part: str, evidence: Sequence[Evidence], question: str) -> list[QuotableSpan]:
    """Return the sentences that give a figure of the kind that a ``part`` of the ``question`` asks for, nearest first.

    None if the part asks for no figure, or names something that no passage names.
    """
    value = expected_value(part)
    words = content_words(_CHINESE_QUESTION_WORD.sub(" ", without_asked_time(last_question(part))))
    names = read_statement(part).names
    if value is None or names - known_names(names, evidence):
        return []
    asked = read_statement(question).quantities

    def nearness(span: QuotableSpan) -> tuple[int, int]:
        return len(words & (span.own.words | span.around.words)), len(words & span.own.words)

    def is_near(span: QuotableSpan) -> bool:
        in_common, _ = nearness(span)
        return in_common >= max(_WORDS_IN_COMMON, _SHARE_OF_WORDS * len(words)) and bool(
            figures_beyond(value.matching(span.quantities), asked)
        )

    spans = (span for place, passage in enumerate(evidence) for span in quotable_spans(passage, place))
    return sorted(filter(is_near, spans), key=nearness, reverse=True)


@dataclass(frozen=True, slots=True)
class _SupportedSentence:
    """A supported sentence of a reply: its own words and those of its citations, its figures, and its cited codes.

    Of a sentence that is not ``cited`` only the figures are known to come from the evidence.
    """

    text: str
    cited: bool
    words: frozenset[str]
    figures: frozenset[Quantity]
    codes: frozenset[str]


class PartsOfReply:
    """What a reply says about each of the ``parts`` of the ``question``; its supported sentences are read once.

    The question's own figures do not count: repeating a customer's "3 TB" tells them no size.
    """

    def __init__(
        self, text: str, grounding: Grounding, evidence: Sequence[Evidence], question: str, parts: Sequence[str]
    ) -> None:
        self._text = text
        self._grounding = grounding
        self._evidence = evidence
        self._question = question
        self._parts = parts
        self._question_figures = read_statement(question).quantities
        self._spans = [span for place, passage in enumerate(evidence) for span in quotable_spans(passage, place)]
        self._evidence_figures = frozenset(figure for span in self._spans for figure in span.quantities)
        self._numbers_in_tables = frozenset(figure for span in self._spans if span.cells for figure in span.quantities)
        self._supported = self._supported_sentences()
        self.unanswered = self._unanswered()
        """The parts that no supported sentence answers, in order, unless the reply says that they are not found."""

    def invented_sentences(self) -> tuple[TextSpan, ...]:
        """Return the sentences that answer an ``unanswered`` part with something that no passage says.

        Such a sentence gives a figure of the kind that the part asks for, which no passage has.  Or it is unsupported
        and has a word of the part's own, and all it counts with is a digit that stands beside other things, or the part
        asks for yes or no or names something that no passage names.
        Next to the note that the documents do not answer this part, it would answer it all the same.
        """
        values = [value for part in self.unanswered if (value := expected_value(part)) is not None]
        yes_or_no = self._own_words(filter(asks_yes_or_no, self.unanswered))
        unknown = self._own_words(filter(self._names_the_unknown, self.unanswered))
        open_parts = self._own_words(self.unanswered)

        def is_invented(span: TextSpan) -> bool:
            sentence = self._text[span.start : span.end]
            figures = self._own_figures(sentence)
            if figures and not self._in_evidence(figures) and any(value.matching(figures) for value in values):
                return True
            words = content_words(sentence) if span in self._grounding.unsupported else frozenset()
            if unknown & words:  # its figures may be those of something that is named
                return True
            if figures and open_parts & words and not self._counts_what_passages_count(sentence):
                return True
            return bool(yes_or_no & words) and not has_its_figures_from(sentence, self._evidence, self._question)

        return tuple(filter(is_invented, split_sentences(self._text)))

    def _unanswered(self) -> tuple[str, ...]:
        not_found = frozenset(
            word
            for span in split_sentences(self._text)
            if says_not_found(sentence := self._text[span.start : span.end])
            for word in content_words(sentence)
        )
        values = self._parts_with_values()
        unanswered = []
        for part in self._parts:
            own = self._own_words([part])
            is_named = _is_answered_by_words(own, self._supported) or self._is_answered_by_code(part)
            by_words = expected_value(part) is None and (is_named or self._is_answered_by_date(part))
            if not by_words and part not in values and not own & not_found:
                unanswered.append(part)
        return tuple(unanswered)

    def _parts_with_values(self) -> frozenset[str]:
        """Return the parts that ask for a value and get one, in figures or in words.

        A figure is the answer to the part whose own words its sentence has most of, and to another part only if the
        sentence has words of that one, too.
        """
        offers: list[tuple[int, str, Quantity]] = []
        in_words: set[str] = set()
        for part in self._parts:
            value, own = expected_value(part), self._own_words([part])
            if value is None or (len(self._parts) > 1 and self._names_the_unknown(part)):
                continue  # a figure may be another part's
            for sentence in self._without_farther_values(part, value):
                in_common = len(own & content_words(sentence.text))
                offers += [(in_common, part, figure) for figure in sorted(value.matching(sentence.figures))]
                if value.is_given_in_words(sentence.text) and (not own or own & sentence.words):
                    in_words.add(part)
        answered, taken = set[str](), set[Quantity]()
        for in_common, part, figure in sorted(offers, key=lambda offer: -offer[0]):
            if part not in answered and (in_common or figure not in taken):
                taken.add(figure)
                answered.add(part)
        return frozenset(answered | in_words)

    def _without_farther_values(self, part: str, value: ExpectedValue) -> list[_SupportedSentence]:
        """Leave out the uncited sentences whose value is not the one of the sentence nearest to the part."""
        doubtful = [one for one in self._supported if not one.cited and value.matching(one.figures)]
        if not doubtful or len(self._parts) == 1:
            return self._supported
        near = stating_spans(part, self._evidence, self._question)
        nearest = value.matching(near[0].quantities) if near else frozenset()
        farther = [one for one in doubtful if nearest and nearest.isdisjoint(one.figures)]
        return [one for one in self._supported if one not in farther]

    def _own_words(self, parts: Iterable[str]) -> frozenset[str]:
        """Return the words of ``parts`` that no other part of the question has.

        Chinese question words do not count, nor words that would be read across them.
        """
        own: frozenset[str] = frozenset()
        for part in parts:
            others = frozenset(word for other in self._parts if other != part for word in content_words(other))
            own |= content_words(_CHINESE_QUESTION_WORD.sub(" ", part)) - others
        return own

    def _is_answered_by_code(self, part: str) -> bool:
        """Tell whether a cited sentence is about a code that this part alone names: a row of codes has no other word.

        "What does E07 mean?" is answered by "E07 | Cliff sensors covered".  "What does it mean?" is about a code that
        the question names before.
        """
        others = [code for other in self._parts if other != part for code in stated_figures(other).codes]
        own = stated_figures(part).codes.difference(others)
        if not own and may_be_follow_up(part):
            own = stated_figures(self._question).codes.difference(others)
        return any(own & sentence.codes for sentence in self._supported)

    def _is_answered_by_date(self, part: str) -> bool:
        return _ASKS_DATE.search(part) is not None and any(
            figure.unit == MONTH_OF_THE_YEAR for sentence in self._supported for figure in sentence.figures
        )

    def _own_figures(self, sentence: str) -> frozenset[Quantity]:
        return figures_beyond(read_statement(sentence).quantities, self._question_figures)

    def _counts_what_passages_count(self, sentence: str) -> bool:
        """Tell whether the sentence has more than a bare digit, or a passage in its language has it beside its words.

        A "3" stands in nearly any passage: it does not tell how many lines a telephone shows.
        """
        figures = self._own_figures(sentence)
        if not all(figure.is_bare_digit for figure in figures):
            return True
        words, language = content_words(sentence), text_language(sentence)
        return any(
            self._evidence[span.passage_index].language != language
            or len(words & (span.own.words | span.around.words)) >= min(_WORDS_IN_COMMON, len(words))
            for span in self._spans
            if figures_beyond(figures, span.quantities) != figures
        )

    def _in_evidence(self, figures: frozenset[Quantity]) -> frozenset[Quantity]:
        """Return the figures that passages have; of a number in a table the unit may stand elsewhere."""
        return frozenset(
            one for one in figures if one in self._evidence_figures or Quantity(one.value) in self._numbers_in_tables
        )

    def _names_the_unknown(self, part: str) -> bool:
        """Tell whether a part names something that no passage and no cited sentence mentions.

        If the best passage is in the other language, it may use another name; those of places are known.
        """
        if not self._evidence:
            return False
        names = read_statement(part).names
        if self._evidence[0].language != text_language(part):
            names = known_across_languages(names)
        cited = frozenset(
            name for sentence in self._supported if sentence.cited for name in read_statement(sentence.text).names
        )
        return not names - cited <= known_names(names, self._evidence)

    def _supported_sentences(self) -> list[_SupportedSentence]:
        supported = []
        for span in split_sentences(self._text):
            sentence = self._text[span.start : span.end]
            citations = [one for one in self._grounding.citations if (one.start, one.end) == (span.start, span.end)]
            quotes = [citation.quote for citation in citations]
            is_supported = quotes or (
                has_its_figures_from(sentence, self._evidence, self._question)
                and self._counts_what_passages_count(sentence)
            )
            if states_nothing(sentence) or not is_supported:
                continue
            # of a cited sentence the documents' words: it may repeat the question's and go on about something else
            is_comparable = quotes and all(text_language(quote) == text_language(sentence) for quote in quotes)
            said = quotes if is_comparable else (sentence, *quotes)
            words = frozenset(word for text in said for word in content_words(text))
            words |= content_words(sentence) & self._words_above_rows(citations)
            codes = frozenset(code for quote in quotes for code in stated_figures(quote).codes)
            figures = self._in_evidence(self._own_figures(sentence))
            if quotes:  # "it costs 18.90", of a table of prices without a currency
                numbers = [figure.value for figure in figures if not figure.unit]
                figures |= {Quantity(number, unit) for number in numbers for unit in units_named(sentence)}
            supported.append(_SupportedSentence(sentence, bool(quotes), words, figures, codes))
        return supported

    def _words_above_rows(self, citations: Iterable[Citation]) -> frozenset[str]:
        """Return the words of titles, headings and headers above the cited rows: a row's subject may be there."""
        return frozenset(
            word
            for citation in citations
            for span in self._spans
            if span.is_row and self._evidence[span.passage_index].holds(citation)
            if citation.rests_on(span.start, span.end)
            for word in span.around.words
        )


def _is_answered_by_words(own: frozenset[str], supported: Sequence[_SupportedSentence]) -> bool:
    return any(not own or own & sentence.words for sentence in supported)


_ASKS_DATE = re.compile(
    r"\b(?:until|by|since|from) when\b|\b(?:what|which) (?:date|day|month)\b|^\W*when\b"
    r"|什么时候|何时|哪[天日]|几[月号日](?!内)",
    re.IGNORECASE,
)
_CHINESE_QUESTION_WORD = re.compile(rf"怎么办|什么时候|哪[种个些里]|{CHINESE_QUESTION_WORDS}")

_SOURCE = r"(?:documents?|passages?|information|text|articles?|knowledge base|materials?)"
_VERBS = r"(?:say|tell|mention|specif(?:y|ied)|state|contain|provide|include|cover|address|give|indicate|describe|list)"
_PARTICIPLES = "mentioned|specified|stated|provided|given|covered|included"
_NOT_FOUND = re.compile(
    rf"{_SOURCE}\b.{{0,40}}?\b(?:do|does|did)(?: not|n['’]t) (?:\w+ )?{_VERBS}"
    rf"|\b(?:not|n['’]t) (?:\w+ )?(?:{_PARTICIPLES}|available)"
    rf" (?:in|by|within) (?:\w+ ){{0,3}}{_SOURCE}"
    rf"|\baccording to (?:\w+ ){{0,2}}{_SOURCE}, .{{0,80}}?\b(?:(?:is|are)(?: not|n['’]t) (?:\w+ )?"
    rf"(?:{_PARTICIPLES})|there (?:is|are) no (?:mention|details?))\b"
    rf"|\b(?:there is|there[’']s|i have|i could find|contains?|provides?) no (?:\w+ )?{_SOURCE}"
    r" (?:about|on|regarding|in|for|that|to)"
    r"|\b(?:leaves?|left) (?:\w+ ){0,3}open\b"
    r"|(?:资料|文件|文档|文章|知识库)(?:中|里|内|上)?.{0,16}?(?:没有|未|并无)(?:明确|具体|直接)?(?:说明|提到|提及|提供|给出|包含|涉及|列出|规定)"
    r"|^(?:没有|未|暂无)(?:明确|具体|相关)?(?:说明|提到|提及|信息|资料)"
    r"|没有(?:找到|提供|关于|相关).{0,24}?(?:信息|说明|内容|资料|规定)",
    re.IGNORECASE,
)


def says_not_found(text: str) -> bool:
    """Tell whether a reply begins by saying that the passages lack the answer, and gives no figure.

    >>> says_not_found("The documents do not say."), says_not_found("30 days. The documents do not say more.")
    (True, False)
    """
    sentences = [text[span.start : span.end] for span in split_sentences(text)]
    first = next((place for place, sentence in enumerate(sentences) if _NOT_FOUND.search(sentence)), None)
    if first is None or not all(states_nothing(sentence) for sentence in sentences[:first]):
        return False
    rest = [read_statement(sentence) for sentence in sentences[first + 1 :]]
    return not any(statement.quantities or statement.codes for statement in rest)
