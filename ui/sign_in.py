"""Sign-in over plain HTTP, before any page: forms that need no script, and the cookie that the pages read.

    GET  /sign-in    the form, or the first admin's where there is none yet     POST  the attempt
    GET  /password   the form for a new password                               POST  the change

``sign_in_of`` returns who sends a request: by that cookie, or by what Streamlit keeps of another provider's sign-in.
``ui/request_guard.py`` sends every request without a valid sign-in here, and lets in forms from the desk's own pages
only.  The forms are whole documents: no script, nothing from elsewhere, the desk's own colours.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from types import MappingProxyType
from typing import Final, Literal, get_args
from urllib.parse import parse_qs, urlencode, urlsplit

import streamlit as st
from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send
from streamlit.auth_util import get_cookie_with_chunks
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from api.callers import own_origin
from api.services.shared import PeopleServices
from rag.errors import (
    AnswerdeskError,
    DatabaseUnavailable,
    PeopleError,
    PersonUnknown,
    PersonUnusable,
    SignInNeeded,
    SignInThrottled,
    SignInWrong,
)
from rag.people.passwords import SHORTEST, hash_password, matches, require_good
from rag.people.sign_ins import BROWSER_KNOWN_SECONDS, NewSession, provider_key, token_key
from rag.schema import Language
from rag.storage.access import LOCAL_USER, User
from rag.translate import translate
from ui.browser import asset
from ui.formats import language_of_locale

COOKIE = "answerdesk_sign_in"
BROWSER_COOKIE = "answerdesk_browser"
FORM_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
)
_LONG_LANGUAGE: Mapping[Language, str] = {"en": "en", "zh": "zh-CN"}
SIGN_IN_PATH = "/sign-in"
PASSWORD_PATH = "/password"
PROVIDER_START_PATH = "/sign-in/provider"
_LARGEST_FORM_BYTES = 16 * 1024
_RETRY_SECONDS = 5
_PASSWORDS_AT_ONCE = 4  # a flood of the form takes none of the threads that serve files


@dataclass(frozen=True, slots=True)
class CurrentSignIn:
    """A valid sign-in; ``key`` is what its use is noted under."""

    user: User
    key: bytes


def cookie_name(name: str, *, secure: bool) -> str:
    """Return a cookie's name: over https browsers keep ``__Host-`` ones from other hosts, ports and http.

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


def current_user(people: PeopleServices, connection: HTTPConnection) -> User:
    """Return who sends a request or opens a socket that the guard has let in.  Raises a ``PeopleError``."""
    if not people.required():
        return LOCAL_USER
    return sign_in_of(people, connection.cookies, own_origin(connection)).user


def sign_in_of_provider(people: PeopleServices, claims: Mapping[str, object]) -> CurrentSignIn:
    """Return the sign-in for another provider's claims.  Raises a ``PeopleError``.

    Somebody whose address of e-mail the provider has not verified may have chosen anybody's.
    """
    if not claims.get("is_logged_in") or not _has_trusted_email(people, claims):
        raise SignInNeeded
    name, signed_in_at = str(claims["email"]), datetime.fromtimestamp(float(str(claims.get("iat") or 0)), UTC)
    return CurrentSignIn(people.sign_ins.user_of_provider(name, signed_in_at), provider_key(name, signed_in_at))


ProviderRefusal = Literal["unverified", "unknown", "disabled", "unusable"]
"""Why a provider's reply signs nobody in; ``unusable``: the provider, or the desk's settings for it."""


def provider_refusal(people: PeopleServices, cookies: Mapping[str, str], origin: str) -> ProviderRefusal | None:
    """Return why the provider's claims in these cookies sign nobody in; None: they do.

    Only the provider has seen this person's password, so the form may tell them about their own address.
    """
    claims = _claims(cookies, origin)
    if not claims.get("is_logged_in"):
        return "unusable"
    if not _has_trusted_email(people, claims):
        return "unverified"
    try:
        sign_in_of_provider(people, claims)
    except PersonUnknown:
        return "unknown"
    except SignInNeeded:
        return "disabled" if people.people.find(str(claims["email"])).disabled else "unusable"
    return None


def _has_trusted_email(people: PeopleServices, claims: Mapping[str, object]) -> bool:
    verified = claims.get("email_verified")
    return bool(claims.get("email")) and (verified in (True, "true") or (verified is None and people.unverified_email))


