"""Computes the citations of an answer after it was written; the model is not asked for any.

Greetings, offers of help and questions state nothing and are left alone.  Every other sentence is compared with the
evidence (``support.py``) and is cited or marked as unsupported.  What restricts a cited sentence and was not said, the
heading above it or a condition within it, goes with the citation: "The shop pays the postage" may hold under "Quality
problems" only.  Pure functions: no model, no clock, no randomness.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.grounding.claims import (
    AnswerContext,
    Claim,
    QuotableSpan,
    conclusion_after_quotation,
    quotable_spans,
    without_courtesy,
)
from rag.grounding.contradiction import read_tokens
from rag.grounding.prompt_injection import is_name
from rag.grounding.support import restricts, supporting_spans
from rag.schema import Citation, Evidence, TextSpan
from rag.text.language import text_language, third_language_after
from rag.text.markup import QUESTION_ENDS, without_descriptions, without_heading_signs
from rag.text.parsed import parse_text
from rag.text.quantities import Quantity, figures_beyond
from rag.text.sentences import split_sentences
from rag.text.statements import content_words, read_statement, says_no, stated_figures, without_verdict
from rag.text.translated_figures import figures_in_english

_STATES_NOTHING = re.compile(
    r"\s*+(?:hello|hi|dear|thank you|thanks|(?:i )?hope (?:this|that)|(?:please )?let (?:me|us) know|feel free"
    r"|you(?: are|['’]re) (?:right|correct)[.!]|您说得(?:很?对|没错)[。！]"
    r"|(?:best|kind) regards|sincerely|you['’]re welcome|is there anything"
    r"|if you have (?:any )?(?:more|other|further|question)"
    r"|i(?:['’]m| am) (?:sorry|happy to)|sorry\b|the documents? (?:do|does) not"
    r"|您好|你好|亲|感谢|谢谢|不客气|希望(?:以上|这|能|对)|如(?:果您?)?(?:还)?有(?:其他|任何|更多|别的|疑问|问题)"
    r"|[*_#\s]*+(?:总结|小结|结论|答案|回答|解释|说明|summary|conclusion|answer|explanation)[*_]*+[:：][*_]*+\s*+$"
    r"|(?:来)?(?:进行)?(?:操作|处理|设置|执行|排查)(?:即可)?[。！]?$"  # after “……。”
    r"|如需(?:更多|进一步)|祝您|欢迎|抱歉|很抱歉|资料中没有|根据(?:以上|所给|提供的)?资料[，,：:]?$)",
    re.IGNORECASE,
)

_ADDRESSES = re.compile(
    r"\s*+(?:(?:mr|mrs|ms|dr|sir|madam|[A-Z][\w.'’-]{0,20})[.,!]?\s*+){1,4}|.{0,6}(?:女士|先生|小姐|同学|老师|客户|顾客|朋友|买家)[，,：:！!。]?\s*+"
)
"""Whom a greeting addresses: "Ms Chen", 王女士."""

_ECHO, _ECHO_OF_QUESTION = 0.75, 0.5
"""Shares of a reply's words that are the question's, and of the question's words that the reply repeats."""


@dataclass(frozen=True, slots=True)
class Grounding:
    """The citations of an answer; ``unsupported`` are the sentences that state what no passage says."""

    citations: tuple[Citation, ...]
    unsupported: tuple[TextSpan, ...]


