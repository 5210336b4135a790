"""Server-sent events: how they are sent, and the comments in between that clients skip."""

from collections.abc import AsyncIterator

from fastapi.responses import StreamingResponse

from rag.turns import TurnSnapshot

STILL_HERE = ": still here\n\n"
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def event_stream(events: AsyncIterator[str]) -> StreamingResponse:
    """Return a response of server-sent events that no proxy keeps back."""
    return StreamingResponse(events, media_type="text/event-stream", headers=_HEADERS)


def waiting_comment(turn: TurnSnapshot) -> str:
    """Return a line that clients skip: how many answers come first, and how long that takes.

    >>> from datetime import datetime
    >>> turn = TurnSnapshot("t", "s", datetime(2026, 1, 1), "?", "en", ahead=3, wait_seconds=19.6)
    >>> print(waiting_comment(turn).strip())
    : waiting, 3 before you, about 20 s
    """
    about = "" if turn.wait_seconds is None else f", about {turn.wait_seconds:.0f} s"
    return f": waiting, {turn.ahead or 0} before you{about}\n\n"
