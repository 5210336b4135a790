"""Makes the services when a server starts, and warms them in the background."""

import gc
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from api.services.attachments import DescriberOf
from api.services.guarded import recorder
from api.services.jobs import Jobs, Watch
from api.services.knowledge import KnowledgeRegistry
from api.services.models import ModelRegistry
from api.services.quality import QualityRegistry
from api.services.shared import KnowledgeState, ModelState, PeopleServices, SharedServices, Topic
from rag.errors import AnswerdeskError, ModelMissing, NotAVisionModel, OllamaUnavailable, OwnFilesWaiting
from rag.ollama.neighbours import Neighbours
from rag.ollama.state import read_living_state
from rag.people.audit import AuditTrail
from rag.people.directory import People
from rag.people.keys import ApiKeys
from rag.people.sign_ins import FirstAdmin, SignIns
from rag.performance import MachineState, PerformanceReports, machine_sampler
from rag.priority import take_short_turns
from rag.protocols import Embedder
from rag.reuse.curated import Curation
from rag.schema import Language
from rag.settings import Settings
from rag.storage.access import LOCAL_USER, KnowledgeBases, User
from rag.storage.following import KnowledgeFollower
from rag.storage.store import KnowledgeStore
from rag.storage.turn_store import TurnStore
from rag.storage.turn_times import TurnTimesTable
from rag.terminal import terminal_language
from rag.turns import (
    AnswerPipeline,
    PersonalCorrections,
    PersonLimits,
    Pipelines,
    TurnService,
    WritingService,
    file_pool,
    pipeline_parts,
)

if TYPE_CHECKING:  # its imports take longer than the first page may
    from rag.generation.picture_description import PictureDescriber
    from rag.pipeline import Pipeline
    from rag.retrieval.embedder import SearchModels


logger = logging.getLogger(__name__)

_MODEL_LOOK_EVERY_SECONDS = 5.0
_MACHINE_LOOK_EVERY_SECONDS = 2.0
_FIRST_RETENTION_SECONDS = 60.0  # the start has enough to do
_RETENTION_EVERY_SECONDS = 24 * 3600.0
_MORE_WORKERS_THAN_THE_LINE = 4
_FIRST_FOLLOWING_SECONDS = 5.0
"""How long a desk that starts waits for what other desks have published; then it serves what it has."""


def model_watch(look: Callable[[], ModelState]) -> Watch[ModelState]:
    """Return the watch of the model server."""
    return Watch(look, ModelState(), _MODEL_LOOK_EVERY_SECONDS)


def performance_reports(settings: Settings) -> PerformanceReports:
    """Return the figures of the recorded turns and of this machine."""
    machine: Watch[MachineState | None] = Watch(machine_sampler(settings), None, _MACHINE_LOOK_EVERY_SECONDS)
    return PerformanceReports(TurnTimesTable(settings.turns_database), machine)


def open_services(settings: Settings) -> SharedServices:
    """Make the services for these settings, and begin to warm them in the background.

    The threads of the process take short turns from then on (``rag.priority.take_short_turns``).
    """
    take_short_turns()
    follower = KnowledgeFollower.of(settings)
    if follower is not None:
        follower.start(_FIRST_FOLLOWING_SECONDS)
    bases = KnowledgeBases(settings.knowledge_folder, follower.access if follower is not None else lambda name: None)
    builder = PipelineBuilder(settings)
    pipelines = Pipelines(bases, builder)
    turns, jobs, people = open_turns(settings), Jobs(), open_people(settings)
    record = recorder(people.audit)
    curations = lru_cache(maxsize=None)(
        lambda name: Curation.of(settings.changed(knowledge_base=name), people_sign_in=people.required)
    )
    stores = lru_cache(maxsize=None)(lambda name: KnowledgeStore(settings.knowledge_folder / name))
    workers = settings.slots_of_all_hosts + settings.max_waiting + _MORE_WORKERS_THAN_THE_LINE

    def corrections(who: Callable[[], User]) -> PersonalCorrections:
        return PersonalCorrections(curations, bases, who, people.audit, settings.user_name)

    services = SharedServices(
        turns=TurnService(pipelines, turns, workers, limits=PersonLimits.of(settings)),
        bases=bases,
        knowledge_state=lambda name: _knowledge(stores(name), follower.problem(name) if follower is not None else None),
        model=model_watch(lambda: _look_at_model(settings)),
        topics=lambda name, language: _topics(stores(name), language),
        knowledge_registry=KnowledgeRegistry(settings, jobs, pipelines, record=record),
        quality=QualityRegistry(settings, jobs, pipelines, builder.embedder, curations, turns.feedback, corrections),
        first_base=settings.knowledge_base,
        people=people,
        reports=performance_reports(settings),
        corrections=corrections,
        writings=WritingService(pipeline_parts(pipelines)),
        models=ModelRegistry(settings, jobs, record=record),
        files=Jobs(file_pool(settings, OwnFilesWaiting)),
        describer=_describer_factory(settings),
        descriptions=Jobs(file_pool(settings, OwnFilesWaiting)),
        follower=follower,
        neighbours=partial(_neighbours, settings),
    )
    first = partial(pipelines, settings.knowledge_base, LOCAL_USER)
    threading.Thread(target=_delete_old_turns, args=(settings,), daemon=True, name="retention").start()
    # no daemon: at the end of the process it would be inside OpenVINO, which aborts then
    threading.Thread(target=_make_ready, args=(first, services), name="warm").start()
    return services


def _neighbours(settings: Settings) -> Neighbours | None:
    server = read_living_state(settings)
    return server.neighbours if server is not None else None


