"""Exports a trace of every answer to the collector in the settings, if one is configured.

An answer is a tree of spans: stages, times, and the few attributes that may leave the machine.  The names are
OpenTelemetry's for generative AI where it has one
(https://github.com/open-telemetry/semantic-conventions-genai, spans "inference", "embeddings" and "retrieval").
"""

import logging
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from rag.pipeline import AskOptions, Pipeline, PipelineParts
from rag.schema import Completed, Event, Retrieved, SpanTime
from rag.settings import Settings
from rag.terminal import terminal_language
from rag.tracing import STAGES, UNTIL_EVIDENCE
from rag.translate import translate

ROOT = "answerdesk.answer"
PROVIDER = "ollama"
_OF_THE_MODEL = ("load", "prompt", "thinking", "answer")
_NANOSECONDS_A_MILLISECOND = 1_000_000
_OPERATIONS = {"embed": "embeddings", "search": "retrieval"}

Attribute = str | bool | int
Kind = Literal["internal", "client", "server"]


@dataclass(frozen=True, slots=True)
class AnswerSpan:
    """A stretch of time with attributes and children; times are nanoseconds since 1970.

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
    early = _laid_out([span for span in known if span.name in UNTIL_EVIDENCE], started_ns)
    late = [span for span in known if span.name not in UNTIL_EVIDENCE]
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


class TracedPipeline(Pipeline):
    """A ``Pipeline`` that gives ``export`` one span tree for each question, however it ends.

    ``export`` must return at once and raise nothing.
    """

    def __init__(self, parts: PipelineParts, export: Callable[[AnswerSpan], None]) -> None:
        super().__init__(parts)
        self._export = export

    def _events(self, question: str, options: AskOptions) -> Generator[Event, None, None]:
        started_ns = time.time_ns()
        retrieved: Retrieved | None = None
        is_told = False
        events = super()._events(question, options)
        try:
            with closing(events):
                for event in events:
                    if isinstance(event, Retrieved):
                        retrieved = event
                    elif isinstance(event, Completed):
                        is_told = True
                        self._export(completed_span(started_ns, time.time_ns(), retrieved, event))
                    yield event
        except BaseException as error:
            if not is_told:  # a client that has the whole answer may leave
                name = "AnswerCancelled" if isinstance(error, GeneratorExit) else type(error).__name__
                self._export(failed_span(started_ns, time.time_ns(), retrieved, name))
            raise


logger = logging.getLogger(__name__)


def span_export(settings: Settings) -> Callable[[AnswerSpan], None] | None:
    """Return the exporter of spans; None if no collector is named, or its packages are missing.

    The latter is said once, in the log.
    """
    return _export_to(settings.otlp_endpoint) if settings.otlp_endpoint else None


@lru_cache(maxsize=4)
def _export_to(endpoint: str) -> Callable[[AnswerSpan], None] | None:
    try:
        from rag.telemetry.otlp import OtlpExport  # brings OpenTelemetry, for those who ask for it
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("opentelemetry"):
            raise
        logger.warning("%s", translate("telemetry.extra_missing", terminal_language()))
        return None
    return OtlpExport(endpoint)
