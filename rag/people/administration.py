"""What an admin may do with people, and nobody else: every call asks anew who is there."""

from collections.abc import Callable, Iterable, Iterator

from rag.errors import NotPermitted, PersonUnusable
from rag.people.audit import AuditTrail, Entry
from rag.people.directory import People, Person
from rag.people.passwords import hash_password, require_good
from rag.storage.access import Role, User, access_to
from rag.storage.knowledge_bases import KnowledgeBases


class Administration:
    """The people and the record of changes, for whoever ``who`` names; they need be an admin.

    Every method raises ``NotPermitted`` where they are not (any more), and what ``who`` raises.
    """

    def __init__(self, people: People, audit: AuditTrail, bases: KnowledgeBases, who: Callable[[], User]) -> None:
        self._people = people
        self._audit = audit
        self._bases = bases
        self._who = who

    def people(self) -> tuple[Person, ...]:
        """Return everybody, by name."""
        self._admin()
        return self._people.list()

    def scopes(self) -> tuple[str, ...]:
        """Return what can be let read: each knowledge base's scope, or its name where it names none."""
        admin = self._admin()
        named = {access_to(self._bases.store(admin, name)).scope or name for name in self._bases.names_for(admin)}
        return tuple(sorted(named))

    def add(self, name: str, role: Role, scopes: Iterable[str] | None, password: str | None) -> Person:
        """Let somebody in; ``password`` None: another provider signs them in.  Raises a ``PeopleError``."""
        admin = self._admin()
        name = name.strip()
        if password is not None:
            require_good(password, name)
        return self._people.add(name, role, scopes, hash_password(password) if password else "", by=admin.name)

    def change(self, name: str, role: Role, scopes: frozenset[str] | None) -> None:
        """Give role and scopes; what is as before is not recorded again.  Raises a ``PeopleError``."""
        admin = self._admin()
        before = self._people.find(name)
        if role != before.role:
            self._people.set_role(name, role, by=admin.name)
        if scopes != before.scopes:
            self._people.set_scopes(name, scopes, by=admin.name)

    def set_disabled(self, name: str, *, disabled: bool) -> None:
        """Let somebody in no more, or again.  Raises ``LastAdmin``."""
        self._people.set_disabled(name, disabled, by=self._admin().name)

    def set_password(self, name: str, password: str) -> None:
        """Give a new password.  Raises ``PersonUnusable``."""
        admin = self._admin()
        if not password:
            raise PersonUnusable(reason="short", limit=10)
        require_good(password, name)
        self._people.set_password(name, hash_password(password), by=admin.name)

    def sign_out_everywhere(self, name: str) -> None:
        """End all sign-ins of somebody."""
        self._people.sign_out_everywhere(name, by=self._admin().name)

    def entries(self, limit: int = 200) -> tuple[Entry, ...]:
        """Return the newest changes first."""
        self._admin()
        return self._audit.entries(limit)

    def lines(self) -> Iterator[str]:
        """Yield every change as a line of JSON, oldest first."""
        self._admin()
        return self._audit.lines()

    def _admin(self) -> User:
        user = self._who()
        if not user.is_at_least("admin"):
            raise NotPermitted(role="admin")
        return user