def _claims(cookies: Mapping[str, str], origin: str) -> Mapping[str, object]:
    """Return the claims that Streamlit signed at ``st.login``, as for ``st.user``; empty if there are none."""
    if USER_COOKIE_NAME not in cookies:
        return {}
    secret = get_cookie_secret()

    def signed_value(name: str) -> bytes | None:
        return decode_signed_value(secret, name, cookies[name].encode("latin-1")) if name in cookies else None

    try:
        kept = json.loads(get_cookie_with_chunks(signed_value, USER_COOKIE_NAME) or b"{}")
    except ValueError:
        return {}
    return kept if isinstance(kept, dict) and kept.get("origin") == origin else {}


Form = Literal["sign_in", "first", "password"]


_ACTIONS: Mapping[Form, tuple[str, str, str]] = {  # path, heading, button
    "sign_in": ("/sign-in", "sign_in", "sign_in"),
    "first": ("/sign-in", "first_admin", "first_admin_make"),
    "password": ("/password", "password_change", "password_change"),
}


def form_html(
    form: Form,
    language: Language,
    *,
    next_path: str,
    name: str = "",
    error: str = "",
    done: bool = False,
    provider: bool = False,
) -> str:
    """Return the document.  All foreign text is escaped here."""
    path, heading, button = _ACTIONS[form]
    other: Language = "en" if language == "zh" else "zh"
    other_link = f"{path}?{urlencode({'lang': other, 'next': next_path})}"
    said = [f'<p class="said error" role="alert">{escape(error)}</p>'] if error else []
    said += [f'<p class="said done" role="status">{translate("ui.password_changed", language)}</p>'] if done else []
    why = "<p>" + translate("ui.first_admin_why", language) + "</p>" if form == "first" else ""
    elsewhere = (
        f'<a class="button" href="{escape(_start_link(language, next_path))}">'
        f"{translate('ui.sign_in_with', language)}</a>"
        if provider and form == "sign_in"
        else ""
    )
    forgotten = "<p>" + translate("ui.password_forgotten", language) + "</p>" if form == "sign_in" else ""
    return f"""<!doctype html>
<html lang="{_LONG_LANGUAGE[language]}" class="sign-in">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{translate("ui." + heading, language)} · {translate("ui.product", language)}</title>
<style>{_style()}</style></head>
<body><main>
<div class="head"><b>{translate("ui.product", language)}</b>
<a href="{escape(other_link)}" lang="{_LONG_LANGUAGE[other]}">{"English" if other == "en" else "中文"}</a></div>
<h1>{translate("ui." + heading, language)}</h1>{why}
{"".join(said)}
<form method="post" action="{path}">
<input type="hidden" name="lang" value="{language}"><input type="hidden" name="next" value="{escape(next_path)}">
{"".join(_fields(form, language, name))}
<button type="submit">{translate("ui." + button, language)}</button>
</form>{elsewhere}{forgotten}
</main></body></html>
"""


def _start_link(language: Language, next_path: str) -> str:
    return f"{PROVIDER_START_PATH}?{urlencode({'lang': language, 'next': next_path})}"


def notice(error: AnswerdeskError, status: int, language: Language) -> Response:
    """Return a document that says an error in both languages, the reader's first, to whom is let no further.

    One with status 503 loads itself again: nobody else tells the browser when an outage ends.
    """
    headers = dict(FORM_HEADERS) | ({"Refresh": str(_RETRY_SECONDS)} if status == 503 else {})
    return HTMLResponse(_notice_html(error, language), status, headers)


def _notice_html(error: AnswerdeskError, language: Language) -> str:
    order: tuple[Language, ...] = ("zh", "en") if language == "zh" else ("en", "zh")
    said = [f'<p class="said error" lang="{_LONG_LANGUAGE[one]}">{escape(error.public_text(one))}</p>' for one in order]
    product = translate("ui.product", language)
    return f"""<!doctype html>
<html lang="{_LONG_LANGUAGE[language]}" class="sign-in">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{product}</title><style>{_style()}</style></head>
<body><main><h1>{product}</h1>{"".join(said)}</main></body></html>
"""


def _style() -> str:
    return asset("tokens.css") + asset("sign_in.css")