def ground(text: str, evidence: Sequence[Evidence], question: str = "") -> Grounding:
    """Compare each sentence of ``text`` with the evidence.

    Every sentence is cited, unsupported, or states nothing.  Citations are in reading order, with offsets into ``text``
    and into the documents; a sentence supported by two places has two.  ``quote`` is exactly the document's text.  A
    rule of another time than the question's, which the model did not read, supports nothing.  A bare yes or no is
    unsupported if it does not follow from the sentence before it.  In a third language only figures, units and codes
    can be compared, so a sentence without any is unsupported.
    """
    holding = [(index, passage) for index, passage in enumerate(evidence) if passage.is_in_force or passage.sent]
    spans = [span for index, passage in holding for span in quotable_spans(passage, index)]
    third = third_language_after(text, question)
    asked = _comparable_text(question, third)
    context = AnswerContext(evidence, spans, read_statement(asked), read_tokens(asked))
    citations: list[Citation] = []
    unsupported: list[TextSpan] = []
    previous: _SupportedClaim | None = None
    verdict: TextSpan | None = None
    for sentence in split_sentences(text):
        words = text[sentence.start : sentence.end]
        if _only_asks(words) if third else states_nothing(words):
            is_verdict = is_bare_verdict(words)
            if previous is not None and is_verdict and not previous.leads_to(words):
                unsupported.append(sentence)
            verdict = sentence if previous is None and is_verdict and not says_no(words) else verdict
            continue
        claim = Claim.read(words, question, third)
        support = supporting_spans(claim, context) if _is_concluded(words, context, question, third) else []
        if verdict is not None and support and not _affirms(claim, support, context):
            unsupported.append(verdict)
        previous, verdict = _SupportedClaim(claim, support), None
        citations.extend(_citation(sentence, span, evidence[span.passage_index]) for span in support)
        if not support:
            unsupported.append(sentence)
    return Grounding(tuple(citations), tuple(unsupported))


def _is_concluded(sentence: str, context: AnswerContext, question: str, third: str) -> bool:
    """Tell whether the evidence supports what a sentence concludes from its quotation, which would support anything."""
    conclusion = conclusion_after_quotation(sentence)
    if not conclusion or states_nothing(conclusion):
        return True
    return bool(supporting_spans(Claim.read(conclusion, question, third), context))


def _affirms(claim: Claim, support: Sequence[QuotableSpan], context: AnswerContext) -> bool:
    """Tell whether a yes to the question may rest on the sentence after it: it denies nothing and is about the same."""
    asked = context.question.words | context.question.codes
    said = frozenset(word for span in support for word in (*span.own.words, *span.around.words))
    return not claim.denies and (not asked or bool(asked & (said | claim.statement.words | claim.statement.codes)))


@dataclass(frozen=True, slots=True)
class _SupportedClaim:
    """The statement of a sentence of the reply, with its support."""

    claim: Claim
    support: Sequence[QuotableSpan]

    def leads_to(self, verdict: str) -> bool:
        """Tell whether a yes or no after the sentence may follow from it: no yes from a denial, no "no" without one.

        "A restore takes an hour. No." but "It must be restored first. No."
        """
        if not self.support:
            return False
        return self.claim.denies or any(map(restricts, self.support)) if says_no(verdict) else not self.claim.denies


def states_nothing(sentence: str) -> bool:
    """Tell whether a sentence states nothing that can be checked: a greeting, an offer, a question, a list's head.

    >>> states_nothing("希望能帮到您！"), states_nothing("You have 30 days.")
    (True, False)
    """
    sentence = without_courtesy(sentence)
    statement = read_statement(sentence)
    if statement.quantities or statement.codes:
        return False
    if not statement.words or sentence.rstrip().endswith(("?", "？", ":", "：")):
        return True
    return _STATES_NOTHING.match(sentence) is not None or _ADDRESSES.fullmatch(sentence) is not None


def _only_asks(sentence: str) -> bool:
    """Tell whether a sentence in a third language asks, introduces a list or has no words; courtesy is marked."""
    return sentence.rstrip().endswith(("?", "？", "؟", ":", "：")) or not any(map(str.isalnum, sentence))


def _comparable_text(text: str, third: str) -> str:
    """Return the part of a text that can be compared with the passages: in a third language only the figures."""
    return figures_in_english(text, third) if third else text


