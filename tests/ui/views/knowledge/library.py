"""A library over real files with the shipped fake embedder: its ingests run in threads, and wait at a gate."""

import threading
from collections.abc import Callable
from pathlib import Path

from api.services.jobs import JobControl, Jobs
from api.services.knowledge import KnowledgeRegistry, KnowledgeService
from api.services.quality import QualityRegistry
from api.services.shared import KnowledgeState, ModelState, SharedServices, Topic
from ingest.gate import register
from ingest.job import IngestJob
from ingest.pipeline import IngestOptions, ingest
from ingest.summary import IngestProgress, IngestSummary
from rag.generation.gateway import ModelGateway
from rag.pipeline import Pipeline, PipelineParts
from rag.queue.admission import Admission
from rag.retrieval.retriever import Retriever
from rag.settings import Settings
from rag.storage.access import LOCAL_USER, KnowledgeBases, User
from rag.storage.store import KnowledgeStore
from rag.testing import HashEmbedder, ScriptedGenerator
from rag.turns import TurnService
from tests.ingest.test_gate import question_file
from tests.ui.views.quality.registries import other_services, quality_of

SAMPLE = Path(__file__).parents[4] / "data" / "knowledge"
TAKEN = ("en/returns", "en/delivery", "en/internal", "zh/returns", "zh/membership", "zh/payment")
QUESTIONS = {
    "How many days after delivery can I send an item back?": "en/returns/return-window.md",
    "How much is delivery to the islands?": "en/delivery/islands.md",
    "积分多久会过期？": "zh/membership/points-rules-2026.md",
}


class Library:
    """What the Knowledge page is given.  ``gate`` stands before each file of an ingest while it is ``held``."""

    def __init__(self, folder: Path, sample: Path = SAMPLE) -> None:
        self.settings = Settings(data_dir=folder / "data", chunk_tokens=64, refusal_threshold=0.2, parallel_slots=1)
        self.embedder = HashEmbedder()
        self.manual = folder / "manual"
        self.gate = threading.Event()
        self.gate.set()
        self.user = LOCAL_USER
        self.changes: list[tuple[str, str, dict[str, int]]] = []
        self.jobs = Jobs()
        self.registry = KnowledgeRegistry(
            self.settings, self.jobs, lambda name, user: self.pipeline(), run=self._run, record=self._record
        )
        self._sample = sample

    def fill(self) -> None:
        """Publish a part of the sample, and keep a few regression questions."""
        for name in TAKEN:
            for path in sorted((self._sample / name).glob("*.md")):
                target = self.manual / path.relative_to(self._sample)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
        ingest([self.manual], self.settings, self.embedder)
        register(question_file(self.manual.parent / "questions.jsonl", QUESTIONS), self.settings)

    def publish(self, texts: dict[str, str]) -> None:
        """Publish a few articles."""
        for name, text in texts.items():
            path = self.manual / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        ingest([self.manual], self.settings, self.embedder)

    def pipeline(self) -> Pipeline:
        """Return a pipeline without a model."""
        store = KnowledgeStore(self.settings.knowledge_dir)
        return Pipeline(
            PipelineParts(
                settings=self.settings,
                store=store,
                retriever=Retriever(store, self.embedder, self.settings),
                gateway=ModelGateway(ScriptedGenerator(), Admission(1, 1)),
                count_tokens=self.embedder.count_tokens,
            )
        )

    def desk(self, who: Callable[[], User] | None = None) -> KnowledgeService:
        """Return what somebody may do with the knowledge base."""
        return KnowledgeService(self.registry, "default", who or (lambda: self.user), lambda user, name: None)

    def services(self, turns: TurnService) -> SharedServices:
        """Return what the pages are given."""

        def knowledge(name: str) -> KnowledgeState:
            store = self.registry.store(name)
            generation = store.current_generation()
            if not generation:
                return KnowledgeState()
            info = store.generation_info(generation)
            return KnowledgeState(generation, info.published_at, info.document_count, info.chunk_count)

        others = other_services(self.settings.data_dir, self.pipeline())
        others["quality"] = self.quality()
        return SharedServices(
            turns=turns,
            bases=KnowledgeBases(self.settings.knowledge_folder),
            knowledge_state=knowledge,
            model=lambda: ModelState("ready", "stand-in:1.5b", stand_in=True),
            topics=lambda name, language: (Topic("VAT invoices", language),),
            knowledge_registry=self.registry,
            **others,
        )

    def quality(self) -> QualityRegistry:
        """Return what the Quality page is given."""
        return quality_of(self.settings.data_dir, self.pipeline())

    def close(self) -> None:
        self.gate.set()
        self.registry.close()

    def _run(self, settings: Settings, job: IngestJob, control: JobControl) -> IngestSummary:
        def tell(progress: IngestProgress) -> None:
            control.tell(progress, progress.failure)
            while not self.gate.wait(timeout=0.02):
                control.tell(progress)

        return ingest(
            job.paths,
            settings,
            self.embedder,
            IngestOptions(prune=job.prune, force=job.force, rehearsal=job.rehearsal),
            progress=tell,
        )

    def _record(self, user: User, what: str, name: str, figures: dict[str, int]) -> None:
        self.changes.append((user.name, what, figures))
