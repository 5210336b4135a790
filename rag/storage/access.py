"""Who may read a knowledge base: each names one scope, and whom its documents are for."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from rag.errors import AccessDenied
from rag.schema import Audience
from rag.storage.store import DATABASE_NAME, KnowledgeStore

Role = Literal["agent", "lead", "admin"]
ROLES: tuple[Role, ...] = ("agent", "lead", "admin")
"""What somebody may do, each one all that the ones before it may.  What they may read is another matter: ``scopes``."""


@dataclass(frozen=True, slots=True)
class User:
    """Who uses the desk.  ``scopes`` are the names of what they may read; None: every knowledge base."""

    name: str
    role: Role
    scopes: frozenset[str] | None = None

    def is_at_least(self, role: Role) -> bool:
        """Tell whether they may do what this role may.

        >>> User("lin", "lead").is_at_least("agent"), User("lin", "lead").is_at_least("admin")
        (True, False)
        """
        return ROLES.index(self.role) >= ROLES.index(role)


LOCAL_USER = User("local", "admin")
"""Whoever sits at the machine, where the desk asks nobody to sign in."""


@dataclass(frozen=True, slots=True)
class Access:
    """The rule of one knowledge base.

    ``scope`` is a name that a reader must hold, or empty: then everybody may read.  What is for an ``internal``
    audience is kept from readers who speak for the public, whatever scopes they hold.
    """

    scope: str = ""
    audience: Audience = "public"

    def permits(self, scopes: Collection[str], audience: Audience = "internal") -> bool:
        """Tell whether a reader may read: one who holds these scopes, a colleague unless ``audience`` is public.

        >>> Access("finance", "internal").permits(["finance"]), Access("finance").permits([]), Access().permits([])
        (True, False, True)
        """
        return (not self.scope or self.scope in scopes) and (self.audience == "public" or audience == "internal")


def access_to(store: KnowledgeStore) -> Access:
    """Return who may read a knowledge base; everybody where there is none yet."""
    if not (store.folder / DATABASE_NAME).is_file():
        return Access()
    with store.reading() as connection:
        return Access(*connection.execute("SELECT scope, audience FROM access").fetchone())


def require_access(access: Access, name: str, scopes: Collection[str] | None, audience: Audience = "internal") -> None:
    """Raise ``AccessDenied`` where a reader must not read knowledge base ``name``; ``scopes`` None asks nothing."""
    if scopes is not None and not access.permits(scopes, audience):
        raise AccessDenied(name=name, scope=access.scope or access.audience)
