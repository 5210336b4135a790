"""Builds a pipeline: the only module that names concrete adapters."""

import logging
from collections.abc import Callable, Collection
from dataclasses import replace

from rag.generation.answerability import answerability_fit_of
from rag.generation.gateway import ModelGateway
from rag.generation.hosted_generator import HostedGenerator
from rag.generation.oom_fallback import FallbackGenerator
from rag.generation.picture_description import PictureDescriber
from rag.ollama.hosts import choose_model, hosts_of
from rag.ollama.server import ServerStart
from rag.ollama.vision import vision_settings
from rag.pipeline import Pipeline, PipelineParts
from rag.protocols import Embedder
from rag.queue.admission import Admission
from rag.retrieval.embedder import SearchModels
from rag.retrieval.late_interaction import SentenceSimilarity
from rag.retrieval.retriever import Retriever
from rag.reuse.cache import AnswerCache, AnswerSources
from rag.reuse.curated import Curation
from rag.settings import Settings, load_settings
from rag.storage.access import access_to, require_access
from rag.storage.sharing import catch_up
from rag.storage.store import KnowledgeStore
from rag.telemetry.traced_pipeline import TracedPipeline, span_export
from rag.text.statements import chinese_places

_LOG = logging.getLogger(__name__)


def build_pipeline(
    settings: Settings | None = None,
    scopes: Collection[str] | None = None,
    embedder: Embedder | None = None,
    models: SearchModels | None = None,
    on_server_start: Callable[[], object] = lambda: None,
) -> Pipeline:
    """Return the pipeline of these settings, or of the environment's, for a reader who holds ``scopes``; None: for any.

    Pipelines share the models that ``models`` has loaded; an ``embedder`` alone serves what it has embedded itself.
    The model server is looked for, and started where it can be, at the first question that needs it, after
    ``on_server_start``; it outlives this process.

    Raises ``KnowledgeBaseMissing``, ``AccessDenied``, ``EmbedderMissing`` or another ``KnowledgeError``.
    """
    settings = settings or load_settings()
    if problem := catch_up(settings):
        _LOG.warning("knowledge base %s is not taken over: %s", settings.knowledge_base, type(problem).__name__)
    store = KnowledgeStore(settings.knowledge_dir)
    answer_sources = AnswerSources(Curation.of(settings, store), AnswerCache.of(settings, store))
    parts = build_parts(settings, store, scopes, embedder, models)
    gateway = replace(parts.gateway, ensure_server=ServerStart(settings, on_server_start))
    parts = replace(parts, answer_sources=answer_sources, gateway=gateway)
    export = span_export(settings)
    return Pipeline(parts) if export is None else TracedPipeline(parts, export)


def build_parts(
    settings: Settings,
    store: KnowledgeStore,
    scopes: Collection[str] | None = None,
    embedder: Embedder | None = None,
    models: SearchModels | None = None,
) -> PipelineParts:
    """Return the parts of a pipeline over ``store``, which may differ from the settings'; without answer sources.

    Errors are those of ``build_pipeline``.
    """
    store.require_generation()
    require_access(access_to(store), settings.knowledge_base, scopes)
    models = models or SearchModels(settings)
    other_embedder = None
    if embedder is None:
        embedder, other_embedder = models.of_knowledge_base(store), models.of
    generator = _generator(settings)
    return PipelineParts(
        settings=settings,
        store=store,
        retriever=Retriever(store, embedder, settings, other_embedder=other_embedder, reranker=models.reranker()),
        gateway=_gateway(settings, generator),
        count_tokens=embedder.count_tokens,
        sentence_likeness=SentenceSimilarity(store, embedder, other_embedder=other_embedder).likeness,
        reading_fit=lambda model: answerability_fit_of(store.folder, model),
        warm_ups=(lambda: embedder.embed_queries(["warm"]), lambda: chinese_places("北京"), generator.warm),
    )


def build_gateway(settings: Settings) -> ModelGateway:
    """Return the way to the model of these settings, for work that needs no knowledge base."""
    return _gateway(settings, _generator(settings))


def picture_describer(settings: Settings) -> PictureDescriber | None:
    """Return the describer of pictures, which uses the common queue; None if no vision model is set."""
    if not settings.vision_model:
        return None
    return PictureDescriber(build_gateway(vision_settings(settings)), most_waiting=settings.person_waiting)


def _generator(settings: Settings) -> FallbackGenerator | HostedGenerator:
    hosts = hosts_of(settings)
    return (
        FallbackGenerator(settings, lambda: choose_model(settings))
        if hosts is None
        else HostedGenerator(settings, hosts)
    )


def _gateway(settings: Settings, generator: FallbackGenerator | HostedGenerator) -> ModelGateway:
    return ModelGateway(
        generator,
        Admission.of(settings),
        ensure_server=ServerStart(settings),
        generator_of=generator.for_host if isinstance(generator, HostedGenerator) else None,
        context_tokens=lambda: generator.context_tokens,
    )
