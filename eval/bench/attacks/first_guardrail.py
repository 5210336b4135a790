"""Which attacks get past the first guardrail, told without a model: what is left of each before the prompt is made."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.bench.attacks.benchmark import write_poisoned
from eval.bench.attacks.cases import Attack, Pair
from eval.core.question_sets import KNOWLEDGE_DIR
from ingest.golden import GoldenQuestion
from ingest.loaders.registry import load
from ingest.loaders.source import Limits
from rag.grounding.prompt_injection import is_name, spans_without_injection, without_injection
from rag.schema import Document

_LIMITS = Limits(document_bytes=10_000_000, ocr_pages=0)
_PICTURE_LIMITS = Limits(document_bytes=10_000_000, ocr_pages=5, figures=5)


@dataclass(frozen=True, slots=True)
class Passage:
    """One attack and whether the first guardrail lets it pass to the model."""

    attack: Attack
    passes: bool


def first_guardrail(pairs: Sequence[Pair]) -> list[Passage]:
    """Load each poisoned document, or take each question, and tell whether the order is left in what a model reads."""
    with tempfile.TemporaryDirectory() as folder:
        return [Passage(one, _passes(one, question, Path(folder))) for one, question in pairs]


def figures(passages: Sequence[Passage]) -> dict[str, object]:
    """Return how many of the attacks pass, of how many; also by way."""
    ways = dict.fromkeys(one.attack.way for one in passages)
    groups = {way: [one for one in passages if one.attack.way == way] for way in ways}
    return {
        "n": len(passages),
        "passes": sum(one.passes for one in passages),
        "by_way": {way: {"n": len(group), "passes": sum(one.passes for one in group)} for way, group in groups.items()},
    }


def _passes(one: Attack, question: GoldenQuestion, folder: Path) -> bool:
    if one.where == "question":
        return one.is_in(without_injection(one.asked(question)))
    document = (KNOWLEDGE_DIR / question.relevant[0]).read_text(encoding="utf-8")
    path = write_poisoned(folder / Path(question.relevant[0]).name, document, one, question)
    limits = _PICTURE_LIMITS if one.place == "picture" else _LIMITS
    loaded = next(found for found in load(path, folder, limits) if isinstance(found, Document))
    if one.is_in(loaded.title) and is_name(loaded.title):
        return True
    return any(one.is_in(loaded.text[span.start : span.end]) for span in spans_without_injection(loaded.text))
