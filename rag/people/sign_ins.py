"""Sessions: started with a password, recognized by a token, ended by expiry, the user or an admin.

The first admin is created with a one-time code that only the terminal shows.
"""

import hashlib
import ipaddress
import math
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rag.errors import PersonUnknown, PersonUnusable, SignInNeeded, SignInThrottled, SignInWrong
from rag.people.directory import People
from rag.people.passwords import hash_password, matches, require_good
from rag.settings import DatabasePlace
from rag.storage.access import User
from rag.storage.connection import Connection, SharedStore, open_database
from rag.storage.migrations import PEOPLE_MIGRATIONS

BROWSER_KNOWN_SECONDS = 180 * 24 * 3600.0
"""How long a browser is known after its last good sign-in."""

_USE_NOTED_EVERY_SECONDS = 60.0

_SIGNS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # none that is taken for another


@dataclass(frozen=True, slots=True)
class Throttle:
    """How many wrong attempts there may be within ``window_seconds``.

    ``pair`` counts those for one name from one network, ``network`` all from there (an office may share one).  Nobody
    is kept out by attempts from elsewhere: once there were ``name`` for a name from anywhere, each network has only one
    left for it.  ``browser`` counts those from a browser that has signed in as this name before, which the other
    limits leave alone.
    """

    window_seconds: float = 900.0
    pair: int = 5
    network: int = 50
    name: int = 100
    browser: int = 10


@dataclass(frozen=True, slots=True)
class NewSession:
    """A new session.  Its token, and that of its browser, are given once and not stored."""

    token: str
    ends_at: datetime
    browser: str


