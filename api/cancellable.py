"""A turn that lives no longer than the call that asked for it, in faces whose calls are cancelled as tasks."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TypeVar

from api.questions import Questions
from rag.errors import AnswerCancelled
from rag.turns import TurnRequest, TurnSnapshot

Result = TypeVar("Result")


@asynccontextmanager
async def asked(
    questions: Questions, request: TurnRequest, asker: str = ""
) -> AsyncIterator[tuple[str, AsyncIterator[TurnSnapshot | None]]]:
    """Ask, and follow the turn, of which the id and the snapshots are given; it is stopped where the block is left.

    Raises as ``Questions.ask``.
    """
    turn_id = questions.ask(request, asker)
    async with questions.stopped_when_left(turn_id) as snapshots:
        yield turn_id, snapshots


async def final_snapshot(snapshots: AsyncIterator[TurnSnapshot | None]) -> TurnSnapshot:
    """Return the last snapshot of a turn."""
    last = None
    async for snapshot in snapshots:
        last = snapshot or last
    assert last is not None and last.final  # ``Questions.follow`` ends with it
    return last


async def unless_left(left: asyncio.Event | None, work: Coroutine[object, object, Result]) -> Result:
    """Return what ``work`` returns; where the client has left before, cancel it and raise ``AnswerCancelled``."""
    if left is None:
        return await work
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(left.wait())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise AnswerCancelled
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
