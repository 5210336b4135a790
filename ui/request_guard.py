"""One guard in front of everything that the desk serves, over HTTP and over sockets: pages, files, uploads, figures.

In this order it asks of each request

    the name      Host is one of the desk's own, else DNS rebinding reaches it
    the page      Origin is the very address that is asked for: a socket's must be, and that of what changes something;
                  no other site, and no other port of this machine, is let in
    the person    where people sign in, a valid sign-in: read again each time, so that its end acts at once.  Without it
                  there are the forms, the way to another provider, and whether the server is alive; nothing else.
                  Where nobody signs in, that it was made on this machine and not through a proxy
    the limits    how many pages a person has open, how much of theirs is in memory

and it puts on each answer what a browser may load beside it.  Streamlit's own checks come after it.
"""

import base64
import hashlib
import logging
import re
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlencode

import streamlit
from google.protobuf.message import DecodeError
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.runtime.runtime_util import get_max_widget_state_size_bytes
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from api.callers import is_direct, own_origin
from api.services.shared import PeopleServices
from rag.errors import (
    AnswerdeskError,
    ForeignHost,
    ForeignPage,
    KnowledgeError,
    NotPermitted,
    PeopleError,
    ProxyWithoutSignIn,
    TooManyTabs,
    UploadsFull,
)
from rag.storage.access import LOCAL_USER
from rag.terminal import terminal_language
from rag.translate import translate
from ui.sign_in import (
    PASSWORD_PATH,
    PROVIDER_START_PATH,
    SIGN_IN_PATH,
    CurrentSignIn,
    has_provider,
    notice,
    request_language,
    sign_in_of,
)

SESSION_KEPT_SECONDS = 300.0
"""How long Streamlit keeps a session without a socket (server.disconnectedSessionTTL): a closed page still costs."""

_OPENED_PER_TAB = 4  # within those seconds: reloads, and connections that were lost
_LOCAL_SHARE = 8  # a load test opens as many pages as a team
_MEGABYTE = 1024 * 1024
logger = logging.getLogger(__name__)
ALIVE_PATH = "/_stcore/health"
STREAM_PATH = "/_stcore/stream"
FORMS: Final = frozenset({SIGN_IN_PATH, PASSWORD_PATH})
PROVIDER_PATHS: Final = frozenset({PROVIDER_START_PATH, "/auth/login", "/auth/logout", "/oauth2callback"})
"""The way to another provider and back, as Streamlit 1.67 calls it."""

NO_SIGN_IN = 4401
"""The code with which a socket is closed that nobody has signed in for."""

FOREIGN = 4403
"""The code with which a socket is closed that another page opened, or that was asked for under another name."""

LATER = 1013
"""The code with which a socket is closed while nobody can tell who signed in: RFC 6455's registry has it."""

TOO_MANY = 4429
"""The code with which a socket is closed of a person who has too many."""

UNREADABLE = 1003
"""The code with which a page's socket is closed that sends what no page does: RFC 6455's for data of a wrong kind."""

METRICS_PATH = "/_stcore/metrics"
"""Streamlit's counts of everybody's pages and sessions: figures, which are for leads."""

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_UPLOAD = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+")
_INLINE_SCRIPT = re.compile(r"<script>((?:(?!<script>).)*?)</script>", re.DOTALL)


