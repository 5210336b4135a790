"""Scores of a run: pure functions from records to numbers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from eval.answers.asking import ARMS, NO_PASSAGE, Arm, Record
from eval.answers.metrics import best_rouge_l, best_token_f1, has_numbers_of, holds_gold, is_right_reply
from eval.core.statistics import mean_interval, ratio_interval, right_interval, rounded, rounded_mean
from eval.retrieval.rankings import recall_at, reciprocal_rank_at
from ingest.golden import GoldenQuestion
from rag.text.language import question_language
from rag.tracing import STAGES, Percentiles

Loss = Literal["retrieval", "packing", "refusal", "model", "error", ""]
"""Where a wrong answer was lost; empty where it was not."""

LOSSES: tuple[Loss, ...] = ("retrieval", "packing", "refusal", "model", "error")
FOUND = 5
"""Documents among which the right one must be, or retrieval is to blame."""


@dataclass(frozen=True, slots=True)
class Score:
    """One question's verdict.  Fields are None where they make no sense (recall without a relevant document).

    ``gold_citations`` is the share of the citations that point into a relevant document.
    """

    question_id: str
    kind: str
    language: str
    answerable: bool
    refused: bool
    right: bool
    right_unquoted: bool
    error: str
    lost_in: Loss
    token_f1: float | None
    rouge_l: float | None
    numbers_right: bool | None
    recall_at_1: float | None
    recall_at_5: float | None
    reciprocal_rank: float | None
    gold_cited: bool | None
    gold_citations: float | None
    supported_share: float | None
    language_match: bool | None


def score(question: GoldenQuestion, record: Record) -> Score:
    """Judge one record.  A refusal is right where no answer exists; an error is never right."""
    answer = record.answer
    refused = answer is not None and answer.refused
    reply = answer if answer is not None and not answer.refused else None
    wanted = question.answerable and bool(question.relevant)
    compared = reply is not None and question.answerable and bool(question.answers)
    own_words, citations = (reply.text_without_quotation, reply.citations_of_reply) if reply else ("", ())
    cited = [citation.document_id in question.relevant for citation in citations]
    sentences = len({one.start for one in citations}) + len(reply.unsupported) if reply else 0
    right = reply is not None and is_right_reply(question, reply.text) if question.answerable else refused
    return Score(
        question_id=question.question_id,
        kind=question.kind,
        language=question.language,
        answerable=question.answerable,
        refused=refused,
        right=right,
        right_unquoted=right and (refused or is_right_reply(question, own_words)),
        error=record.error,
        lost_in="" if right else _find_loss(question, record),
        token_f1=best_token_f1(own_words, question.answers) if reply and compared else None,
        rouge_l=best_rouge_l(own_words, question.answers) if reply and compared else None,
        numbers_right=has_numbers_of(own_words, question.answers) if reply and compared else None,
        recall_at_1=recall_at(record.evidence_documents, question.relevant, 1) if wanted else None,
        recall_at_5=recall_at(record.evidence_documents, question.relevant, 5) if wanted else None,
        reciprocal_rank=reciprocal_rank_at(record.evidence_documents, question.relevant, 10) if wanted else None,
        gold_cited=any(cited) if reply and wanted else None,
        gold_citations=sum(cited) / len(cited) if cited and wanted else None,
        supported_share=len({one.start for one in citations}) / sentences if sentences else None,
        language_match=question_language(answer.text) == question.language if answer and answer.text else None,
    )


def _find_loss(question: GoldenQuestion, record: Record) -> Loss:
    """Blame the first step that went wrong."""
    if record.error:
        return "error"
    if not question.answerable:
        return "refusal"
    if question.relevant and not recall_at(record.found_documents, question.relevant, FOUND):
        return "retrieval"
    if not holds_gold(question, record.sent, record.sent_documents):
        return "packing"
    return "refusal" if record.answer is not None and record.answer.refused else "model"


def summarise(questions: Sequence[GoldenQuestion], records: Sequence[Record]) -> dict[str, object]:
    """Return the run's figures.  Shares are in [0, 1], times in milliseconds, None where nothing was counted.

    Top names are those of the product's own answers; ``ceiling`` and ``floor`` are there where they were asked.
    """
    own = scores_of(questions, records, "own")
    replies = [record.answer for record in records if record.arm == "own" and record.answer is not None]
    written = [record.answer for record in records if record.answer is not None and record.answer.model]
    arms = {name: scores_of(questions, records, name) for name in ARMS if name != "own"}
    return {
        **_quality(own),
        "intervals": _intervals(own, arms["ceiling"]),
        "accuracy_unquoted": rounded_mean([item.right_unquoted for item in own]),
        **_citations(own),
        "language_match": rounded_mean([item.language_match for item in own]),
        "tokens": _tokens([record for record in records if record.arm == "own"]),
        **{name: _arm_figures(scores, records, name) for name, scores in arms.items() if scores},
        "share_of_ceiling": _share(own, arms["ceiling"]),
        "lost_in": {name: sum(item.lost_in == name for item in own if item.answerable) for name in LOSSES},
        **_parts(own),
        "errors": sorted(f"{item.question_id}: {item.error}" for item in own if item.error),
        "latency_ms": _latency([record for record in records if record.arm == "own"]),
        "quoted": rounded_mean([answer.quoted for answer in replies if not answer.refused]),
        "model": ", ".join(sorted({answer.model for answer in written})),
        "stand_in": any(answer.stand_in for answer in written),
    }


def wrong_scores(questions: Sequence[GoldenQuestion], records: Sequence[Record]) -> list[Score]:
    """Return the scores of the questions that the product did not answer right, in order."""
    return [item for item in scores_of(questions, records, "own") if not item.right]


def scores_of(questions: Sequence[GoldenQuestion], records: Sequence[Record], arm: Arm) -> list[Score]:
    """Return one arm's scores in the order of the questions; where the own passage is missing there is no ceiling."""
    asked = {record.question_id: record for record in records if record.arm == arm and record.error != NO_PASSAGE}
    return [score(question, asked[question.question_id]) for question in questions if question.question_id in asked]


