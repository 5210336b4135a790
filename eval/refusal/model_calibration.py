"""Fit when a model's answerability score means a refusal, on questions with and without an answer."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

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
from eval.core.progress import SILENT, Progress, counted
from eval.core.question_sets import QuestionSet
from eval.core.runs import Run, keep_asking, knowledge_name
from ingest.golden import GoldenQuestion
from rag.errors import SettingsError
from rag.generation.answerability import (
    ANSWERABILITY_PATH,
    AnswerabilityFit,
    AnswerabilitySample,
    answerability_features,
)
from rag.pipeline import Pipeline, PipelineParts
from rag.terminal import terminal_language
from rag.translate import translate

QUOTE_PRECISION = 0.7
"""A quotation takes the place of a reply without support where at least this share of such questions has an answer."""

_FOLDS, _REPEATS = 5, 5
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Judged:
    """One question, whether it has an answer in the knowledge base, and what was read."""

    question_id: str
    answerable: bool
    reading: AnswerabilitySample


def read_all(
    read: Callable[[GoldenQuestion], AnswerabilitySample],
    questions: Sequence[GoldenQuestion],
    path: Path,
    progress: Callable[[Judged], None] = lambda judged: None,
) -> list[Judged]:
    """Ask what ``path`` does not hold yet, one JSONL line a question, and return all."""

    def judge(question: GoldenQuestion) -> Judged:
        return Judged(question.question_id, question.answerable, read(question))

    items = [(question.question_id, question) for question in questions]
    return keep_asking(path, TypeAdapter(Judged), items, judge, lambda judged: judged.question_id, progress)


def fit(judged: Sequence[Judged]) -> tuple[AnswerabilityFit, dict[str, float]]:
    """Return the fit on all questions, and how well such a fit does on held-out ones.

    Raises ``SettingsError`` where one kind of question is missing.
    """
    usable = [one for one in judged if one.reading.yes is not None]
    labels = np.array([one.answerable for one in usable], dtype=np.bool_)
    if min(labels.sum(), (~labels).sum()) < _FOLDS:
        raise SettingsError(reason=f"at least {_FOLDS} questions with and {_FOLDS} without an answer are needed")
    features = np.array([_features(one.reading) for one in usable], dtype=np.float64)
    logits = np.mean([held_out_logits(features, labels, _FOLDS, seed) for seed in range(_REPEATS)], axis=0)
    whole = fit_logistic(features, labels)
    probabilities = probabilities_of(logits)
    yes, retrieval, chinese = (round(float(weight), _DIGITS) for weight in whole.weights)
    refuse_below = float(probabilities_of(np.array([threshold_at(logits, labels, FALSE_REFUSALS)]))[0])
    fitted = AnswerabilityFit(
        intercept=round(whole.intercept, _DIGITS),
        yes=yes,
        retrieval=retrieval,
        chinese=chinese,
        refuse_below=round(refuse_below, _DIGITS),
        quote_from=round(max(QUOTE_PRECISION, refuse_below), _DIGITS),
    )
    refused = refused_when_held_out(features, labels, FALSE_REFUSALS, _FOLDS, _REPEATS)
    figures = {
        "n": len(usable),
        "auroc": auroc(probabilities, labels),
        "auroc_of_retrieval": auroc(features[:, 1], labels),
        "ece": calibration_error(probabilities, labels),
        "refused_answerable": float(refused[labels].mean()),
        "refused_unanswerable": float(refused[~labels].mean()),
    }
    return fitted, {name: round(float(value), _DIGITS) for name, value in figures.items()}


def _features(reading: AnswerabilitySample) -> tuple[float, float, float]:
    return answerability_features(yes=reading.yes or 0.0, retrieval=reading.retrieval, language=reading.language)


def save(
    model: str, fitted: AnswerabilityFit, figures: dict[str, float], questions: str, path: Path = ANSWERABILITY_PATH
) -> None:
    """Write a model's fit, and on what and when it was made, beside those of other models."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content["fits"][model] = asdict(fitted)
    content.setdefault("fitted", {})[model] = {
        "on": questions,
        "when": date.today().isoformat(),
        "how": "logistic regression, penalty 1 on the standardised features; the threshold leaves "
        f"{FALSE_REFUSALS:.0%} of the answerable questions refused; figures from held-out parts",
        "figures": figures,
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_questions(one: QuestionSet, parts: PipelineParts, kept: Run, progress: Progress = SILENT) -> list[Judged]:
    """Read what the run does not hold yet.  Raises ``SettingsError`` when it measured something else."""
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
        counted(progress, translate("eval.questions", terminal_language()), len(one.questions)),
    )