class ConnectionLimits:
    """Limits for everybody; ``held_bytes`` tells how much Streamlit holds for a session now.

    ``tabs`` is how many pages a person may have open, ``megabytes`` how much their files may take together.
    """

    def __init__(
        self,
        tabs: int,
        megabytes: int,
        held_bytes: Callable[[str], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tabs = tabs
        self._megabytes = megabytes
        self._held_bytes = held_bytes
        self._clock = clock
        self._open: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._opened: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)
        self._arriving: defaultdict[str, int] = defaultdict(int)
        self._sessions: defaultdict[str, set[str]] = defaultdict(set)

    def require_tab(self, person: str, kind: str) -> None:
        """Raise ``TooManyTabs`` where a further socket of this ``kind`` would be refused."""
        key, tabs = (person, kind), self._tabs_of(person)
        opened, until = self._opened[key], self._clock() - SESSION_KEPT_SECONDS
        while opened and opened[0] <= until:
            opened.popleft()
        full = self._open[key] >= tabs or len(opened) >= tabs * _OPENED_PER_TAB
        if not self._open[key]:
            del self._open[key]
        if not opened:
            del self._opened[key]
        if full:
            raise TooManyTabs(limit=tabs)

    @contextmanager
    def tab(self, person: str, kind: str) -> Iterator[None]:
        """Count a socket while the block runs.  Raises ``TooManyTabs``."""
        self.require_tab(person, kind)
        key = (person, kind)
        self._open[key] += 1
        self._opened[key].append(self._clock())
        try:
            yield
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]

    @contextmanager
    def upload(self, person: str, session: str, length: int) -> Iterator[None]:
        """Count ``length`` bytes that arrive for a session while the block runs.  Raises ``UploadsFull``."""
        held = {other: self._held_bytes(other) for other in self._sessions[person]}
        self._sessions[person] = {other for other, size in held.items() if size}
        if sum(held.values()) + self._arriving[person] + length > self._megabytes * _MEGABYTE:
            raise UploadsFull(megabytes=self._megabytes)
        self._sessions[person].add(session)
        self._arriving[person] += length
        try:
            yield
        finally:
            self._arriving[person] -= length
            if not self._arriving[person]:
                del self._arriving[person]

    def _tabs_of(self, person: str) -> int:
        return self._tabs * _LOCAL_SHARE if person == LOCAL_USER.name else self._tabs


