"""The verified cache: a question that was answered before, of the same knowledge base and by the same model.

An answer is given again only where the question is the same in content (``question_key.py``), the knowledge base is at
the same generation, and all else that an answer rests on is the same: model, prompts, settings, the glossary's words,
the calibration, the audience.  Only answers that are supported throughout are kept: every sentence cited, none from a
passage that is internal or not in force, no passages at odds, no address that nobody has confirmed, nothing that was
cut.
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
        # the other lanes
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
    """The cache of one knowledge base.  Safe to use from many threads; other processes share what it keeps.

    Which model answers when none is named in the settings is known from this process's own answers; until the first of
    them, those of the model that answered last are given.
    """

    def __init__(
        self,
        store: KnowledgeStore,
        kept: CachedAnswers,
        settings: Settings,
        *,
        today: Callable[[], date] = date.today,
    ) -> None:
        self._store = store
        self._kept = kept
        self._limit = settings.cached_answers
        self._answer_budget_tokens = settings.answer_budget_tokens
        self._today = today
        self._asked = _asked(settings)
        self._model = ""

    @classmethod
    def of(cls, settings: Settings, store: KnowledgeStore) -> "AnswerCache":
        """Return the cache of a knowledge base; nothing is made before there is something to keep."""
        return cls(store, CachedAnswers(store.folder), settings)

    def answer(
        self, question: str, think: bool | None, trace: Trace, audience: Audience = "internal"
    ) -> StoredAnswer | None:
        """Return the answer that the same question had; None where it must be answered anew."""
        if self._limit == 0:
            return None
        with trace.span("search"):
            generation = self._store.require_generation()
            found = self._kept.get(self._key(question, think, generation, audience), self._model)
        if found is None or (found.last_day is not None and found.last_day < self._today()):
            return None
        trace.record("total", trace.elapsed_ms())
        origin = Origin(found.made_at.isoformat(), found.answer.generation)
        answer = replace(found.answer, spans=trace.spans(), thinking="", lane="cached", origin=origin)
        return StoredAnswer(Retrieved(found.evidence, True, 1.0, generation), Completed(answer))

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
        whole = 0 < completed.generated_tokens < self._answer_budget_tokens
        if self._limit == 0 or not whole or not _is_well_supported(answer, evidence):
            return False
        days = [last_day_of(self._store.document(one.document_id, answer.generation)) for one in evidence]
        days += [one.starts_on - timedelta(days=1) for one in evidence if one.starts_on is not None]
        last_day = min((day for day in days if day is not None and day >= self._today()), default=None)
        found = CachedAnswer(answer, tuple(evidence), datetime.now(UTC), last_day)
        self._kept.keep(self._key(question, think, answer.generation, audience), found, self._limit)
        return True

    def _key(self, question: str, think: bool | None, generation: int, audience: Audience) -> CacheKey:
        """Return the key: what was answered for colleagues may rest on what customers must not read.

        Customers read only what is confirmed, so each confirmation has answers of its own for them.
        """
        rests_on = [*self._asked, read_calibration(self._store.folder)]  # a new calibration holds from now on
        profile = hashlib.sha256(json.dumps(rests_on, sort_keys=True).encode()).hexdigest()[:24]
        asked = f"{profile} think={think}"
        if audience == "public":
            latest = ContactDetailTable(self._store).latest()
            asked += f" audience=public confirmed={latest.at.isoformat() if latest is not None else None}"
        return CacheKey(normalized_question(question), asked, generation)


def _is_well_supported(answer: Answer, evidence: Sequence[Evidence]) -> bool:
    if answer.lane not in ("model", "quotation") or answer.instead_of or answer.by_words_alone:
        return False
    if answer.unsupported or answer.unconfirmed or answer.left_open or answer.conflicts or not answer.citations:
        return False
    if answer.third_language:  # only its figures were compared
        return False
    doubtful = [passage for passage in evidence if not passage.may_be_passed_on]
    return not any(_is_from(citation, passage) for citation in answer.citations for passage in doubtful)


def _is_from(citation: Citation, passage: Evidence) -> bool:
    return citation.document_id == passage.document_id and passage.start <= citation.quote_start < passage.end


def _asked(settings: Settings) -> tuple[object, ...]:
    """Return what an answer depends on beside its question, as JSON has it.  Raises ``GlossaryUnusable``."""
    return (
        settings.model_dump(mode="json", exclude=set(NEVER_MATTERS)),
        prompt_texts(),
        glossary_of(settings.glossary, settings.knowledge_dir).sets,
    )


class AnswerSources:
    """Looks for an answer that is there already, and keeps new ones."""

    def __init__(self, curation: Curation, cache: AnswerCache | None = None) -> None:
        self._curation = curation
        self._cache = cache

    def served(
        self, question: str, language: Language, think: bool | None, trace: Trace, audience: Audience = "internal"
    ) -> StoredAnswer | None:
        """Return the whole answer, or None where the question must be answered anew.

        An answer of the model's is given again only to who asks for a thought, or for none, as it was asked for then.
        The ``public`` audience is given nothing that rests on an internal document, or was answered for colleagues.
        """
        try:
            found = self._curation.answer(question, language, trace, audience)
        except KnowledgeError as error:
            _LOG.warning("curated answers are passed by: %s", type(error).__name__)
            found = None
        if found is not None or self._cache is None:
            return found
        try:
            return self._cache.answer(question, think, trace, audience)
        except KnowledgeError as error:
            _LOG.warning("the cache is passed by: %s", type(error).__name__)
            return None

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
