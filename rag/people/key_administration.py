"""API keys for admins: every call checks the caller's rights again."""

from collections.abc import Callable, Iterable
from datetime import datetime

from rag.errors import NotPermitted, PersonOutOfReach
from rag.people.administration import require_held
from rag.people.keys import ApiKey, ApiKeys, Right
from rag.schema import Audience
from rag.storage.access import LOCAL_USER, User


class KeyAdministration:
    """The keys, for whoever ``who`` names; they need be an admin.

    An admin with limits gets at no more than these: she gives only scopes that she has, ends no key of somebody else
    that may read everything, and replaces no secret of somebody else's key that may read more than she does, because
    she could use it.  Every method raises ``NotPermitted`` where they are not an admin (any more).
    """

    def __init__(self, keys: ApiKeys, who: Callable[[], User]) -> None:
        self._keys = keys
        self._who = who

    def list(self) -> tuple[ApiKey, ...]:
        """Return the keys that are not revoked, oldest first."""
        self._admin()
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
        """Make a key of one's own and return its secret, which is told this once, with the key.

        Raises ``ScopeNotHeld`` and ``ApiKeyUnusable``.
        """
        admin = self._admin()
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
        admin, key = self._admin(), self._keys.find(key_id)
        if not _is_own(key, admin) and admin.scopes is not None and key.scopes is None:
            raise PersonOutOfReach(name=key.name)
        self._keys.revoke(key_id, by=admin.name)

    def roll(self, key_id: str) -> str:
        """Return a new secret for a key; the old one ends.  Raises ``ApiKeyUnknown`` or ``PersonOutOfReach``."""
        admin, key = self._admin(), self._keys.find(key_id)
        beyond = admin.scopes is not None and (key.scopes is None or not key.scopes <= admin.scopes)
        if beyond and not _is_own(key, admin):
            raise PersonOutOfReach(name=key.name)
        return self._keys.roll(key_id, by=admin.name)

    def _admin(self) -> User:
        user = self._who()
        if not user.is_at_least("admin"):
            raise NotPermitted(role="admin")
        return user


def _owner(admin: User) -> str:
    return "" if admin == LOCAL_USER else admin.name


def _is_own(key: ApiKey, admin: User) -> bool:
    return bool(key.owner) and key.owner == admin.name
