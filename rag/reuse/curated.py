"""Curated answers: a person wrote or corrected them, and they are served without a model to the same question.

    curation = Curation.of(settings)
    kept = curation.write("How long is the warranty?", "Two years.", author="Lin", sources=[Place("warranty.md")])
    curation.answer("how long's the warranty", "en", Trace())     # every process sees it at once

An answer stops serving when a document that it rests on changes, is removed or expires; it is then listed for another
review.  Its question joins the regression questions, which the next ingest must not lose.

A wrong link, mail address or telephone number sends customers, and their money, to strangers, so at least these are
compared with the documents: ``UnknownContacts`` finds those that no document has.
"""

import logging
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Self

from rag.errors import CuratedMissing, CuratedUnusable, DatabaseUnavailable, KnowledgeError
from rag.evidence.packing import expired_on
from rag.grounding.citations import ground, with_restrictions
from rag.grounding.confirmation import evidence_for_audience, sentences_naming
from rag.grounding.contact_details import ContactDetail, detail_keys, possible_contact_details
from rag.retrieval.message import read_message
from rag.reuse.question_key import normalized_question
from rag.schema import Answer, Audience, Completed, Document, Evidence, Language, Origin, Retrieved, TextSpan
from rag.settings import ServerDatabase, Settings
from rag.storage.contact_details import ContactDetailTable
from rag.storage.curated import CuratedAnswer, CuratedAnswers, CuratedEvent, CuratedSource, CuratedState, NewCurated
from rag.storage.regression import RegressionQuestion, RegressionQuestions
from rag.storage.store import VISIBLE, KnowledgeStore
from rag.text.characters import without_invisible
from rag.text.language import question_language
from rag.text.sentences import split_sentences
from rag.tracing import Trace

_LOG = logging.getLogger(__name__)

_SHOWN_CHARACTERS = 1200
"""The part of a document named as a whole that is shown as evidence."""
_LONGEST_ANSWER_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Place:
    """A source of an answer: a stretch of a document, or the whole document if ``end`` is 0."""

    document_id: str
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """A whole answer without a model: the pipeline's events."""

    retrieved: Retrieved
    completed: Completed


