"""Identifies the caller of a request: an API key, or this machine's user where nobody has to sign in.

In this order it asks of each request

    the name      Host is one of this server's own, else DNS rebinding reaches it
    the page      a request with an Origin, or that a browser calls cross-site, comes from a web page: without a key
                  only our own may, or a person who follows a link
    the key       ``Authorization: Bearer``, or ``X-API-Key``; read again each time, so that its end acts at once
    no key        only where nobody signs in, and only directly from this machine, not through a proxy; while no key has
                  ever been made there, any word counts as none, for OpenAI's clients demand one
"""

import math
import re
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from api.services.shared import PeopleServices
from rag.errors import (
    DatabaseUnavailable,
    ForeignHost,
    ForeignPage,
    KeyNeeded,
    QuestionsTooFast,
    RightMissing,
    TooManyAtOnce,
)
from rag.people.keys import RIGHTS, Right
from rag.schema import Language
from rag.settings import Settings
from rag.storage.access import LOCAL_USER, User
from rag.turns import Quota

_LANGUAGES_READ = 32
_FOR_THE_FIRST = 1e-6  # of two languages with the same weight, the one named first
_LANGUAGE = re.compile(
    r"(?:(?P<tag>zh|en)(?:[-_][\w-]{1,40})?|\*)\s{0,4}(?:;\s{0,4}q=(?P<weight>[01](?:\.\d{0,3})?))?", re.ASCII
)
_LOOPBACK_ADDRESSES = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
_FORWARDING_HEADERS = ("forwarded", "x-real-ip")
_BEARER = "bearer "
_MINUTE_SECONDS = 60.0
_CALLER = "answerdesk.caller"
_UPLOADS_AT_ONCE = 2
"""Each is held in memory until it is on the disk: 100 MB of one key, where files may have 50."""

_OTHER_REQUESTS_AT_ONCE = 16
"""Of a key, beside the questions that are answered or wait: searches, reading, and turns that are followed."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller, with the present rights.  ``key_id`` is empty for the person at this machine.

    ``pace`` counts the questions of a key that has a limit of its own, beside the settings' for everybody.  ``again``
    identifies the caller of a key once more.
    """

    user: User
    rights: frozenset[Right]
    key_id: str = ""
    pace: Quota | None = None
    again: Callable[[], Awaitable["Caller"]] | None = field(default=None, repr=False, compare=False)

    def require(self, right: Right) -> None:
        """Raise ``RightMissing`` where the key does not have this right."""
        if right not in self.rights:
            raise RightMissing(right=right)

    async def renewed(self) -> "Caller":
        """Return the caller with the rights and scopes of this moment.  Raises ``ApiKeyRefused``.

        While a server with the keys cannot be reached, those of before hold: an answer outlives that.
        """
        try:
            return self if self.again is None else await self.again()
        except DatabaseUnavailable:
            return self

    def spend_question(self) -> None:
        """Count a question.  Raises ``QuestionsTooFast`` where the key asked too many within a minute."""
        wait_seconds = self.pace.spend(self.key_id, [1]) if self.pace is not None else 0.0
        if wait_seconds > 0 and self.pace is not None:
            raise QuestionsTooFast(count=int(self.pace.most[0]), seconds=math.ceil(wait_seconds))


class ConcurrencyLimit:
    """Limits each API key to ``most`` open requests; ``what`` as in ``TooManyAtOnce``.  Safe from many threads.

    The person at this machine is not counted: its whole memory is theirs anyway.
    """

    def __init__(self, most: int, what: str) -> None:
        self._most = most
        self._what = what
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()

    @contextmanager
    def count_open(self, caller: Caller) -> Iterator[None]:
        """Count one more of the caller's while the block lasts.  Raises ``TooManyAtOnce``."""
        if not caller.key_id:
            yield
            return
        with self._lock:
            if self._open[caller.key_id] >= self._most:
                raise TooManyAtOnce(reason=self._what, count=self._most)
            self._open[caller.key_id] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open -= Counter([caller.key_id])  # drops who has none


