"""Password rules and Argon2id hashing."""

import threading
import unicodedata
from functools import cache
from secrets import token_urlsafe

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from rag.errors import PersonUnusable

SHORTEST = 10
LONGEST = 200
_COMMON = ("password", "passw0rd", "1234567890", "0123456789", "qwertyuiop", "qwerty1234", "answerdesk", "iloveyou")
# Two at once: each takes 64 MiB and, on an idle core, a tenth of a second; more of them only wait for each other.
_at_once = threading.BoundedSemaphore(2)
_hasher = PasswordHasher()  # RFC 9106's second recommendation: 64 MiB, three passes, four lanes


def require_good(password: str, name: str) -> None:
    """Raise ``PersonUnusable`` for a bad password.

    Length is what counts (NIST SP 800-63B); signs of several kinds are not asked for.
    """
    if len(password) < SHORTEST:
        raise PersonUnusable(reason="short", limit=SHORTEST)
    if len(password) > LONGEST:
        raise PersonUnusable(reason="long", limit=LONGEST)
    if password.casefold() == name.casefold():
        raise PersonUnusable(reason="is_name")
    if len(set(password)) < 4 or any(password.casefold().startswith(common) for common in _COMMON):
        raise PersonUnusable(reason="common")


def hash_password(password: str) -> str:
    """Return the stored form of a password: Argon2's own text, with a salt of its own."""
    with _at_once:
        return _hasher.hash(_normal(password))


def matches(password_hash: str, password: str) -> bool:
    """Tell whether this is the password.  Without a hash the time is taken all the same, so that names cannot be tried.

    A password that is too long to have been set is none, and costs nothing.
    """
    if len(password) > LONGEST:
        return False
    with _at_once:
        try:
            return _hasher.verify(password_hash or _dummy_hash(), _normal(password)) and bool(password_hash)
        except (VerificationError, InvalidHashError):
            return False


def _normal(password: str) -> str:
    """Return the password's normal form, the same for every keyboard."""
    return unicodedata.normalize("NFKC", password)


@cache
def _dummy_hash() -> str:
    return _hasher.hash(token_urlsafe())
