"""Sign-ins: begun with a password, known again by a token, ended by time, by their owner, or by an admin."""

import hashlib
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rag.errors import PersonUnknown, SignInNeeded, SignInThrottled, SignInWrong
from rag.people.directory import People
from rag.people.passwords import matches
from rag.people.tables import PEOPLE_MIGRATIONS
from rag.storage.access import User
from rag.storage.connection import Database


@dataclass(frozen=True, slots=True)
class Throttle:
    """How many wrong attempts there may be within ``window_seconds``.

    ``pair`` counts those for one name from one address, ``address`` all from there (an office may share one), ``name``
    all for one name from anywhere: it is high, so that nobody is easily kept out by others.
    """

    window_seconds: float = 900.0
    pair: int = 5
    address: int = 50
    name: int = 100


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A sign-in that has begun.  The token is told once and kept nowhere."""

    token: str
    ends_at: datetime


class SignIns:
    """The sign-ins in the database of people at ``path``.  Safe from threads and processes.

    ``hours`` is how long one lasts.  ``clock`` gives seconds since 1970.
    """

    def __init__(
        self,
        path: Path,
        hours: float,
        *,
        throttle: Throttle | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = Database(path, PEOPLE_MIGRATIONS, create=True)
        self._people = People(path)
        self._hours = hours
        self._throttle = throttle or Throttle()
        self._clock = clock

    def begin(self, name: str, password: str, address: str) -> SignedIn:
        """Sign somebody in who comes from a network ``address``.

        Raises ``SignInThrottled`` before the password is looked at, and ``SignInWrong`` for a wrong name, a wrong
        password and a disabled person alike.
        """
        name = name.strip()[:64]
        self.attempt(name, address)
        right = matches(self._people.password_of(name), password)
        if not right or self._people.find(name).disabled:
            raise SignInWrong
        self.forget_attempts(name, address)
        return self._begun(self._people.find(name).name)

    def user(self, token: str) -> User:
        """Return who holds this token, with the role and the scopes of this moment.  Raises ``SignInNeeded``."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT name, ends_at FROM sign_in WHERE token_hash = ?", (_hash(token),)
            ).fetchone()
        if row is None or datetime.fromisoformat(row["ends_at"]) <= self._now():
            raise SignInNeeded
        return self._active(row["name"])

    def user_of_provider(self, name: str, signed_in_at: datetime) -> User:
        """Return the person whom another provider knows by this name (an address of e-mail), and signed in then.

        Raises ``SignInNeeded`` where that is too long ago or was ended, and ``PersonUnknown`` where nobody has let this
        person in.
        """
        with self._database.reading() as connection:
            row = connection.execute("SELECT sign_ins_after FROM person WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise PersonUnknown(name=name)
        ended = row["sign_ins_after"] and signed_in_at < datetime.fromisoformat(row["sign_ins_after"])
        if ended or signed_in_at + timedelta(hours=self._hours) <= self._now():
            raise SignInNeeded
        return self._active(name)

    def end(self, token: str) -> None:
        """End one sign-in; an unknown token is none."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM sign_in WHERE token_hash = ?", (_hash(token),))

    def attempt(self, name: str, address: str) -> None:
        """Count an attempt as wrong until it has shown itself right, so that many at once are counted as well.

        Raises ``SignInThrottled`` where there were too many.  What is older than the window is forgotten.
        """
        limits, now = self._throttle, self._clock()
        name, address = name[:64], address[:64]
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM attempt WHERE at <= ?", (now - limits.window_seconds,))
            rows = connection.execute(
                "SELECT at, name = :name AS by_name, address = :address AS by_address FROM attempt "
                "WHERE by_name OR by_address ORDER BY at",
                {"name": name, "address": address},
            ).fetchall()
            counted = (
                ([row["at"] for row in rows if row["by_name"] and row["by_address"]], limits.pair),
                ([row["at"] for row in rows if row["by_address"]], limits.address),
                ([row["at"] for row in rows if row["by_name"]], limits.name),
            )
            free_at = [times[-limit] + limits.window_seconds for times, limit in counted if len(times) >= limit]
            if free_at:
                raise SignInThrottled(seconds=max(1, math.ceil(max(free_at) - now)))
            connection.execute("INSERT INTO attempt (at, name, address) VALUES (?, ?, ?)", (now, name, address))

    def forget_attempts(self, name: str, address: str) -> None:
        """Forget those for this name from this address: the last one was right."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM attempt WHERE name = ? AND address = ?", (name[:64], address[:64]))

    def close(self) -> None:
        """Close the connections of all threads."""
        self._database.close()
        self._people.close()

    def _begun(self, name: str) -> SignedIn:
        token = secrets.token_urlsafe(32)
        now = self._now()
        signed_in = SignedIn(token, now + timedelta(hours=self._hours))
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM sign_in WHERE ends_at <= ?", (now.isoformat(),))
            connection.execute(
                "INSERT INTO sign_in (token_hash, name, begun_at, ends_at) VALUES (?, ?, ?, ?)",
                (_hash(token), name, now.isoformat(), signed_in.ends_at.isoformat()),
            )
        return signed_in

    def _active(self, name: str) -> User:
        person = self._people.find(name)
        if person.disabled:
            raise SignInNeeded
        return person.user

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
