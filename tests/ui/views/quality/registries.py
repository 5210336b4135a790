"""What the other pages are given where a test is about one page."""

from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

import pytest

from api.services.jobs import Jobs
from api.services.models import ModelRegistry
from api.services.quality import CorrectionsOf, QualityRegistry
from api.services.shared import PeopleServices
from api.services.start import open_people, performance_reports
from rag.performance import PerformanceReports
from rag.queue.admission import Admission
from rag.reuse.curated import Curation
from rag.settings import Settings
from rag.storage.access import KnowledgeBases, User
from rag.storage.turn_store import TurnStore
from rag.testing import HashEmbedder
from rag.turns import AnswerPipeline, PersonalCorrections, WritingService


class OtherServices(TypedDict):
    """Fields of ``SharedServices`` that few tests are about."""

    quality: QualityRegistry
    people: PeopleServices
    reports: PerformanceReports
    corrections: CorrectionsOf
    writings: WritingService
    models: ModelRegistry


def other_services(folder: Path, pipeline: AnswerPipeline) -> OtherServices:
    """Return services over a data folder: nobody signs in, no model server runs, and nothing is rewritten."""
    settings = Settings(data_dir=folder, cache_dir=folder, ollama_host="127.0.0.1:9")
    quality = quality_of(folder, pipeline)
    return OtherServices(
        quality=quality,
        people=open_people(settings),
        reports=performance_reports(settings),
        corrections=quality.corrections,
        writings=WritingService(lambda name, user: pytest.fail("nothing is rewritten here")),
        models=ModelRegistry(settings, quality.jobs, admission=Admission(1, 1)),
    )


def quality_of(folder: Path, pipeline: AnswerPipeline) -> QualityRegistry:
    """Return a registry over a data folder."""
    settings = Settings(data_dir=folder)
    curation = Curation.of(settings)
    feedback = TurnStore(settings.turns_path).feedback
    bases = KnowledgeBases(settings.knowledge_folder)

    def corrections(who: Callable[[], User]) -> PersonalCorrections:
        return PersonalCorrections(lambda name: curation, bases, who)

    return QualityRegistry(
        settings, Jobs(), lambda name, user: pipeline, HashEmbedder, lambda name: curation, feedback, corrections
    )
