"""``POST /v1/responses``: the same answers in OpenAI's newer form, and its nine events of a stream."""

import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from itertools import count

from starlette.concurrency import run_in_threadpool

from api.markdown_turns import as_markdown
from api.openai.requests import RequestedModel
from api.problems import Problem, problem_of, problem_of_failure
from api.questions import Questions
from api.streams import STILL_HERE, SettledText, waiting_comment
from api.wire import Plain, answer_data, url_citations
from rag.errors import AnswerdeskError, AnswerWithdrawn
from rag.schema import Language
from rag.turns import TurnSnapshot

ID_PREFIX = "resp_"


@dataclass(frozen=True, slots=True)
class ResponseReply:
    """How the answer to one request is written."""

    model: RequestedModel
    base_url: str
    language: Language
    ignored: tuple[str, ...] = ()
    previous: str | None = None
    created: int = field(default_factory=lambda: int(time.time()))

    def response(self, turn_id: str, turn: TurnSnapshot | None, problem: Problem | None = None) -> Plain:
        """Return the response object: of a turn that has ended, of one that failed, or of one that has just begun.

        The turn is as ``as_markdown`` tells it.
        """
        status = "failed" if problem is not None else "in_progress" if turn is None else "completed"
        found: Plain = {
            "id": f"{ID_PREFIX}{turn_id}",
            "object": "response",
            "created_at": self.created,
            "status": status,
            "error": None if problem is None else {"code": "server_error", "message": problem.sentence},
            "incomplete_details": None,
            "instructions": None,
            "max_output_tokens": None,
            "metadata": {},
            "model": self.model.name,
            "output": [] if turn is None or problem is not None else self.output(turn),
            "parallel_tool_calls": False,
            "previous_response_id": self.previous,
            "temperature": None,
            "tool_choice": "none",
            "tools": [],
            "top_p": None,
            "usage": None,
        }
        if turn is not None and problem is None:
            found["usage"] = usage(turn)
            found["answerdesk"] = answer_data(turn) | {"ignored": list(self.ignored)}
        return found

    def output(self, turn: TurnSnapshot) -> list[Plain]:
        """Return the thought, where there is one, and the message."""
        items: list[Plain] = []
        if turn.thinking:
            thought = [{"type": "reasoning_text", "text": turn.thinking}]
            items.append({"id": f"rs_{turn.turn_id}", "type": "reasoning", "summary": [], "content": thought})
        return [*items, self.message(turn, "completed")]

    def message(self, turn: TurnSnapshot, status: str) -> Plain:
        """Return the item with the text."""
        return {
            "id": message_id(turn.turn_id),
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": [self.part(turn)],
        }

    def part(self, turn: TurnSnapshot) -> Plain:
        """Return the text with its citations."""
        return {"type": "output_text", "text": turn.text, "annotations": self.annotations(turn), "logprobs": []}

    def annotations(self, turn: TurnSnapshot) -> list[Plain]:
        """Return the citations, as this form has them: flat."""
        return [{"type": "url_citation", **one} for one in url_citations(turn, self.base_url)]


async def stream(questions: Questions, turn_id: str, reply: ResponseReply) -> AsyncIterator[str]:
    """Yield the events of an answer.  Where the client goes away, the turn is stopped."""
    numbers = count()

    def event(kind: str, **values: object) -> str:
        body = {"type": kind, "sequence_number": next(numbers), **values}
        return f"event: {kind}\ndata: {json.dumps(body, ensure_ascii=False)}\n\n"

    try:
        async with questions.stop_when_left(turn_id) as snapshots:
            async for one in _events(snapshots, turn_id, reply, event):
                yield one
    except AnswerdeskError as error:  # the caller may not see it any more
        yield event("response.failed", response=reply.response(turn_id, None, problem_of(error, reply.language)))


async def _events(
    snapshots: AsyncIterator[TurnSnapshot | None], turn_id: str, reply: ResponseReply, event: Callable[..., str]
) -> AsyncIterator[str]:
    yield event("response.created", response=reply.response(turn_id, None))
    writer = _MessageEvents(turn_id, reply, event)
    settled = SettledText()
    async for turn in snapshots:
        if turn is None:
            yield STILL_HERE
            continue
        if turn.state == "queued":
            yield waiting_comment(turn)
        turn = await run_in_threadpool(as_markdown, turn)
        words = await run_in_threadpool(settled.new_words, turn)
        problem = _problem(turn, settled, reply.language)
        if problem is not None:
            yield event("response.failed", response=reply.response(turn_id, turn, problem))
            return
        if words:
            for one in writer.words(words):
                yield one
        if turn.final:
            for one in writer.end(turn):
                yield one


def _problem(turn: TurnSnapshot, settled: SettledText, language: Language) -> Problem | None:
    if turn.failure is not None:
        return problem_of_failure(turn.failure, language)
    if settled.is_withdrawn(turn):
        return problem_of(AnswerWithdrawn(turn=turn.turn_id), language)
    return None


class _MessageEvents:
    """The events of the message: it begins with its first words."""

    def __init__(self, turn_id: str, reply: ResponseReply, event: Callable[..., str]) -> None:
        self._place: Plain = {"item_id": message_id(turn_id), "output_index": 0, "content_index": 0}
        self._reply = reply
        self._event = event
        self._has_begun = False

    def words(self, words: str) -> list[str]:
        """Return the events of more words."""
        events = [] if self._has_begun else self._begin()
        return [*events, self._event("response.output_text.delta", **self._place, delta=words, logprobs=[])]

    def end(self, turn: TurnSnapshot) -> list[str]:
        """Return the events after the last word."""
        event, place, reply = self._event, self._place, self._reply
        events = [] if self._has_begun else self._begin()
        for number, annotation in enumerate(reply.annotations(turn)):
            events.append(
                event("response.output_text.annotation.added", **place, annotation_index=number, annotation=annotation)
            )
        item = reply.message(turn, "completed")
        return [
            *events,
            event("response.output_text.done", **place, text=turn.text, logprobs=[]),
            event("response.content_part.done", **place, part=reply.part(turn)),
            event("response.output_item.done", output_index=0, item=item),
            event("response.completed", response=reply.response(turn.turn_id, turn) | {"output": [item]}),
        ]

    def _begin(self) -> list[str]:
        self._has_begun = True
        item = {"id": self._place["item_id"], "type": "message", "status": "in_progress"}
        empty: Plain = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        return [
            self._event("response.output_item.added", output_index=0, item=item | {"role": "assistant", "content": []}),
            self._event("response.content_part.added", **self._place, part=empty),
        ]


def message_id(turn_id: str) -> str:
    """Return the id of a turn's message."""
    return f"msg_{turn_id}"


def usage(turn: TurnSnapshot) -> Plain:
    """Return the model's tokens, in this form's names."""
    return {
        "input_tokens": turn.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": turn.generated_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": turn.prompt_tokens + turn.generated_tokens,
    }
