"""The sample knowledge base and its questions, and how a few of many questions are drawn."""

import random
from collections.abc import Sequence
from pathlib import Path

from ingest.golden import GoldenQuestion

DATA_DIR = Path(__file__).resolve().parent.parent / "data"
GOLDEN_DIR = DATA_DIR / "golden"
KNOWLEDGE_DIR = DATA_DIR / "knowledge"


def drawn(questions: Sequence[GoldenQuestion], limit: int, seed: int) -> tuple[GoldenQuestion, ...]:
    """Return ``limit`` questions in their order, the same for the same seed; all of them where it is not positive."""
    if not 0 < limit < len(questions):
        return tuple(questions)
    kept = sorted(random.Random(seed).sample(range(len(questions)), limit))
    return tuple(questions[index] for index in kept)
