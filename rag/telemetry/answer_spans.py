"""Builds one answer's span tree: stages, times, and the few attributes that may leave the machine.

The names are OpenTelemetry's for generative AI where it has one
(https://github.com/open-telemetry/semantic-conventions-genai, spans "inference", "embeddings" and "retrieval").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rag.schema import Completed, Retrieved, SpanTime
from rag.tracing import STAGES

ROOT = "answerdesk.answer"
PROVIDER = "ollama"
_OF_THE_MODEL = ("load", "prompt", "thinking", "answer")
_UNTIL_EVIDENCE = ("embed", "search", "rerank", "pack")
_NANOSECONDS_A_MILLISECOND = 1_000_000
_OPERATIONS = {"embed": "embeddings", "search": "retrieval"}

Attribute = str | bool | int
Kind = Literal["internal", "client", "server"]


@dataclass(frozen=True, slots=True)
class AnswerSpan:
    """A stretch of time with what happened within it; times are nanoseconds since 1970.

    ``error`` is the name of the error that ended it, empty where none did.
    """

    name: str
    started_ns: int
    ended_ns: int
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    children: tuple["AnswerSpan", ...] = ()
    kind: Kind = "internal"
    error: str = ""


def completed_span(started_ns: int, ended_ns: int, retrieved: Retrieved | None, completed: Completed) -> AnswerSpan:
    """Return the span of a whole answer.

    Its stages up to the evidence are laid out from its beginning on, the others back from its end: they follow each
    other closely, and what lies between is the asker's, who takes in the evidence.
    """
    answer = completed.answer
    attributes: dict[str, Attribute] = {
        "answerdesk.language": answer.language,
        "answerdesk.refused": answer.refused,
        "answerdesk.generation": answer.generation,
        "answerdesk.passages": len(retrieved.evidence) if retrieved is not None else 0,
        "answerdesk.citations": len(answer.citations),
        "answerdesk.unsupported": len(answer.unsupported),
        "answerdesk.conflicts": len(answer.conflicts),
    }
    if answer.model:
        attributes["gen_ai.response.model"] = answer.model
    known = [span for stage in STAGES for span in answer.spans if span.name == stage and stage != "total"]
    early = _laid_out([span for span in known if span.name in _UNTIL_EVIDENCE], started_ns)
    late = [span for span in known if span.name not in _UNTIL_EVIDENCE]
    later = _laid_out(late, ended_ns - sum(_nanoseconds(span) for span in late))
    children = (*early, *_with_the_model_together(later, completed))
    return AnswerSpan(ROOT, started_ns, ended_ns, attributes, children, kind="server")


def failed_span(started_ns: int, ended_ns: int, retrieved: Retrieved | None, error: str) -> AnswerSpan:
    """Return the span of an answer that an error ended; ``error`` is its class's name."""
    attributes: dict[str, Attribute] = {"error.type": error}
    if retrieved is not None:
        attributes |= {
            "answerdesk.generation": retrieved.generation,
            "answerdesk.passages": len(retrieved.evidence),
        }
    return AnswerSpan(ROOT, started_ns, ended_ns, attributes, kind="server", error=error)


def _laid_out(spans: Sequence[SpanTime], started_ns: int) -> list[AnswerSpan]:
    found: list[AnswerSpan] = []
    for span in spans:
        ended_ns = started_ns + _nanoseconds(span)
        operation = _OPERATIONS.get(span.name)
        attributes = {} if operation is None else {"gen_ai.operation.name": operation}
        found.append(AnswerSpan(span.name, started_ns, ended_ns, attributes))
        started_ns = ended_ns
    return found


def _with_the_model_together(spans: Sequence[AnswerSpan], completed: Completed) -> list[AnswerSpan]:
    """Put the stages at the model under one span: a call of it, as the conventions know it."""
    own = [span for span in spans if span.name in _OF_THE_MODEL]
    if not own:
        return list(spans)
    model = completed.answer.model
    attributes: dict[str, Attribute] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": PROVIDER,
        "gen_ai.request.model": model,
        "gen_ai.usage.output_tokens": completed.generated_tokens,
    }
    call = AnswerSpan(f"chat {model}", own[0].started_ns, own[-1].ended_ns, attributes, tuple(own), kind="client")
    before = [span for span in spans if span.name == "wait"]
    after = [span for span in spans if span.name == "citations"]
    return [*before, call, *after]


def _nanoseconds(span: SpanTime) -> int:
    return round(span.duration_ms * _NANOSECONDS_A_MILLISECOND)