class SignIns(SharedStore):
    """The sign-ins in the database of people at ``place``.  Safe from threads and processes.

    ``hours`` is how long one lasts, ``idle_hours`` how long one lasts that nobody uses; None: as long as the others.
    ``clock`` gives seconds since 1970.
    """

    def __init__(
        self,
        place: DatabasePlace,
        hours: float,
        *,
        idle_hours: float | None = None,
        throttle: Throttle | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(open_database(place, PEOPLE_MIGRATIONS, create=True))
        self._people = People(place)
        self._hours = hours
        self._idle_seconds = 3600 * (hours if idle_hours is None else idle_hours)
        self._throttle = throttle or Throttle()
        self._clock = clock
        self._noted: dict[bytes, float] = {}
        self._lock = threading.Lock()
        self._local = threading.local()

    def begin(self, name: str, password: str, address: str, browser: str = "") -> NewSession:
        """Sign a user in from a network ``address``, with a ``browser`` that may be known.

        Raises ``SignInThrottled`` before the password is looked at, and ``SignInWrong`` for a wrong name, a wrong
        password and a disabled person alike.
        """
        name = name.strip()[:64]
        self.attempt(name, address, browser)
        right = matches(self._people.password_of(name), password)
        if not right or self._people.find(name).disabled:
            raise SignInWrong
        self.forget_attempts(name, address, browser)
        return self.begin_for(name, browser)

    def begin_for(self, name: str, browser: str = "") -> NewSession:
        """Sign in an authenticated user.  Raises ``PersonUnknown``."""
        name = self._people.find(name).name
        token, browser = secrets.token_urlsafe(32), browser[:64] or secrets.token_urlsafe(32)
        now = self._now()
        signed_in = NewSession(token, now + timedelta(hours=self._hours), browser)
        with self._database.transaction() as connection:
            self._delete_expired(connection)
            connection.execute(
                "INSERT INTO sign_in (token_hash, name, begun_at, ends_at) VALUES (?, ?, ?, ?)",
                (_hash(token), name, now.isoformat(), signed_in.ends_at.isoformat()),
            )
            connection.execute(
                "INSERT INTO known_browser (token_hash, name, at) VALUES (?, ?, ?) "
                "ON CONFLICT (token_hash, name) DO UPDATE SET at = excluded.at",
                (_hash(browser), name, self._clock()),
            )
        return signed_in

    def user(self, token: str) -> User:
        """Return the user of a token, with their present role and scopes.  Raises ``SignInNeeded``.

        What was read is kept as long as nobody changed anything about people: a page loads hundreds of files.
        """
        key, version = token_key(token), self._database.version()
        if getattr(self._local, "version", None) != version:
            self._local.version, self._local.users = version, {}
        users: dict[bytes, tuple[float, User]] = self._local.users
        if key not in users:
            users[key] = self._read_user(key)
        ends_at, user = users[key]
        if ends_at <= self._clock():
            raise SignInNeeded
        return user

    def _read_user(self, key: bytes) -> tuple[float, User]:
        """Return when an unused session ends, in seconds since 1970, and its user."""
        row = self._database.row(
            "SELECT name, begun_at, ends_at, at FROM sign_in LEFT JOIN sign_in_use ON key = token_hash "
            "WHERE token_hash = ?",
            (key,),
        )
        if row is None:
            raise SignInNeeded
        begun_at, ends_at = (datetime.fromisoformat(row[name]).timestamp() for name in ("begun_at", "ends_at"))
        used_at = begun_at if row["at"] is None else float(row["at"])
        return min(ends_at, used_at + self._idle_seconds), self._active_user(row["name"])

    def user_of_provider(self, name: str, signed_in_at: datetime) -> User:
        """Return the person whom another provider knows by this name (an address of e-mail), and signed in then.

        Raises ``SignInNeeded`` where that is too long ago or was ended, and ``PersonUnknown`` where nobody has let this
        person in.
        """
        row = self._database.row("SELECT sign_ins_after FROM person WHERE name = ? COLLATE NOCASE", (name,))
        if row is None:
            raise PersonUnknown(name=name)
        ended = row["sign_ins_after"] and signed_in_at < datetime.fromisoformat(row["sign_ins_after"])
        if ended or signed_in_at + timedelta(hours=self._hours) <= self._now():
            raise SignInNeeded
        self._require_use(provider_key(name, signed_in_at), signed_in_at)
        return self._active_user(name)

    def end(self, token: str) -> None:
        """End one sign-in; an unknown token is none."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM sign_in WHERE token_hash = ?", (_hash(token),))

    def must_note_use(self, key: bytes) -> bool:
        """Tell whether ``note_use`` would write: once a minute for a sign-in is often enough."""
        with self._lock:
            return self._clock() - self._noted.get(key, -math.inf) >= _USE_NOTED_EVERY_SECONDS

    def note_use(self, key: bytes) -> None:
        """Note that a person did something with the sign-in of this ``key``; its idle time begins again."""
        now = self._clock()
        with self._lock:
            old = [other for other, at in self._noted.items() if now - at >= _USE_NOTED_EVERY_SECONDS]
            for other in old:
                del self._noted[other]
            self._noted[key] = now
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO sign_in_use (key, at) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET at = excluded.at",
                (key, now),
            )

    def attempt(self, name: str, address: str, browser: str = "") -> None:
        """Count an attempt as wrong until it has shown itself right, so that many at once are counted as well.

        Raises ``SignInThrottled`` where there were too many.  What is older than the window is forgotten.
        """
        limits, now = self._throttle, self._clock()
        name, network = name[:64], network_of(address)
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM attempt WHERE at <= ?", (now - limits.window_seconds,))
            if self._is_known(connection, name, browser):
                place = _browser_place(browser)
                from_it = [at for at, by_name, there in _attempts(connection, name, place) if by_name and there]
                if len(from_it) < limits.browser:
                    _count(connection, now, name, place)
                    return
            attempts = _attempts(connection, name, network)
            anywhere = [at for at, by_name, _ in attempts if by_name]
            pair_limit = limits.pair if len(anywhere) < limits.name else 1
            counted = (
                ([at for at, by_name, there in attempts if by_name and there], pair_limit),
                ([at for at, _, there in attempts if there], limits.network),
            )
            free_at = [times[-limit] + limits.window_seconds for times, limit in counted if len(times) >= limit]
            if free_at:
                raise SignInThrottled(seconds=max(1, math.ceil(max(free_at) - now)))
            _count(connection, now, name, network)

    def forget_attempts(self, name: str, address: str, browser: str = "") -> None:
        """Forget the failed attempts for this name from this browser or network, after a successful one.

        What others of the network tried stays counted while the person comes with a browser of their own.
        """
        with self._database.transaction() as connection:
            known = self._is_known(connection, name, browser)
            place = _browser_place(browser) if known else network_of(address)
            connection.execute("DELETE FROM attempt WHERE name = ? COLLATE NOCASE AND address = ?", (name[:64], place))

    def close(self) -> None:
        """Close the connections of all threads; the next call opens a new one."""
        super().close()
        self._people.close()

    def _is_known(self, connection: Connection, name: str, browser: str) -> bool:
        row = connection.execute(
            "SELECT 1 FROM known_browser WHERE token_hash = ? AND name = ? COLLATE NOCASE AND at > ?",
            (_hash(browser), name, self._clock() - BROWSER_KNOWN_SECONDS),
        ).fetchone()
        return bool(browser) and row is not None

    def _require_use(self, key: bytes, begun_at: datetime) -> None:
        row = self._database.row("SELECT at FROM sign_in_use WHERE key = ?", (key,))
        used_at = float(row["at"]) if row is not None else begun_at.timestamp()
        if used_at + self._idle_seconds <= self._clock():
            raise SignInNeeded

    def _delete_expired(self, connection: Connection) -> None:
        now = self._clock()
        connection.execute("DELETE FROM sign_in WHERE ends_at <= ?", (self._now().isoformat(),))
        connection.execute("DELETE FROM sign_in_use WHERE at <= ?", (now - 3600 * self._hours,))
        connection.execute("DELETE FROM known_browser WHERE at <= ?", (now - BROWSER_KNOWN_SECONDS,))

    def _active_user(self, name: str) -> User:
        person = self._people.find(name)
        if person.disabled:
            raise SignInNeeded
        return person.user

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def network_of(address: str) -> str:
    """Return the key of an address in the attempt counts: an IPv6 customer has a whole /64 to choose from.

    >>> network_of("192.0.2.7"), network_of("2001:db8:1:2:3::9"), network_of("::ffff:192.0.2.7"), network_of("")
    ('192.0.2.7', '2001:db8:1:2::/64', '192.0.2.7', '')
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def token_key(token: str) -> bytes:
    """Return the key under which the use of a password's sign-in is noted."""
    return _hash(token)


def provider_key(name: str, signed_in_at: datetime) -> bytes:
    """Return the key under which the use of another provider's sign-in is noted."""
    return _hash(f"provider {name.casefold()} {signed_in_at.timestamp()}")


def _attempts(connection: Connection, name: str, place: str) -> list[tuple[float, bool, bool]]:
    """Return the attempts for a name or from a place, oldest first: when, whether for the name, whether from there.

    Those from known browsers, which have a limit of their own, are left out where it is not theirs that are counted.
    """
    rows = connection.execute(
        "SELECT at, name = :name COLLATE NOCASE AS by_name, address = :place AS by_place FROM attempt WHERE "
        "address = :place OR (name = :name COLLATE NOCASE AND address NOT LIKE 'browser %') ORDER BY at",
        {"name": name, "place": place},
    ).fetchall()
    return [(row["at"], bool(row["by_name"]), bool(row["by_place"])) for row in rows]


def _count(connection: Connection, at: float, name: str, place: str) -> None:
    connection.execute("INSERT INTO attempt (at, name, address) VALUES (?, ?, ?)", (at, name, place))


def _browser_place(browser: str) -> str:
    return f"browser {_hash(browser).hex()}"


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


class FirstAdmin:
    """Holds the code, in memory only: it is another one after a restart, and of no use once there is an admin."""

    def __init__(self, people: People, sign_ins: SignIns) -> None:
        letters = "".join(secrets.choice(_SIGNS) for _ in range(12))
        self.code = "-".join((letters[:4], letters[4:8], letters[8:]))
        self._people = people
        self._sign_ins = sign_ins
        self._lock = threading.Lock()

    def is_wanted(self) -> bool:
        """Tell whether an admin is still missing."""
        return not self._people.has_admin()

    def claim(self, code: str, name: str, password: str, again: str, browser: str = "") -> NewSession:
        """Make the admin, who may read everything, and sign them in.

        Wrong codes are not counted: the code has 59 bits, and a stranger who used up the attempts would keep the desk's
        owner out.  Raises ``PersonUnusable`` (a wrong code too) or ``PersonTaken``.
        """
        with self._lock:
            given = code.strip().upper().encode("utf-8", "replace")
            if not self.is_wanted() or not secrets.compare_digest(given, self.code.encode()):
                raise PersonUnusable(reason="code")
            name = name.strip()
            require_good(password, name)
            if password != again:
                raise PersonUnusable(reason="differs")
            admin = self._people.add(name, "admin", None, hash_password(password), by="first start")
        return self._sign_ins.begin_for(admin.name, browser)
