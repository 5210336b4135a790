"""The way to an OIDC provider and back, around the routes that Streamlit has for it.

    GET  /sign-in/provider    keeps where the person was going, and leads to Streamlit's route with a fresh token
    GET  /auth/login          Streamlit's: leads to the provider
    GET  /oauth2callback      Streamlit's: takes the provider's reply in

Streamlit leads everybody back to its first page, also whom it could not sign in.  ``ProviderSignIn`` leads a person to
the page that they wanted, or back to the form, which says why they were refused.
"""

from collections.abc import Callable, Mapping
from functools import partial
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qsl, urlencode

import streamlit as st
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.user_info import generate_login_redirect_url
from streamlit.web.server.starlette.starlette_server_config import TOKENS_COOKIE_NAME, USER_COOKIE_NAME

from api.callers import own_origin
from api.services.shared import PeopleServices
from rag.errors import KnowledgeError
from ui.sign_in import (
    FORM_HEADERS,
    PROVIDER_START_PATH,
    SIGN_IN_PATH,
    ProviderRefusal,
    has_provider,
    provider_refusal,
    safe_path,
)

LOGIN_PATH: Final = "/auth/login"
CALLBACK_PATH: Final = "/oauth2callback"
_WAY_COOKIE = "answerdesk_way"
_WAY_SECONDS = 15 * 60  # a second factor takes a while
_LONGEST_WAY = 2000  # characters: a browser drops a cookie of more than 4096 bytes


def provider_start_route() -> BaseRoute:
    """Return the route of the form's link.

    The token that Streamlit wants is valid for two minutes, and a form may stand open for hours: so it is made here.
    """
    return Route(PROVIDER_START_PATH, _start, methods=["GET"])


async def _start(request: Request) -> Response:
    if not has_provider():
        return RedirectResponse(SIGN_IN_PATH, 303, FORM_HEADERS)
    response = RedirectResponse(generate_login_redirect_url(_provider_name()), 303, FORM_HEADERS)
    way = urlencode({name: request.query_params.get(name, "") for name in ("next", "lang")})
    response.set_cookie(
        _WAY_COOKIE,
        way if len(way) <= _LONGEST_WAY else "",
        max_age=_WAY_SECONDS,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


def _provider_name() -> str:
    """Return the provider of ``[auth]`` itself, else the first one that has a table of its own."""
    auth: Mapping[str, object] = st.secrets["auth"]
    named = [name for name, table in auth.items() if isinstance(table, Mapping) and "client_id" in table]
    return named[0] if named and "client_id" not in auth else "default"


class ProviderSignIn:
    """Serves ``app``, and leads on whom its two routes of a provider's sign-in answer."""

    def __init__(self, app: ASGIApp, people: Callable[[], PeopleServices]) -> None:
        self._app = app
        self._people = people

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http" or scope["path"] not in (LOGIN_PATH, CALLBACK_PATH) or not has_provider():
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        replaced = False

        async def send_led_on(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start":
                headers = Headers(raw=message["headers"])
                other = await self._other_answer(request, int(message["status"]), headers)
                if other is not None:
                    replaced = True
                    await other(scope, receive, send)
            if not replaced:
                await send(message)

        await self._app(scope, receive, send_led_on)

    async def _other_answer(self, request: Request, status: int, headers: Headers) -> Response | None:
        """Return what is answered in place of Streamlit's answer; None: that one."""
        location = headers.get("location", "")
        if request.scope["path"] == LOGIN_PATH:
            leads_there = status == 302 and location.startswith(("https://", "http://"))
            return None if leads_there else _back_to_form(request, headers, "unusable")
        if not _is_reply(request):
            return None  # a provider leads back here after a sign-out as well
        refusal = await self._refusal(request, headers)
        if refusal is not None:
            return _back_to_form(request, headers, refusal)
        response = RedirectResponse(safe_path(_way(request).get("next", "")), 303)
        _keep_cookies(response, headers)
        response.delete_cookie(_WAY_COOKIE)
        return response

    async def _refusal(self, request: Request, headers: Headers) -> ProviderRefusal | None:
        """Return why the reply signs nobody in.  While the database is away that is said on the next page."""
        people = self._people()
        try:
            return await people.ask(partial(provider_refusal, people, _new_cookies(headers), own_origin(request)))
        except KnowledgeError:
            return None


def _is_reply(request: Request) -> bool:
    return "code" in request.query_params or "error" in request.query_params


def _way(request: Request) -> dict[str, str]:
    """Return where the person was going, and in which language; empty after a while."""
    return dict(parse_qsl(request.cookies.get(_WAY_COOKIE, "")))


def _back_to_form(request: Request, headers: Headers, refusal: ProviderRefusal) -> Response:
    """Lead back to the form, and forget whom the provider named: a later admission is not for a sign-in of today.

    Where it named nobody, an earlier sign-in stays as it is: any page can link to Streamlit's routes.
    """
    way = _way(request)
    response = RedirectResponse(f"{SIGN_IN_PATH}?{urlencode(way | {'refused': refusal})}", 303, FORM_HEADERS)
    names_somebody = USER_COOKIE_NAME in _new_cookies(headers)
    forgotten = (USER_COOKIE_NAME, TOKENS_COOKIE_NAME) if names_somebody else ()
    _keep_cookies(response, headers, but=forgotten)
    for name in (*forgotten, _WAY_COOKIE):
        response.delete_cookie(name)
    return response


def _keep_cookies(response: Response, headers: Headers, but: tuple[str, ...] = ()) -> None:
    """Set the cookies of Streamlit's answer in ours: its own short session is one of them."""
    for value in headers.getlist("set-cookie"):
        if not value.startswith(but):
            response.headers.append("set-cookie", value)


def _new_cookies(headers: Headers) -> dict[str, str]:
    """Return the cookies that an answer sets, by name."""
    cookies: dict[str, str] = {}
    for value in headers.getlist("set-cookie"):
        try:
            cookies |= {name: morsel.value for name, morsel in SimpleCookie(value).items() if morsel.value}
        except CookieError:
            continue
    return cookies
