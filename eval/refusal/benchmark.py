"""How well answerable questions are distinguished: by the search alone, or with the model as reader."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
from pydantic import TypeAdapter

from eval.core.conditions import answer_conditions, refusal_conditions
from eval.core.progress import SILENT, Progress, question_counter
from eval.core.question_sets import QuestionSet
from eval.core.runs import Run, keep_asking, knowledge_name
from eval.core.search import search
from eval.core.statistics import auroc, calibration_error, right_interval, rounded, rounded_mean, threshold_at
from eval.refusal.calibration import LEAST_QUESTIONS, LEAST_UNANSWERABLE, SearchedQuestion, calibrate_search
from ingest.golden import GoldenQuestion
from rag.errors import SettingsError
from rag.generation.answerability import AnswerabilityFit
from rag.pipeline import Pipeline, PipelineParts
from rag.terminal import terminal_language
from rag.tracing import Percentiles
from rag.translate import translate

By = Literal["retrieval", "reader"]

ALLOWED_FALSE_REFUSALS = 0.05


@dataclass(frozen=True, slots=True)
class Judgement:
    """The judgement on one question: how probable its answer is, in [0, 1], and whether it is refused for that.

    ``retrieval`` is what the search alone says.  ``yes`` is the reader's, None where it was not asked, or said neither.
    """

    question_id: str
    kind: str
    answerable: bool
    probability: float
    refused: bool
    retrieval: float
    yes: float | None
    duration_ms: float


JUDGEMENTS = TypeAdapter(Judgement)
Judge = Callable[[GoldenQuestion], Judgement]


def as_unanswerable(questions: Sequence[GoldenQuestion]) -> tuple[GoldenQuestion, ...]:
    """Mark another product's questions as unanswerable here."""
    return tuple(
        replace(
            one,
            question_id=f"other-{one.question_id}",
            answerable=False,
            answers=(),
            key_points=(),
            relevant=(),
            kind="other",
        )
        for one in questions
    )


def figures(judgements: Sequence[Judgement]) -> dict[str, object]:
    """Return shares in [0, 1]; None where one of the two kinds of questions is missing.

    ``refused_...`` are by the threshold in use, ``..._at_5`` by the one at which 5 % of the answerable questions of
    this very set are refused: ``threshold_at_5``, which by the search alone is what ``ANSWERDESK_REFUSAL_THRESHOLD``
    may be set to.  ``own_fit`` is what a fit (Platt) and a threshold on the set's other questions would do.
    """
    labels = np.array([one.answerable for one in judgements], dtype=np.bool_)
    scores = np.array([one.probability for one in judgements], dtype=np.float64)
    refused = np.array([one.refused for one in judgements], dtype=np.float64)
    searched = np.array([one.retrieval for one in judgements], dtype=np.float64)
    both = bool(labels.any() and (~labels).any())
    threshold = threshold_at(scores, labels, ALLOWED_FALSE_REFUSALS) if labels.any() else 0.0
    kinds = sorted({one.kind for one in judgements if not one.answerable})
    return {
        "n": len(judgements),
        "n_unanswerable": int((~labels).sum()),
        "auroc": rounded(auroc(scores, labels)) if both else None,
        "refused_unanswerable": rounded_mean(refused[~labels].tolist()),
        "refused_answerable": rounded_mean(refused[labels].tolist()),
        "ece": rounded(calibration_error(scores, labels)) if len(judgements) else None,
        "refused_unanswerable_at_5": rounded_mean((scores < threshold)[~labels].tolist()) if labels.any() else None,
        "threshold_at_5": rounded(threshold) if labels.any() else None,
        "auroc_of_retrieval": rounded(auroc(searched, labels)) if both else None,
        "intervals": {
            "refused_unanswerable": right_interval(refused[~labels].tolist()),
            "refused_answerable": right_interval(refused[labels].tolist()),
        },
        "by_kind": {
            kind: {
                "n": sum(not one.answerable and one.kind == kind for one in judgements),
                "refused": rounded_mean([one.refused for one in judgements if not one.answerable and one.kind == kind]),
            }
            for kind in kinds
        },
        "own_fit": _own_fit(judgements),
        "reliability": reliability(judgements),
        "latency_ms": asdict(Percentiles.of([one.duration_ms for one in judgements])),
    }


