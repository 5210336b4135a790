"""Rewrites replies and translates passages in the background, through the same queue as answers.

    writings = WritingService(pipeline_parts(pipelines))
    writing_id = writings.submit(token, Writing(...), knowledge_base="default", user=user)
    writings.snapshot(writing_id).state          # waiting, writing; then done, refused, stopped or failed
    writings.cancel(writing_id)

A text is returned as a whole, and only if it passed its check; after the deadline it fails with a sentence.  It is not
stored on the disk: this process remembers the newest.  Pages get ``PersonalRewritings``, which checks permissions.
"""

import hashlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from collections.abc import Generator as GeneratorObject
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from secrets import token_urlsafe
from typing import Literal

from rag.errors import (
    AnswerCancelled,
    AnswerdeskError,
    FactsChanged,
    ModelTooSlow,
    NotPermitted,
    PromptTooLong,
    RewritingUnusable,
    TurnFailed,
    TurnMissing,
)
from rag.generation.gateway import Admitted, GenerationRequest
from rag.generation.guard import Budget, GuardedReply, guard_reply
from rag.generation.prompt import ContextFit
from rag.generation.queued_answer import Asker
from rag.pipeline import Pipeline, PipelineParts
from rag.protocols import GeneratedText, GeneratedThinking, Generator, Message
from rag.queue.admission import Wait
from rag.queue.estimate import Work
from rag.queue.ticket_queue import TicketRequest
from rag.rewriting import Wish, check_rewritten, check_translated, rewriting_messages, unwrapped_text, usable_evidence
from rag.schema import Evidence, Language
from rag.storage.access import LOCAL_USER, KnowledgeBases, User
from rag.text.language import text_language, third_language
from rag.text.sentences import split_sentences
from rag.turns.fairness import FairPool, Share
from rag.turns.personal import PersonalTurns, owner_of
from rag.turns.service import PipelineOf
from rag.turns.snapshot import Failure, TurnSnapshot
from rag.unforeseen_errors import log_unforeseen

logger = logging.getLogger(__name__)

WritingState = Literal["waiting", "writing", "done", "refused", "stopped", "failed"]
PartsOf = Callable[[str, User], PipelineParts]
"""Returns the parts of the pipeline of a knowledge base, or raises ``AccessDenied`` if the user may not use it."""

_Part = GeneratedThinking | GeneratedText
_RUNNING: frozenset[WritingState] = frozenset({"waiting", "writing"})
_REMEMBERED = 256
_SPARE_TOKENS = 48
_MOST_WAITING = 8  # of one owner: a page has five passages to translate, and the reply
_MODEL_TOKENS_A_TOKEN = 1.4  # see rag/generation/prompt.py; and a translation has other words

_GROWTH: dict[Wish, float] = {"friendlier": 2.0, "formal": 2.0, "shorter": 1.2, "longer": 3.0, "translate": 2.0}
_LONGEST_CHARACTERS = 8000
_MOST_SENTENCES = 400  # each is compared with each when the reply is checked
_KEPT_TRANSLATIONS = 1024


@dataclass(frozen=True, slots=True)
class Writing:
    """A text to be written.  ``source`` is the original text, ``growth`` how much longer the new one may become.

    ``language`` is that of the new text.  ``take`` gets the model's reply and name, and returns the text, or raises
    ``FactsChanged`` if it cannot be used.  ``known`` returns the earlier text of a model by its name; empty if there is
    none.
    """

    messages: tuple[Message, ...]
    source: str
    growth: float
    language: Language
    take: Callable[[str, str], str]
    known: Callable[[str], str] = lambda model: ""


@dataclass(frozen=True, slots=True)
class WritingSnapshot:
    """A text at one moment.  ``source`` is the original, ``text`` the whole new one, once it is ``done``.

    ``ahead`` and ``wait_seconds`` are those of ``rag.schema.Queued``, None while nobody is ahead.  It belongs to
    ``user`` and ``knowledge_base``.  ``finding`` is the check's finding in a ``refused`` text.
    """

    writing_id: str
    user: str
    knowledge_base: str
    source: str
    state: WritingState = "waiting"
    ahead: int | None = None
    wait_seconds: float | None = None
    text: str = ""
    model: str = ""
    stand_in: bool = False
    failure: Failure | None = None
    finding: FactsChanged | None = None

    @property
    def final(self) -> bool:
        """Whether the writing has ended."""
        return self.state not in _RUNNING