class Callers:
    """Identifies callers.  ``is_own_host`` tells whether a Host header names this server.

    ``requests`` and ``uploads`` count what each key has open, by whatever face.
    """

    def __init__(
        self,
        people: Callable[[], PeopleServices],
        is_own_host: Callable[[str | None], bool],
        *,
        requests_at_once: int = 32,
    ) -> None:
        self.requests = ConcurrencyLimit(requests_at_once, "requests")
        self.uploads = ConcurrencyLimit(_UPLOADS_AT_ONCE, "uploads")
        self._people = people
        self._is_own_host = is_own_host
        self._paces: dict[int, Quota] = {}

    def caller(self, connection: HTTPConnection) -> Caller:
        """Return a request's caller, who is identified once for each request.

        Raises ``ForeignHost``, ``ForeignPage``, ``ApiKeyRefused`` or ``KeyNeeded``.
        """
        known = connection.scope.get(_CALLER)
        if isinstance(known, Caller):
            return known
        caller = connection.scope[_CALLER] = self._caller(connection)
        return caller

    async def ask(self, work: Callable[[], Caller]) -> Caller:
        """Like ``caller``, for an event loop; see ``PeopleServices.ask``."""
        return await self._people().ask(work)

    def _caller(self, connection: HTTPConnection) -> Caller:
        headers = connection.headers
        if not self._is_own_host(headers.get("host")):
            raise ForeignHost
        secret = secret_in(headers)
        if self._is_key(secret):
            return self.caller_with_key(secret)
        origin = headers.get("origin")
        if (origin is not None and origin.lower() != own_origin(connection)) or _is_cross_site(headers):
            raise ForeignPage
        peer = connection.client.host if connection.client is not None else None
        return self.local_caller(headers, peer)

    def caller_or_local(self, secret: str, headers: Mapping[str, str], peer: str | None) -> Caller:
        """Return the caller with a key, or this machine's user.  Raises ``ApiKeyRefused`` and ``KeyNeeded``."""
        return self.caller_with_key(secret) if self._is_key(secret) else self.local_caller(headers, peer)

    def _is_key(self, secret: str) -> bool:
        """Tell whether what was given as a key counts as one."""
        people = self._people()
        return bool(secret) and (people.keys.has_any() or people.required())

    def caller_with_key(self, secret: str) -> Caller:
        """Return the caller with a key.  Raises ``ApiKeyRefused``."""
        keys = self._people().keys
        key = keys.key_of(secret)
        keys.note_use(key.key_id)
        limit = key.questions_a_minute
        pace = None if limit is None else self._paces.setdefault(limit, Quota([limit], seconds=_MINUTE_SECONDS))
        again = partial(self.ask, partial(self.caller_with_key, secret))
        return Caller(key.user, key.rights, key.key_id, pace, again)

    def local_caller(self, headers: Mapping[str, str], peer: str | None) -> Caller:
        """Return this machine's user.  Raises ``KeyNeeded`` for everybody else."""
        if self._people().required() or not is_direct(headers, peer):
            raise KeyNeeded
        return Caller(LOCAL_USER, frozenset(RIGHTS))


def requests_at_once(settings: Settings) -> int:
    """Return how many requests of one key may be open: its questions at the model and in the queue, and 16 more."""
    return settings.slots_of_all_hosts + settings.key_waiting + _OTHER_REQUESTS_AT_ONCE


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


def _is_cross_site(headers: Mapping[str, str]) -> bool:
    """Tell whether another site's page caused a request by itself, such as for a picture, which has no Origin.

    A person who clicks on a link is let in, as on that of a citation: the page sees nothing of what is opened.
    https://www.w3.org/TR/fetch-metadata/
    """
    return headers.get("sec-fetch-site") == "cross-site" and not (
        headers.get("sec-fetch-user") == "?1" and headers.get("sec-fetch-dest") == "document"
    )


def is_direct(headers: Mapping[str, str], peer: str | None) -> bool:
    """Tell whether a request was made on this machine, without a proxy in between.

    >>> is_direct({"host": "localhost:8501"}, "127.0.0.1"), is_direct({"x-forwarded-for": "::1"}, "127.0.0.1")
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
    """Return a test of whether a Host header names one of these hosts, at any port.

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
    """Return the language of sentences to a caller: what Accept-Language prefers of ours, English where it names none.

    Of an endless list the first 32 are read.

    >>> [language_of({"accept-language": given}) for given in ("zh-CN,zh;q=0.9", "fr, zh;q=0.5", "en;q=0.5, zh;q=0.9")]
    ['zh', 'zh', 'zh']
    >>> [language_of({"accept-language": given}) for given in ("de", "zh;q=0, en", "")]
    ['en', 'en', 'en']
    """
    weights = {"zh": 0.0, "en": 0.0}
    for order, item in enumerate(headers.get("accept-language", "").lower().split(",", _LANGUAGES_READ)):
        found = _LANGUAGE.fullmatch(item.strip()) if order < _LANGUAGES_READ else None
        if found is not None:
            language = "zh" if found["tag"] == "zh" else "en"  # "*": whichever, so ours
            weight = min(1.0, float(found["weight"] or 1)) - order * _FOR_THE_FIRST
            weights[language] = max(weights[language], weight)
    return "zh" if weights["zh"] > weights["en"] else "en"
