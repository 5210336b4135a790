"""Users, roles and scopes: the only place that decides who may read which knowledge base.

Scope and audience are stored in the database and, so that they outlive it, in ``access.json`` beside it.  Where the two
differ, or the database is new and the file has no entry, only an unrestricted admin may read until an admin sets them.
"""

import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from rag.errors import AccessDenied, AccessUnsettled, NotPermitted
from rag.files import read_json, write_whole
from rag.schema import Audience
from rag.storage.connection import storage_errors
from rag.storage.store import DATABASE_NAME, KnowledgeStore

ACCESS_NAME = "access.json"

Role = Literal["agent", "lead", "admin"]
ROLES: tuple[Role, ...] = ("agent", "lead", "admin")
"""What users may do; each role includes those before it.  What they may read is in ``scopes``."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class User:
    """A user of the desk.  ``scopes`` names what they may read; None: every knowledge base.

    A user for the ``public`` audience stands for customers: an internal knowledge base or document never reaches them,
    and they are an agent at most.
    """

    name: str
    role: Role
    scopes: frozenset[str] | None = None
    audience: Audience = "internal"

    def is_at_least(self, role: Role) -> bool:
        """Tell whether they have this role's rights.

        >>> User("lin", "lead").is_at_least("agent"), User("lin", "lead").is_at_least("admin")
        (True, False)
        >>> User("shop", "admin", audience="public").is_at_least("lead")
        False
        """
        own = self.role if self.audience == "internal" else ROLES[0]
        return ROLES.index(own) >= ROLES.index(role)

    def require(self, role: Role) -> "User":
        """Return the user.  Raises ``NotPermitted`` if they lack this role's rights."""
        if not self.is_at_least(role):
            raise NotPermitted(role=role)
        return self


LOCAL_USER = User("local", "admin")
"""The user of a desk that requires no sign-in."""
KEY_PREFIX = "key:"
"""How the names of API keys as users begin; no person's has a colon."""


def key_of_owner(owner: str) -> str:
    """Return the API key of an owner in the queue, which may be one of the key's users; empty: none.

    >>> key_of_owner("key:k7f2"), key_of_owner("key:k7f2/9c1b"), key_of_owner("lin")
    ('key:k7f2', 'key:k7f2', '')
    """
    return owner.partition("/")[0] if owner.startswith(KEY_PREFIX) else ""


@dataclass(frozen=True, slots=True)
class Access:
    """The rule of one knowledge base.

    ``scope`` is a name that a reader must hold, or empty: then everybody may read.  What is for an ``internal``
    audience is kept from readers who speak for the public, whatever scopes they hold.  ``settled`` is False where it is
    not known any more who may read: then no scope is enough.
    """

    scope: str = ""
    audience: Audience = "public"
    settled: bool = True

    def permits(self, scopes: Collection[str], audience: Audience = "internal") -> bool:
        """Tell whether a reader with these scopes may read; a public ``audience`` reads no internal knowledge base.

        >>> Access("finance", "internal").permits(["finance"]), Access("finance").permits([]), Access().permits([])
        (True, False, True)
        """
        return (
            self.settled
            and (not self.scope or self.scope in scopes)
            and (self.audience == "public" or audience == "internal")
        )


UNSETTLED = Access(settled=False)


def access_to(store: KnowledgeStore) -> Access:
    """Return the access rule of a knowledge base; everybody may read one that does not exist yet."""
    kept = read_access_file(store.folder)
    if not (store.folder / DATABASE_NAME).is_file():
        return kept or Access()
    [(scope, audience)] = store.rows("SELECT scope, audience FROM access")
    written = Access(scope, audience)
    return written if kept in (None, written) else UNSETTLED


def read_access_file(folder: Path) -> Access | None:
    """Read ``access.json``: None if there is no such file, ``UNSETTLED`` if it is unreadable."""
    try:
        found = read_json(folder / ACCESS_NAME)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return UNSETTLED
    scope, named = (found.get("scope"), found.get("audience")) if isinstance(found, dict) else (None, None)
    audience = next((known for known in get_args(Audience) if known == named), None)
    return UNSETTLED if audience is None or not isinstance(scope, str) else Access(scope, audience)


