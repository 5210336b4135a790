"""Asks cases, as the desk does and of the model alone with the same evidence, and the record of each."""

import time
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Generator as GeneratorObject
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

from pydantic import TypeAdapter

from eval.core.runs import ONE_QUESTION_ONLY
from eval.desk.cases import DeskCase
from rag.evidence.packing import best_match
from rag.evidence.quotation import quoted_lines
from rag.generation.answer import generate_answer
from rag.generation.gateway import GenerationRequest, blocking
from rag.generation.prompt import build_messages
from rag.generation.reply_languages import reply_language
from rag.grounding.prompt_injection import injection_spans, without_injection
from rag.pipeline import AskOptions, Pipeline, PipelineParts
from rag.protocols import GeneratedText, Generator, Message
from rag.retrieval.question import question_before, visible
from rag.schema import Answer, AnswerDelta, Completed, Event, Evidence, Language, Retrieved
from rag.text.language import THIRD_LANGUAGES, prompt_language

Arm = Literal["own", "ceiling", "langchain"]
"""The product; the model alone with the very passages that the product sent it; LangChain's tutorial."""

ARMS: tuple[Arm, ...] = ("own", "ceiling", "langchain")

# No line asks for what is missing: told so, the stand-in said that the documents do not answer 12 of 15 English texts.
_PLAIN_PROMPT: dict[Language, str] = {
    "en": "You answer customers of a company.\n"
    "Use only the documents that come with the question.\n"
    "Give all numbers, conditions and steps that answer it, exactly as they are written.\n"
    "Answer in English.",
    "zh": "你是公司的客服，负责回答顾客的问题。\n"
    "只使用随问题给出的资料。\n"
    "把回答问题所需的数字、条件和步骤都照原文写出来。\n"
    "用简体中文回答。",
}


@dataclass(frozen=True, slots=True)
class Passages:
    """The evidence that reached one stage: the documents' paths, their text, and the embedder's tokens."""

    documents: tuple[str, ...] = ()
    text: str = ""
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Seconds:
    """Seconds since the question; None for events that never came."""

    evidence: float | None = None
    first_word: float | None = None
    whole: float | None = None


@dataclass(frozen=True, slots=True)
class GuardTrace:
    """What the guards did.

    ``stopped_by`` is the guard because of which the answer is not the model's ``draft``.  Where one decided before the
    model wrote, the draft was asked for without it; it is empty where that was not wished, or not possible.
    ``without_thought`` is the draft without a thought, where the model thought; ``withheld`` are the sentences shown
    that were taken for orders to the model, and ``cuts_question`` tells that the question lost some.
    """

    stopped_by: str = ""
    draft: str = ""
    without_thought: str = ""
    withheld: tuple[str, ...] = ()
    cuts_question: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """One case in one arm.

    ``shown`` is what the agent sees, ``sent`` what the model reads, ``best`` the best match box, and ``quoted`` what a
    quotation could take from all passages.  ``answerable`` False: the search alone decided to refuse.  ``prompt`` are
    the passages and the question as the model reads them.  ``answer`` is None where no model was asked, or an error
    came, whose class is ``error``.
    """

    case_id: str
    arm: Arm
    shown: Passages = Passages()
    sent: Passages = Passages()
    best: Passages = Passages()
    quoted: Passages = Passages()
    answerable: bool = True
    probability: float = 0.0
    prompt: str = ""
    answer: Answer | None = None
    guards: GuardTrace = GuardTrace()
    error: str = ""
    seconds: Seconds = Seconds()


RECORDS = TypeAdapter(Record)


@dataclass(frozen=True, slots=True)
class Desk:
    """The product.

    Without ``with_model`` a case ends where the model would be asked.  With ``trace_guards`` the model is asked again,
    without the guard, where one decided before it wrote, and without a thought where it thought.
    """

    pipeline: Pipeline
    with_model: bool = True
    think: bool | None = None
    trace_guards: bool = True

    def ask(self, case: DeskCase) -> Record:
        """Ask the last turn after the customer's earlier ones.

        An error of this case alone is recorded; an error of the surroundings is raised.
        """
        options = AskOptions(case.turns[:-1], think=self.think, fresh=True, reader_language=case.reader_language)
        asking = _Asking(case, Record(case.case_id, "own"))
        with asking.record_errors(), closing(self.pipeline.stream(case.question, options)) as events:
            for event in events:
                asking.take(event, self.pipeline.parts.count_tokens)
                if isinstance(event, Retrieved) and event.answerable and not self.with_model:
                    break
        record = asking.finish()
        return self._with_drafts(case, record) if self.with_model and self.trace_guards else record

    def _with_drafts(self, case: DeskCase, record: Record) -> Record:
        guards = record.guards
        if record.error or not record.sent.text:
            return record
        if guards.stopped_by and not guards.draft:
            guards = replace(guards, draft=self._draft(case, self.think))
        if record.answer is not None and record.answer.thinking:
            guards = replace(guards, without_thought=self._draft(case, think=False))
        return replace(record, guards=guards)

    def _draft(self, case: DeskCase, think: bool | None) -> str:
        """Return the model's reply to the same evidence without guards; empty if impossible."""
        request, _ = self.pipeline.prepare(case.question, earlier=case.turns[:-1], reader_language=case.reader_language)
        request = replace(request, is_doubtful=False, think=request.think if think is None else think)

        def run(generator: Generator) -> GeneratorObject[Event, None, Completed]:
            return generate_answer(request, generator, self.pipeline.parts.settings, fit=None)

        try:
            return self.pipeline.parts.gateway.result(GenerationRequest(run)).draft
        except ONE_QUESTION_ONLY:
            return ""


