"""``POST /v1/chat/completions``: an answer as a whole, or word by word."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool

from api.markdown_turns import as_markdown, without_pictures
from api.openai.requests import RequestedModel
from api.problems import problem_of, problem_of_failure
from api.questions import Questions
from api.streams import STILL_HERE, SettledText, waiting_comment
from api.wire import Plain, answer_data, url_citations
from rag.errors import AnswerdeskError, AnswerWithdrawn
from rag.schema import Citation, Language
from rag.turns import TurnSnapshot

DONE = "data: [DONE]\n\n"
_ROLE: Plain = {"role": "assistant", "content": ""}


@dataclass(frozen=True, slots=True)
class Reply:
    """How the answer to one request is written.

    ``base_url`` is this server's address; ``marks`` adds a mark to unsupported sentences, ``quotes`` tells Open WebUI
    the quoted sentences, ``usage`` ends a stream with the tokens, ``pictures`` tells what became of each.
    """

    model: RequestedModel
    base_url: str
    language: Language
    ignored: tuple[str, ...] = ()
    marks: bool = False
    quotes: bool = False
    usage: bool = False
    pictures: tuple[Plain, ...] = ()
    created: int = field(default_factory=lambda: int(time.time()))

    def completion(self, turn: TurnSnapshot) -> Plain:
        """Return the whole answer of a turn that has ended without a failure."""
        turn = self.with_marks(turn)
        message: Plain = {
            "role": "assistant",
            "content": turn.text,
            "refusal": None,
            "annotations": self.annotations(turn),
        }
        if turn.thinking:
            message |= _thinking(turn.thinking)
        return {
            "id": f"chatcmpl-{turn.turn_id}",
            "object": "chat.completion",
            "created": self.created,
            "model": self.model.name,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": usage(turn),
            "answerdesk": self.vendor(turn),
        }

    def with_marks(self, turn: TurnSnapshot) -> TurnSnapshot:
        """Return a turn with the requested marks."""
        return as_markdown(turn, marks_unsupported=self.marks)

    def annotations(self, turn: TurnSnapshot) -> list[Plain]:
        """Return the citations of a turn as it is sent."""
        return [{"type": "url_citation", "url_citation": one} for one in url_citations(turn, self.base_url)]

    def vendor(self, turn: TurnSnapshot) -> Plain:
        """Return what no standard field holds."""
        pictures = {"pictures": list(self.pictures)} if self.pictures else {}
        return answer_data(turn) | {"ignored": list(self.ignored)} | pictures

    def chunk(self, turn_id: str, delta: Plain, finish: str | None = None, **more: object) -> str:
        """Return one event of a stream."""
        choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
        return self._event(turn_id, choices, more)

    def usage_chunk(self, turn: TurnSnapshot) -> str:
        """Return the event with the tokens, which has no choice."""
        return self._event(turn.turn_id, [], {"usage": usage(turn)})

    def _event(self, turn_id: str, choices: list[Plain], more: dict[str, object]) -> str:
        event: Plain = {
            "id": f"chatcmpl-{turn_id}",
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model.name,
            "choices": choices,
        }
        if self.usage and "usage" not in more:
            event["usage"] = None
        return f"data: {json.dumps(event | more, ensure_ascii=False)}\n\n"


async def stream(questions: Questions, turn_id: str, reply: Reply) -> AsyncIterator[str]:
    """Yield the events of an answer; waiting is reported in comments, a failure in an event that clients raise.

    Where the client goes away, the turn is stopped.
    """
    writer = _Chunks(turn_id, reply)
    try:
        async with questions.stop_when_left(turn_id) as snapshots:
            yield reply.chunk(turn_id, _ROLE)
            async for turn in snapshots:
                for event in [STILL_HERE] if turn is None else await run_in_threadpool(writer.new_events, turn):
                    yield event
    except AnswerdeskError as error:  # the caller may not see it any more
        yield _event_of_error(problem_of(error, reply.language).as_openai())


class _Chunks:
    """The events of one answer, as it comes."""

    def __init__(self, turn_id: str, reply: Reply) -> None:
        self._turn_id = turn_id
        self._reply = reply
        self._settled = SettledText()
        self._thought = 0

    def new_events(self, turn: TurnSnapshot) -> list[str]:
        """Return the events not sent yet."""
        reply = self._reply
        turn = reply.with_marks(turn)
        if turn.failure is not None:
            return [error_event(turn, reply.language)]
        events = [waiting_comment(turn)] if turn.state == "queued" else []
        if len(turn.thinking) > self._thought:
            events.append(reply.chunk(self._turn_id, _thinking(turn.thinking[self._thought :])))
            self._thought = len(turn.thinking)
        words = self._words(turn)
        if self._settled.is_withdrawn(turn):
            error = problem_of(AnswerWithdrawn(turn=self._turn_id), reply.language)
            return [*events, _event_of_error(error.as_openai())]
        if words:
            events.append(reply.chunk(self._turn_id, {"content": words}))
        return [*events, *_end(turn, reply)] if turn.final else events

    def _words(self, turn: TurnSnapshot) -> str:
        if not self._reply.marks:
            return self._settled.new_words(turn)
        return turn.text if turn.final else ""  # the marks are known at the end


def _end(turn: TurnSnapshot, reply: Reply) -> list[str]:
    events = []
    annotations = [] if reply.quotes else reply.annotations(turn)  # else Open WebUI shows each source twice
    if annotations:
        events.append(reply.chunk(turn.turn_id, {"annotations": annotations}))
    if reply.quotes:
        events += [reply.chunk(turn.turn_id, {}, event=one) for one in _open_webui_sources(turn, reply.base_url)]
    events.append(reply.chunk(turn.turn_id, {}, "stop", answerdesk=reply.vendor(turn)))
    if reply.usage:
        events.append(reply.usage_chunk(turn))
    return [*events, DONE]


def _open_webui_sources(turn: TurnSnapshot, base_url: str) -> list[Plain]:
    """Return one source a citation, with the words it rests on, as Open WebUI 0.12 shows them.

    An address as the metadata's ``source`` would stand in the title's place there.
    """
    citations = turn.answer.citations if turn.answer is not None else ()
    return [
        {
            "type": "source",
            "data": {
                "source": {"name": found["title"], "url": found["url"]},
                "document": [without_pictures(_under_heading(citation), turn.language)],
                "metadata": [{"source": citation.document_id, "name": found["title"]}],
            },
        }
        for citation, found in zip(citations, url_citations(turn, base_url), strict=True)
    ]


def _under_heading(citation: Citation) -> str:
    return f"{citation.heading}\n{citation.quote}" if citation.heading else citation.quote


def error_event(turn: TurnSnapshot, language: Language) -> str:
    """Return the event that the official clients raise as an error."""
    assert turn.failure is not None  # the caller has looked
    return _event_of_error(problem_of_failure(turn.failure, language).as_openai())


def _event_of_error(error: Plain) -> str:
    return f"data: {json.dumps(error, ensure_ascii=False)}\n\n"


def usage(turn: TurnSnapshot) -> Plain:
    """Return the model's tokens; all 0 where none was asked."""
    return {
        "prompt_tokens": turn.prompt_tokens,
        "completion_tokens": turn.generated_tokens,
        "total_tokens": turn.prompt_tokens + turn.generated_tokens,
    }


def _thinking(text: str) -> Plain:
    return {"reasoning_content": text, "reasoning": text}
