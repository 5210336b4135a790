"""Sign-in over plain HTTP, before any page: forms that need no script, and the cookie that the pages read.

    GET  /sign-in    the form, or the first admin's where there is none yet     POST  the attempt
    GET  /password   the form for a new password                               POST  the change

``ui/request_guard.py`` sends here whoever comes without a valid sign-in, and lets in forms from the desk's own pages
only.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import streamlit as st
from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from api.services.shared import PeopleServices
from rag.errors import DatabaseUnavailable, PeopleError, PersonUnusable, SignInNeeded, SignInThrottled, SignInWrong
from rag.people.passwords import hash_password, matches, require_good
from rag.people.sign_ins import BROWSER_KNOWN_SECONDS, NewSession
from rag.schema import Language
from ui.current_sign_in import BROWSER_COOKIE, COOKIE, cookie_name, token_in
from ui.formats import language_of_locale
from ui.sign_in_form import FORM_HEADERS, Form, form_html, notice_html

SIGN_IN_PATH = "/sign-in"
PASSWORD_PATH = "/password"
_LARGEST_FORM_BYTES = 16 * 1024
_PASSWORDS_AT_ONCE = 4  # whoever floods the form takes none of the threads that serve files


def sign_in_routes(people: Callable[[], PeopleServices | None]) -> list[BaseRoute]:
    """Return the routes; ``people`` None, or nobody to sign in: they lead to the desk."""
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
        people: Callable[[], PeopleServices | None],
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
            response = await (self._taken_in(request) if request.method == "POST" else self._shown(request))
        except DatabaseUnavailable as error:
            response = HTMLResponse(notice_html(error), 503, FORM_HEADERS)
        await response(scope, receive, send)

    async def _shown(self, request: Request) -> Response:
        people = self._people()
        if people is None or not await people.ask(people.required):
            return RedirectResponse("/", 303)
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
            error=error.text(language) if error is not None else "",
            done=given.get("done") == "password",
            provider=has_provider(),
        )
        return HTMLResponse(html, status, headers)

    async def _taken_in(self, request: Request) -> Response:
        people = self._people()
        if people is None or not await people.ask(people.required):
            return RedirectResponse("/", 303)
        given = await _given(request)
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


def _sign_in_form(people: PeopleServices) -> Form:
    return "first" if people.first_admin.wanted() else "sign_in"


def _sign_in(people: PeopleServices, request: Request, given: dict[str, str]) -> NewSession:
    name, password, browser = given.get("name", ""), given.get("password", ""), _browser(request)
    if people.first_admin.wanted():
        return people.first_admin.claim(given.get("code", ""), name, password, given.get("again", ""), browser)
    return people.sign_ins.begin(name, password, _from(request), browser)


def _password_form(people: PeopleServices) -> Form:
    return "password"


def _change_password(people: PeopleServices, request: Request, given: dict[str, str]) -> None:
    """Change the password of whoever holds the cookie and knows the old one; all their sign-ins end."""
    user = people.sign_ins.user(token_in(request.cookies, secure=_is_secure(request)))
    people.sign_ins.attempt(user.name, _from(request), _browser(request))
    if not matches(people.people.password_of(user.name), given.get("password", "")):
        raise SignInWrong
    people.sign_ins.forget_attempts(user.name, _from(request), _browser(request))
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


async def _given(request: Request) -> dict[str, str] | None:
    """Return the fields of a form; None where it is none, or far too large."""
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


def _from(request: Request) -> str:
    return request.client.host if request.client is not None else ""


def has_provider() -> bool:
    """Tell whether ``.streamlit/secrets.toml`` names an OIDC provider."""
    return st.secrets.load_if_toml_exists() and "auth" in st.secrets