def ask_model_alone(case: DeskCase, own: Record, parts: PipelineParts) -> Record:
    """Ask the model with four lines of instructions and the evidence that the product sent; nothing stops its reply.

    ``own`` is the product's record.  Errors are those of ``Desk.ask``.
    """
    messages = [Message("system", _plain_prompt(case.language)), Message("user", own.prompt)]
    tokens = parts.settings.answer_budget_tokens

    def write(generator: Generator) -> str:
        with closing(generator.generate(messages, think=False, max_tokens=tokens)) as reply:
            return "".join(part.text for part in reply if isinstance(part, GeneratedText)).strip()

    asking = _Asking(case, Record(case.case_id, "ceiling", shown=own.sent, sent=own.sent))
    with asking.record_errors():
        text = parts.gateway.result(GenerationRequest(blocking(write)))
        answer = plain_answer(text, prompt_language(case.question), parts)
        asking.record = replace(asking.record, answer=answer)
    return asking.finish()


def _plain_prompt(language: str) -> str:
    if language in THIRD_LANGUAGES:
        return _PLAIN_PROMPT["en"].replace("English", reply_language(language).english)
    return _PLAIN_PROMPT["zh" if language == "zh" else "en"]


def plain_answer(text: str, language: Language, parts: PipelineParts, *, refused: bool = False) -> Answer:
    """Return a model's bare reply as an answer without citations."""
    return Answer(
        text=text,
        language=language,
        refused=refused,
        thinking="",
        citations=(),
        unsupported=(),
        spans=(),
        model=parts.gateway.generator.model,
        stand_in=parts.gateway.generator.stand_in,
        generation=parts.store.require_generation(),
    )


@dataclass(slots=True)
class _Asking:
    """The record of a case while it is asked."""

    case: DeskCase
    record: Record
    _started_at: float = field(default_factory=time.perf_counter)
    _seconds: dict[str, float] = field(default_factory=dict)

    def take(self, event: Event, count_tokens: Callable[[str], int]) -> None:
        """Record an event."""
        match event:
            case Retrieved():
                self._mark("evidence")
                self.record = self._with_evidence(event, count_tokens)
            case AnswerDelta():
                self._mark("first_word")
            case Completed():
                stopped_by = event.stopped_by if self.record.answerable else "search"
                guards = replace(self.record.guards, stopped_by=stopped_by, draft=event.draft)
                self.record = replace(self.record, answer=event.answer, guards=guards)

    @contextmanager
    def record_errors(self) -> Iterator[None]:
        """Record an error of this case alone."""
        try:
            yield
        except ONE_QUESTION_ONLY as error:
            self.record = replace(self.record, error=type(error).__name__)

    def finish(self) -> Record:
        """Return the record with its times."""
        self._mark("whole")
        return replace(self.record, seconds=Seconds(**self._seconds))

    def _mark(self, name: str) -> None:
        self._seconds.setdefault(name, round(time.perf_counter() - self._started_at, 4))

    def _with_evidence(self, event: Retrieved, count_tokens: Callable[[str], int]) -> Record:
        def passages(evidence: Sequence[Evidence], text_of: Callable[[Evidence], str]) -> Passages:
            texts = [text_of(one) for one in evidence]
            documents = tuple(dict.fromkeys(one.document_path for one in evidence))
            return Passages(documents, "\n\n".join(texts), sum(map(count_tokens, texts)))

        question, evidence = visible(self.case.question), event.evidence
        best = best_match(evidence, question, date.today()) if event.answerable else []
        return replace(
            self.record,
            shown=passages(evidence, lambda one: one.text),
            sent=passages([one for one in evidence if one.sent], lambda one: one.sent_text),
            best=passages(best, _quoted_text),
            quoted=passages([one for one in evidence if one.quoted], _quoted_text),
            answerable=event.answerable,
            probability=event.answerable_probability,
            prompt=_prompt(self.case, evidence),
            guards=GuardTrace(
                withheld=tuple(text for one in evidence for text in _withheld_sentences(one)),
                cuts_question=without_injection(question) != question,
            ),
        )


def _prompt(case: DeskCase, evidence: Sequence[Evidence]) -> str:
    previous = question_before(case.question, case.turns[:-1])
    language = prompt_language(case.question)
    return build_messages(visible(case.question), evidence, language, previous)[-1].content


def _quoted_text(passage: Evidence) -> str:
    return "\n".join(line.text for line in quoted_lines(passage))


def _withheld_sentences(passage: Evidence) -> list[str]:
    spans = sorted(injection_spans(passage.text), key=lambda one: one.start)
    return [passage.text[one.start : one.end] for one in spans]