def has_its_figures_from(text: str, evidence: Sequence[Evidence], question: str) -> bool:
    """Tell whether a text has figures, and those of each sentence occur together in one sentence that the model read.

    Figures of the question and of descriptions of pictures do not count.  A sentence may list rows of a table: "$30 for
    1-99 codes, $27 for 250 and more".  Such a reply may be worded too freely to be cited, or a nearby sentence may have
    other figures: it is marked, but hardly invented.
    """
    third = third_language_after(text, question)
    question_figures = read_statement(_comparable_text(question, third)).quantities
    sent = [without_descriptions(passage.words(span)) for passage in evidence for span in passage.sent]
    read = [
        read_statement(words[span.start : span.end]).quantities for words in sent for span in split_sentences(words)
    ]

    def own_figures(words: str) -> frozenset[Quantity]:
        return figures_beyond(read_statement(words).quantities, question_figures)

    def are_together(own: frozenset[Quantity]) -> bool:
        return any(not figures_beyond(own, figures) for figures in read)

    def lists_rows(sentence: str) -> bool:
        listed = [own for words in _LISTED.split(sentence) if (own := own_figures(words))]
        return all(len(own) >= _FIGURES_OF_ROW and are_together(own) for own in listed)

    sentences = [_comparable_text(text[span.start : span.end], third) for span in split_sentences(text)]
    stated = [sentence for sentence in sentences if own_figures(sentence)]
    return bool(stated) and all(are_together(own_figures(one)) or lists_rows(one) for one in stated)


_LISTED = re.compile(r"[,;，；、](?!\d)|(?<!\s)\s++and\s")
_FIGURES_OF_ROW = 2
"""Figures that each clause of a list must have: a single one may stand anywhere."""


def is_bare_verdict(text: str) -> bool:
    """Tell whether a reply is only a yes or no.

    >>> is_bare_verdict("No."), is_bare_verdict("不需要了"), is_bare_verdict("No, it is broken."), is_bare_verdict("")
    (True, True, False, False)
    """
    return any(map(str.isalnum, text)) and not any(map(str.isalnum, without_verdict(f"{text.rstrip()}。")))


def repeats_question(text: str, question: str) -> bool:
    """Tell whether a reply repeats the question in its own words; asking for missing information is no repetition.

    >>> repeats_question("How many days do I have to return it?", "How many days do I have to return a kettle?")
    True
    >>> repeats_question("Which kettle do you have?", "How many days do I have to return a kettle?")
    False
    """
    if not text.rstrip().endswith(QUESTION_ENDS):
        return False
    words, question_words = content_words(text), content_words(question)
    return bool(words) and len(words & question_words) >= max(
        _ECHO * len(words), _ECHO_OF_QUESTION * len(question_words)
    )


_SAID = 0.5
"""The share of a condition's words that the answer's sentence and the question have where it has been said."""
_LONGEST = 160
"""Characters of a condition that are shown."""
_BEGINS = re.compile(r"(?:\A|[\n|:：])[ \t>*_•-]{0,12}+\Z")
"""Where a sentence begins, or its part after a colon."""
_ENGLISH_CONDITION = re.compile(
    r"(?<![A-Za-z-])(?:only )?"
    r"(?:if|unless|provided that|provided(?= (?:you|your|it|they|the|there|no)\b)|as long as|on (?:the )?condition that"
    r"|in case|except|subject to)\s"
    r"(?!(?:necessary|needed|required|possible|applicable|so\b|not\b|any\b|in doubt"
    r"|you(?:['’]d| would| have| need| want| wish| are (?:unsure|not sure|looking)| like| prefer)))"
    r"[^.;!?\n|()]++(?:\.(?=\w)[^.;!?\n|()]++)*+",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\b(?:asks?|asked|checks?|see|know|find out|confirm|verify|decide|wonder|sure|tell|as|what|even)"
    r"(?: us| me| you)?\s*+\Z",
    re.IGNORECASE,
)
"""Before an "if" that means "whether", or that is no condition: "as if", "what if", "even if"."""
_CHINESE_CONDITION = re.compile(
    r"(?P<condition>(?:但|且)?(?:如果|如若|假如|假若|倘若|要是|若(?!干)|除非|仅当|仅限于?|只限|前提是|只要)"
    r"(?!有?(?:需要?|必要|任何|疑问|问题)|您?(?:想|需要|希望|有(?:任何|疑问|问题)))[^，。；！？\n|]{2,})"
    r"|(?:\A|(?<=[，。；！？\n|]))(?P<rest>[^，。；！？\n|]{2,40}(?:除外|的前提下))"
    r"|(?:\A|(?<=[。；！？\n|]))[ \t>*_•-]{0,12}+(?P<legal>[^，。；！？\n|是好]{3,40}[^目]的)(?=，)"
)
_SAYS_A_CONDITION = re.compile(
    r"\b(?:if|unless|provided|as long as|except|only|when|without)\b|如果|若|假如|要是|除非|仅|只|前提|除外|的话|但",
    re.IGNORECASE,
)


