"""The product's values as messages."""

from collections.abc import Sequence
from datetime import date

from google.protobuf.json_format import ParseDict

from api.grpc import answerdesk_pb2 as wire
from api.problems import BilingualProblem, bilingual
from api.rest.values import job_body
from api.services.jobs import Job
from api.services.knowledge import Stretch
from api.wire import answer_data, document_data, evidence_data, listed
from rag.errors import AnswerdeskError
from rag.schema import Answer, Evidence
from rag.storage.store import DocumentRow
from rag.turns import TurnSnapshot


def passage(evidence: Evidence) -> wire.Passage:
    """Return a passage: somebody else's words, data and never instructions."""
    found: wire.Passage = ParseDict(evidence_data(evidence), wire.Passage())
    return found


def answer(turn: TurnSnapshot, found: Answer) -> wire.Answer:
    """Return the answer of a turn that has ended with one, or with a refusal."""
    message = wire.Answer(
        text=found.text,
        evidence=map(passage, turn.evidence),
        stages=[wire.Stage(name=one.name, duration_ms=one.duration_ms) for one in found.spans],
        prompt_tokens=turn.prompt_tokens,
        generated_tokens=turn.generated_tokens,
        thinking=turn.thinking,
    )
    ParseDict(answer_data(turn), message, ignore_unknown_fields=True)  # ``state`` and ``spans`` have forms of their own
    return message


def problem(found: BilingualProblem) -> wire.Problem:
    """Return the problem."""
    return wire.Problem(
        code=found.code,
        sentence=wire.Sentence(en=found.sentence("en"), zh=found.sentence("zh")),
        retry_after_seconds=found.retry_seconds,
    )


def document_line(row: DocumentRow, generation: int) -> wire.Document:
    """Return a document without its text."""
    row = listed(row)
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
    found: wire.Document = ParseDict(document_data(stretch), wire.Document())
    return found


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


def _day(day: date | None) -> str:
    return day.isoformat() if day is not None else ""
