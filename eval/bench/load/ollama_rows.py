"""The objects that Ollama's protocol is made of, as the stand-in for a GPU fills them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

Row = dict[str, Any]

_MEMORY_BYTES = 5_000_000_000
_CONTEXT_TOKENS = 4096


@dataclass(slots=True)
class Spoken:
    """What is told of a reply in its last object.  Times are ``time.perf_counter``'s, in seconds."""

    began_at: float
    load_seconds: float = 0.0
    admitted_at: float = 0.0
    first_at: float = 0.0
    prompt_tokens: int = 0
    tokens: int = 0
    was_cut: bool = False


def said_row(model: str, part: Mapping[str, Any], *, is_chat: bool) -> Row:
    """Return the object of one token: ``part`` has ``content`` or ``thinking``, and maybe ``logprobs``."""
    content = str(part.get("content", ""))
    thinking = {"thinking": part["thinking"]} if "thinking" in part else {}
    said: Row = (
        {"message": {"role": "assistant", "content": content, **thinking}}
        if is_chat
        else {"response": content, **thinking}
    )
    logprobs = {"logprobs": part["logprobs"]} if "logprobs" in part else {}
    return {"model": model, "created_at": _now(), **said, **logprobs, "done": False}


def last_row(model: str, spoken: Spoken, ended_at: float, *, is_chat: bool) -> Row:
    """Return the object that ends a reply, with its counts and its durations in nanoseconds."""
    return {
        **said_row(model, {}, is_chat=is_chat),
        "done": True,
        "done_reason": "length" if spoken.was_cut else "stop",
        "total_duration": _nanoseconds(ended_at - spoken.began_at),
        "load_duration": _nanoseconds(spoken.load_seconds),
        "prompt_eval_count": spoken.prompt_tokens,
        "prompt_eval_duration": _nanoseconds(spoken.first_at - spoken.admitted_at),
        "eval_count": spoken.tokens,
        "eval_duration": _nanoseconds(ended_at - spoken.first_at),
    }


def joined(rows: Sequence[Row]) -> Row:
    """Return one object for all rows, for a client that does not stream.

    >>> joined([{"response": "a", "done": False}, {"response": "b", "done": False}, {"response": "", "done": True}])
    {'response': 'ab', 'done': True}
    """
    last = rows[-1]
    if "message" not in last:
        return {**last, "response": "".join(row["response"] for row in rows)}
    texts = {key: "".join(row["message"].get(key, "") for row in rows) for key in ("content", "thinking")}
    message = {key: text for key, text in texts.items() if text or key == "content"}
    return {**last, "message": {"role": "assistant", **message}}


def installed_row(model: str) -> Row:
    """Return the model as a list of installed ones has it."""
    details = {"format": "none", "family": "stand-in", "parameter_size": "0", "quantization_level": "none"}
    return {"name": model, "model": model, "modified_at": _now(), "size": 1, "details": details}


def loaded_row(model: str) -> Row:
    """Return the model as ``/api/ps`` has it: all of it in the memory of the GPU that is stood in for."""
    expires_at = (datetime.now(UTC) + timedelta(minutes=30)).isoformat()
    memory = {"size": _MEMORY_BYTES, "size_vram": _MEMORY_BYTES, "context_length": _CONTEXT_TOKENS}
    return {**installed_row(model), **memory, "expires_at": expires_at}


def shown_row(model: str) -> Row:
    """Return what ``/api/show`` tells."""
    return {
        "details": installed_row(model)["details"],
        "template": "{{ .Thinking }}",
        "model_info": {"general.architecture": "stand-in", "stand-in.context_length": _CONTEXT_TOKENS},
        "capabilities": ["completion", "thinking"],
    }


def line(row: Row) -> bytes:
    """Return a row as it is sent."""
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)
