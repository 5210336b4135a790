"""Fits when a question is refused: by the search of one knowledge base, and by a model's answerability score.

The search: Platt's two numbers and the threshold.  Levels do not carry over from one knowledge base to another: the
same cosine is near here and far there.  Questions that have an answer are enough for the threshold; some without one
make the probabilities probabilities as well.

The model: questions with and without an answer are both needed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from eval.core.progress import SILENT, Progress, question_counter
from eval.core.question_sets import QuestionSet
from eval.core.runs import Run, keep_asking, knowledge_name
from eval.core.search import search
from eval.core.statistics import FALSE_REFUSALS, FOLDS, auroc, cross_validated_fit, probabilities_of, threshold_at
from ingest.golden import GoldenQuestion
from rag.errors import SettingsError
from rag.generation.answerability import (
    AnswerabilityFit,
    AnswerabilitySample,
    answerability_features,
)
from rag.pipeline import Pipeline, PipelineParts
from rag.retrieval.confidence import OwnCalibration
from rag.storage.calibration import logistic, logit_of
from rag.terminal import terminal_language
from rag.translate import translate

LEAST_QUESTIONS = 20
"""Questions with an answer: fewer cannot show which 4 % of them to refuse."""

LEAST_UNANSWERABLE = FOLDS
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


def search_questions(questions: Sequence[GoldenQuestion], parts: PipelineParts) -> list[SearchedQuestion]:
    """Search every question; no model is asked."""
    return [SearchedQuestion(one.answerable, search(parts, one).base_probability) for one in questions]


def calibrate_search(found: Sequence[SearchedQuestion]) -> tuple[OwnCalibration, dict[str, float]]:
    """Return the calibration by all questions, and the results of such a one on held-out questions.

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
    judged = cross_validated_fit(logits, labels)
    slope, intercept = float(judged.fit.weights[0]), judged.fit.intercept
    figures = judged.figures(logits[:, 0], labels)
    threshold = threshold_at(slope * logits[:, 0] + intercept, labels, FALSE_REFUSALS)
    return _rounded(slope, intercept, threshold), {
        "n": len(found),
        "n_unanswerable": int((~labels).sum()),
        **{name: round(float(value), _DIGITS) for name, value in figures.items()},
    }


def _rounded(slope: float, intercept: float, threshold_logit: float) -> OwnCalibration:
    threshold = round(logistic(threshold_logit), _DIGITS + 2)
    return OwnCalibration(round(slope, _DIGITS), round(intercept, _DIGITS), threshold)


@dataclass(frozen=True, slots=True)
class AnswerabilityRecord:
    """One question, whether it has an answer in the knowledge base, and the model's reading."""

    question_id: str
    answerable: bool
    reading: AnswerabilitySample


def read_all(
    read: Callable[[GoldenQuestion], AnswerabilitySample],
    questions: Sequence[GoldenQuestion],
    path: Path,
    progress: Callable[[AnswerabilityRecord], None] = lambda judged: None,
) -> list[AnswerabilityRecord]:
    """Ask the questions missing from ``path``, one JSONL line each, and return all."""

    def judge(question: GoldenQuestion) -> AnswerabilityRecord:
        return AnswerabilityRecord(question.question_id, question.answerable, read(question))

    items = [(question.question_id, question) for question in questions]
    return keep_asking(
        path, TypeAdapter(AnswerabilityRecord), items, judge, lambda judged: judged.question_id, progress
    )


def fit_answerability(judged: Sequence[AnswerabilityRecord]) -> tuple[AnswerabilityFit, dict[str, float]]:
    """Return the fit on all questions, and the results of such a fit on held-out ones.

    Raises ``SettingsError`` where one kind of question is missing.
    """
    usable = [one for one in judged if one.reading.yes is not None]
    labels = np.array([one.answerable for one in usable], dtype=np.bool_)
    if min(labels.sum(), (~labels).sum()) < FOLDS:
        raise SettingsError(reason=f"at least {FOLDS} questions with and {FOLDS} without an answer are needed")
    features = np.array([_features(one.reading) for one in usable], dtype=np.float64)
    held_out = cross_validated_fit(features, labels)
    yes, retrieval, chinese = (round(float(weight), _DIGITS) for weight in held_out.fit.weights)
    refuse_below = logistic(held_out.threshold)
    fitted = AnswerabilityFit(
        intercept=round(held_out.fit.intercept, _DIGITS),
        yes=yes,
        retrieval=retrieval,
        chinese=chinese,
        refuse_below=round(refuse_below, _DIGITS),
    )
    figures = {
        "n": len(usable),
        **held_out.figures(probabilities_of(held_out.logits), labels),
        "auroc_of_retrieval": auroc(features[:, 1], labels),
    }
    return fitted, {name: round(float(value), _DIGITS) for name, value in figures.items()}


def _features(reading: AnswerabilitySample) -> tuple[float, float, float]:
    return answerability_features(yes=reading.yes or 0.0, retrieval=reading.retrieval, language=reading.language)


def read_questions(
    one: QuestionSet, parts: PipelineParts, kept: Run, progress: Progress = SILENT
) -> list[AnswerabilityRecord]:
    """Read the questions missing from the run.  Raises ``SettingsError`` when it measured something else."""
    identity = {
        "command": "calibrate refusal",
        "set": one.name,
        "knowledge": knowledge_name(parts.store.folder),
        "generation": parts.store.require_generation(),
        "model": parts.gateway.generator.model,
    }
    kept.begin(identity, one.questions)
    pipeline = Pipeline(parts)
    return read_all(
        lambda question: pipeline.judge_answerable(question.question, earlier=[question.previous]),
        one.questions,
        kept.folder / "records.jsonl",
        question_counter(progress, translate("eval.questions", terminal_language()), len(one.questions)),
    )