class Curation:
    """Writes, reviews and serves the curated answers of one knowledge base.  Safe to use from many threads.

    With ``review``, which may be a function that is called each time, an answer waits until somebody approves it.
    ``today`` tells which rules have expired; ``questions`` is where desks share their regression questions.

    The author is responsible for the text; yet a sentence with a link, a mail address or a telephone number that no
    document of the knowledge base has is marked, as a model's would be.
    """

    def __init__(
        self,
        store: KnowledgeStore,
        answers: CuratedAnswers,
        *,
        review: bool | Callable[[], bool] = False,
        today: Callable[[], date] = date.today,
        questions: ServerDatabase | None = None,
    ) -> None:
        self._store = store
        self._answers = answers
        self._review = review if callable(review) else lambda: review
        self._contacts = UnknownContacts(store)
        self._today = today
        self._questions = questions

    @classmethod
    def of(
        cls,
        settings: Settings,
        store: KnowledgeStore | None = None,
        *,
        people_sign_in: Callable[[], bool] = lambda: False,
    ) -> Self:
        """Return the curated answers of the settings' knowledge base; nothing is read or created before it is needed.

        ``people_sign_in`` decides about the review if the settings leave it open.
        """
        store = store or KnowledgeStore(settings.knowledge_dir)
        review = people_sign_in if settings.curated_review == "auto" else settings.curated_review == "on"
        answers = CuratedAnswers(store.folder, settings.answers_database)
        return cls(store, answers, review=review, questions=settings.questions_database)

    @property
    def waits_for_review(self) -> bool:
        """Whether an answer that is written now serves only after a review."""
        return self._review()

    def answer(
        self, question: str, language: Language, trace: Trace, audience: Audience = "internal"
    ) -> StoredAnswer | None:
        """Return the answer to the same question; None if there is none, or it may not serve any more.

        The ``public`` audience has none that rests on an internal document, or names an unconfirmed address.
        """
        with trace.span("search"):
            curated = self._serving_answer(question)
            reason = self._expiry_reason(curated) if curated is not None else ""
            if curated is None or reason:
                if curated is not None:
                    self._answers.expire(curated.number, reason)
                return None
            generation = self._store.require_generation()
            evidence = self._evidence(curated, generation)
            if audience == "public" and any(passage.audience == "internal" for passage in evidence):
                return None
            marked = self.doubtful_sentences(curated.kept.answer, generation)
            unconfirmed = tuple(one for one in self.unconfirmed_sentences(curated.kept.answer) if one not in marked)
            details = ContactDetailTable(self._store)
            is_doubted = bool(details.recorded_unconfirmed(detail_keys(curated.kept.answer)))
            if audience == "public" and (unconfirmed or is_doubted):
                return None
            keys = details.unconfirmed_of([one.document_id for one in evidence], generation)
            evidence = evidence_for_audience(audience, evidence, keys)
            retrieved = Retrieved(evidence, True, 1.0, generation)
        served = _build_answer(curated, question, language, retrieved, marked, trace)
        if not unconfirmed:
            return served
        answer = replace(served.completed.answer, unconfirmed=unconfirmed)
        return replace(served, completed=replace(served.completed, answer=answer))

    def doubtful_sentences(self, answer: str, generation: int = 0) -> tuple[TextSpan, ...]:
        """Return the sentences with a link, a mail address or a number to call that no document has.

        ``generation`` 0 is the one that serves now.  Raises ``KnowledgeBaseMissing``.
        """
        unknown = self._contacts.of(answer, generation or self._store.require_generation())
        if not unknown:
            return ()
        return tuple(span for span in split_sentences(answer) if contacts_in(answer[span.start : span.end]) & unknown)

    def unconfirmed_sentences(self, answer: str) -> tuple[TextSpan, ...]:
        """Return the sentences with an address that nobody has confirmed, whether a document has it or none."""
        new = ContactDetailTable(self._store).filter_unconfirmed(sorted(detail_keys(answer)))
        return sentences_naming(answer, new) if new else ()

    def write(
        self,
        question: str,
        answer: str,
        *,
        author: str,
        sources: Sequence[Place] = (),
        valid_until: date | None = None,
        reviewed: bool = False,
        language: Language | None = None,
    ) -> CuratedAnswer:
        """Keep a person's answer; it serves from now on, or waits for a review, unless it is ``reviewed`` already.

        ``language`` is the question's; None: it is recognised.
        Raises ``CuratedUnusable`` for an empty or overlong text, for a document that is not there, and for a last day
        that is over.
        """
        question, answer = without_invisible(question).strip(), without_invisible(answer).strip()
        if not question or not answer:
            raise CuratedUnusable(reason="empty")
        if len(answer) > _LONGEST_ANSWER_CHARACTERS:
            raise CuratedUnusable(reason="long")
        self._require_day(valid_until)
        generation = self._store.require_generation()
        new = NewCurated(
            form=normalized_question(question),
            question=question,
            language=language or question_language(question),
            answer=answer,
            author=author,
            generation=generation,
            sources=tuple(self.source_of(place) for place in sources),
            valid_until=valid_until,
        )
        written = self._answers.add(new, "waiting" if self._review() and not reviewed else "serving")
        self._join_regression()
        return written

    def approve(self, number: int, person: str) -> None:
        """Let a waiting or expired answer serve, based on its documents as they are now.

        Raises ``CuratedMissing``, and ``CuratedUnusable`` if one of its documents is gone, or its last day is over.
        """
        curated = self._get(number)
        self._require_day(curated.kept.valid_until)
        generation = self._store.require_generation()
        sources = [self.source_of(Place(one.document_id, one.start, one.end)) for one in curated.kept.sources]
        self._answers.approve(number, person, sources, generation)
        self._join_regression()

    def successor(self, number: int) -> CuratedAnswer | None:
        """Return the serving answer that took a retired one's place; None without one.  Raises ``CuratedMissing``.

        An answer that was changed may have another question since; the history then has its number.
        """
        curated = self._get(number)
        last = next(reversed(self.history(number)), None)
        if curated.state != "retired" or last is None:
            return None
        if last.what == "replaced":
            return self._answers.serving(curated.kept.form)
        named = _SUCCESSOR.fullmatch(last.note)
        if named is None:
            return None
        changed = self._get(int(named["number"]))  # the higher one: this ends
        return changed if changed.state == "serving" else self.successor(changed.number)

    def retire_for(self, number: int, person: str, successor: int) -> None:
        """Stop serving an answer for another that was made of it.  Raises ``CuratedMissing``."""
        self.retire(number, person, f"→ {successor}")

    def retire(self, number: int, person: str, note: str = "") -> None:
        """Stop serving an answer.  Raises ``CuratedMissing``."""
        self._get(number)
        self._answers.retire(number, person, note)

    def all(self, state: CuratedState | None = None) -> list[CuratedAnswer]:
        """Return the answers in a state, or all, newest first, after expiring those with changed sources."""
        for one in self._answers.all("serving"):
            reason = self._expiry_reason(one)
            if reason:
                self._answers.expire(one.number, reason)
        return self._answers.all(state)

    def history(self, number: int) -> list[CuratedEvent]:
        """Return the history of an answer, oldest first."""
        return self._answers.events(number)

    def close(self) -> None:
        """Close the connections of all threads; the next call opens new ones."""
        self._answers.close()
        self._store.close()

    def _require_day(self, last_day: date | None) -> None:
        if self._is_over(last_day):
            raise CuratedUnusable(reason="over", where=f"{last_day}")

    def _is_over(self, last_day: date | None) -> bool:
        return last_day is not None and last_day < self._today()

    def _get(self, number: int) -> CuratedAnswer:
        try:
            return self._answers.get(number)
        except KeyError as error:
            raise CuratedMissing(number=number) from error

    def _serving_answer(self, question: str) -> CuratedAnswer | None:
        """Return the answer that serves a question, or a mail by what it says; None also if no server answers."""
        forms = dict.fromkeys(normalized_question(text) for text in (question, read_message(question).text))
        try:
            return next(filter(None, map(self._answers.serving, forms)), None)
        except DatabaseUnavailable as error:
            _LOG.warning("curated answers cannot be asked for: %s", type(error).__name__)
            return None

    def _expiry_reason(self, curated: CuratedAnswer) -> str:
        """Return which document ended the answer, or its own last day; empty while it may serve."""
        last_day = curated.kept.valid_until
        if self._is_over(last_day):
            return f"{last_day}"
        generation = self._store.require_generation()
        for source in curated.kept.sources:
            digest = self._digest(source.document_id, generation)
            if digest != source.content_hash:
                return source.document_id
            if expired_on(self._store.document(source.document_id, generation), self._today()) is not None:
                return source.document_id
        return ""

    def source_of(self, place: Place) -> CuratedSource:
        """Return the place with its document's present content.  Raises ``CuratedUnusable`` if there is none."""
        generation = self._store.require_generation()
        digest = self._digest(place.document_id, generation)
        if digest is None:
            raise CuratedUnusable(reason="no_document", where=place.document_id)
        length = len(self._store.document(place.document_id, generation).text)
        end = min(place.end or _SHOWN_CHARACTERS, length)
        return CuratedSource(place.document_id, digest, min(place.start, end), end)

    def _digest(self, document_id: str, generation: int) -> bytes | None:
        with self._store.reading() as connection:
            row = connection.execute(
                f"SELECT content_hash FROM document WHERE document_id = :id AND {VISIBLE.format('document')}",
                {"id": document_id, "generation": generation},
            ).fetchone()
        return None if row is None else bytes(row[0])

    def _evidence(self, curated: CuratedAnswer, generation: int) -> tuple[Evidence, ...]:
        return tuple(
            _passage(number, self._store.document(source.document_id, generation), source)
            for number, source in enumerate(curated.kept.sources, start=1)
        )

    def _join_regression(self) -> None:
        """Add the serving questions to the regression questions; during an ingest, the next answer retries it."""
        questions = RegressionQuestions(self._store, self._questions)
        for one in self._answers.all("serving"):
            documents = tuple(dict.fromkeys(source.document_id for source in one.kept.sources))
            if one.gated or not documents:
                continue
            try:
                questions.add(
                    RegressionQuestion(
                        one.kept.question,
                        one.kept.language,
                        documents,
                        origin="correction",
                        answers=(one.kept.answer,),
                    )
                )
            except KnowledgeError as error:
                _LOG.warning("a curated question does not gate ingests yet: %s", type(error).__name__)
                return
            self._answers.mark_gated(one.number)


