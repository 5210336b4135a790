"""Who calls: by an API key, or, where nobody has to sign in, whoever sits at this machine.

In this order it asks of each request

    the name      Host is one of this server's own, else DNS rebinding reaches it
    the page      a request with an Origin comes from a web page: without a key only our own may
    the key       ``Authorization: Bearer``, or ``X-API-Key``; read anew each time, so that its end acts at once
    no key        only where nobody signs in, and only directly from this machine, not through a proxy
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from api.services.shared import PeopleServices
from rag.errors import ApiKeyRefused, ForeignHost, ForeignPage, KeyNeeded, QuestionsTooFast, RightMissing
from rag.people.keys import RIGHTS, Right
from rag.schema import Language
from rag.storage.access import LOCAL_USER, User
from rag.turns import Quota

_LOOPBACK_ADDRESSES = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
_FORWARDING_HEADERS = ("forwarded", "x-real-ip")
_BEARER = "bearer "
_MINUTE_SECONDS = 60.0
_CALLER = "answerdesk.caller"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, with the rights of this moment.  ``key_id`` is empty for whoever sits at this machine.

    ``pace`` counts the questions of a key that has a limit of its own, beside the settings' for everybody.
    """

    user: User
    rights: frozenset[Right]
    key_id: str = ""
    pace: Quota | None = None

    def require(self, right: Right) -> None:
        """Raise ``RightMissing`` where the key does not have this right."""
        if right not in self.rights:
            raise RightMissing(right=right)

    def spend_question(self) -> None:
        """Count a question.  Raises ``QuestionsTooFast`` where the key asked too many within a minute."""
        wait_seconds = self.pace.spend(self.key_id, [1]) if self.pace is not None else 0.0
        if wait_seconds > 0 and self.pace is not None:
            raise QuestionsTooFast(count=int(self.pace.most[0]), seconds=math.ceil(wait_seconds))


class Callers:
    """Finds out who calls.  ``is_own_host`` tells whether a Host header names this server."""

    def __init__(self, people: Callable[[], PeopleServices | None], is_own_host: Callable[[str | None], bool]) -> None:
        self._people = people
        self._is_own_host = is_own_host
        self._paces: dict[int, Quota] = {}

    def caller(self, connection: HTTPConnection) -> Caller:
        """Return who sent a request; each request is asked once, whoever asks for its caller again.

        Raises ``ForeignHost``, ``ForeignPage``, ``ApiKeyRefused`` or ``KeyNeeded``.
        """
        known = connection.scope.get(_CALLER)
        if isinstance(known, Caller):
            return known
        caller = connection.scope[_CALLER] = self._caller(connection)
        return caller

    def _caller(self, connection: HTTPConnection) -> Caller:
        headers = connection.headers
        if not self._is_own_host(headers.get("host")):
            raise ForeignHost
        secret = secret_in(headers)
        if secret:
            return self.of_key(secret)
        origin = headers.get("origin")
        if origin is not None and origin.lower() != own_origin(connection):
            raise ForeignPage
        peer = connection.client.host if connection.client is not None else None
        return self.without_key(headers, peer)

    def of_key(self, secret: str) -> Caller:
        """Return who calls with a key.  Raises ``ApiKeyRefused``."""
        people = self._people()
        if people is None:
            raise ApiKeyRefused
        key = people.keys.key_of(secret)
        people.keys.note_use(key.key_id)
        limit = key.questions_a_minute
        pace = None if limit is None else self._paces.setdefault(limit, Quota([limit], seconds=_MINUTE_SECONDS))
        return Caller(key.user, key.rights, key.key_id, pace)

    def without_key(self, headers: Mapping[str, str], peer: str | None) -> Caller:
        """Return whoever sits at this machine.  Raises ``KeyNeeded`` for everybody else."""
        people = self._people()
        if (people is not None and people.required()) or not came_directly(headers, peer):
            raise KeyNeeded
        return Caller(LOCAL_USER, frozenset(RIGHTS))


def secret_in(headers: Mapping[str, str]) -> str:
    """Return the key that a request brings along, or an empty string.

    >>> secret_in({"authorization": "Bearer ad_x"}), secret_in({"x-api-key": "ad_y"}), secret_in({})
    ('ad_x', 'ad_y', '')
    """
    authorization = headers.get("authorization", "")
    if authorization.lower().startswith(_BEARER):
        given = authorization[len(_BEARER) :].strip()
    else:
        given = headers.get("x-api-key", "").strip()
    return "" if given.lower() in ("none", "null", "undefined", "no-key") else given


def came_directly(headers: Mapping[str, str], peer: str | None) -> bool:
    """Tell whether a request was made on this machine, without a proxy in between.

    >>> came_directly({"host": "localhost:8501"}, "127.0.0.1"), came_directly({"x-forwarded-for": "::1"}, "127.0.0.1")
    (True, False)
    """
    names = [name.lower() for name in headers]
    forwarded = any(name in _FORWARDING_HEADERS or name.startswith("x-forwarded-") for name in names)
    return not forwarded and peer in _LOOPBACK_ADDRESSES


def own_origin(connection: HTTPConnection) -> str:
    """Return the origin that a page of this server has for this request, as in ``http://localhost:8501``."""
    scheme = "https" if connection.scope["scheme"] in ("https", "wss") else "http"
    return f"{scheme}://{connection.headers.get('host', '').lower()}"


def host_names(names: Iterable[str]) -> Callable[[str | None], bool]:
    """Return what tells whether a Host header names one of these hosts, at whatever port.

    >>> is_own = host_names(["localhost", "::1"])
    >>> is_own("localhost:8600"), is_own("[::1]:8600"), is_own("evil.example"), is_own(None)
    (True, True, False, False)
    """
    known = frozenset(name.strip("[]").lower() for name in names)

    def is_own(host: str | None) -> bool:
        try:
            return host is not None and (urlsplit(f"//{host}").hostname or "") in known
        except ValueError:
            return False

    return is_own


def language_of(headers: Mapping[str, str]) -> Language:
    """Return the language of sentences to a caller: by Accept-Language, English where that names no Chinese first.

    >>> language_of({"accept-language": "zh-CN,zh;q=0.9"}), language_of({"accept-language": "de"}), language_of({})
    ('zh', 'en', 'en')
    """
    return "zh" if headers.get("accept-language", "").lower().startswith("zh") else "en"
