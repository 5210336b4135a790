"""What the Quality page is given where a test is about another page."""

from collections.abc import Callable
from pathlib import Path

from api.services.jobs import Jobs
from api.services.quality import QualityRegistry
from rag.reuse.curated import Curation
from rag.settings import Settings
from rag.storage.access import KnowledgeBases, User
from rag.storage.turn_store import TurnStore
from rag.testing import HashEmbedder
from rag.turns import AnswerPipeline, PersonalCorrections


def quality_of(folder: Path, pipeline: AnswerPipeline) -> QualityRegistry:
    """Return a shelf over a data folder."""
    settings = Settings(data_dir=folder)
    curation = Curation.of(settings)
    feedback = TurnStore(settings.turns_path).feedback
    bases = KnowledgeBases(settings.knowledge_folder)

    def corrections(who: Callable[[], User]) -> PersonalCorrections:
        return PersonalCorrections(lambda name: curation, bases, who)

    return QualityRegistry(
        settings, Jobs(), lambda name, user: pipeline, HashEmbedder, lambda name: curation, feedback, corrections
    )
