"""Creates the first admin with a one-time code that only the terminal shows."""

import secrets
import threading

from rag.errors import PersonUnusable
from rag.people.directory import People
from rag.people.passwords import hash_password, require_good
from rag.people.sign_ins import SignedIn, SignIns

_SIGNS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # none that is taken for another


class FirstAdmin:
    """Holds the code, in memory only: it is another one after a restart, and of no use once there is an admin."""

    def __init__(self, people: People, sign_ins: SignIns) -> None:
        letters = "".join(secrets.choice(_SIGNS) for _ in range(12))
        self.code = "-".join((letters[:4], letters[4:8], letters[8:]))
        self._people = people
        self._sign_ins = sign_ins
        self._lock = threading.Lock()

    def wanted(self) -> bool:
        """Tell whether there is no admin yet."""
        return not self._people.has_admin()

    def claim(self, code: str, name: str, password: str, again: str, browser: str = "") -> SignedIn:
        """Make the admin, who may read everything, and sign them in.

        Wrong codes are not counted: the code has 59 bits, and whoever could use up the attempts would keep the desk's
        owner out.  Raises ``PersonUnusable`` (a wrong code too) or ``PersonTaken``.
        """
        with self._lock:
            given = code.strip().upper().encode("utf-8", "replace")
            if not self.wanted() or not secrets.compare_digest(given, self.code.encode()):
                raise PersonUnusable(reason="code")
            name = name.strip()
            require_good(password, name)
            if password != again:
                raise PersonUnusable(reason="differs")
            self._people.add(name, "admin", None, hash_password(password), by="first start")
        return self._sign_ins.begin_for(name, browser)
