"""Administration of users and API keys, for admins only: every call checks the caller's rights again."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from rag.errors import PersonNeeded, PersonOutOfReach, PersonUnusable, ScopeNotHeld
from rag.people.audit import AuditTrail, Entry
from rag.people.directory import People, Person
from rag.people.keys import ApiKey, ApiKeys, Right
from rag.people.passwords import hash_password, require_good
from rag.schema import Audience
from rag.storage.access import LOCAL_USER, KnowledgeBases, Role, User, key_of_owner

EVERYTHING = "*"
"""How an error names the scope of users without limits."""


class Administration:
    """Users and the audit log, for an admin; ``who`` names them on every call.

    A scope is given and taken only by an admin who has it, and everything only by one who may read everything.  So an
    admin with limits gets at no more than these by any way: she can change nobody who may read everything, and sets no
    password of somebody who may read more than she does, because she could sign in with it.

    An API key gets at no more than its rights, and at nothing after its end: it makes and changes no admin, and sets no
    password (``PersonNeeded``).

    Every method raises ``NotPermitted`` where they are not an admin (any more), and what ``who`` raises.
    """

    def __init__(self, people: People, audit: AuditTrail, bases: KnowledgeBases, who: Callable[[], User]) -> None:
        self._people = people
        self._audit = audit
        self._bases = bases
        self._who = who

    def people(self) -> tuple[Person, ...]:
        """Return everybody, by name."""
        self._who().require("admin")
        return self._people.list()

    def find(self, name: str) -> Person:
        """Return a user, in any case of the name.  Raises ``PersonUnknown``."""
        self._who().require("admin")
        return self._people.find(name)

    def scopes(self, of: Person | None = None) -> tuple[str, ...]:
        """Return the scopes that the admin can give to a user, and those that they can take.

        They are each knowledge base's scope, or its name where it names none, and what ``of`` has besides.
        """
        admin = self._who().require("admin")
        named = {self._bases.access(name).scope or name for name in self._bases.names_for(admin)}
        held = (of.scopes if of is not None else None) or frozenset()
        return tuple(sorted(named | (held if admin.scopes is None else held & admin.scopes)))

    def has_limits(self) -> bool:
        """Tell whether the admin may not read everything, and so cannot let others either."""
        return self._who().require("admin").scopes is not None

    def add(self, name: str, role: Role, scopes: Iterable[str] | None, password: str | None) -> Person:
        """Add a user; ``password`` None: another provider signs them in.  Raises a ``PeopleError``."""
        admin = self._who().require("admin")
        given = frozenset(scopes) if scopes is not None else None
        require_held(given, admin)
        if role == "admin" or password is not None:
            _require_person(admin)
        name = name.strip()
        if password is not None:
            require_good(password, name)
        return self._people.add(name, role, given, hash_password(password) if password else "", by=admin.name)

    def set_role(self, name: str, role: Role) -> None:
        """Give another role, and leave the scopes as they are.  Raises ``PersonOutOfReach`` or ``LastAdmin``."""
        admin = self._admin_over(name)
        if role == "admin":
            _require_person(admin)
        if role != self._people.find(name).role:
            self._people.set_role(name, role, by=admin.name)

    def set_scopes(self, name: str, scopes: frozenset[str] | None) -> None:
        """Set a user's scopes; those that the admin does not have stay as they are.

        Raises ``ScopeNotHeld`` or ``PersonOutOfReach``.
        """
        admin = self._admin_over(name)
        if scopes == self._people.find(name).scopes:
            return
        if admin.scopes is None:
            self._people.set_scopes(name, scopes, by=admin.name)
        elif scopes is None:
            raise ScopeNotHeld(scopes=EVERYTHING)
        else:
            self._people.set_scopes_within(name, scopes, admin.scopes, by=admin.name)

    def set_disabled(self, name: str, *, disabled: bool) -> None:
        """Disable a user, or enable them again.  Raises ``PersonOutOfReach`` or ``LastAdmin``."""
        admin = self._admin_over(name)
        self._people.set_disabled(name, disabled, by=admin.name)

    def set_password(self, name: str, password: str) -> None:
        """Set a new password.  Raises ``PersonUnusable``, or ``PersonOutOfReach`` for users with more scopes."""
        admin = self._admin_over(name)
        _require_person(admin)
        if admin.scopes is not None and not (self._people.find(name).scopes or frozenset()) <= admin.scopes:
            raise PersonOutOfReach(name=name)
        if not password:
            raise PersonUnusable(reason="short", limit=10)
        require_good(password, name)
        self._people.set_password(name, hash_password(password), by=admin.name)

    def sign_out_everywhere(self, name: str) -> None:
        """End all sessions of a user.  Raises ``PersonOutOfReach``."""
        admin = self._admin_over(name)
        self._people.sign_out_everywhere(name, by=admin.name)

    def entries(self, limit: int = 200) -> tuple[Entry, ...]:
        """Return the newest changes first."""
        self._who().require("admin")
        return self._audit.entries(limit)

    def lines(self) -> Iterator[str]:
        """Yield every change as a line of JSON, oldest first."""
        self._who().require("admin")
        return self._audit.lines()

    def _admin_over(self, name: str) -> User:
        """Return the admin; a person who may read everything can be changed only by another such one."""
        admin = self._who().require("admin")
        person = self._people.find(name)
        if admin.scopes is not None and person.scopes is None:
            raise PersonOutOfReach(name=person.name)
        if person.role == "admin":
            _require_person(admin)
        return admin


def _require_person(admin: User) -> None:
    """Raise ``PersonNeeded`` for an API key."""
    if key_of_owner(admin.name):
        raise PersonNeeded


def require_held(scopes: frozenset[str] | None, admin: User) -> None:
    """Raise ``ScopeNotHeld`` where an admin cannot give these scopes; None is everything."""
    if admin.scopes is None:
        return
    beyond = [EVERYTHING] if scopes is None else sorted(scopes - admin.scopes)
    if beyond:
        raise ScopeNotHeld(scopes=", ".join(beyond))


class KeyAdministration:
    """The API keys, for an admin; ``who`` names them on every call.

    An admin with limits gets at no more than these: she gives only scopes that she has, ends no key of somebody else
    that may read everything, and replaces no secret of somebody else's key that may read more than she does, because
    she could use it.  An API key lists and ends keys, and makes none (``PersonNeeded``).  Every method raises
    ``NotPermitted`` where they are not an admin (any more).
    """

    def __init__(self, keys: ApiKeys, who: Callable[[], User]) -> None:
        self._keys = keys
        self._who = who

    def list(self) -> tuple[ApiKey, ...]:
        """Return the keys that are not revoked, oldest first."""
        self._who().require("admin")
        return tuple(key for key in self._keys.list() if not key.revoked)

    def add(
        self,
        name: str,
        rights: Iterable[Right],
        scopes: Iterable[str] | None,
        *,
        audience: Audience,
        expires_at: datetime | None = None,
        questions_a_minute: int | None = None,
    ) -> tuple[str, ApiKey]:
        """Make a key, and return its secret, which is shown only once, with the key.

        Raises ``ScopeNotHeld`` and ``ApiKeyUnusable``.
        """
        admin = self._who().require("admin")
        _require_person(admin)
        given = frozenset(scopes) if scopes is not None else None
        require_held(given, admin)
        return self._keys.add(
            name,
            rights,
            given,
            audience=audience,
            expires_at=expires_at,
            owner=_owner(admin),
            by=admin.name,
            questions_a_minute=questions_a_minute,
        )

    def revoke(self, key_id: str) -> None:
        """End a key at once and for ever.  Raises ``ApiKeyUnknown`` or ``PersonOutOfReach``."""
        admin, key = self._who().require("admin"), self._keys.find(key_id)
        if not _is_own(key, admin) and admin.scopes is not None and key.scopes is None:
            raise PersonOutOfReach(name=key.name)
        self._keys.revoke(key_id, by=admin.name)

    def roll(self, key_id: str) -> str:
        """Return a new secret for a key; the old one ends.  Raises ``ApiKeyUnknown`` or ``PersonOutOfReach``."""
        admin, key = self._who().require("admin"), self._keys.find(key_id)
        _require_person(admin)
        beyond = admin.scopes is not None and (key.scopes is None or not key.scopes <= admin.scopes)
        if beyond and not _is_own(key, admin):
            raise PersonOutOfReach(name=key.name)
        return self._keys.roll(key_id, by=admin.name)


def _owner(admin: User) -> str:
    return "" if admin == LOCAL_USER else admin.name


def _is_own(key: ApiKey, admin: User) -> bool:
    return bool(key.owner) and key.owner == admin.name
