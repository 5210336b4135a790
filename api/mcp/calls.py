"""Around every call of a tool: every error as a result that says it in both languages."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeAlias, TypeVar

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp_types import CallToolResult, TextContent
from starlette.requests import Request

from api.problems import BilingualProblem, bilingual
from rag.errors import AnswerdeskError, DocumentMissing, KnowledgeBaseMissing
from rag.turns.unforeseen import unforeseen_logged

logger = logging.getLogger(__name__)

LEFT = "answerdesk.left"
"""Where a request keeps the event that tells that its client has left."""

Call: TypeAlias = Context[Any, Any]
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def request_of(call: Call) -> Request | None:
    """Return the HTTP request of a call; None over stdio."""
    request = call.request_context.request
    return request if isinstance(request, Request) else None


def left_event(call: Call) -> asyncio.Event | None:
    """Return what tells that the client of a call has left; None over stdio, whose calls end with the process."""
    request = request_of(call)
    return request.scope.get(LEFT) if request is not None else None


class TurnEnded(Exception):
    """Why a turn has no answer, on its way from a tool to the assistant."""

    def __init__(self, problem: BilingualProblem) -> None:
        super().__init__(problem.code)
        self.problem = problem


def saying_problems(
    tool: Callable[Arguments, Awaitable[Result]],
) -> Callable[Arguments, Awaitable[Result | CallToolResult]]:
    """Return a tool whose errors are told to the assistant in both languages."""

    @wraps(tool)
    async def saying(*arguments: Arguments.args, **named: Arguments.kwargs) -> Result | CallToolResult:
        try:
            with unforeseen_logged(logger, "tool", TurnEnded):
                return await tool(*arguments, **named)
        except AnswerdeskError as error:
            return _told(bilingual(error))
        except TurnEnded as ended:
            return _told(ended.problem)

    return saying


@contextmanager
def resource_errors() -> Iterator[None]:
    """Raise errors as the protocol's own, with both sentences."""
    try:
        with unforeseen_logged(logger, "tool", TurnEnded):
            yield
    except AnswerdeskError as error:
        kind = ResourceNotFoundError if isinstance(error, DocumentMissing | KnowledgeBaseMissing) else ResourceError
        raise kind("\n".join(_sentences(bilingual(error)))) from error


def _told(problem: BilingualProblem) -> CallToolResult:
    about = {"code": problem.code, "retry_after_seconds": problem.retry_seconds}
    content = [TextContent(text=sentence) for sentence in _sentences(problem)]
    return CallToolResult(content=list(content), is_error=True, _meta={"answerdesk/problem": about})


def _sentences(problem: BilingualProblem) -> tuple[str, str]:
    return f"{problem.code}: {problem.sentence('en')}", f"{problem.code}：{problem.sentence('zh')}"
