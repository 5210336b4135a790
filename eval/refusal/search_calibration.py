"""Fits a knowledge base's own level of the search's probabilities: Platt's two numbers, and the threshold.

Levels do not carry over from one knowledge base to another: the same cosine is near here and far there.  Questions that
have an answer are enough for the threshold; some without one make the probabilities probabilities as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.core.logistic import (
    FALSE_REFUSALS,
    auroc,
    calibration_error,
    fit_logistic,
    held_out_logits,
    probabilities_of,
    refused_when_held_out,
    threshold_at,
)
from ingest.golden import GoldenQuestion
from rag.errors import SettingsError
from rag.logits import logistic, logit_of
from rag.pipeline import PipelineParts
from rag.retrieval.confidence import OwnCalibration
from rag.terminal import terminal_language
from rag.text.language import question_language
from rag.tracing import Trace
from rag.translate import translate

LEAST_QUESTIONS = 20
"""Questions with an answer: fewer cannot show which 4 % of them to refuse."""

_FOLDS, _REPEATS = 5, 5
LEAST_UNANSWERABLE = _FOLDS
"""Questions without an answer: each part that is held out needs one; with fewer only the threshold is fitted."""

_DIGITS = 4


@dataclass(frozen=True, slots=True)
class SearchedQuestion:
    """One question: whether it has an answer, and the shipped fit's probability in [0, 1] that it was found."""

    answerable: bool
    probability: float

    @property
    def logit(self) -> float:
        """The probability's logit."""
        return logit_of(self.probability)


def searched(questions: Sequence[GoldenQuestion], parts: PipelineParts) -> list[SearchedQuestion]:
    """Search every question; no model is asked."""
    found = []
    for question in questions:
        earlier = [question.previous] if question.previous else []
        language = question_language(question.question)
        retrieval = parts.retriever.retrieve(question.question, language, Trace(), earlier=earlier)
        found.append(SearchedQuestion(question.answerable, retrieval.base_probability))
    return found


def calibrate_search(found: Sequence[SearchedQuestion]) -> tuple[OwnCalibration, dict[str, float]]:
    """Return the calibration by all questions, and how such a one does on held-out ones.

    Raises ``SettingsError`` with fewer than ``LEAST_QUESTIONS`` that have an answer.
    """
    labels = np.array([one.answerable for one in found], dtype=np.bool_)
    logits = np.array([one.logit for one in found], dtype=np.float64)[:, None]
    if labels.sum() < LEAST_QUESTIONS:
        counts = {"least": LEAST_QUESTIONS, "found": int(labels.sum())}
        raise SettingsError(reason=translate("eval.too_few", terminal_language(), **counts))
    if (~labels).sum() < LEAST_UNANSWERABLE:
        threshold = threshold_at(logits[:, 0], labels, FALSE_REFUSALS)
        return _rounded(1.0, 0.0, threshold), {"n": len(found), "n_unanswerable": int((~labels).sum())}
    held_out = np.mean([held_out_logits(logits, labels, _FOLDS, seed) for seed in range(_REPEATS)], axis=0)
    refused = refused_when_held_out(logits, labels, FALSE_REFUSALS, _FOLDS, _REPEATS)
    whole = fit_logistic(logits, labels)
    slope, intercept = float(whole.weights[0]), whole.intercept
    figures = {
        "auroc": auroc(logits[:, 0], labels),
        "ece": calibration_error(probabilities_of(held_out), labels),
        "refused_answerable": float(refused[labels].mean()),
        "refused_unanswerable": float(refused[~labels].mean()),
    }
    threshold = threshold_at(slope * logits[:, 0] + intercept, labels, FALSE_REFUSALS)
    return _rounded(slope, intercept, threshold), {
        "n": len(found),
        "n_unanswerable": int((~labels).sum()),
        **{name: round(float(value), _DIGITS) for name, value in figures.items()},
    }


def _rounded(slope: float, intercept: float, threshold_logit: float) -> OwnCalibration:
    threshold = round(logistic(threshold_logit), _DIGITS + 2)
    return OwnCalibration(round(slope, _DIGITS), round(intercept, _DIGITS), threshold)
