"""Examples to train on: the very messages that the product sends a model, and the reply that it should have written.

Each has the evidence that the search finds, with passages that do not answer among it.  A fifth has no answer there:
questions that the documents do not answer, and others whose documents were taken away.  Their reply is the product's
own sentence for that.  No passage of a document that is held out stands in any example.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from eval.desk.cases import DeskCase
from eval.desk.judging import has_gold, holds_facts, holds_phrase, normalise
from eval.train.questions import TrainingCase
from rag.evidence.quotation import quoted_lines
from rag.generation.answer import AnswerRequest
from rag.generation.prompt import build_messages, reply_prompt
from rag.generation.refusal import not_found_sentence
from rag.grounding.citations import ground
from rag.pipeline import Pipeline
from rag.protocols import Message
from rag.retrieval.filters import Filters
from rag.schema import Evidence, Language, TextSpan
from rag.text.language import text_language
from rag.text.markup import LIST_MARK
from rag.text.sentences import split_sentences

UNANSWERABLE_SHARE = 0.2
_FEWEST_WORDS: Mapping[Language, int] = {"en": 5, "zh": 10}
"""Of a sentence: words, or in Chinese characters; less is a phrase."""
_ENDS: Mapping[Language, str] = {"en": ".!?", "zh": "。！？"}
_LIST_MARK = re.compile(rf"\A\s*+{LIST_MARK}")
_CLOSING = "\"'”’」』）)"


@dataclass(frozen=True, slots=True)
class Example:
    """What the model reads and what it should write; ``answerable`` tells whether the passages hold the answer."""

    case_id: str
    messages: tuple[Message, ...]
    reply: str
    answerable: bool


@dataclass(frozen=True, slots=True)
class Examples:
    """Examples, and why other cases gave none: counts by reason."""

    examples: tuple[Example, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)


class NoExampleError(Exception):
    """A case gives no example; its text is the ``reason``, a key of ``eval_train.left_...`` in the catalogue."""


class ExampleMaker:
    """Makes examples of one knowledge base's cases; the documents of ``held_out`` ones are not found for any of them.

    ``closed_reply`` is what a request ends with where the model's own template does not open a reply (a stand-in's).
    """

    def __init__(self, pipeline: Pipeline, held_out: Sequence[TrainingCase], closed_reply: Sequence[Message]) -> None:
        self._pipeline = pipeline
        self._closed_reply = tuple(closed_reply)
        generation = pipeline.parts.store.require_generation()
        self._paths = {name: one.path for name, one in pipeline.parts.store.origins(generation).items()}
        self._without = self._documents(path for one in held_out for path in one.documents)

    def make(
        self, cases: Sequence[TrainingCase], seed: int, report: Callable[[object], None] = lambda one: None
    ) -> Examples:
        """Return an example of each case that gives one; the unanswerable ones are a fifth of all, where possible."""
        reasons: Counter[str] = Counter()
        answerable, unanswerable = list[Example](), list[Example]()
        for one in cases:
            try:
                if one.case.answerable:
                    answerable.append(self._answerable(one))
                else:
                    unanswerable.append(self._unanswerable(one))
            except NoExampleError as error:
                reasons[str(error)] += 1
            report(one)
        chance = random.Random(f"{seed}-unanswerable")
        wanted = round(len(answerable) * UNANSWERABLE_SHARE / (1 - UNANSWERABLE_SHARE))
        if len(unanswerable) > wanted:
            reasons["enough_unanswerable"] += len(unanswerable) - wanted
            unanswerable = chance.sample(unanswerable, wanted)
        with_answer = {one.case_id for one in answerable}
        others = [one for one in cases if one.case.case_id in with_answer]
        chance.shuffle(others)
        for one in others:
            if len(unanswerable) >= wanted:
                break
            with suppress(NoExampleError):
                unanswerable.append(self._unanswerable(one))
        return Examples((*answerable, *unanswerable), dict(reasons))

    def _answerable(self, one: TrainingCase) -> Example:
        request = self._request(one.case, self._without)
        return self._example(one.case, request, reply_of(one, request), answerable=True)

    def _unanswerable(self, one: TrainingCase) -> Example:
        """Return an example whose passages do not hold the answer: the case's own documents are taken away."""
        request = self._request(one.case, self._without | self._documents(one.documents))
        if one.case.has_facts and holds_facts(one.case, "\n".join(p.sent_text for p in request.evidence if p.sent)):
            raise NoExampleError("said_elsewhere")
        return self._example(one.case, request, not_found_sentence(request.language), answerable=False)

    def _request(self, case: DeskCase, without: frozenset[str]) -> AnswerRequest:
        """Return the product's request.  Raises ``NoExampleError`` where it would ask no model."""
        filters = Filters(without=without)
        request, retrieval = self._pipeline.prepare(case.question, earlier=case.turns[:-1], filters=filters)
        if not retrieval.answerable or not any(one.sent for one in request.evidence):
            raise NoExampleError("not_searched")
        return request

    def _example(self, case: DeskCase, request: AnswerRequest, reply: str, *, answerable: bool) -> Example:
        messages = build_messages(request.question, request.evidence, request.language, request.previous)
        asked = reply_prompt(messages, request.question, request.language)
        return Example(case.case_id, (*asked, *self._closed_reply), reply, answerable)

    def _documents(self, paths: Iterator[str] | frozenset[str]) -> frozenset[str]:
        gold = sorted(set(paths))
        return frozenset(name for name, path in self._paths.items() if name in gold or has_gold([path], gold))


