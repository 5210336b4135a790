"""A published knowledge base with its turns, and what a report on it is made from."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from eval.gaps.report import GapParts, GapReport, find_gaps
from rag.pipeline import PipelineParts
from rag.reuse.curated import Curation
from rag.storage.curated import CuratedAnswers
from rag.storage.troubled_turns import TroubledTurns
from rag.testing import HashEmbedder, offline_parts
from tests.eval.gaps.turns import AskedTurns

TODAY = date(2026, 11, 25)


@dataclass(frozen=True, slots=True)
class Base:
    parts: PipelineParts
    asked: AskedTurns
    curation: Curation

    def report(self) -> GapReport:
        turns = TroubledTurns(self.parts.settings.turns_path)
        parts = GapParts(
            self.parts.store, turns, HashEmbedder(), self.parts.retriever, self.curation, today=lambda: TODAY
        )
        return find_gaps(parts, "default")


@pytest.fixture
def base(tmp_path: Path) -> Base:
    parts = offline_parts(tmp_path)
    curation = Curation(parts.store, CuratedAnswers(parts.store.folder), today=lambda: TODAY)
    return Base(parts, AskedTurns(parts.settings.turns_path), curation)