def open_turns(settings: Settings) -> TurnStore:
    """Return the recorded turns."""
    return TurnStore(settings.turns_database, question_characters=settings.question_limit_characters)


def open_people(settings: Settings) -> PeopleServices:
    """Return who may sign in; with ``sign_in`` auto, everybody has to as soon as there is an admin."""
    people = People(settings.people_database)
    required: Callable[[], bool] = {
        "on": lambda: True,
        "off": lambda: False,
        "auto": people.has_admin,
    }[settings.sign_in]
    sign_ins = SignIns(settings.people_database, settings.sign_in_hours, idle_hours=settings.sign_in_idle_hours)
    audit = AuditTrail(settings.people_database)
    first_admin, keys = FirstAdmin(people, sign_ins), ApiKeys(settings.people_database)
    return PeopleServices(people, sign_ins, audit, required, first_admin, keys, settings.unverified_email)


def _delete_old_turns(settings: Settings) -> None:
    """Delete each day the turns that are older than they are kept, for as long as the program runs."""
    from rag.erasure import expire_turns

    time.sleep(_FIRST_RETENTION_SECONDS)
    while settings.turn_retention_days:
        try:
            count = expire_turns(settings, datetime.now(UTC), "desk")
            logger.info("%d turns were older than %d days", count, settings.turn_retention_days)
        except AnswerdeskError as error:
            logger.warning("old turns not deleted: %s", type(error).__name__)
        time.sleep(_RETENTION_EVERY_SECONDS)


def _make_ready(pipeline: Callable[[], AnswerPipeline], services: SharedServices) -> None:
    services.model()
    _warn_of_blind_model(services.knowledge_registry.settings)
    warm_up(pipeline)


def _describer_factory(settings: Settings) -> DescriberOf | None:
    """Return the cached factory of the describer of pictures; None where no model for pictures is set."""
    if not settings.vision_model:
        return None

    @lru_cache(maxsize=1)
    def make_describer() -> "PictureDescriber":
        from rag.factory import picture_describer  # brings the embedder's and the indexes' libraries

        describer = picture_describer(settings)
        if describer is None:
            raise AssertionError("a model for pictures is set")
        return describer

    return make_describer


def _warn_of_blind_model(settings: Settings) -> None:
    """Log in the operator's language that the model for pictures cannot see, or is not there."""
    from rag.ollama.vision import checked_vision_model

    try:
        checked_vision_model(settings)
    except (NotAVisionModel, ModelMissing) as error:
        logger.warning("%s", error.text(terminal_language()))
    except AnswerdeskError as error:
        logger.info("the model for pictures is not seen yet: %s", type(error).__name__)


def _knowledge(store: KnowledgeStore, problem: AnswerdeskError | None) -> KnowledgeState:
    generation = store.current_generation()
    if generation == 0:
        return KnowledgeState(problem=problem)
    info = store.generation_info(generation)
    return KnowledgeState(generation, info.published_at, info.document_count, info.chunk_count, problem)


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
    from rag.ollama.hosts import choose_model  # keeps the model client off the way to the first page

    try:
        chosen = choose_model(settings)
    except OllamaUnavailable:
        return ModelState("down")
    except ModelMissing:
        return ModelState("missing")
    except AnswerdeskError as error:
        logger.warning("%s", error.text(terminal_language()))
        return ModelState("down")
    return ModelState("ready", chosen.name, chosen.stand_in)


class PipelineBuilder:
    """Builds pipelines that share the models of the search."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._models: SearchModels | None = None

    def __call__(self, name: str) -> AnswerPipeline:
        """Return the pipeline of a knowledge base: seconds, that the page must not wait."""
        from rag.factory import build_pipeline  # brings the embedder's and the indexes' libraries

        settings = self._settings.changed(knowledge_base=name)
        KnowledgeStore(settings.knowledge_dir).require_generation()  # before the embedder, which takes seconds
        return build_pipeline(settings, models=self._shared())

    def embedder(self) -> Embedder:
        """Return the settings' own embedder, loaded when it is first asked for.  Raises ``EmbedderMissing``."""
        return self._shared().chosen()

    def _shared(self) -> "SearchModels":
        from rag.retrieval.embedder import SearchModels

        with self._lock:
            self._models = self._models or SearchModels(self._settings)
            return self._models


def warm_up(pipeline: Callable[[], AnswerPipeline]) -> None:
    """Load what a question needs, and then, in a thread of its own, bring the model into memory and preload its slots.

    What cannot be had now is logged: the first question says it.
    """
    from rag.pipeline import Pipeline

    started_at = time.monotonic()
    try:
        built = pipeline()
        if isinstance(built, Pipeline):
            built.warm()
    except AnswerdeskError as error:
        logger.warning("not warm yet: %s", type(error).__name__)
        return
    gc.collect()
    gc.freeze()  # what is loaded by now stays: later collections need not walk over it
    logger.info("warm after %.1f s", time.monotonic() - started_at)
    if isinstance(built, Pipeline) and built.parts.settings.keep_alive_seconds:
        # a daemon: it waits for another process, and the desk's end does not wait for that
        threading.Thread(target=_preload, args=(built,), daemon=True, name="preload").start()


def _preload(pipeline: "Pipeline") -> None:
    from rag.preloading import preload

    started_at = time.monotonic()
    try:
        slots = preload(pipeline.parts)
    except AnswerdeskError as error:
        logger.info("the model is not preloaded: %s", type(error).__name__)
    else:
        logger.info("model preloaded in %d slots after %.1f s", slots, time.monotonic() - started_at)
