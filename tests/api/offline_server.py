"""The API over two offline knowledge bases, served on 127.0.0.1 by a real uvicorn.

``default`` is everybody's who holds its name as a scope; so is ``finance``.  The model is scripted, and a test holds it
at a gate.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Generator as GeneratorObject
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx
import uvicorn

from api.application import api_application
from api.callers import host_names
from api.services.attachments import DescriberOf
from api.services.guarded import recorder
from api.services.jobs import Jobs
from api.services.knowledge import KnowledgeRegistry
from api.services.models import ModelRegistry
from api.services.quality import QualityRegistry
from api.services.shared import KnowledgeState, ModelState, SharedServices
from api.services.start import open_people, performance_reports
from rag.errors import KnowledgeBaseMissing
from rag.people.keys import RIGHTS, ApiKeys, Right
from rag.pipeline import Pipeline
from rag.protocols import GeneratedText, GeneratedThinking, GenerationFinished, GenerationPart, Message
from rag.reuse.cache import AnswerCache, AnswerSources
from rag.reuse.curated import Curation
from rag.schema import Audience, Document
from rag.settings import Settings
from rag.storage.access import KnowledgeBases, User
from rag.storage.store import DATABASE_NAME, KnowledgeStore
from rag.storage.turn_store import TurnStore
from rag.testing import SAMPLE_DOCUMENTS, HashEmbedder, ScriptedGenerator, offline_parts
from rag.turns import PersonalCorrections, PersonLimits, Pipelines, TurnService, WritingService, pipeline_parts
from tests.conftest import free_port

FINANCE = (
    Document(
        "refund-limits.md",
        "/finance/refund-limits.md",
        "Refund limits",
        "## Faulty goods\n\nRefunds above GBP 500 need Ada.",
        "en",
    ),
)
WhoOf = Callable[[], User]
QUESTION = "How long can I send an item back after delivery?"


class HeldModel(ScriptedGenerator):
    """Says what a test tells it; held, it beats its heart after the first piece until the gate is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: tuple[str, ...] = ()
        self.gate = threading.Event()
        self.answering = 0
        self.pause_seconds = 0.0
        self.say()

    def say(self, *pieces: str, held: bool = False) -> None:
        """Say these pieces from now on, or the sample's sentence."""
        self.pieces = pieces or ("You can send back any item within 30 days of delivery.",)
        self.gate.clear() if held else self.gate.set()

    def generate(
        self, messages: Sequence[Message], *, think: bool, max_tokens: int, candidates: int = 0
    ) -> GeneratorObject[GenerationPart, None, None]:
        self.answering += 1
        try:
            if think:
                yield GeneratedThinking("Looking at the first passage.")
            for number, piece in enumerate(self.pieces):
                while number == 1 and not self.gate.wait(timeout=0.02):
                    yield GeneratedText("")
                time.sleep(self.pause_seconds)
                yield GeneratedText(piece)
            while not self.gate.wait(timeout=0.02):
                yield GeneratedText("")
            yield GenerationFinished(prompt_tokens=50, generated_tokens=9, prompt_ms=1.0, generation_ms=1.0)
        finally:
            self.answering -= 1


@dataclass
class OfflineServer:
    """A served API, with what a test needs to look behind it."""

    settings: Settings
    services: SharedServices
    keys: ApiKeys
    model: HeldModel
    url: str = ""

    def key(
        self,
        *rights: Right,
        scopes: tuple[str, ...] | None = ("default",),
        audience: Audience = "internal",
        expires_at: datetime | None = None,
        pace: int | None = None,
    ) -> dict[str, str]:
        """Make a key, with all rights where none is named, and return the header that brings it."""
        secret, _ = self.keys.add(
            "test",
            rights or RIGHTS,
            scopes,
            audience=audience,
            expires_at=expires_at,
            owner="",
            by="test",
            questions_a_minute=pace,
        )
        return {"Authorization": f"Bearer {secret}"}

    def client(self, headers: dict[str, str] | None = None) -> httpx.Client:
        """Return a client of this server."""
        return httpx.Client(base_url=self.url, headers=headers or {}, timeout=30, trust_env=False)