def _fields(form: Form, language: Language, name: str) -> list[str]:
    new = translate("ui.password_new", language, limit=SHORTEST)
    again = translate("ui.password_again", language)
    fields = {
        "code": _field(
            "code", translate("ui.first_admin_code", language), "text", "one-time-code", focused=form == "first"
        ),
        "name": _field(
            "name",
            translate("ui.name", language),
            "text",
            "username",
            value=name,
            focused=form == "sign_in" and not name,
        ),
        "password": _field(
            "password",
            translate("ui.password", language),
            "password",
            "current-password",
            focused=form == "password" or (form == "sign_in" and bool(name)),
        ),
        "first": _field("password", new, "password", "new-password"),
        "new": _field("new", new, "password", "new-password"),
        "again": _field("again", again, "password", "new-password"),
    }
    wanted: Mapping[Form, tuple[str, ...]] = {
        "sign_in": ("name", "password"),
        "first": ("code", "name", "first", "again"),
        "password": ("password", "new", "again"),
    }
    return [fields[key] for key in wanted[form]]


def _field(name: str, label: str, kind: str, complete: str, *, value: str = "", focused: bool = False) -> str:
    focus = " autofocus" if focused else ""
    return (
        f'<label for="{name}">{escape(label)}</label><input id="{name}" name="{name}" type="{kind}" required '
        f'maxlength="200" autocomplete="{complete}" value="{escape(value)}"{focus} autocapitalize="none" '
        'spellcheck="false">'
    )


def sign_in_routes(people: Callable[[], PeopleServices]) -> list[BaseRoute]:
    """Return the routes; where nobody has to sign in, they lead to the desk."""
    return [
        Route(path, _Page(people, show, change), methods=["GET", "POST"])
        for path, show, change in (
            (SIGN_IN_PATH, _sign_in_form, _sign_in),
            (PASSWORD_PATH, _password_form, _change_password),
        )
    ]


