"""Estimates the probability that the retrieved passages hold the answer, calibrated on labelled questions.

A logistic regression on a few signals that cost next to nothing once the search is done.  Its numbers are in
``confidence.json``, which also says on what they were fitted, how, when, and how well they did; ``python -m
eval.commands.calibrate_shipped`` writes it.  Cosines are one embedder's own, so for any other embedder a second fit
serves that looks at words alone.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

from rag.retrieval.model_folders import is_search_model
from rag.retrieval.ranking import DenseHit
from rag.schema import RetrievedChunk
from rag.storage.calibration import logistic, logit_of, read_calibration
from rag.text.terms import is_code, terms

if TYPE_CHECKING:
    from rag.retrieval.lexical_index import TermWeight  # brings FAISS, which a program that shows figures does without

CONFIDENCE_PATH = Path(__file__).with_name("confidence.json")
ANY_EMBEDDER = "any"


@dataclass(frozen=True, slots=True)
class Signals:
    """What the search says about whether the answer is there.

    ``late`` is the best passage's late interaction.  ``gain`` is what the best passage's cosine has over the mean one
    between two passages of its language: the level of the cosines is another in each language and knowledge base.  In
    [0, 1], by inverse document frequency:
    ``coverage``, how much of the question's terms the first passages hold together; ``unknown``, how much of them no
    passage at all holds.  ``codes`` is the share of the question's codes and numbers that the first passages hold, 1
    where it has none.  ``bm25_ratio`` is the best BM25 over the weight of the question's terms.  ``lead`` is what
    the first passage's late interaction has over the mean one of the next.  1 or 0: ``chinese``, the best passage is
    Chinese (pairs of characters are rarer than words); ``foreign``, it is in the other language than the question, so
    that words cannot tell.
    """

    late: float = 0.0
    gain: float = 0.0
    coverage: float = 0.0
    unknown: float = 0.0
    codes: float = 1.0
    bm25_ratio: float = 0.0
    lead: float = 0.0
    chinese: float = 0.0
    foreign: float = 0.0


SIGNAL_NAMES = tuple(field.name for field in fields(Signals))


@dataclass(frozen=True, slots=True)
class Confidence:
    """A fitted logistic regression: ``weights`` by the names of ``Signals``, and the threshold that refuses.

    >>> sure = Confidence(intercept=-1.0, weights={"coverage": 4.0}, threshold=0.5)
    >>> round(sure.probability(Signals(coverage=0.75)), 3)
    0.881
    """

    intercept: float
    weights: Mapping[str, float]
    threshold: float

    def __post_init__(self) -> None:
        unknown = sorted(self.weights.keys() - set(SIGNAL_NAMES))
        if unknown or not 0 <= self.threshold <= 1:
            raise ValueError(f"unknown signals {unknown}, or a threshold outside [0, 1]: {self.threshold}")

    def probability(self, signals: Signals) -> float:
        """Return the probability in [0, 1] that the passages hold the answer."""
        weighed = sum(weight * getattr(signals, name) for name, weight in self.weights.items())
        return logistic(self.intercept + weighed)

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> Self:
        """Build it from an entry under ``fits`` in ``confidence.json``."""
        weights = value["weights"]
        assert isinstance(weights, dict)
        return cls(float(str(value["intercept"])), weights, float(str(value["threshold"])))


@dataclass(frozen=True, slots=True)
class OwnCalibration:
    """What a knowledge base's own questions say of the probabilities: Platt's two numbers, and the threshold.

    J. Platt, Probabilistic outputs for support vector machines, 1999.  Without questions that have no answer the
    probabilities stay as they are, and only the threshold is the knowledge base's own.

    >>> round(OwnCalibration(slope=2.0, intercept=-1.0, threshold=0.3).probability(0.5), 3)
    0.269
    """

    slope: float = 1.0
    intercept: float = 0.0
    threshold: float = 0.0

    def probability(self, shipped: float) -> float:
        """Return the calibrated probability in [0, 1] for what the shipped fit says."""
        return logistic(self.slope * logit_of(shipped) + self.intercept)

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> Self:
        """Build it from ``search`` of a knowledge base's calibration."""
        return cls(*(float(str(value[name])) for name in ("slope", "intercept", "threshold")))


@lru_cache(maxsize=4)
def load_confidence(model_id: str, path: Path = CONFIDENCE_PATH) -> Confidence:
    """Return the fit for an embedder, or the one by words alone for an embedder that none was made for."""
    fits = json.loads(path.read_text(encoding="utf-8"))["fits"]
    return fitted_confidence(model_id, path) or Confidence.from_json(fits[ANY_EMBEDDER])


def fitted_confidence(model_id: str, path: Path = CONFIDENCE_PATH) -> Confidence | None:
    """Return the fit for an embedder; None where none was made for it."""
    fits = json.loads(path.read_text(encoding="utf-8"))["fits"]
    name = model_id.removesuffix("-4bit")
    return Confidence.from_json(fits[name]) if name in fits and name != ANY_EMBEDDER else None


def calibrations_of(folder: Path, model_id: str) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """Return a knowledge base's sections ``search`` and ``automatic``, empty where they judge another search.

    A section that does not name its embedder was made when there was only the built-in one.  Raises
    ``CalibrationDamaged``.
    """
    kept = read_calibration(folder)
    unnamed = "" if is_search_model(model_id) else model_id

    def section(name: str) -> Mapping[str, object]:
        found = kept.get(name, {})
        return found if found.get("embedder", unnamed) == model_id else {}

    return section("search"), section("automatic")


JUDGED_CHUNKS = 5
"""First passages of the ranking whose words are looked at."""


def read_signals(
    dense: Sequence[DenseHit],
    bm25: Mapping[int, float],
    ranked: Sequence[RetrievedChunk],
    weights: Mapping[str, "TermWeight"],
) -> Signals:
    """Return the signals.

    ``dense`` is best first, ``bm25`` the scores by chunk, ``ranked`` the final ranking, and ``weights`` those of the
    question's terms in the whole knowledge base.
    """
    held = set().union(*(_terms_of(one.chunk.embedded_text) for one in ranked[:JUDGED_CHUNKS]))
    late = [one.late for one in ranked if one.late is not None]
    behind = late[1 : 1 + JUDGED_CHUNKS]
    codes = [term for term in weights if is_code(term)]
    total = sum(weight.idf for weight in weights.values())
    best = dense[0] if dense else None
    return Signals(
        late=max(late, default=0.0),
        gain=best.gain if best else 0.0,
        coverage=_share(weights, held),
        unknown=_share(weights, {term for term, weight in weights.items() if weight.chunks == 0}),
        codes=sum(code in held for code in codes) / len(codes) if codes else 1.0,
        bm25_ratio=max(bm25.values(), default=0.0) / total if total else 0.0,
        lead=late[0] - sum(behind) / len(behind) if behind else 0.0,
        chinese=float(best is not None and best.language == "zh"),
        foreign=float(best is not None and best.foreign),
    )


@lru_cache(maxsize=2048)
def _terms_of(text: str) -> frozenset[str]:
    return frozenset(terms(text))


def _share(weights: Mapping[str, "TermWeight"], wanted: set[str]) -> float:
    """Return in [0, 1] how much of the weight of all terms the wanted ones have; 0 without any terms."""
    total = sum(weight.idf for weight in weights.values())
    return sum(weight.idf for term, weight in weights.items() if term in wanted) / total if total else 0.0