def settings_in(folder: Path) -> Settings:
    """Return settings that reach nothing outside a folder."""
    return Settings(data_dir=folder, cache_dir=folder / "cache", ollama_host="127.0.0.1:9", sign_in="on")


@contextmanager
def offline_server(folder: Path, describer: DescriberOf | None = None, **changed: object) -> Iterator[OfflineServer]:
    """Serve the API for as long as the block lasts; ``changed`` are settings, ``describer`` is shown pictures."""
    settings = settings_in(folder).model_copy(update=changed)
    model = HeldModel()
    services = replace(_services(settings, model), describer=describer)
    served = OfflineServer(settings, services, ApiKeys(settings.people_database), model)
    application = api_application(lambda: services, settings, host_names(["127.0.0.1", "localhost"]))
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(application, port=port, log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{port}"
    try:
        while not server.started:
            time.sleep(0.01)
        yield served
    finally:
        model.gate.set()
        server.should_exit = True
        thread.join(timeout=10)
        services.close()
        served.keys.close()


def _services(settings: Settings, model: HeldModel) -> SharedServices:
    built: dict[str, Pipeline] = {}
    curations: dict[str, Curation] = {}
    for name, documents in (("default", SAMPLE_DOCUMENTS), ("finance", FINANCE)):
        is_there = (settings.knowledge_folder / name / DATABASE_NAME).is_file()  # after a restart
        parts = offline_parts(settings.data_dir, () if is_there else documents, generator=model, knowledge_base=name)
        own = settings.changed(knowledge_base=name)
        curations[name] = Curation.of(own, parts.store)
        built[name] = Pipeline(
            replace(parts, answer_sources=AnswerSources(curations[name], AnswerCache.of(own, parts.store)))
        )
    bases, people = KnowledgeBases(settings.knowledge_folder), open_people(settings)
    turns = TurnStore(settings.turns_database)
    jobs = Jobs()
    pipelines = Pipelines(bases, partial(_built, built))
    workers = settings.slots_of_all_hosts + settings.max_waiting + 4  # as many as wait, for the line refuses them

    def corrections(who: WhoOf) -> PersonalCorrections:
        return PersonalCorrections(curations.__getitem__, bases, who, people.audit)

    return SharedServices(
        turns=TurnService(pipelines, turns, workers, limits=PersonLimits.of(settings)),
        bases=bases,
        knowledge_state=lambda name: _knowledge(KnowledgeStore(settings.knowledge_folder / name)),
        model=lambda: ModelState("ready", "scripted", stand_in=True),
        topics=lambda name, language: (),
        knowledge_registry=KnowledgeRegistry(settings, jobs, pipelines),
        quality=QualityRegistry(
            settings, jobs, pipelines, HashEmbedder, curations.__getitem__, turns.feedback, corrections
        ),
        people=people,
        corrections=corrections,
        writings=WritingService(pipeline_parts(pipelines)),
        reports=performance_reports(settings),
        models=ModelRegistry(settings, jobs, record=recorder(people.audit)),
    )


def _built(pipelines: Mapping[str, Pipeline], name: str) -> Pipeline:
    if name not in pipelines:
        raise KnowledgeBaseMissing(folder=name)
    return pipelines[name]


def _knowledge(store: KnowledgeStore) -> KnowledgeState:
    generation = store.current_generation()
    info = store.generation_info(generation) if generation else None
    if info is None:
        return KnowledgeState()
    return KnowledgeState(generation, info.published_at.astimezone(UTC), info.document_count, info.chunk_count)


def main() -> None:
    """Serve a folder at a port until killed; the model says its words slowly, so that a kill meets it in between."""
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    model = HeldModel()
    model.pause_seconds = 0.05
    model.say(*(f"{word} " for word in ("You can send back any item within 30 days of delivery. " * 4).split()))
    settings = settings_in(folder)
    services = _services(settings, model)
    application = api_application(lambda: services, settings, host_names(["127.0.0.1"]))
    uvicorn.run(application, port=port, log_config=None)


if __name__ == "__main__":
    main()
