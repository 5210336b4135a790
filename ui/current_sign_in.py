"""Who sends a request: by the cookie of a password's sign-in, or by what Streamlit keeps of another provider's."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from streamlit.auth_util import get_cookie_with_chunks
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from api.services.shared import PeopleServices
from rag.errors import SignInNeeded
from rag.people.sign_ins import provider_key, token_key
from rag.storage.access import User

COOKIE = "answerdesk_sign_in"
BROWSER_COOKIE = "answerdesk_browser"


@dataclass(frozen=True, slots=True)
class CurrentSignIn:
    """A valid sign-in; ``key`` is what its use is noted under."""

    user: User
    key: bytes


def cookie_name(name: str, *, secure: bool) -> str:
    """Return what a cookie is called: over https browsers keep ``__Host-`` ones from other hosts, ports and http.

    >>> cookie_name(COOKIE, secure=True), cookie_name(COOKIE, secure=False)
    ('__Host-answerdesk_sign_in', 'answerdesk_sign_in')
    """
    return f"__Host-{name}" if secure else name


def token_in(cookies: Mapping[str, str], *, secure: bool) -> str:
    """Return the token of a password's sign-in, or an empty string."""
    return cookies.get(cookie_name(COOKIE, secure=secure), "")


def sign_in_of(people: PeopleServices, cookies: Mapping[str, str], origin: str) -> CurrentSignIn:
    """Return the sign-in that a request to ``origin`` (as in ``https://desk.example.org``) brings along.

    Raises a ``PeopleError``.
    """
    token = token_in(cookies, secure=origin.startswith("https://"))
    if token:
        return CurrentSignIn(people.sign_ins.user(token), token_key(token))
    return sign_in_of_provider(people, _claims(cookies, origin))


def sign_in_of_provider(people: PeopleServices, claims: Mapping[str, object]) -> CurrentSignIn:
    """Return the sign-in of which another provider claims this.  Raises a ``PeopleError``.

    Somebody whose address of e-mail the provider has not verified may have chosen anybody's.
    """
    email, verified = claims.get("email"), claims.get("email_verified")
    trusted = verified in (True, "true") or (verified is None and people.unverified_email)
    if not claims.get("is_logged_in") or not email or not trusted:
        raise SignInNeeded
    name, signed_in_at = str(email), datetime.fromtimestamp(float(str(claims.get("iat") or 0)), UTC)
    return CurrentSignIn(people.sign_ins.user_of_provider(name, signed_in_at), provider_key(name, signed_in_at))


def _claims(cookies: Mapping[str, str], origin: str) -> Mapping[str, object]:
    """Return what Streamlit signed at ``st.login``, as it reads it for ``st.user``; empty where there is nothing."""
    if USER_COOKIE_NAME not in cookies:
        return {}
    secret = get_cookie_secret()

    def one(name: str) -> bytes | None:
        return decode_signed_value(secret, name, cookies[name].encode("latin-1")) if name in cookies else None

    try:
        kept = json.loads(get_cookie_with_chunks(one, USER_COOKIE_NAME) or b"{}")
    except ValueError:
        return {}
    return kept if isinstance(kept, dict) and kept.get("origin") == origin else {}