class _Live:
    """One writer, many readers: ``snapshot`` is replaced as a whole."""

    def __init__(self, snapshot: WritingSnapshot) -> None:
        self.snapshot = snapshot
        self.cancelled = threading.Event()
        self.ended = threading.Event()

    def show(self, state: WritingState, ahead: int | None = None, wait_seconds: float | None = None) -> None:
        self.snapshot = replace(self.snapshot, state=state, ahead=ahead, wait_seconds=wait_seconds)


class WritingService:
    """Lets models write in threads of its own.  Safe to call from any thread.

    ``parts`` is called by the workers, of which an owner has ``at_once``.  ``deadline_seconds`` is how long a text may
    take, with the wait for the model.
    """

    def __init__(
        self, parts: PartsOf, workers: int = 16, *, at_once: int | None = 4, deadline_seconds: float = 120.0
    ) -> None:
        if workers < 1 or deadline_seconds <= 0:
            raise ValueError(f"workers {workers} and deadline_seconds {deadline_seconds} must be above 0")
        self._parts = parts
        self._deadline_seconds = deadline_seconds
        self._lock = threading.Lock()
        self._live: OrderedDict[str, _Live] = OrderedDict()
        self._id_of_token: OrderedDict[str, str] = OrderedDict()
        self._workers = FairPool(workers, "writing", Share(at_once, _MOST_WAITING))

    def submit(
        self,
        token: str,
        writing: Writing,
        *,
        knowledge_base: str,
        user: User = LOCAL_USER,
        owner: str = "",
        conversation: str = "",
    ) -> str:
        """Begin to write and return an id; the same ``token`` again returns the same id.

        ``owner`` and ``conversation`` are those of the model's line; without an owner it is the user.  Raises
        ``OwnQueueFull`` if eight of the owner's wait already.
        """
        with self._lock:
            if token in self._id_of_token:
                return self._id_of_token[token]
            snapshot = WritingSnapshot(token_urlsafe(12), user.name, knowledge_base, writing.source)
            live = _Live(snapshot)
            deadline = time.monotonic() + self._deadline_seconds
            asker = Asker(owner or user.name, conversation, follows_up=True)
            future = self._workers.submit(asker.owner, partial(self._write, live, writing, user, asker, deadline))
            self._live[snapshot.writing_id] = live
            self._id_of_token[token] = snapshot.writing_id
            self._forget_old()
        future.add_done_callback(partial(self._settle, live))
        return snapshot.writing_id

    def snapshot(self, writing_id: str) -> WritingSnapshot:
        """Return the text as it is now.  Raises ``TurnMissing`` if the id is unknown, or forgotten."""
        return self._get(writing_id).snapshot

    def wait(self, writing_id: str, *, timeout_seconds: float) -> WritingSnapshot:
        """Return the text once it has ended, or the time is over.  Raises ``TurnMissing``."""
        live = self._get(writing_id)
        live.ended.wait(timeout_seconds)
        return live.snapshot

    def cancel(self, writing_id: str) -> None:
        """Stop it; the model is free within a quarter of a second."""
        live = self._live.get(writing_id)
        if live is not None:
            live.cancelled.set()

    def close(self) -> None:
        """Stop all and wait for the workers."""
        for live in list(self._live.values()):
            live.cancelled.set()
        self._workers.shutdown()

    def _get(self, writing_id: str) -> _Live:
        try:
            return self._live[writing_id]
        except KeyError as error:
            raise TurnMissing from error

    def _forget_old(self) -> None:
        ended = [writing_id for writing_id, live in self._live.items() if live.snapshot.final]
        for writing_id in ended[: max(0, len(self._live) - _REMEMBERED)]:
            del self._live[writing_id]
        while len(self._id_of_token) > _REMEMBERED:
            self._id_of_token.popitem(last=False)

    def _write(self, live: _Live, writing: Writing, user: User, asker: Asker, deadline: float) -> None:
        """Write in a worker; errors of the product's tree end the snapshot."""
        try:
            parts = self._parts(live.snapshot.knowledge_base, user)
            model = parts.gateway.start()
            live.snapshot = replace(live.snapshot, model=model, stand_in=parts.gateway.generator.stand_in)
            text = writing.known(model) or self._generate(live, writing, parts, asker, deadline)
        except AnswerCancelled as error:
            live.snapshot = replace(live.snapshot, state="stopped", failure=Failure.of(error))
        except FactsChanged as error:
            live.snapshot = replace(live.snapshot, state="refused", failure=Failure.of(error), finding=error)
        except AnswerdeskError as error:
            live.snapshot = replace(live.snapshot, state="failed", failure=Failure.of(error))
        else:
            live.snapshot = replace(live.snapshot, state="done", text=text)

    def _generate(self, live: _Live, writing: Writing, parts: PipelineParts, asker: Asker, deadline: float) -> str:
        """Wait for the model and let it write.  The thought is not part of the text."""
        messages, budget = writing.messages, _budget(writing, parts)
        fit = ContextFit(lambda: parts.gateway.context_window_tokens(parts.settings), parts.count_tokens)
        try:
            fit.require(messages, writing.source, budget.answer_tokens)
        except PromptTooLong as error:
            raise RewritingUnusable(reason="long") from error
        work = Work(fit.count_tokens(messages[-1].content), False)
        queue = TicketRequest(work, asker.owner, asker.follows_up, asker.conversation, parts.settings.person_waiting)

        def run(generator: Generator) -> GeneratorObject[_Part, None, GuardedReply]:
            reply = guard_reply(generator, messages, think=False, language=writing.language, budget=budget)
            with closing(reply):
                for part in reply:
                    if isinstance(part, GuardedReply):
                        return part
                    yield part
            raise AssertionError("a guarded reply ends with GuardedReply or raises")

        def watch(event: Wait | Admitted | _Part) -> None:
            if isinstance(event, Wait):
                live.show("waiting", event.ahead, event.wait_seconds)
            elif isinstance(event, Admitted):
                live.show("writing")
            self._check(live, deadline)

        request = GenerationRequest(run, queue, live.cancelled, restartable=True)
        guarded = parts.gateway.result(request, watch)
        if guarded.finished.reason != "stop":
            raise FactsChanged(reason="cut")
        return writing.take(guarded.text, parts.gateway.generator.model)

    def _check(self, live: _Live, deadline: float) -> None:
        if live.cancelled.is_set():
            raise AnswerCancelled
        if time.monotonic() > deadline:
            raise ModelTooSlow(seconds=self._deadline_seconds)

    def _settle(self, live: _Live, future: "Future[None]") -> None:
        error = future.exception() if not future.cancelled() else None
        if error is not None or not live.snapshot.final:
            failure = Failure.of(TurnFailed(number=log_unforeseen(logger, "writing", error)))
            live.snapshot = replace(live.snapshot, state="failed", failure=failure)
        live.ended.set()