def with_restrictions(
    text: str, citations: Sequence[Citation], evidence: Sequence[Evidence], question: str
) -> tuple[Citation, ...]:
    """Return the citations of ``text`` with the headings and the conditions that nobody named."""
    return tuple(
        replace(
            one,
            heading=_unsaid_heading(one, passage, text[one.start : one.end], question),
            condition=_unsaid_condition(one, passage, text[one.start : one.end], question),
        )
        for one in citations
        for passage in [next(passage for passage in evidence if passage.holds(one))]
    )


def _unsaid_heading(citation: Citation, passage: Evidence, sentence: str, question: str) -> str:
    """Return the heading right above a citation's words if neither the answer's sentence nor the question names it.

    Empty if there is none, if it is the passage's title, or if the sentence is in another language.  The header of a
    table, which a passage cut from it has in the place of a heading, restricts nothing.
    """
    parsed, start = parse_text(passage.text), citation.quote_start - passage.start
    places = (place for place, one in enumerate(parsed.sentences) if one.span.start <= start < one.span.end)
    nearest = next(map(parsed.heading_above, places), "") or ("", *passage.headings)[-1]
    heading = without_heading_signs(nearest).strip()
    words = content_words(heading)
    is_known = heading == passage.title or not is_name(heading) or text_language(sentence) != passage.language
    named = content_words(sentence) | content_words(question)
    return "" if is_known or not words or words & named else heading


def _unsaid_condition(citation: Citation, passage: Evidence, sentence: str, question: str) -> str:
    """Return the first condition within a citation's words that neither the answer's sentence nor the question names.

    It is named where half of its words are; any one is enough where the sentence has a condition, which may be the
    same in other words.  Between semicolons, only the part counts that is nearest to the answer's sentence.  Empty if
    the sentence is in another language.
    """
    if text_language(sentence) != passage.language or citation.quote.rstrip().endswith(QUESTION_ENDS):
        return ""
    said, asked = content_words(sentence), content_words(question)
    has_condition = _SAYS_A_CONDITION.search(sentence) is not None
    for condition in conditions(_nearest_part(citation.quote, sentence)):
        words = content_words(condition)
        if words and not (has_condition and words & said) and len(words & (said | asked)) < _SAID * len(words):
            return condition if is_name(condition) else ""
    return ""


def _nearest_part(quote: str, sentence: str) -> str:
    """Return what stands between semicolons of a quote and shares most figures, then most words, with a sentence."""
    figures, words = stated_figures(sentence).quantities, content_words(sentence)

    def shared(part: str) -> tuple[int, int]:
        return len(stated_figures(part).quantities & figures), len(content_words(part) & words)

    return max(re.split(r"[;；]", quote), key=shared)


def conditions(sentence: str) -> list[str]:
    """Return what a sentence of a document makes a condition or an exception, word for word.

    >>> conditions("A loan can be renewed twice unless it is reserved."), conditions("如果已拆封，不能退货。")
    (['unless it is reserved'], ['如果已拆封'])
    >>> conditions("Ask us if it fits."), conditions("If necessary, clean it.")
    ([], [])
    """
    found: list[str] = []
    for match in _ENGLISH_CONDITION.finditer(sentence):
        words, before = match.group().strip(), sentence[: match.start()]
        if _ASKS.search(before) is None:
            found.append(words.partition(",")[0] if _BEGINS.search(before) is not None else words)
    for match in _CHINESE_CONDITION.finditer(sentence):
        found.append(next(filter(None, match.groups())).strip())
    return [words for words in found if len(words) <= _LONGEST]


def _citation(sentence: TextSpan, span: QuotableSpan, passage: Evidence) -> Citation:
    return Citation(
        start=sentence.start,
        end=sentence.end,
        document_id=passage.document_id,
        document_path=passage.document_path,
        quote=passage.text[span.start - passage.start : span.end - passage.start],
        quote_start=span.start,
        quote_end=span.end,
    )
