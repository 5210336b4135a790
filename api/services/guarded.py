"""What the services of pages share: they check rights at every call, and record changes in the audit trail."""

from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypeVar

from rag.errors import NotPermitted
from rag.people.audit import AuditTrail, Change, Detail
from rag.settings import Settings
from rag.storage.access import Role, User

Record = Callable[[User, Change, str, Mapping[str, Detail]], None]
"""Records what somebody did to what, with names and numbers."""


def recorder(audit: AuditTrail) -> Record:
    """Return the function that records changes in the audit trail."""

    def record(user: User, what: Change, about: str, details: Mapping[str, Detail]) -> None:
        audit.record(user.name, what, about, **details)

    return record


class Registry(Protocol):
    """What all pages share: made once for the program."""

    @property
    def settings(self) -> Settings:
        """The program's settings."""


Shared = TypeVar("Shared", bound=Registry)


class GuardedService(Generic[Shared]):
    """One page's service over its ``registry``, for one knowledge base and the present user of ``who``.

    ``require`` raises ``AccessDenied`` where the knowledge base is not theirs.
    """

    def __init__(
        self, registry: Shared, name: str, who: Callable[[], User], require: Callable[[User, str], None]
    ) -> None:
        self.registry = registry
        self.name = name
        self._who = who
        self._require = require

    def may(self, role: Role) -> bool:
        """Tell whether they have this role's rights."""
        return self._who().is_at_least(role)

    def _permitted(self, role: Role, *, reads: bool = True) -> User:
        """Return the present user, who ``reads`` the knowledge base.  Raises ``AccessDenied`` or ``NotPermitted``."""
        user = self._who()
        if reads:
            self._require(user, self.name)
        if not user.is_at_least(role):
            raise NotPermitted(role=role)
        return user

    def _colleague(self) -> User:
        """Return the present user, who reads the knowledge base; ``NotPermitted`` also for the public audience."""
        user = self._permitted("agent")
        if user.audience == "public":
            raise NotPermitted(role="agent")
        return user

    @property
    def _settings(self) -> Settings:
        """The settings, with the service's knowledge base."""
        return self.registry.settings.changed(knowledge_base=self.name)