def pipeline_parts(pipelines: PipelineOf) -> PartsOf:
    """Return the parts of the answering pipelines by knowledge base and user: the same model and queue."""

    def parts(name: str, user: User) -> PipelineParts:
        pipeline = pipelines(name, user)
        if not isinstance(pipeline, Pipeline):
            raise TypeError(f"a {type(pipeline).__name__} has no parts")
        return pipeline.parts

    return parts


def _budget(writing: Writing, parts: PipelineParts) -> Budget:
    """Return the budget for a text, from its source's length and its growth."""
    source_tokens = parts.count_tokens(writing.source) * _MODEL_TOKENS_A_TOKEN
    return Budget(parts.settings.thinking_budget_tokens, int(source_tokens * writing.growth) + _SPARE_TOKENS)


class Translations:
    """Cached translations of passages, by (passage, language, model).  For many threads.

    They are not stored on the disk: not everybody may read every knowledge base.
    """

    def __init__(self, limit: int = _KEPT_TRANSLATIONS) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._texts: OrderedDict[tuple[bytes, Language, str], str] = OrderedDict()

    def get(self, text: str, language: Language, model: str) -> str:
        """Return a model's translation of a text; empty if there is none."""
        with self._lock:
            return self._texts.get((_digest(text), language, model), "")

    def keep(self, text: str, language: Language, model: str, translation: str) -> None:
        """Cache a translation; only the newest are kept."""
        with self._lock:
            self._texts[_digest(text), language, model] = translation
            self._texts.move_to_end((_digest(text), language, model))
            while len(self._texts) > self._limit:
                self._texts.popitem(last=False)


