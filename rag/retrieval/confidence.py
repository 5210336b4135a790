"""Estimates the probability that the retrieved passages hold the answer, calibrated on labelled questions.

A logistic regression on a few signals that cost next to nothing after the search.  ``confidence.json`` has its weights,
and on what data, how and when they were fitted, and how well; ``python -m eval.commands.calibrate_shipped`` writes it.
Cosines are specific to an embedder, so other embedders use a second fit with lexical signals only.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache, lru_cache
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
    """The signals of a search about whether the answer is there.

    ``late``: the best passage's late interaction.  ``gain``: the best passage's cosine less the mean cosine of two
    passages of its language, since the level of cosines differs by language and knowledge base.  In [0, 1], weighted by
    inverse document frequency: ``coverage``, the share of the question's terms that the first passages hold together;
    ``unknown``, the share that no passage has.  ``codes``: the share of the question's codes and numbers of two digits
    or more in the first passages, 1 if it has none: "I tried 6 times" asks for nothing.  ``bm25_ratio``: the best BM25
    over the weight of the question's terms.  ``lead``: the
    first passage's late interaction less the mean of the next ones.  1 or 0: ``chinese``, the best passage is Chinese
    (pairs of characters are rarer than words); ``foreign``, it is not in the question's language, so that words cannot
    be compared.
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
    """A fitted logistic regression: ``weights`` by the names of ``Signals``, and the refusal threshold.

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
        weighted = sum(weight * getattr(signals, name) for name, weight in self.weights.items())
        return logistic(self.intercept + weighted)

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> Self:
        """Build it from an entry under ``fits`` in ``confidence.json``."""
        weights = value["weights"]
        assert isinstance(weights, dict)
        return cls(float(str(value["intercept"])), weights, float(str(value["threshold"])))


@dataclass(frozen=True, slots=True)
class OwnCalibration:
    """A calibration on a knowledge base's own questions: the two parameters of Platt scaling, and the threshold.

    J. Platt, Probabilistic outputs for support vector machines, 1999.  Without unanswerable questions the probabilities
    are unchanged, and only the threshold is the knowledge base's own.

    >>> round(OwnCalibration(slope=2.0, intercept=-1.0, threshold=0.3).probability(0.5), 3)
    0.269
    """

    slope: float = 1.0
    intercept: float = 0.0
    threshold: float = 0.0

    def probability(self, shipped: float) -> float:
        """Return the calibrated probability in [0, 1] for that of the shipped fit."""
        return logistic(self.slope * logit_of(shipped) + self.intercept)

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> Self:
        """Build it from ``search`` of a knowledge base's calibration."""
        return cls(*(float(str(value[name])) for name in ("slope", "intercept", "threshold")))


@lru_cache(maxsize=4)
def load_confidence(model_id: str, path: Path = CONFIDENCE_PATH) -> Confidence:
    """Return the fit for an embedder, or the lexical fit if there is none."""
    fits = json.loads(path.read_text(encoding="utf-8"))["fits"]
    return fitted_confidence(model_id, path) or Confidence.from_json(fits[ANY_EMBEDDER])


def fitted_confidence(model_id: str, path: Path = CONFIDENCE_PATH) -> Confidence | None:
    """Return the fit for an embedder; None if there is none."""
    fits = json.loads(path.read_text(encoding="utf-8"))["fits"]
    name = model_id.removesuffix("-4bit")
    return Confidence.from_json(fits[name]) if name in fits and name != ANY_EMBEDDER else None


@cache
def fit_name() -> str:
    """Return a short name for the shipped fits, on whose probabilities a knowledge base's threshold depends."""
    fits = json.loads(CONFIDENCE_PATH.read_text(encoding="utf-8"))["fits"]
    return f"{zlib.crc32(json.dumps(fits, sort_keys=True).encode()):08x}"


def calibrations_of(folder: Path, model_id: str) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """Return a knowledge base's sections ``search`` and ``automatic``, empty if they belong to another embedder.

    A section without an embedder dates from when there was only the built-in one.  Raises ``CalibrationDamaged``.
    """
    kept = read_calibration(folder)

    def section(name: str) -> Mapping[str, object]:
        found = kept.get(name)
        if found is None:
            return {}
        is_own = found["embedder"] == model_id if "embedder" in found else not is_search_model(model_id)
        return found if is_own else {}

    return section("search"), section("automatic")


JUDGED_CHUNKS = 5
"""The first passages of the ranking, from which the lexical signals are computed."""


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
    codes = [term for term in weights if is_code(term) and len(term) > 1]  # the shipped fit counted single digits, too
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


_RARE_IDF = 3.9
"""That of a term which one of fifty passages has."""
_FEW_CHUNKS = 3


def names_found_code(weights: Mapping[str, "TermWeight"], signals: Signals) -> bool:
    """Tell whether a question names a code that few passages have, and the first passages hold all its codes.

    The fit knows little of such a question: "What does E07 mean?" is short, and its passage is a table of other codes.
    Of the sample's 284 questions this spares one that has an answer from being refused, and none without.

    >>> from rag.retrieval.lexical_index import TermWeight
    >>> weights = {"e07": TermWeight(2, 5.1), "mean": TermWeight(1, 5.6)}
    >>> [names_found_code(weights, Signals(codes=held)) for held in (1.0, 0.0)]
    [True, False]
    """
    rare = (
        term.isalnum() and not term.isdigit() and (weight.idf >= _RARE_IDF or 0 < weight.chunks <= _FEW_CHUNKS)
        for term, weight in weights.items()
        if is_code(term)
    )
    return signals.codes == 1.0 and any(rare)


@lru_cache(maxsize=2048)
def _terms_of(text: str) -> frozenset[str]:
    return frozenset(terms(text))


def _share(weights: Mapping[str, "TermWeight"], wanted: set[str]) -> float:
    """Return the wanted terms' share in [0, 1] of the weight of all terms; 0 without any terms."""
    total = sum(weight.idf for weight in weights.values())
    return sum(weight.idf for term, weight in weights.items() if term in wanted) / total if total else 0.0
