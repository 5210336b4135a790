"""Sign-in over plain HTTP, before any page: forms that need no script, and the cookie that the pages read.

    GET  /sign-in    the form, or the first admin's where there is none yet     POST  the attempt
    GET  /password   the form for a new password                               POST  the change

Who comes without a cookie is sent here; whether a cookie is worth anything, each run of a page asks anew.
"""

from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from rag.errors import PeopleError, PersonUnusable, SignInNeeded, SignInThrottled, SignInWrong
from rag.people.passwords import hash_password, matches, require_good
from rag.people.sign_ins import SignedIn
from rag.schema import Language
from ui.i18n import language_of_locale
from ui.services import PeopleServices
from ui.session import COOKIE
from ui.sign_in_form import FORM_HEADERS, Form, form_html

SIGN_IN_PATH = "/sign-in"
PASSWORD_PATH = "/password"
PROVIDER_COOKIE = "_streamlit_user"
_LARGEST_FORM_BYTES = 16 * 1024


def sign_in_routes(people: Callable[[], PeopleServices | None]) -> list[BaseRoute]:
    """Return the routes; ``people`` None, or nobody to sign in: they lead to the desk."""
    return [
        Route(path, _Page(people, show, change), methods=["GET", "POST"])
        for path, show, change in (
            (SIGN_IN_PATH, _sign_in_form, _sign_in),
            (PASSWORD_PATH, _password_form, _change_password),
        )
    ]


def sign_in_first(people: Callable[[], PeopleServices | None]) -> Middleware:
    """Return the middleware that sends a browser without any cookie to the form before it loads a page."""
    return Middleware(_SignInFirst, people=people)


class _SignInFirst:
    def __init__(self, app: ASGIApp, people: Callable[[], PeopleServices | None]) -> None:
        self._app = app
        self._people = people

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._is_page(scope) and await run_in_threadpool(self._is_nobody, scope):
            query = scope.get("query_string", b"").decode("latin-1")
            asked = scope["path"] + (f"?{query}" if query else "")
            named = {"lang": language} if (language := parse_qs(query).get("lang", [""])[0]) else {}
            target = f"{SIGN_IN_PATH}?{urlencode({'next': asked} | named)}"
            await RedirectResponse(target, 303)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_page(self, scope: Scope) -> bool:
        path = scope["path"]
        ours = path in (SIGN_IN_PATH, PASSWORD_PATH) or path.startswith(("/_stcore/", "/auth/", "/oauth2callback"))
        return not ours and "text/html" in Headers(scope=scope).get("accept", "")

    def _is_nobody(self, scope: Scope) -> bool:
        people = self._people()
        if people is None or not people.required():
            return False
        cookies = Request(scope).cookies
        if PROVIDER_COOKIE in cookies and COOKIE not in cookies:
            return False  # Streamlit verifies it, and the page asks whom it names
        try:
            people.sign_ins.user(cookies.get(COOKIE, ""))
        except PeopleError:
            return True
        return False


class _Page:
    """One path: it shows a form, or takes one in and leads on."""

    def __init__(
        self,
        people: Callable[[], PeopleServices | None],
        show: Callable[[PeopleServices], Form],
        take_in: Callable[[PeopleServices, Request, dict[str, str]], SignedIn | None],
    ) -> None:
        self._people = people
        self._show = show
        self._take_in = take_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await (self._taken_in(request) if request.method == "POST" else self._shown(request))
        await response(scope, receive, send)

    async def _shown(self, request: Request) -> Response:
        people = self._people()
        if people is None or not people.required():
            return RedirectResponse("/", 303)
        return await self._form(people, request, dict(request.query_params))

    async def _form(
        self, people: PeopleServices, request: Request, given: dict[str, str], error: PeopleError | None = None
    ) -> Response:
        language = _language(request, given)
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
            provider=_has_provider(),
        )
        return HTMLResponse(html, status, headers)

    async def _taken_in(self, request: Request) -> Response:
        people = self._people()
        if people is None or not people.required():
            return RedirectResponse("/", 303)
        given = await _given(request)
        if given is None or not _is_own_page(request):
            return HTMLResponse("", 400, FORM_HEADERS)
        try:
            signed_in = await run_in_threadpool(self._take_in, people, request, given)
        except PeopleError as error:
            return await self._form(people, request, given, error)
        language = _language(request, given)
        if signed_in is None:
            return RedirectResponse(f"{SIGN_IN_PATH}?{urlencode({'lang': language, 'done': 'password'})}", 303)
        response = RedirectResponse(safe_path(given.get("next", "")), 303)
        response.set_cookie(
            COOKIE,
            signed_in.token,
            expires=signed_in.ends_at,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return response


def _sign_in_form(people: PeopleServices) -> Form:
    return "first" if people.first_admin.wanted() else "sign_in"


def _sign_in(people: PeopleServices, request: Request, given: dict[str, str]) -> SignedIn:
    name, password = given.get("name", ""), given.get("password", "")
    if people.first_admin.wanted():
        return people.first_admin.claim(given.get("code", ""), name, password, given.get("again", ""), _from(request))
    return people.sign_ins.begin(name, password, _from(request))


def _password_form(people: PeopleServices) -> Form:
    return "password"


def _change_password(people: PeopleServices, request: Request, given: dict[str, str]) -> None:
    """Change the password of whoever holds the cookie and knows the old one; all their sign-ins end."""
    user = people.sign_ins.user(request.cookies.get(COOKIE, ""))
    people.sign_ins.attempt(user.name, _from(request))
    if not matches(people.people.password_of(user.name), given.get("password", "")):
        raise SignInWrong
    people.sign_ins.forget_attempts(user.name, _from(request))
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


def _is_own_page(request: Request) -> bool:
    """Tell whether the form was on a page of this desk: another site must not sign its reader in or out."""
    origin = request.headers.get("origin", "")
    return urlsplit(origin).netloc == request.headers.get("host", "")


def _language(request: Request, given: dict[str, str]) -> Language:
    named = given.get("lang", "")
    if named in ("zh", "en"):
        return "zh" if named == "zh" else "en"
    return language_of_locale(request.headers.get("accept-language", "").partition(",")[0] or None)


def _from(request: Request) -> str:
    return request.client.host if request.client is not None else ""


def _has_provider() -> bool:
    """Tell whether ``.streamlit/secrets.toml`` names an OIDC provider."""
    return st.secrets.load_if_toml_exists() and "auth" in st.secrets