class PersonalRewritings:
    """Lets the model write for one user.  Every call checks ``who`` it is, and that they may see the turn.

    A writing is seen and stopped only by the user who began it.  Drafts are colleagues' work: a user for the public
    audience is refused with ``NotPermitted``.
    """

    def __init__(
        self,
        turns: PersonalTurns,
        writings: WritingService,
        translations: Translations,
        bases: KnowledgeBases,
        who: Callable[[], User],
    ) -> None:
        self._turns = turns
        self._writings = writings
        self._translations = translations
        self._bases = bases
        self._who = who

    def rewrite(self, token: str, turn_id: str, text: str, wish: Wish, *, tab: str = "") -> str:
        """Begin to rewrite the text of a turn's reply, and return the writing's id.

        ``translate`` is into the language of the turn's question.  Raises ``TurnMissing``, ``AccessDenied``, and
        ``RewritingUnusable`` if there is nothing to do.
        """
        turn = self._visible_turn(turn_id)
        return self._submit(token, turn, _rewriting(text, wish, turn), tab)

    def translate_passage(self, token: str, turn_id: str, number: int, language: Language, *, tab: str = "") -> str:
        """Begin to translate a passage of a turn, and return the writing's id.

        Raises ``TurnMissing``, ``AccessDenied``, and ``RewritingUnusable`` if it is in that language already.
        """
        turn = self._visible_turn(turn_id)
        passage = next((one for one in turn.evidence if one.number == number), None)
        if passage is None:
            raise RewritingUnusable(reason="empty")
        if passage.language == language:
            raise RewritingUnusable(reason="same_language")
        return self._submit(token, turn, _passage_translation(passage, language, self._translations), tab)

    def translations(self, turn_id: str, language: Language, model: str) -> dict[int, str]:
        """Return a model's earlier translations of the turn's passages, by their number.

        Raises ``TurnMissing`` or ``AccessDenied``.
        """
        texts = {
            passage.number: self._translations.get(passage.text, language, model)
            for passage in self._visible_turn(turn_id).evidence
            if passage.language != language
        }
        return {number: text for number, text in texts.items() if text}

    def snapshot(self, writing_id: str) -> WritingSnapshot:
        """Return a writing of one's own.  Raises ``TurnMissing``, also for others', or ``AccessDenied``."""
        user, writing = self._who(), self._writings.snapshot(writing_id)
        if writing.user != user.name:
            raise TurnMissing
        self._bases.require(user, writing.knowledge_base)
        return writing

    def cancel(self, writing_id: str) -> None:
        """Stop a writing of one's own; one that is gone is left alone.  Raises ``AccessDenied``."""
        try:
            self.snapshot(writing_id)
        except TurnMissing:
            return
        self._writings.cancel(writing_id)

    def _visible_turn(self, turn_id: str) -> TurnSnapshot:
        if self._who().audience == "public":
            raise NotPermitted(role="agent")
        turn = self._turns.snapshot(turn_id)
        if turn is None:
            raise TurnMissing
        return turn

    def _submit(self, token: str, turn: TurnSnapshot, writing: Writing, tab: str) -> str:
        user = self._who()
        return self._writings.submit(
            f"{user.name} {token}",
            writing,
            knowledge_base=turn.knowledge_base,
            user=user,
            owner=owner_of(user, tab),
            conversation=tab,
        )


def _rewriting(text: str, wish: Wish, turn: TurnSnapshot) -> Writing:
    """Return the rewriting task.  Raises ``RewritingUnusable``."""
    text = text.strip()
    if not any(character.isalnum() for character in text):
        raise RewritingUnusable(reason="empty")
    if len(text) > _LONGEST_CHARACTERS or len(split_sentences(text)) > _MOST_SENTENCES:
        raise RewritingUnusable(reason="long")
    if third_language(text):  # neither its facts nor its language could be checked
        raise RewritingUnusable(reason="third_language")
    language = text_language(text)
    wanted = turn.language if wish == "translate" else language
    if wish == "translate" and wanted == language:
        raise RewritingUnusable(reason="same_language")
    evidence = usable_evidence(turn.evidence) if wish == "longer" else ()
    if wish == "longer" and not evidence:
        raise RewritingUnusable(reason="nothing_to_add")

    def take(reply: str, model: str) -> str:
        new_text = unwrapped_text(reply, text)
        if wish == "translate":
            check_translated(text, new_text)
        else:
            check_rewritten(text, new_text, evidence, turn.question, may_leave_out=wish == "shorter")
        if new_text == text:
            raise FactsChanged(reason="same")
        return new_text

    messages = tuple(rewriting_messages(text, wish, language, evidence, turn.question))
    return Writing(messages, text, _GROWTH[wish], wanted, take)


def _passage_translation(passage: Evidence, language: Language, translations: Translations) -> Writing:
    text = passage.text.strip()

    def take(reply: str, model: str) -> str:
        new_text = unwrapped_text(reply, text)
        check_translated(text, new_text)
        translations.keep(passage.text, language, model, new_text)
        return new_text

    messages = tuple(rewriting_messages(text, "translate", passage.language))
    known = partial(translations.get, passage.text, language)
    return Writing(messages, text, _GROWTH["translate"], language, take, known)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