def _passage(number: int, document: Document, source: CuratedSource) -> Evidence:
    return Evidence(
        number=number,
        document_id=document.document_id,
        document_path=document.path,
        title=document.title,
        heading_path=(),
        text=document.text[source.start : source.end],
        start=source.start,
        end=source.end,
        focus_start=source.start,
        focus_end=source.end,
        language=document.language,
        updated_on=document.updated_on,
        audience=document.audience,
        source=document.source,
        sent=(TextSpan(source.start, source.end),),
    )


def _build_answer(
    curated: CuratedAnswer,
    question: str,
    language: Language,
    retrieved: Retrieved,
    marked: tuple[TextSpan, ...],
    trace: Trace,
) -> StoredAnswer:
    kept, evidence = curated.kept, retrieved.evidence
    with trace.span("citations"):
        doubtful = {span.start for span in marked}
        found = ground(kept.answer, evidence, question).citations if evidence else ()
        sound = tuple(one for one in found if one.start not in doubtful)
        citations = with_restrictions(kept.answer, sound, evidence, question)
    trace.record("total", trace.elapsed_ms())
    answer = Answer(
        text=kept.answer,
        language=language,
        refused=False,
        thinking="",
        citations=citations,
        unsupported=marked,  # the author is responsible for everything else
        spans=trace.spans(),
        model="",
        stand_in=False,
        generation=retrieved.generation,
        lane="curated",
        origin=Origin(curated.written_at.isoformat(), kept.generation, kept.author, curated.number),
    )
    return StoredAnswer(retrieved, Completed(answer))


