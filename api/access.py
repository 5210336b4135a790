"""What each route receives: the program's services, the caller and the caller's rights."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from api.callers import Caller, Callers
from api.idempotency import IdempotentRequests
from api.questions import Questions
from api.services.shared import DeskServices, SharedServices
from rag.errors import KnowledgeBaseMissing, RequestUnusable
from rag.people.keys import Right
from rag.storage.access import is_name

CallerOf = Callable[[Request], Coroutine[Any, Any, Caller]]


@dataclass(frozen=True, slots=True)
class Access:
    """``services`` returns the program's one set; a route asks for the rights that it needs before anything else."""

    services: Callable[[], SharedServices]
    callers: Callers
    idempotent: IdempotentRequests

    def any_caller(self) -> CallerOf:
        """Return a dependency: any admitted caller, whatever their rights."""

        async def caller(request: Request) -> Caller:
            return self.callers.caller(request)

        return caller

    def with_right(self, right: Right) -> CallerOf:
        """Return a dependency: a caller with this right.  Raises ``RightMissing``, and as ``Callers.caller``."""

        async def caller(request: Request) -> Caller:
            found = self.callers.caller(request)
            found.require(right)
            return found

        return caller

    def questions(self, caller: Caller) -> Questions:
        """Return the caller's turns."""
        return Questions.of(self.services(), caller)

    def desk(self, caller: Caller, named: str | None) -> DeskServices:
        """Return the services for the knowledge base that a request names, else the first that the caller may read.

        Raises ``RequestUnusable`` for what is no name, ``AccessDenied``, and ``KnowledgeBaseMissing`` where the caller
        may use it and there is none.
        """
        base = self.base_for(caller, named)
        self._require(caller, base)
        return self.services().of(lambda: caller.user, base)

    def pages(self, caller: Caller) -> DeskServices:
        """Return this caller's services that need no knowledge base."""
        return self.services().of(lambda: caller.user, "")

    def base_for(self, caller: Caller, named: str | None) -> str:
        """Return the knowledge base that a request names, else the first that the caller may read.

        Raises as ``desk``.
        """
        if named:
            self._require(caller, named)
            return named
        return self.services().usual_base(caller.user)

    def _require(self, caller: Caller, knowledge_base: str) -> None:
        if not is_name(knowledge_base):  # gRPC and MCP do not check it before, as REST does
            raise RequestUnusable(reason="base_name")
        services = self.services()
        services.bases.require(caller.user, knowledge_base)
        if knowledge_base != services.first_base and knowledge_base not in services.bases.names():
            raise KnowledgeBaseMissing(folder=knowledge_base)


def base_url(request: Request) -> str:
    """Return this server's address as the caller sees it, without a slash at its end."""
    return str(request.base_url).rstrip("/")