def reply_of(one: TrainingCase, request: AnswerRequest) -> str:
    """Return the reply to learn, in full sentences.  Raises ``NoExampleError`` where there is none.

    It is the reference answer; where that is a phrase or missing, the sentences of the passages that hold it.  It must
    have the facts that the case asks for, and the passages must support it, unless a person of the team wrote it.
    """
    case, language = one.case, request.language
    if not one.trusted and not any(has_gold([p.document_path], case.gold_docs) for p in request.evidence if p.sent):
        raise NoExampleError("not_read")
    is_whole = one.trusted or is_sentence(one.answer, language)
    reply = one.answer if is_whole else _quoted_sentences(case, request)
    if not reply:
        raise NoExampleError("no_reply")
    if text_language(reply) != language:
        raise NoExampleError("other_language")
    if one.trusted:
        return reply
    if not holds_facts(case, reply) or any(holds_phrase(normalise(reply), phrase) for phrase in case.must_not_contain):
        raise NoExampleError("no_reply")
    found = ground(reply, request.evidence, request.in_context)
    if not found.citations or found.unsupported:
        raise NoExampleError("unsupported")
    return reply


def is_sentence(text: str, language: Language) -> bool:
    """Tell whether a text is a reply in whole sentences, not a phrase.

    >>> is_sentence("GBP 45.", "en"), is_sentence("The label is free in the UK.", "en")
    (False, True)
    """
    words = len(text.split()) if language == "en" else len("".join(text.split()))
    return words >= _FEWEST_WORDS[language] and text.rstrip().rstrip(_CLOSING)[-1:] in tuple(_ENDS[language])


def _quoted_sentences(case: DeskCase, request: AnswerRequest) -> str:
    """Return the sent sentences with the case's quotations, or else its facts; empty if missing."""
    passages = [one for one in request.evidence if one.sent and has_gold([one.document_path], case.gold_docs)]
    language = request.language
    found = [
        next((lines for one in passages if (lines := _lines_with(one, quote, language))), []) for quote in case.quotes
    ]
    lines = list(dict.fromkeys(line for some in found for line in some))
    if not case.quotes or not all(found) or not holds_facts(case, "\n".join(lines)):
        candidates = [line for one in passages for line in _lines_of(one, _sent_sentences(one), language)]
        lines = next(([line] for line in candidates if holds_facts(case, line)), [])
    return (" " if language == "en" else "").join(lines)


def _lines_with(passage: Evidence, quote: str, language: Language) -> list[str]:
    """Return the sentences of a passage in which a quotation stands, where the model reads all of them."""
    at = passage.text.find(quote)
    if at < 0:
        return []
    start, end = passage.start + at, passage.start + at + len(quote)
    spans = [span for span in _sentences(passage) if span.start < end and start < span.end]
    read = _sent_sentences(passage)
    return _lines_of(passage, spans, language) if all(span in read for span in spans) else []


def _sent_sentences(passage: Evidence) -> list[TextSpan]:
    """Return the sentences of a passage that were sent to the model."""
    sent = passage.sent
    return [one for one in _sentences(passage) if any(s.start <= one.start and one.end <= s.end for s in sent)]


def _sentences(passage: Evidence) -> list[TextSpan]:
    return [TextSpan(passage.start + s.start, passage.start + s.end) for s in split_sentences(passage.text)]


def _lines_of(passage: Evidence, spans: Sequence[TextSpan], language: Language) -> list[str]:
    """Return sentences fit for a customer: rows and items without marks, and with a final stop."""
    stop = {"en": ".", "zh": "。"}[language]
    quoted = [line.text for span in spans for line in quoted_lines(replace(passage, quoted=(span,)))]
    texts = [_LIST_MARK.sub("", text).strip() for text in quoted]
    ended = [
        text if text[-1:] in (*_ENDS[language], *_CLOSING) else f"{text.rstrip(':：;；,，')}{stop}" for text in texts
    ]
    return [text for text in ended if is_sentence(text, language)]
