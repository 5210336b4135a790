"""The product's values as messages."""

from collections.abc import Sequence
from datetime import date

from google.protobuf.json_format import ParseDict

from api.grpc import answerdesk_pb2 as wire
from api.problems import BilingualProblem, bilingual
from api.rest.values import job_body
from api.services.jobs import Job
from api.services.knowledge import Stretch
from rag.errors import AnswerdeskError
from rag.schema import Answer, Citation, Conflict, Evidence, TextSpan
from rag.storage.store import DocumentRow
from rag.turns import TurnSnapshot


def passage(evidence: Evidence) -> wire.Passage:
    """Return a passage: somebody else's words, data and never instructions."""
    return wire.Passage(
        number=evidence.number,
        document_id=evidence.document_id,
        title=evidence.title,
        headings=evidence.heading_path,
        text=evidence.text,
        start=evidence.start,
        end=evidence.end,
        language=evidence.language,
        source=evidence.source,
        updated_on=_day(evidence.updated_on),
        expired_on=_day(evidence.expired_on),
        starts_on=_day(evidence.starts_on),
        audience=evidence.audience,
        quoted=_spans(evidence.quoted),
        unconfirmed=_spans(evidence.unconfirmed),
    )


def answer(turn: TurnSnapshot, found: Answer) -> wire.Answer:
    """Return the answer of a turn that has ended with one, or with a refusal."""
    return wire.Answer(
        turn_id=turn.turn_id,
        knowledge_base=turn.knowledge_base,
        text=found.text,
        refused=found.refused,
        language=found.text_language,
        lane=found.lane,
        model=found.model,
        stand_in=found.stand_in,
        generation=found.generation,
        instead_of=found.instead_of,
        citations=map(_citation, found.citations),
        unsupported=_spans(found.unsupported),
        unconfirmed=_spans(found.unconfirmed),
        left_open=found.left_open,
        by_words_alone=found.by_words_alone,
        conflicts=map(_conflict, found.conflicts),
        evidence=map(passage, turn.evidence),
        stages=[wire.Stage(name=one.name, duration_ms=one.duration_ms) for one in found.spans],
        prompt_tokens=turn.prompt_tokens,
        generated_tokens=turn.generated_tokens,
        thinking=turn.thinking,
    )


def problem(found: BilingualProblem) -> wire.Problem:
    """Return what went wrong."""
    return wire.Problem(
        code=found.code,
        sentence=wire.Sentence(en=found.sentence("en"), zh=found.sentence("zh")),
        retry_after_seconds=found.retry_seconds,
    )


def document_line(row: DocumentRow, generation: int) -> wire.Document:
    """Return a document without its text."""
    return wire.Document(
        document_id=row.document_id,
        title=row.title,
        language=row.language,
        source=row.source,
        updated_on=_day(row.updated_on),
        audience=row.audience,
        characters=row.characters,
        generation=generation,
    )


def document(stretch: Stretch) -> wire.Document:
    """Return a stretch of a document."""
    whole = stretch.document
    return wire.Document(
        document_id=whole.document_id,
        title=whole.title,
        language=whole.language,
        source=whole.source,
        updated_on=_day(whole.updated_on),
        audience=whole.audience,
        characters=len(whole.text),
        generation=stretch.generation,
        start=stretch.start,
        end=stretch.end,
        text=stretch.text,
    )


def ingest_event(job: Job, troubles: Sequence[AnswerdeskError]) -> wire.IngestEvent:
    """Return how far an ingest is, with these ``troubles`` of it."""
    body = job_body(job, "en")
    return wire.IngestEvent(
        job_id=job.job_id,
        stage=body.stage,
        done=body.done,
        total=body.total,
        troubles=[problem(bilingual(one)) for one in troubles],
        summary=ParseDict(body.result, wire.IngestSummary()) if body.result is not None else None,
    )


def _citation(found: Citation) -> wire.Citation:
    return wire.Citation(
        start=found.start,
        end=found.end,
        document_id=found.document_id,
        quote=found.quote,
        quote_start=found.quote_start,
        quote_end=found.quote_end,
    )


def _conflict(found: Conflict) -> wire.Conflict:
    return wire.Conflict(
        document_id=found.document_id,
        quote=found.quote,
        other_document_id=found.other_document_id,
        other_quote=found.other_quote,
    )


def _spans(stretches: Sequence[TextSpan]) -> list[wire.Span]:
    return [wire.Span(start=one.start, end=one.end) for one in stretches]


def _day(day: date | None) -> str:
    return day.isoformat() if day is not None else ""
