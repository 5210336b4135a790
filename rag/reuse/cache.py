"""The verified cache: a question that was answered before, of the same knowledge base and by the same model.

An answer is given again only if the question has the same content (``question_key.py``), the knowledge base is at the
same generation, and everything else that an answer depends on is the same: model, prompts, settings, the glossary's
words, the calibration, the audience.  Only fully supported answers are cached: every sentence cited, none from an
internal passage or one not in force, no conflicts, no unconfirmed address, nothing cut.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from rag.errors import KnowledgeError
from rag.evidence.packing import last_day_of
from rag.generation.prompt import prompt_texts
from rag.retrieval.query import glossary_of
from rag.reuse.curated import Curation, StoredAnswer
from rag.reuse.question_key import normalized_question
from rag.schema import Answer, Audience, Citation, Completed, Evidence, Language, Origin, Retrieved
from rag.settings import Settings
from rag.storage.cached import CachedAnswer, CachedAnswers, CacheKey
from rag.storage.calibration import read_calibration
from rag.storage.contact_details import ContactDetailTable
from rag.storage.store import KnowledgeStore
from rag.tracing import Trace

NEVER_MATTERS = frozenset(
    {
        # where things are kept, and who may come in
        "data_dir",
        "cache_dir",
        "database_url",
        "blob_url",
        "vector_url",
        "knowledge_base",
        "sign_in",
        "sign_in_hours",
        "turn_retention_days",
        "sign_in_idle_hours",
        "unverified_email",
        "host_names",
        "trusted_proxies",
        "tabs_per_person",
        "uploads_per_person_megabytes",
        "user_name",
        "metrics_port",
        "otlp_endpoint",
        # how fast, and how long is waited; what was cut short is not kept
        "parallel_slots",
        "gpu_layers",
        "flash_attention",
        "batch_tokens",
        "model_threads",
        "keep_alive_seconds",
        "first_token_timeout_seconds",
        "token_timeout_seconds",
        "max_waiting",
        "wait_limit_seconds",
        "person_searches",
        "person_waiting",
        "person_questions_a_minute",
        "person_files_at_once",
        "person_upload_files_a_day",
        "person_upload_megabytes_a_day",
        "embedder_threads",
        # what it makes of a picture is part of the question, or of a generation
        "vision_model",
        # the other answer sources
        "curated_review",
        "cached_answers",
        # what a generation is made with, which has its number
        "chunk_tokens",
        "gate_margin",
        "document_limit_megabytes",
        "unpacked_limit_megabytes",
        "archive_limit_entries",
        "archive_limit_depth",
        "ocr_limit_pages",
        "figure_limit",
        "picture_limit_megapixels",
        "exact_search_chunks",
        "index_merge_share",
        "reading_timeout_seconds",
        "cutting_timeout_seconds",
        "reading_memory_megabytes",
        "ocr_memory_megabytes",
        "readers_memory_megabytes",
        "follow_links",
        "ingest_workers",
        "passwords_file",
        # its words count, wherever they stand
        "glossary",
    }
)
"""The settings that cannot change an answer.  All others, new ones too, are part of the key."""

_LOG = logging.getLogger(__name__)


class AnswerCache:
    """The cache of one knowledge base, shared by all processes.  Safe to use from many threads.

    If the settings name no model, this process learns it from its own answers; before the first of them, answers of the
    model that answered last are given.
    """

    def __init__(
        self,
        store: KnowledgeStore,
        answers: CachedAnswers,
        settings: Settings,
        *,
        today: Callable[[], date] = date.today,
    ) -> None:
        self._store = store
        self._answers = answers
        self._limit = settings.cached_answers
        self._today = today
        self._answer_inputs = _answer_inputs(settings)
        self._model = ""

    @classmethod
    def of(cls, settings: Settings, store: KnowledgeStore) -> "AnswerCache":
        """Return the cache of a knowledge base; nothing is created before the first answer is kept."""
        return cls(store, CachedAnswers(store.folder), settings)

    def answer(
        self, question: str, think: bool | None, trace: Trace, audience: Audience = "internal"
    ) -> StoredAnswer | None:
        """Return the cached answer to the same question; None if it must be answered again."""
        if self._limit == 0:
            return None
        with trace.span("search"):
            generation = self._store.require_generation()
            cached = self._answers.get(self._key(question, think, generation, audience), self._model)
        if cached is None or (cached.last_day is not None and cached.last_day < self._today()):
            return None
        trace.record("total", trace.elapsed_ms())
        origin = Origin(cached.made_at.isoformat(), cached.answer.generation)
        answer = replace(cached.answer, spans=trace.spans(), thinking="", lane="cached", origin=origin)
        return StoredAnswer(Retrieved(cached.evidence, True, 1.0, generation), Completed(answer))

    def keep(
        self,
        question: str,
        think: bool | None,
        evidence: Sequence[Evidence],
        completed: Completed,
        audience: Audience = "internal",
    ) -> bool:
        """Keep an answer if it may be given again; return whether it was."""
        answer = completed.answer
        if answer.model:
            self._model = answer.model
        whole = completed.generated_tokens > 0 and completed.finish_reason == "stop"
        if self._limit == 0 or not whole or not _is_well_supported(answer, evidence):
            return False
        days = [last_day_of(self._store.document(one.document_id, answer.generation)) for one in evidence]
        days += [one.starts_on - timedelta(days=1) for one in evidence if one.starts_on is not None]
        last_day = min((day for day in days if day is not None and day >= self._today()), default=None)
        cached = CachedAnswer(answer, tuple(evidence), datetime.now(UTC), last_day)
        self._answers.keep(self._key(question, think, answer.generation, audience), cached, self._limit)
        return True

    def _key(self, question: str, think: bool | None, generation: int, audience: Audience) -> CacheKey:
        """Return the key: answers for colleagues may rest on what customers must not read.

        Customers read only what is confirmed, so each confirmation starts new answers for them.
        """
        inputs = [*self._answer_inputs, read_calibration(self._store.folder)]  # a new calibration changes the key
        profile = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:24]
        profile_key = f"{profile} think={think}"
        if audience == "public":
            latest = ContactDetailTable(self._store).latest()
            profile_key += f" audience=public confirmed={latest.at.isoformat() if latest is not None else None}"
        return CacheKey(normalized_question(question), profile_key, generation)


def _is_well_supported(answer: Answer, evidence: Sequence[Evidence]) -> bool:
    if answer.lane != "model" or answer.by_words_alone:
        return False
    if answer.unsupported or answer.unconfirmed or answer.left_open or answer.conflicts or not answer.citations:
        return False
    if answer.third_language:  # only its figures were compared
        return False
    doubtful = [passage for passage in evidence if not passage.may_be_passed_on]
    return not any(_is_from(citation, passage) for citation in answer.citations for passage in doubtful)


def _is_from(citation: Citation, passage: Evidence) -> bool:
    return citation.document_id == passage.document_id and passage.start <= citation.quote_start < passage.end


def _answer_inputs(settings: Settings) -> tuple[object, ...]:
    """Return what an answer depends on beside its question, for JSON.  Raises ``GlossaryUnusable``."""
    return (
        settings.model_dump(mode="json", exclude=set(NEVER_MATTERS)),
        prompt_texts(),
        glossary_of(settings.glossary, settings.knowledge_dir).sets,
    )


class AnswerSources:
    """Looks up curated and cached answers, and caches new ones."""

    def __init__(self, curation: Curation, cache: AnswerCache | None = None) -> None:
        self._curation = curation
        self._cache = cache

    def find(
        self, question: str, language: Language, think: bool | None, trace: Trace, audience: Audience = "internal"
    ) -> StoredAnswer | None:
        """Return the whole answer, or None if the question must be answered again.

        A model's answer is given again only for the same thinking mode.  The ``public`` audience gets nothing from an
        internal document or answered for colleagues.
        """
        try:
            curated = self._curation.answer(question, language, trace, audience)
        except KnowledgeError as error:
            _LOG.warning("curated answers are passed by: %s", type(error).__name__)
            curated = None
        if curated is not None or self._cache is None:
            return curated
        try:
            cached = self._cache.answer(question, think, trace, audience)
        except KnowledgeError as error:
            _LOG.warning("the cache is passed by: %s", type(error).__name__)
            return None
        is_readable = cached is not None and cached.completed.answer.language == language  # "E07" has none of its own
        return cached if is_readable else None

    def keep(
        self,
        question: str,
        think: bool | None,
        evidence: Sequence[Evidence],
        completed: Completed,
        audience: Audience = "internal",
    ) -> None:
        """Keep an answer that may be given again to the audience that it was made for."""
        if self._cache is None:
            return
        try:
            self._cache.keep(question, think, evidence, completed, audience)
        except KnowledgeError as error:
            _LOG.warning("an answer was not cached: %s", type(error).__name__)