def write_access_file(folder: Path, access: Access) -> None:
    """Write ``access.json`` in one step; an unsettled access is stored as unsettled."""
    content = {"scope": access.scope, "audience": access.audience} if access.settled else {"scope": None}
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / ACCESS_NAME, json.dumps(content) + "\n", durable=True)


def require_access(access: Access, name: str, scopes: Collection[str] | None, audience: Audience = "internal") -> None:
    """Raise ``AccessDenied`` if a reader must not read knowledge base ``name``; ``scopes`` None checks nothing."""
    if scopes is None or access.permits(scopes, audience):
        return
    raise denied_error(access, name)


def denied_error(access: Access, name: str) -> AccessDenied:
    """Return the error for a reader who may not read knowledge base ``name``."""
    if not access.settled:
        return AccessUnsettled(name=name)
    return AccessDenied(name=name, scope=access.scope or access.audience, reason="scope")


def is_name(name: str) -> bool:
    """Tell whether it is a valid name of a knowledge base and its folder.

    >>> is_name("shop-2"), is_name("../shop")
    (True, False)
    """
    return _NAME.fullmatch(name) is not None


class KnowledgeBases:
    """Every knowledge base is a folder below ``folder``.  Making one touches no file.

    Somebody may use a knowledge base when they hold the scope that it names (``python -m ingest --scope``); where it
    names none, its own name is its scope, so that a new one is nobody's until somebody is let in.  An internal one is
    closed to the public (``User.audience``), whatever scopes they hold.  Where it is not
    known any more which scope that is (``access.py``), only an admin who may read everything is let in.

    Where several desks share a server, ``shared`` gives its word on a knowledge base, or None where it has none.
    """

    def __init__(self, folder: Path, shared: Callable[[str], Access | None] = lambda name: None) -> None:
        self._folder = folder
        self._shared = shared
        self._stores: dict[str, KnowledgeStore] = {}

    def permits(self, user: User, name: str) -> bool:
        """Tell whether a user may use knowledge base ``name``, which need not exist yet."""
        if not is_name(name):
            return False
        return self._permits(user, name, self.access(name))

    def access(self, name: str) -> Access:
        """Return the rule of a knowledge base: the server's where that shares it, else this folder's."""
        return self._shared(name) or access_to(self._store(name))

    def require(self, user: User, name: str) -> None:
        """Raise ``AccessDenied`` if the user may not use knowledge base ``name``."""
        if self.permits(user, name):
            return
        if is_name(name) and not self.access(name).settled:
            raise AccessUnsettled(name=name)
        raise AccessDenied(name=name)  # the scope would tell that there is one

    def store(self, user: User, name: str) -> KnowledgeStore:
        """Return the documents of a knowledge base for reading.  Raises ``AccessDenied``."""
        self.require(user, name)
        return self._store(name)

    def names(self) -> tuple[str, ...]:
        """Return the names of all knowledge bases, in order, for whichever user."""
        return tuple(sorted(found.parent.name for found in self._folder.glob(f"*/{DATABASE_NAME}")))

    def scopes(self) -> frozenset[str]:
        """Return every scope that opens one of them: its name, or its required scope."""
        names = self.names()
        return frozenset((*names, *(scope for name in names if (scope := self.access(name).scope))))

    def names_for(self, user: User) -> tuple[str, ...]:
        """Return the names of the knowledge bases that a user may use."""
        return tuple(name for name in self.names() if self.permits(user, name))

    @staticmethod
    def _permits(user: User, name: str, access: Access) -> bool:
        if not access.settled:
            return user.scopes is None and user.is_at_least("admin")
        if user.audience == "public" and access.audience == "internal":
            return False
        return user.scopes is None or (access.scope or name) in user.scopes

    def _store(self, name: str) -> KnowledgeStore:
        return self._stores.setdefault(name, KnowledgeStore(self._folder / name))
