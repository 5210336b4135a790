"""The sample knowledge base and its questions, and how a few of many questions are drawn."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

DATA_DIR = Path(__file__).resolve().parents[2] / "data"
GOLDEN_DIR = DATA_DIR / "golden"
KNOWLEDGE_DIR = DATA_DIR / "knowledge"
ATTACKS_DIR = DATA_DIR / "attacks"


Item = TypeVar("Item")


def drawn(questions: Sequence[Item], limit: int, seed: int) -> tuple[Item, ...]:
    """Return ``limit`` items in their order, the same for the same seed; all of them where it is not positive."""
    if not 0 < limit < len(questions):
        return tuple(questions)
    kept = sorted(random.Random(seed).sample(range(len(questions)), limit))
    return tuple(questions[index] for index in kept)
