"""Scores of a run: pure functions from records to numbers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from eval.answers.metrics import best_token_f1, is_right
from eval.answers.runner import Record
from eval.percentiles import Percentiles
from eval.retrieval.metrics import recall_at, reciprocal_rank_at
from ingest.golden import GoldenQuestion
from rag.answering.language import question_language
from rag.tracing import STAGES


@dataclass(frozen=True, slots=True)
class Score:
    """One question's verdict.  Fields are None where they make no sense (recall without a relevant document)."""

    question_id: str
    kind: str
    language: str
    answerable: bool
    refused: bool
    right: bool
    error: str
    token_f1: float | None
    recall_at_1: float | None
    recall_at_5: float | None
    reciprocal_rank: float | None
    gold_cited: bool | None
    supported_share: float | None
    language_match: bool | None


def score(question: GoldenQuestion, record: Record) -> Score:
    """Judge one record.  A refusal is right where no answer exists; an error is never right."""
    answer = record.answer
    answered = answer is not None and not answer.refused
    refused = answer is not None and answer.refused
    wanted = question.answerable and bool(question.relevant)
    sentences = len(answer.citations) + len(answer.unsupported) if answer is not None and answered else 0
    return Score(
        question_id=question.question_id,
        kind=question.kind,
        language=question.language,
        answerable=question.answerable,
        refused=refused,
        right=(answer is not None and answered and is_right(answer.text, question.key_points))
        if question.answerable
        else refused,
        error=record.error,
        token_f1=best_token_f1(answer.text, question.answers)
        if answer is not None and answered and question.answerable
        else None,
        recall_at_1=recall_at(record.evidence_documents, question.relevant, 1) if wanted else None,
        recall_at_5=recall_at(record.evidence_documents, question.relevant, 5) if wanted else None,
        reciprocal_rank=reciprocal_rank_at(record.evidence_documents, question.relevant, 10) if wanted else None,
        gold_cited=any(citation.document_id in question.relevant for citation in answer.citations)
        if answer is not None and answered and wanted
        else None,
        supported_share=len(answer.citations) / sentences if answer is not None and sentences else None,
        language_match=question_language(answer.text) == question.language
        if answer is not None and answer.text
        else None,
    )


def summarise(questions: Sequence[GoldenQuestion], records: Sequence[Record]) -> dict[str, object]:
    """Return the run's figures.  Shares are in [0, 1], times in milliseconds, None where nothing was counted."""
    scores = [score(question, record) for question, record in zip(questions, records, strict=True)]
    answerable = [item for item in scores if item.answerable]
    unanswerable = [item for item in scores if not item.answerable]
    answered_by_model = [record.answer for record in records if record.answer is not None and record.answer.model]
    return {
        "n": len(scores),
        "accuracy": _mean([item.right for item in scores]),
        "answers": {
            "n": len(answerable),
            "accuracy": _mean([item.right for item in answerable]),
            "token_f1": _mean([item.token_f1 for item in answerable]),
            "gold_cited": _mean([item.gold_cited for item in answerable]),
            "supported_sentences": _mean([item.supported_share for item in scores]),
            "language_match": _mean([item.language_match for item in scores]),
        },
        "retrieval": {
            "n": len([item for item in answerable if item.recall_at_1 is not None]),
            "recall_at_1": _mean([item.recall_at_1 for item in answerable]),
            "recall_at_5": _mean([item.recall_at_5 for item in answerable]),
            "mrr_at_10": _mean([item.reciprocal_rank for item in answerable]),
        },
        "refusal": {
            "refused_unanswerable": _mean([item.refused for item in unanswerable]),
            "refused_answerable": _mean([item.refused for item in answerable]),
        },
        "by_language": {
            language: _mean([item.right for item in scores if item.language == language])
            for language in sorted({item.language for item in scores})
        },
        "by_kind": {
            kind: {
                "n": len([item for item in scores if item.kind == kind]),
                "accuracy": _mean([item.right for item in scores if item.kind == kind]),
            }
            for kind in sorted({item.kind for item in scores})
        },
        "errors": sorted(f"{item.question_id}: {item.error}" for item in scores if item.error),
        "latency_ms": _latency(records),
        "model": ", ".join(sorted({answer.model for answer in answered_by_model})),
        "stand_in": any(answer.stand_in for answer in answered_by_model),
    }


def wrong(questions: Sequence[GoldenQuestion], records: Sequence[Record]) -> list[Score]:
    """Return the scores of the questions that were not answered rightly, in order."""
    scores = [score(question, record) for question, record in zip(questions, records, strict=True)]
    return [item for item in scores if not item.right]


def _latency(records: Sequence[Record]) -> dict[str, dict[str, object]]:
    stages = {
        stage: Percentiles.of(
            [
                span.duration_ms
                for record in records
                if record.answer is not None
                for span in record.answer.spans
                if span.name == stage
            ]
        )
        for stage in STAGES
    }
    until = {
        "until_evidence": Percentiles.of([item.evidence_ms for item in records if item.evidence_ms is not None]),
        "until_first_token": Percentiles.of(
            [item.first_token_ms for item in records if item.first_token_ms is not None]
        ),
        "until_first_answer_token": Percentiles.of(
            [item.first_answer_ms for item in records if item.first_answer_ms is not None]
        ),
    }
    return {name: asdict(value) for name, value in (until | stages).items() if value.n}


def _mean(values: Sequence[float | bool | None]) -> float | None:
    counted = [float(value) for value in values if value is not None]
    return round(sum(counted) / len(counted), 4) if counted else None
