"""A pipeline wrapper that exports a trace of every answer."""

import time
from collections.abc import Callable, Iterator

from rag.pipeline import AskOptions, Pipeline, PipelineParts
from rag.schema import Completed, Event, Retrieved
from rag.streams import closing_if_generator
from rag.telemetry.answer_spans import AnswerSpan, completed_span, failed_span


class TracedPipeline(Pipeline):
    """Does what ``Pipeline`` does, and gives ``export`` one span tree for each question, however it ends.

    ``export`` must return at once and raise nothing.
    """

    def __init__(self, parts: PipelineParts, export: Callable[[AnswerSpan], None]) -> None:
        super().__init__(parts)
        self._export = export

    def _events(self, question: str, options: AskOptions) -> Iterator[Event]:
        started_ns = time.time_ns()
        retrieved: Retrieved | None = None
        is_told = False
        events = super()._events(question, options)
        try:
            with closing_if_generator(events):
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