def _quality(scores: Sequence[Score]) -> dict[str, object]:
    return {
        "n": len(scores),
        "accuracy": rounded_mean([item.right for item in scores]),
        "token_f1": rounded_mean([item.token_f1 for item in scores]),
        "rouge_l": rounded_mean([item.rouge_l for item in scores]),
        "numbers_right": rounded_mean([item.numbers_right for item in scores]),
    }


def _citations(scores: Sequence[Score]) -> dict[str, object]:
    return {
        "supported_sentences": rounded_mean([item.supported_share for item in scores]),
        "citation_precision": rounded_mean([item.gold_citations for item in scores]),
        "citation_recall": rounded_mean([item.gold_cited for item in scores]),
    }


def _intervals(own: Sequence[Score], ceiling: Sequence[Score]) -> dict[str, object]:
    pairs = _pairs(own, ceiling)
    return {
        "accuracy": right_interval([item.right for item in own]),
        "token_f1": mean_interval([item.token_f1 for item in own if item.token_f1 is not None]),
        "rouge_l": mean_interval([item.rouge_l for item in own if item.rouge_l is not None]),
        "share_of_ceiling": ratio_interval([float(one) for one, _ in pairs], [float(other) for _, other in pairs]),
    }


def _arm_figures(scores: Sequence[Score], records: Sequence[Record], name: str) -> dict[str, object]:
    interval = right_interval([item.right for item in scores])
    tokens = _tokens([record for record in records if record.arm == name])
    return {**_quality(scores), "intervals": {"accuracy": interval}, "tokens": tokens}


def _share(own: Sequence[Score], ceiling: Sequence[Score]) -> float | None:
    """Return own accuracy over the ceiling's on the questions that have both; None where the ceiling is 0."""
    pairs = _pairs(own, ceiling)
    reached = sum(other for _, other in pairs)
    return rounded(sum(one for one, _ in pairs) / reached) if reached else None


def _pairs(own: Sequence[Score], ceiling: Sequence[Score]) -> list[tuple[bool, bool]]:
    reached = {item.question_id: item.right for item in ceiling}
    return [(item.right, reached[item.question_id]) for item in own if item.question_id in reached]


def _parts(scores: Sequence[Score]) -> dict[str, object]:
    """Return the figures of kinds of questions: with and without an answer, by language, by what makes them hard."""
    answerable = [item for item in scores if item.answerable]
    unanswerable = [item for item in scores if not item.answerable]
    kinds = Counter(item.kind for item in scores)
    return {
        "answers": {
            "n": len(answerable),
            "accuracy": rounded_mean([item.right for item in answerable]),
            "gold_cited": rounded_mean([item.gold_cited for item in answerable]),
        },
        "retrieval": {
            "n": len([item for item in answerable if item.recall_at_1 is not None]),
            "recall_at_1": rounded_mean([item.recall_at_1 for item in answerable]),
            "recall_at_5": rounded_mean([item.recall_at_5 for item in answerable]),
            "mrr_at_10": rounded_mean([item.reciprocal_rank for item in answerable]),
        },
        "refusal": {
            "refused_unanswerable": rounded_mean([item.refused for item in unanswerable]),
            "refused_answerable": rounded_mean([item.refused for item in answerable]),
        },
        "by_language": {
            language: rounded_mean([item.right for item in scores if item.language == language])
            for language in sorted({item.language for item in scores})
        },
        "by_kind": {
            kind: {"n": kinds[kind], "accuracy": rounded_mean([item.right for item in scores if item.kind == kind])}
            for kind in sorted(kinds)
        },
    }


def _tokens(records: Sequence[Record]) -> dict[str, float | None]:
    """Return the mean tokens of a question that the model was asked."""
    asked = [record.tokens for record in records if record.tokens.prompt]
    return {
        "prompt": rounded_mean([tokens.prompt for tokens in asked]),
        "generated": rounded_mean([tokens.generated for tokens in asked]),
        "evidence": rounded_mean([tokens.evidence for tokens in asked]),
    }


def _latency(records: Sequence[Record]) -> Mapping[str, Mapping[str, object]]:
    spans = [span for record in records if record.answer is not None for span in record.answer.spans]
    stages = {stage: Percentiles.of([span.duration_ms for span in spans if span.name == stage]) for stage in STAGES}
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
