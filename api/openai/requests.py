"""The requests of OpenAI's clients, and which of their fields have an effect.

Fields that we do not know are let through, as OpenAI does with its own new ones; those that a caller may expect to have
an effect, and that have none, are named in the reply under ``answerdesk.ignored``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool

from api.rest.bodies import whole_number
from api.services.shared import SharedServices
from rag.errors import ModelUnknown, RequestUnusable
from rag.storage.access import User
from rag.turns import TurnRequest

MODEL_PREFIX = "answerdesk/"
Option = Literal["quote", "think", "fresh"]
OPTIONS: tuple[Option, ...] = ("quote", "think", "fresh")
"""Endings of a model's name: quote the passages and ask no model, let the model think, use no stored answer."""

_WITHOUT_EFFECT = (
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "stop",
    "tools",
    "tool_choice",
    "response_format",
    "text",
    "instructions",
    "reasoning",
    "reasoning_effort",
    "logprobs",
    "truncation",
)
_LONGEST_ID = 200
Text = Annotated[str, Field(min_length=0)]
"""Text that can be encoded: only with a constraint does pydantic refuse half a surrogate pair, a cut-off emoji."""


class Part(BaseModel):
    """A part of a message; only text is read."""

    model_config = ConfigDict(extra="allow")
    type: str
    text: Text | None = None


class Message(BaseModel):
    """A message of a conversation."""

    model_config = ConfigDict(extra="allow")
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | list[Part] | None = None


class StreamOptions(BaseModel):
    """What a stream brings besides the answer."""

    model_config = ConfigDict(extra="allow")
    include_usage: StrictBool | None = None


class ChatRequest(BaseModel):
    """The body of ``POST /v1/chat/completions``."""

    model_config = ConfigDict(extra="allow")
    model: Annotated[str, Field(min_length=1, max_length=_LONGEST_ID)]
    messages: Annotated[list[Message], Field(min_length=1, max_length=2000)]
    stream: StrictBool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, Field(strict=True, ge=1), BeforeValidator(whole_number)] | None = None
    user: Text | None = None


class InputItem(BaseModel):
    """An item of the input of ``POST /v1/responses``; only messages are read."""

    model_config = ConfigDict(extra="allow")
    type: str | None = None
    role: str | None = None
    content: Text | list[Part] | None = None


class ResponseRequest(BaseModel):
    """The body of ``POST /v1/responses``."""

    model_config = ConfigDict(extra="allow")
    model: Annotated[str, Field(min_length=1, max_length=_LONGEST_ID)]
    input: Text | Annotated[list[InputItem], Field(min_length=1, max_length=2000)]
    stream: StrictBool | None = None
    previous_response_id: Annotated[str, Field(max_length=_LONGEST_ID)] | None = None
    background: StrictBool | None = None
    user: Text | None = None


@dataclass(frozen=True, slots=True)
class RequestedModel:
    """A model's name, taken apart."""

    name: str
    knowledge_base: str
    options: frozenset[Option]

    def request(self, question: str, earlier: Sequence[str] = (), follows: str = "") -> TurnRequest:
        """Return the turn that a question to this model begins."""
        return TurnRequest(
            question,
            knowledge_base=self.knowledge_base,
            think=True if "think" in self.options else None,
            fresh="fresh" in self.options,
            quote="only" if "quote" in self.options else "if_needed",
            earlier=tuple(earlier),
            follows=follows,
        )


def requested_model(name: str, services: SharedServices, user: User) -> RequestedModel:
    """Take a model's name apart: ``answerdesk/shop:think``, or ``answerdesk`` for the first knowledge base.

    Raises ``ModelUnknown``, also for the model of a knowledge base that is not the caller's.
    """
    base, *options = name.removeprefix(MODEL_PREFIX).split(":")
    if name == "answerdesk" or name.startswith("answerdesk:"):
        base = services.usual_base(user)
    elif not name.startswith(MODEL_PREFIX):
        raise ModelUnknown(model=name)
    chosen = frozenset(option for option in OPTIONS if option in options)
    if len(chosen) != len(options) or base not in services.bases.names_for(user):
        raise ModelUnknown(model=name)
    return RequestedModel(name, base, chosen)


def questions_in(
    messages: Sequence[Message | InputItem], *, with_pictures: bool = False
) -> tuple[str, tuple[str, ...]]:
    """Return the last question of a conversation, and those before it, oldest first.

    ``with_pictures``: the last message has some that are read, so it may be without words; those of earlier ones are
    left out.  Raises ``RequestUnusable`` where the user said nothing, or said it in pictures or sounds.
    """
    told = [one for one in messages if one.role == "user"]
    last = text_of(told[-1].content, with_pictures=with_pictures) if told else ""
    if not last and not with_pictures:
        raise RequestUnusable(reason="no_question")
    earlier = (text_of(one.content, with_pictures=with_pictures) for one in told[:-1])
    return last, tuple(filter(None, earlier))


def text_of(content: str | Sequence[Part] | None, *, with_pictures: bool = False) -> str:
    """Return the text of a message.  Raises ``RequestUnusable`` for a picture, a sound or a file.

    ``with_pictures`` lets pictures pass.
    """
    if content is None or isinstance(content, str):
        return content or ""
    for part in content:
        if any(kind in part.type for kind in ("audio", "file")):
            raise RequestUnusable(reason="sound_or_file")
        if "image" in part.type and not (part.type == "image_url" and with_pictures):
            raise RequestUnusable(reason="only_text")
    return "\n".join(part.text for part in content if part.text)


def ignored(body: BaseModel) -> list[str]:
    """Return the names of requested fields that have no effect here."""
    given = body.model_extra or {}
    return [name for name in _WITHOUT_EFFECT if given.get(name) not in (None, [], {})]
