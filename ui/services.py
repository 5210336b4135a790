"""What the pages call: made once for the whole program, shared by all browsers, safe from many threads."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Literal

import streamlit as st

from rag.errors import AnswerdeskError, ModelMissing, OllamaUnavailable
from rag.schema import Language
from rag.settings import Settings, load_settings
from rag.storage.store import KnowledgeStore
from rag.storage.turn_store import TurnStore
from rag.turns import AnswerPipeline, OnceBuilt, TurnService

logger = logging.getLogger(__name__)

_MODEL_LOOK_EVERY_SECONDS = 5.0
_FIRST_LOOK_SECONDS = 0.3
_MORE_WORKERS_THAN_THE_LINE = 4


@dataclass(frozen=True, slots=True)
class KnowledgeState:
    """The published knowledge base; ``generation`` 0 and ``published_at`` None: there is none."""

    generation: int = 0
    published_at: datetime | None = None
    documents: int = 0
    passages: int = 0


@dataclass(frozen=True, slots=True)
class ModelState:
    """The model that would answer now.  ``name`` is empty where none is known."""

    kind: Literal["starting", "ready", "down", "missing"] = "starting"
    name: str = ""
    stand_in: bool = False


@dataclass(frozen=True, slots=True)
class Topic:
    """A title of the knowledge base, to try the desk with."""

    title: str
    language: Language


@dataclass(frozen=True, slots=True)
class DeskServices:
    """None of these waits for an embedder or a model."""

    turns: TurnService
    knowledge: Callable[[], KnowledgeState]
    model: Callable[[], ModelState]
    topics: Callable[[Language], tuple[Topic, ...]]


class ModelWatch:
    """Looks at the model server in the background, when somebody asks and the last look is old."""

    def __init__(self, look: Callable[[], ModelState]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._state = ModelState()
        self._looked = threading.Event()
        self._due_at = 0.0

    def __call__(self) -> ModelState:
        """Return what was last seen; only the very first call waits, for 0.3 s at the most."""
        with self._lock:
            due = time.monotonic() >= self._due_at
            if due:
                self._due_at = time.monotonic() + _MODEL_LOOK_EVERY_SECONDS
        if due:
            threading.Thread(target=self._refresh, name="model-watch", daemon=True).start()
        self._looked.wait(_FIRST_LOOK_SECONDS)
        return self._state

    def _refresh(self) -> None:
        self._state = self._look()
        self._looked.set()


def open_services(settings: Settings) -> DeskServices:
    """Make the services for these settings, and begin to warm them in the background."""
    pipeline = OnceBuilt(lambda: _build(settings))
    store = KnowledgeStore(settings.knowledge_dir)
    workers = settings.parallel_slots + settings.max_waiting + _MORE_WORKERS_THAN_THE_LINE
    services = DeskServices(
        turns=TurnService(pipeline, TurnStore(settings.turns_path), workers),
        knowledge=lambda: _knowledge(store),
        model=ModelWatch(lambda: _look_at_model(settings)),
        topics=lambda language: _topics(store, language),
    )
    threading.Thread(target=_warm, args=(pipeline, services), name="warm", daemon=True).start()
    return services


@st.cache_resource(show_spinner=False)
def shared_services() -> DeskServices:
    """Return the program's one set of services."""
    return open_services(load_settings())


def _build(settings: Settings) -> AnswerPipeline:
    from rag.factory import build_pipeline  # brings the embedder and the indexes: seconds that the page must not wait

    return build_pipeline(settings)


def _warm(pipeline: Callable[[], AnswerPipeline], services: DeskServices) -> None:
    from rag.pipeline import Pipeline

    services.model()
    started_at = time.monotonic()
    try:
        built = pipeline()
        if isinstance(built, Pipeline):
            built.warm()
    except AnswerdeskError as error:
        logger.warning("not warm yet: %s", type(error).__name__)
    else:
        logger.info("warm after %.1f s", time.monotonic() - started_at)


def _knowledge(store: KnowledgeStore) -> KnowledgeState:
    generation = store.current_generation()
    if generation == 0:
        return KnowledgeState()
    info = store.generation_info(generation)
    return KnowledgeState(generation, info.published_at, info.document_count, info.chunk_count)


def _topics(store: KnowledgeStore, language: Language) -> tuple[Topic, ...]:
    """Take titles from all over the knowledge base, in the page's language while there are any."""
    generation = store.current_generation()
    return _topics_of(store, generation, language) if generation else ()


@lru_cache(maxsize=8)
def _topics_of(store: KnowledgeStore, generation: int, language: Language) -> tuple[Topic, ...]:
    rows = store.documents(generation)
    chosen = [row for row in rows if row.language == language] or rows
    step = max(1, len(chosen) // 3)
    return tuple(Topic(row.title, row.language) for row in chosen[::step][:3] if row.title)


def _look_at_model(settings: Settings) -> ModelState:
    from rag.serving.models import choose_model  # keeps the model client off the way to the first page

    try:
        chosen = choose_model(settings)
    except OllamaUnavailable:
        return ModelState("down")
    except ModelMissing:
        return ModelState("missing")
    except AnswerdeskError as error:
        logger.warning("model not seen: %s", type(error).__name__)
        return ModelState("down")
    return ModelState("ready", chosen.name, chosen.stand_in)