_SUCCESSOR = re.compile(r"→ (?P<number>\d{1,18})")
_SCHEME = re.compile(r"^\w+://(?:www\.)?")
_PATH = re.compile(r"(?::\d+)?[/?#][^\s)>\]\"'”，。；、）」]*")
_REMEMBERED = 2000
_BETWEEN_DIGITS = (" ", "-", "–", "(", ")", "/", ".", "·")


def contacts_in(text: str) -> frozenset[str]:
    """Return the contacts in a text, normalised: links without their scheme, numbers as digits alone.

    >>> sorted(contacts_in("Call +49 (30) 123-4567 until 2026-01-31, or see https://www.shop.example/Help/."))
    ['49301234567', 'shop.example/help']
    """
    text = unicodedata.normalize("NFKC", text)
    return frozenset(_search_form(one, text) for one in possible_contact_details(text) if one.kind != "directive")


class UnknownContacts:
    """Finds contacts that no document of a knowledge base has; caches the result for a generation."""

    def __init__(self, store: KnowledgeStore) -> None:
        self._store = store
        self._known: dict[tuple[int, str], bool] = {}

    def of(self, text: str, generation: int) -> frozenset[str]:
        """Return the contacts of a text that no document of the generation has, in its text or as its source."""
        return frozenset(contact for contact in contacts_in(text) if not self._is_known(contact, generation))

    def _is_known(self, contact: str, generation: int) -> bool:
        key = (generation, contact)
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = self._is_in_documents(contact, generation)
        return self._known[key]

    def _is_in_documents(self, contact: str, generation: int) -> bool:
        text = "text"
        is_number = contact.isalnum() and any(map(str.isdecimal, contact))  # an IBAN has letters, too
        for sign in _BETWEEN_DIGITS if is_number else ():
            text = f"replace({text}, '{sign}', '')"
        with self._store.reading() as connection:
            row = connection.execute(
                f"SELECT 1 FROM document WHERE {VISIBLE.format('document')} "
                f"AND (instr(lower({text}), :contact) OR instr(lower(source), :contact)) LIMIT 1",
                {"generation": generation, "contact": contact},
            ).fetchone()
        return row is not None


def _search_form(detail: ContactDetail, text: str) -> str:
    """Return an address as it is searched in documents: in small letters, a link with its path."""
    name = detail.key.partition(" ")[2].lower()
    if detail.kind != "host":
        return name
    written = text[detail.start : detail.end].lower()
    path = _PATH.match(text, detail.end)
    place = _SCHEME.sub("", written) if "://" in written else name
    return (place + (path.group().lower() if path else "")).rstrip("/.,;:!?")