class _Page:
    """One path: it shows a form, or takes one in and leads on."""

    def __init__(
        self,
        people: Callable[[], PeopleServices],
        show: Callable[[PeopleServices], Form],
        take_in: Callable[[PeopleServices, Request, dict[str, str]], NewSession | None],
    ) -> None:
        self._people = people
        self._show = show
        self._take_in = take_in
        self._places = CapacityLimiter(_PASSWORDS_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._response(request, self._people())
        except DatabaseUnavailable as error:
            response = notice(error, 503, request_language(request, {}))
        await response(scope, receive, send)

    async def _response(self, request: Request, people: PeopleServices) -> Response:
        if not await people.ask(people.required):
            return RedirectResponse("/", 303)
        if request.method == "POST":
            return await self._submit(people, request)
        return await self._form(people, request, dict(request.query_params))

    async def _form(
        self, people: PeopleServices, request: Request, given: dict[str, str], error: PeopleError | None = None
    ) -> Response:
        language = request_language(request, given)
        form = await run_in_threadpool(self._show, people)
        statuses = {SignInThrottled: 429, SignInWrong: 401, SignInNeeded: 401}
        status = statuses.get(type(error), 422) if error is not None else 200
        headers = dict(FORM_HEADERS)
        if isinstance(error, SignInThrottled):
            headers["Retry-After"] = str(error.details["seconds"])
        html = form_html(
            form,
            language,
            next_path=safe_path(given.get("next", "")),
            name=given.get("name", ""),
            error=_error_words(error, language) if error is not None else _refusal_words(given, language),
            done=given.get("done") == "password",
            provider=has_provider(),
        )
        return HTMLResponse(html, status, headers)

    async def _submit(self, people: PeopleServices, request: Request) -> Response:
        given = await _form_fields(request)
        if given is None:
            return HTMLResponse("", 400, FORM_HEADERS)
        try:
            signed_in = await to_thread.run_sync(self._take_in, people, request, given, limiter=self._places)
        except PeopleError as error:
            return await self._form(people, request, given, error)
        language = request_language(request, given)
        if signed_in is None:
            return RedirectResponse(f"{SIGN_IN_PATH}?{urlencode({'lang': language, 'done': 'password'})}", 303)
        response = RedirectResponse(safe_path(given.get("next", "")), 303)
        secure = _is_secure(request)
        known_until = datetime.now(UTC) + timedelta(seconds=BROWSER_KNOWN_SECONDS)
        for name, token, until in (
            (COOKIE, signed_in.token, signed_in.ends_at),
            (BROWSER_COOKIE, signed_in.browser, known_until),
        ):
            name = cookie_name(name, secure=secure)
            response.set_cookie(name, token, expires=until, httponly=True, samesite="lax", secure=secure)
        return response


def _error_words(error: PeopleError, language: Language) -> str:
    """Return what a form says; a time to wait is told in minutes, begun ones too."""
    if not isinstance(error, SignInThrottled):
        return error.text(language)
    minutes = math.ceil(int(str(error.details["seconds"])) / 60)
    return translate("ui.sign_in_throttled", language, minutes=minutes)


def _refusal_words(given: Mapping[str, str], language: Language) -> str:
    """Return why a provider's sign-in came to nothing, as ``ui/provider_sign_in.py`` tells in the address."""
    refused = given.get("refused", "")
    return translate(f"ui.provider_{refused}", language) if refused in get_args(ProviderRefusal) else ""


def _sign_in_form(people: PeopleServices) -> Form:
    return "first" if people.first_admin.is_wanted() else "sign_in"


def _sign_in(people: PeopleServices, request: Request, given: dict[str, str]) -> NewSession:
    name, password, browser = given.get("name", ""), given.get("password", ""), _browser(request)
    if people.first_admin.is_wanted():
        return people.first_admin.claim(given.get("code", ""), name, password, given.get("again", ""), browser)
    return people.sign_ins.begin(name, password, _client_host(request), browser)


def _password_form(people: PeopleServices) -> Form:
    return "password"


def _change_password(people: PeopleServices, request: Request, given: dict[str, str]) -> None:
    """Change the password of a user who has the cookie and knows the old one; all their sign-ins end.

    Raises a ``PeopleError``, also for somebody whom a provider signed in.
    """
    token = token_in(request.cookies, secure=_is_secure(request))
    if not token:
        sign_in_of(people, request.cookies, own_origin(request))
        raise PersonUnusable(reason="elsewhere")
    user = people.sign_ins.user(token)
    people.sign_ins.attempt(user.name, _client_host(request), _browser(request))
    if not matches(people.people.password_of(user.name), given.get("password", "")):
        raise SignInWrong
    people.sign_ins.forget_attempts(user.name, _client_host(request), _browser(request))
    require_good(given.get("new", ""), user.name)
    if given.get("new") != given.get("again"):
        raise PersonUnusable(reason="differs")
    people.people.set_password(user.name, hash_password(given["new"]), by=user.name)


def safe_path(path: str) -> str:
    r"""Return a path of this desk, whatever a link says: nobody is led elsewhere after signing in.

    >>> safe_path("/desk?turn=abc"), safe_path("//evil.example/x"), safe_path("https://evil.example"), safe_path("/\\e")
    ('/desk?turn=abc', '/', '/', '/')
    """
    try:
        parts = urlsplit(path)
    except ValueError:
        return "/"
    foreign = parts.scheme or parts.netloc or not path.startswith("/") or path.startswith("//")
    return "/" if foreign or "\\" in path or not path.isprintable() else path


async def _form_fields(request: Request) -> dict[str, str] | None:
    """Return the fields of a form; None if it is none, or far too large."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST_FORM_BYTES:
            return None
    try:
        fields = parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=20)
    except (UnicodeDecodeError, ValueError):
        return None
    return {name: values[-1] for name, values in fields.items()}


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"


def _browser(request: Request) -> str:
    """Return the token that this browser was given at an earlier sign-in, or an empty string."""
    return request.cookies.get(cookie_name(BROWSER_COOKIE, secure=_is_secure(request)), "")


def request_language(request: Request, given: Mapping[str, str]) -> Language:
    """Return the language that a form named, else the browser's."""
    named = given.get("lang", "")
    if named in ("zh", "en"):
        return "zh" if named == "zh" else "en"
    return language_of_locale(request.headers.get("accept-language", "").partition(",")[0] or None)


def _client_host(request: Request) -> str:
    return request.client.host if request.client is not None else ""


def has_provider() -> bool:
    """Tell whether ``.streamlit/secrets.toml`` names an OIDC provider."""
    return st.secrets.load_if_toml_exists() and "auth" in st.secrets
