"""Lists the knowledge bases of an installation; the only place that decides who may use which."""

import re
from pathlib import Path

from rag.errors import AccessDenied, AccessUnsettled
from rag.storage.access import Access, User, access_to
from rag.storage.store import DATABASE_NAME, KnowledgeStore

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class KnowledgeBases:
    """Every knowledge base is a folder below ``folder``.  Making one touches no file.

    Somebody may use a knowledge base when they hold the scope that it names (``python -m ingest --scope``); where it
    names none, its own name is its scope, so that a new one is nobody's until somebody is let in.  Where it is not
    known any more which scope that is (``access.py``), only an admin who may read everything is let in.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stores: dict[str, KnowledgeStore] = {}

    def permits(self, user: User, name: str) -> bool:
        """Tell whether somebody may use knowledge base ``name``, which need not be there yet."""
        if _NAME.fullmatch(name) is None:
            return False
        return self._permits(user, name, access_to(self._store(name)))

    def require(self, user: User, name: str) -> None:
        """Raise ``AccessDenied`` where somebody may not use knowledge base ``name``."""
        if self.permits(user, name):
            return
        if _NAME.fullmatch(name) is not None and not access_to(self._store(name)).settled:
            raise AccessUnsettled(name=name)
        raise AccessDenied(name=name, scope=name)

    def store(self, user: User, name: str) -> KnowledgeStore:
        """Return the documents of a knowledge base for reading.  Raises ``AccessDenied``."""
        self.require(user, name)
        return self._store(name)

    def names(self) -> tuple[str, ...]:
        """Return the names of all that there are, in order, whoever may use them."""
        return tuple(sorted(found.parent.name for found in self._folder.glob(f"*/{DATABASE_NAME}")))

    def names_for(self, user: User) -> tuple[str, ...]:
        """Return the names of those that somebody may use."""
        return tuple(name for name in self.names() if self.permits(user, name))

    @staticmethod
    def _permits(user: User, name: str, access: Access) -> bool:
        if not access.settled:
            return user.scopes is None and user.is_at_least("admin")
        return user.scopes is None or (access.scope or name) in user.scopes

    def _store(self, name: str) -> KnowledgeStore:
        return self._stores.setdefault(name, KnowledgeStore(self._folder / name))