class RequestGuard:
    """Passes on to ``app`` what may pass.  Where nobody has to sign in, that is this machine's user only."""

    def __init__(
        self,
        app: ASGIApp,
        people: Callable[[], PeopleServices],
        limits: ConnectionLimits,
        is_host: Callable[[str | None], bool] = is_host_allowed,
    ) -> None:
        self._app = app
        self._people = people
        self._limits = limits
        self._is_host = is_host
        self._warned_of_proxy = False
        self._warned_of: type[KnowledgeError] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, _with_headers(send))
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            self._require_own(request, must_have_origin=request.method not in _SAFE_METHODS)
            signed_in = await self._check_sign_in_async(request)
        except PeopleError as error:
            foreign = isinstance(error, ForeignHost | ForeignPage)
            if not foreign and self._is_open(request):
                await self._app(_without_origin(scope), receive, send)
                return
            await (_notice(error, 403, request) if foreign else _redirect_to_form(request))(scope, receive, send)
            return
        except ProxyWithoutSignIn as error:
            await _notice(error, 403, request)(scope, receive, send)
            return
        except KnowledgeError as error:  # the database of people is away, locked or damaged
            self._warn_of(error)
            alive = request.scope["path"] == ALIVE_PATH  # this process lives
            await (self._app if alive else _notice(error, 503, request))(scope, receive, send)
            return
        if signed_in is not None and (_is_page(request) or request.method not in _SAFE_METHODS):
            await self._note_use(signed_in)
        if request.scope["path"] == METRICS_PATH and signed_in is not None and not signed_in.user.is_at_least("lead"):
            await _notice(NotPermitted(role="lead"), 403, request)(scope, receive, send)
            return
        await self._serve_within_limits(_person(signed_in), request, scope, receive, send)

    async def _serve_within_limits(
        self, person: str, request: Request, scope: Scope, receive: Receive, send: Send
    ) -> None:
        upload = _UPLOAD.fullmatch(request.scope["path"]) if request.method in ("PUT", "POST") else None
        try:
            if upload is not None:
                length = request.headers.get("content-length", "")
                if not length.isascii() or not length.isdigit():
                    await PlainTextResponse("", 411)(scope, receive, send)
                    return
                with self._limits.upload(person, upload[1], int(length)):
                    await self._app(_without_origin(scope), receive, send)
                return
            if _is_page(request):
                self._limits.require_tab(person, STREAM_PATH)
        except PeopleError as error:
            await _notice(error, 429 if isinstance(error, TooManyTabs) else 413, request)(scope, receive, send)
            return
        await self._app(_without_origin(scope), receive, send)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        try:
            self._require_own(connection, must_have_origin=True)
            signed_in = await self._check_sign_in_async(connection)
        except (ForeignHost, ForeignPage, ProxyWithoutSignIn):
            await _refuse(receive, send, FOREIGN)
            return
        except KnowledgeError as error:
            self._warn_of(error)
            await _refuse(receive, send, LATER)
            return
        except PeopleError:
            # Accepted first: a browser tells a page nothing of a handshake that was refused.
            await _refuse(receive, send, NO_SIGN_IN, accepted=True)
            return
        try:
            with self._limits.tab(_person(signed_in), scope["path"]):
                await self._app(scope, self._checking_frames(receive, scope, signed_in), send)
        except TooManyTabs:
            await _refuse(receive, send, TOO_MANY)
        except DecodeError:
            await send({"type": "websocket.close", "code": UNREADABLE})

    def _warn_of(self, error: KnowledgeError) -> None:
        """Log once, for the operator, what the readers of pages are not told: the place."""
        if type(error) is not self._warned_of:
            self._warned_of = type(error)
            logger.warning("%s", error.text(terminal_language()))

    def _require_own(self, connection: HTTPConnection, *, must_have_origin: bool) -> None:
        """Raise ``ForeignHost`` or ``ForeignPage``."""
        headers = connection.headers
        if not self._is_host(headers.get("host")):
            raise ForeignHost
        origin = headers.get("origin")
        if (origin is None and must_have_origin) or (origin is not None and origin.lower() != own_origin(connection)):
            raise ForeignPage

    async def _check_sign_in_async(self, connection: HTTPConnection) -> CurrentSignIn | None:
        """Like ``_check_sign_in``, for the event loop.  Raises ``KnowledgeError`` where nobody can tell who it is."""
        return await self._people().ask(partial(self._check_sign_in, connection))

    def _check_sign_in(self, connection: HTTPConnection) -> CurrentSignIn | None:
        """Return the sign-in; None if none is needed.  Raises a ``PeopleError`` or ``ProxyWithoutSignIn``."""
        people = self._people()
        peer = connection.client.host if connection.client is not None else None
        if not people.required():
            if not is_direct(connection.headers, peer):
                raise ProxyWithoutSignIn
            return None
        self._warn_of_proxy(connection, peer)
        return sign_in_of(people, connection.cookies, own_origin(connection))

    def _warn_of_proxy(self, connection: HTTPConnection, peer: str | None) -> None:
        """Log once that a proxy is not trusted; of a trusted one uvicorn has put the client in the peer's place."""
        if self._warned_of_proxy or peer is None or is_direct(connection.headers, "127.0.0.1"):
            return
        forwarded = ",".join(connection.headers.getlist("x-forwarded-for"))
        if peer not in (one.strip() for one in forwarded.split(",")):
            self._warned_of_proxy = True
            logger.warning("%s", translate("setup.untrusted_proxy", terminal_language(), peer=peer))

    def _is_open(self, request: Request) -> bool:
        path = request.scope["path"]
        if path in FORMS:
            return True
        if request.method not in ("GET", "HEAD"):
            return False
        return path == ALIVE_PATH or (path in PROVIDER_PATHS and has_provider())

    def _checking_frames(self, receive: Receive, scope: Scope, signed_in: CurrentSignIn | None) -> Receive:
        """Note the use of a sign-in while a page's socket receives.

        What is received raises ``DecodeError`` for a frame that is no page's: Streamlit logs a traceback of each.
        """
        if scope["path"] != STREAM_PATH:
            return receive

        async def receive_checked() -> Message:
            message = await receive()
            if message["type"] != "websocket.receive":
                return message
            frame, sign_ins = message.get("bytes"), self._people().sign_ins
            if frame is None:
                raise DecodeError("a text")
            if len(frame) <= get_max_widget_state_size_bytes():  # of a longer one Streamlit says so, and closes
                by_hand = is_by_hand(frame)
                if by_hand and signed_in is not None and sign_ins.must_note_use(signed_in.key):
                    await self._note_use(signed_in)
            return message

        return receive_checked

    async def _note_use(self, signed_in: CurrentSignIn) -> None:
        sign_ins = self._people().sign_ins
        if sign_ins.must_note_use(signed_in.key):
            with suppress(KnowledgeError):  # noted with the next one
                await run_in_threadpool(sign_ins.note_use, signed_in.key)


