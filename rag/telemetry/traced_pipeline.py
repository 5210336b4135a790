"""Exports a trace of every answer to the collector in the settings, if one is configured."""

import logging
import time
from collections.abc import Callable, Generator
from contextlib import closing
from functools import lru_cache

from rag.pipeline import AskOptions, Pipeline, PipelineParts
from rag.schema import Completed, Event, Retrieved
from rag.settings import Settings
from rag.telemetry.answer_spans import AnswerSpan, completed_span, failed_span
from rag.terminal import terminal_language
from rag.translate import translate


class TracedPipeline(Pipeline):
    """Does what ``Pipeline`` does, and gives ``export`` one span tree for each question, however it ends.

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
            if not is_told:  # whoever has the whole answer may leave
                name = "AnswerCancelled" if isinstance(error, GeneratorExit) else type(error).__name__
                self._export(failed_span(started_ns, time.time_ns(), retrieved, name))
            raise


logger = logging.getLogger(__name__)


def span_export(settings: Settings) -> Callable[[AnswerSpan], None] | None:
    """Return what sends an answer's spans; None where no collector is named, or the packages for it are missing.

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