def reliability(judgements: Sequence[Judgement], bins: int = 10) -> list[dict[str, float]]:
    """Return the bins behind ``ece``: each bin's count, mean probability, and answerable share."""
    found: list[dict[str, float]] = []
    for number in range(bins):
        inside = [one for one in judgements if min(int(one.probability * bins), bins - 1) == number]
        if inside:
            said = sum(one.probability for one in inside) / len(inside)
            true = sum(one.answerable for one in inside) / len(inside)
            found.append({"n": len(inside), "said": rounded(said), "true": rounded(true)})
    return found


def _own_fit(judgements: Sequence[Judgement]) -> dict[str, float] | None:
    """Return the figures of a calibration on the set's other questions; None with too few of either kind."""
    answerable = sum(one.answerable for one in judgements)
    if answerable < LEAST_QUESTIONS or len(judgements) - answerable < LEAST_UNANSWERABLE:
        return None
    calibration, figures = calibrate_search([SearchedQuestion(one.answerable, one.probability) for one in judgements])
    return {**figures, "slope": calibration.slope, "intercept": calibration.intercept}


def retrieval_judge(parts: PipelineParts) -> Judge:
    """Return a judge by the search alone."""

    def judge(question: GoldenQuestion) -> Judgement:
        began_at = time.perf_counter()
        found = search(parts, question)
        return Judgement(
            question_id=question.question_id,
            kind=question.kind,
            answerable=question.answerable,
            probability=found.answerable_probability,
            refused=not found.answerable,
            retrieval=found.answerable_probability,
            yes=None,
            duration_ms=(time.perf_counter() - began_at) * 1000,
        )

    return judge


def reader_judge(parts: PipelineParts, fit: AnswerabilityFit) -> Judge:
    """Return the desk's judge: the search, and the model where the search does not refuse."""
    searched, pipeline = retrieval_judge(parts), Pipeline(parts)

    def judge(question: GoldenQuestion) -> Judgement:
        first = searched(question)
        if first.refused:
            return first
        began_at = time.perf_counter()
        reading = pipeline.judge_answerable(question.question, earlier=[question.previous])
        duration_ms = first.duration_ms + (time.perf_counter() - began_at) * 1000
        if reading.yes is None:
            return replace(first, duration_ms=duration_ms)
        probability = fit.probability(yes=reading.yes, retrieval=reading.retrieval, language=reading.language)
        refused = probability < fit.refuse_below
        return replace(first, probability=probability, refused=refused, yes=reading.yes, duration_ms=duration_ms)

    return judge


def measure_refusal(
    one: QuestionSet, parts: PipelineParts, kept: Run, by: By = "retrieval", progress: Progress = SILENT
) -> dict[str, object]:
    """Judge what the run does not hold yet and return the figures.

    Raises ``SettingsError`` when the run of that name measured something else, or the model has no fit.
    """
    identity: dict[str, object] = {
        "command": "refusal",
        "set": one.name,
        "by": by,
        "knowledge": knowledge_name(parts.store.folder),
        "generation": parts.store.require_generation(),
    }
    conditions = refusal_conditions if by == "retrieval" else answer_conditions
    identity["settings"] = conditions(parts.settings, parts.store.folder)
    author: dict[str, object] = {"model": "", "stand_in": False}
    judge = retrieval_judge(parts)
    if by == "reader":
        parts.gateway.ensure_server()
        author = {"model": parts.gateway.generator.model, "stand_in": parts.gateway.generator.stand_in}
        fit = parts.reading_fit(parts.gateway.generator.model)
        if fit is None:
            raise SettingsError(
                reason=translate("eval.no_fit", terminal_language(), model=parts.gateway.generator.model)
            )
        judge = reader_judge(parts, fit)
    kept.begin(identity | author, one.questions)
    for first in one.questions[:1]:
        retrieval_judge(parts)(first)  # the first opens the index
    judgements = keep_asking(
        kept.folder / "records.jsonl",
        JUDGEMENTS,
        [(question.question_id, question) for question in one.questions],
        judge,
        lambda record: record.question_id,
        question_counter(progress, one.name, len(one.questions)),
    )
    summary = {**figures(judgements), "by": by, **author, "records": str(kept.folder)}
    kept.save_figures(summary)
    return summary