def _person(signed_in: CurrentSignIn | None) -> str:
    return LOCAL_USER.name if signed_in is None else signed_in.user.name


def _is_page(request: Request) -> bool:
    """Tell whether a browser opens a page, rather than loading a part of one."""
    inner = request.scope["path"].startswith(("/_stcore/", "/media/", "/static/", "/component/"))
    return request.method == "GET" and not inner and "text/html" in request.headers.get("accept", "")


def _redirect_to_form(request: Request) -> Response:
    """Redirect a page to the form, which leads back; answer anything else with 401."""
    if not _is_page(request):
        return PlainTextResponse("", 401, {"Cache-Control": "no-store"})
    query = request.scope.get("query_string", b"").decode("latin-1")
    page = request.scope["path"] + (f"?{query}" if query else "")
    named = {"lang": language} if (language := parse_qs(query).get("lang", [""])[0]) else {}
    return RedirectResponse(f"{SIGN_IN_PATH}?{urlencode({'next': page} | named)}", 303)


def _notice(error: AnswerdeskError, status: int, request: Request) -> Response:
    """Return the refusal: a page in both languages where a browser shows one, else a line."""
    language = request_language(request, {})
    if _is_page(request) or request.scope["path"] in FORMS:
        return notice(error, status, language)
    return PlainTextResponse(error.public_text(language), status, {"Cache-Control": "no-store"})


async def _refuse(receive: Receive, send: Send, code: int, *, accepted: bool = False) -> None:
    """Close a socket.  One that was not accepted gets 403 as the answer to its handshake."""
    await receive()
    if accepted:
        await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": code})


def _without_origin(scope: Scope) -> Scope:
    """Return the request without ``Origin``, which was checked.

    Streamlit would use it for CORS, which is granted to nobody here: it allows every port of this machine, and for any
    other origin it asks a server in the internet for this machine's address, with the event loop waiting.
    """
    headers = [(name, value) for name, value in scope["headers"] if name != b"origin"]
    return {**scope, "headers": headers} if len(headers) < len(scope["headers"]) else scope


def is_by_hand(frame: bytes) -> bool:
    """Tell whether a page's message comes from its user, not from a part that redraws itself by the clock.

    Raises ``DecodeError`` for what is no message.
    """
    message = BackMsg()
    message.ParseFromString(frame)
    kind = message.WhichOneof("type")
    return kind == "file_urls_request" or (kind == "rerun_script" and not message.rerun_script.is_auto_rerun)


@cache
def page_headers() -> tuple[tuple[str, str], ...]:
    """Return the default headers of answers.

    Streamlit 1.67 needs: styles in elements (its own, and those of the desk's parts), modules from ``blob:`` (the
    scripts of the parts), WebAssembly, and the one script that stands in its page, which is named by its hash.
    """
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text("utf-8")
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in _INLINE_SCRIPT.findall(page)
    ]
    scripts = " ".join(f"'sha256-{one}'" for one in hashes)
    policy = {
        "default-src": "'self'",
        "script-src": f"'self' blob: 'wasm-unsafe-eval' {scripts}",
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "media-src": "'self' data: blob:",
        "connect-src": "'self' data: blob:",
        "worker-src": "'self' blob:",
        "frame-src": "'self'",
        "object-src": "'none'",
        "base-uri": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'self'",
    }
    return (
        ("content-security-policy", "; ".join(f"{name} {value}" for name, value in policy.items())),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "SAMEORIGIN"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    )


@cache
def _raw_page_headers() -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.encode(), value.encode()) for name, value in page_headers())


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            said = {name.lower() for name, _ in message["headers"]}
            ours = [header for header in _raw_page_headers() if header[0] not in said]
            message = {**message, "headers": [*message["headers"], *ours]}
        await send(message)

    return send_with_headers
