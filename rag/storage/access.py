"""Who may read a knowledge base: each names one scope, and whom its documents are for."""

from collections.abc import Collection
from dataclasses import dataclass

from rag.errors import AccessDenied
from rag.schema import Audience
from rag.storage.store import DATABASE_NAME, KnowledgeStore


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
