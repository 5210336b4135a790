"""The guard in front of a real server, with a real browser, and with what an attacker sends."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import pytest
from playwright.sync_api import Browser, Page, expect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from rag.schema import Language
from rag.translate import translate
from tests.conftest import free_port
from tests.support.by_day import by_day
from tests.support.waiting import until
from tests.ui.browser import PATIENCE_MS, Desk, new_page
from tests.ui.conftest import served
from tests.ui.people_desk import PASSWORD, signed_in
from tests.ui.recorded_desk import furnish, record
from ui.navigation import PAGES
from ui.sign_in import COOKIE

pytestmark = pytest.mark.real

MEGABYTE = 1024 * 1024
_WATCH = """window.violations = [];
document.addEventListener("securitypolicyviolation",
  (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));"""

_HAS_DRAFT = "() => Object.keys(sessionStorage).some((key) => key.startsWith('answerdesk:reply'))"


@pytest.fixture(scope="module")
def black_hole() -> Iterator[socket.socket]:
    """A proxy that takes every request and answers none: the network of whoever is asked for this machine's address."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as listener:
        listener.setblocking(False)
        yield listener


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guard")


@pytest.fixture(scope="module")
def address(folder: Path, black_hole: socket.socket) -> Iterator[str]:
    furnish(folder)
    record(folder)
    proxy = f"http://127.0.0.1:{black_hole.getsockname()[1]}"
    proxies = {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "NO_PROXY": "127.0.0.1,localhost"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in proxies.items():
            for variable in (name, name.lower()):
                patch.setenv(variable, value)
        with served(folder, free_port()) as served_at:
            yield served_at


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, headers={"Origin": address}, trust_env=False, timeout=30) as made:
        yield made


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    made = new_page(browser, "en", own=True)
    made.context.add_init_script(_WATCH)
    yield made
    made.context.close()


def sign_in(client: httpx.Client, name: str = "root") -> None:
    answer = client.post("/sign-in", data={"name": name, "password": PASSWORD})
    assert (answer.status_code, COOKIE in client.cookies) == (303, True)


def opened(address: str, client: httpx.Client, path: str = "/_stcore/stream", **options: object) -> ClientConnection:
    sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())}
    options = {"origin": address, **options}
    return connect(address.replace("http", "ws") + path, additional_headers=sent, proxy=None, **options)


def server_memory(address: str) -> int:
    """Return the resident bytes of the process that serves this address."""
    port = int(address.rpartition(":")[2])
    listening = [one for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
    (serving,) = {one.pid for one in listening if one.laddr.port == port}
    return int(psutil.Process(serving).memory_info().rss)


def test_a_foreign_page_opens_no_socket_and_stalls_nobody(
    address: str, client: httpx.Client, black_hole: socket.socket
) -> None:
    sign_in(client)
    waits: list[float] = []
    over = threading.Event()

    def ask_whether_it_lives() -> None:
        with httpx.Client(trust_env=False, timeout=30) as other:
            while not over.is_set():
                begun = time.perf_counter()
                assert other.get(f"{address}/_stcore/health").status_code == 200
                waits.append(time.perf_counter() - begun)

    thread = threading.Thread(target=ask_whether_it_lives)
    thread.start()
    until(lambda: bool(waits))  # it has asked once: from here on no stall goes unseen
    origins = ("http://evil.example", "http://localhost:3000", "http://127.0.0.1:1234", "null", None)
    for path in ("/_stcore/stream", "/turn-feed?tab=x"):
        for origin in origins:
            with pytest.raises(InvalidStatus) as refused:
                opened(address, client, path, origin=origin)
            assert refused.value.response.status_code == 403
    for origin in ("http://evil.example", "http://localhost:3000"):
        assert client.get("/_stcore/health", headers={"Origin": origin}).status_code == 403
    over.set()
    thread.join()
    assert max(waits) < 1.5, "a look for the machine's own address stops the event loop for two seconds"
    with pytest.raises(BlockingIOError):
        black_hole.accept()  # nobody was asked for it


def test_without_a_sign_in_nothing_is_taken_in(address: str, client: httpx.Client) -> None:
    client.get("/_stcore/health")  # which gives what Streamlit asks an upload for
    before = server_memory(address)
    token = client.cookies.get("_streamlit_xsrf", "")
    for number in range(12):
        files = {"file": (f"{number}.bin", os.urandom(20 * MEGABYTE))}
        path = f"/_stcore/upload_file/any/{number}"
        try:
            assert client.put(path, files=files, headers={"X-Xsrftoken": token}).status_code == 401
        except httpx.WriteError:  # it answered without reading on, and closed
            continue
    for _ in range(60):
        with opened(address, client) as refused, pytest.raises(ConnectionClosed) as closed:
            refused.recv(timeout=10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401
    assert server_memory(address) - before < 20 * MEGABYTE


def test_a_client_of_this_machine_cannot_choose_the_address_that_is_counted(client: httpx.Client) -> None:
    wrong = {"name": "bo", "password": "wrong password"}
    statuses = [
        client.post("/sign-in", data=wrong, headers={"X-Forwarded-For": f"192.0.2.{number}"}).status_code
        for number in range(7)
    ]
    assert statuses == [401] * 5 + [429] * 2


def test_a_frame_that_is_too_long_closes_its_socket(address: str, client: httpx.Client) -> None:
    sign_in(client, "lin")
    for size in (5 * MEGABYTE, 40 * MEGABYTE):
        with opened(address, client) as accepted, pytest.raises(ConnectionClosed) as closed:
            accepted.send(b"\x00" * size)
            while True:
                accepted.recv(timeout=10)
        # of the longer one the server reads no further, and what is on its way may overtake the reason
        code = closed.value.rcvd.code if closed.value.rcvd is not None else None
        assert code == 1009 or (code is None and size > 32 * MEGABYTE)


def test_what_no_page_sends_closes_its_socket_and_leaves_no_traceback(
    address: str, client: httpx.Client, folder: Path
) -> None:
    sign_in(client, "lin")
    for sent in ("a text", b"\xff\xff"):
        with opened(address, client) as accepted, pytest.raises(ConnectionClosed) as closed:
            accepted.send(sent)
            while True:
                accepted.recv(timeout=10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1003
    assert client.get("/_stcore/health").status_code == 200
    log = (folder / "desk.log").read_text("utf-8")
    assert "Traceback" not in log and "DecodeError" not in log and "KeyError" not in log


def test_a_download_ends_with_the_sign_in(address: str, page: Page) -> None:
    desk = signed_in(page, address, "en", "root", "/people")
    with page.expect_download() as begun:
        page.locator("[data-testid=stDownloadButton] button").first.click()
    url = begun.value.url
    assert "/media/" in url
    kept = {"Cookie": "; ".join(f"{one['name']}={one['value']}" for one in page.context.cookies())}
    with httpx.Client(trust_env=False) as other:
        assert other.get(url).status_code == 401
        assert other.get(url, headers=kept).status_code == 200
        page.goto(address)
        desk.settled()
        page.locator(".st-key-user button").first.click()
        page.locator(".st-key-sign_out button").click()
        expect(page.get_by_text(translate("ui.signed_out", "en"))).to_be_visible()
        assert other.get(url, headers=kept).status_code == 401


def test_signing_out_leaves_no_draft_in_any_tab(address: str, page: Page) -> None:
    desk = signed_in(page, address, "en", "mei")
    other = page.context.new_page()
    other.goto(address)
    Desk(other, address, "en").settled()
    for tab in (page, other):
        tab.evaluate("sessionStorage.setItem('answerdesk:reply:1', 'Dear Ann, ...')")
    page.reload()
    desk.settled()
    assert page.evaluate("sessionStorage.getItem('answerdesk:reply:1')"), "a reload keeps it"
    page.locator(".st-key-user button").first.click()
    page.locator(".st-key-sign_out button").click()
    expect(page.get_by_text(translate("ui.signed_out", "en"))).to_be_visible()
    for tab in (page, other):
        until(lambda tab=tab: not tab.evaluate(_HAS_DRAFT), PATIENCE_MS / 1000)


@pytest.mark.parametrize("language", by_day("zh"))
def test_no_page_needs_what_the_policy_forbids(address: str, browser: Browser, language: Language) -> None:
    page = new_page(browser, language, own=True)
    page.context.add_init_script(_WATCH)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    desk = signed_in(page, address, language, "root")
    found = {}
    for number, entry in enumerate(PAGES):
        page.goto(f"{address}/{'' if number == 0 else entry.key}")
        desk.settled()
        found[entry.key] = page.evaluate("window.violations")
    page.goto(address)
    desk.ask(desk.prepare(), "done")
    found["answer"] = page.evaluate("window.violations")
    assert found == {key: [] for key in found}
    assert [text for text in said if "Content Security Policy" in text or "Content-Security-Policy" in text] == []
    page.evaluate("new Image().src = 'http://127.0.0.1:9/leak.png'")
    until(lambda: page.evaluate("window.violations.length") == 1, PATIENCE_MS / 1000)
    assert page.evaluate("window.violations")[0].startswith("img-src http://127.0.0.1:9")
    page.context.close()


def test_no_other_page_can_frame_the_desk(address: str, page: Page) -> None:
    page.route("http://elsewhere.test/", lambda route: route.fulfill(content_type="text/html", body="<p>"))
    signed_in(page, address, "en", "lin")
    for path in ("/", "/sign-in", "/media/x", "/_stcore/health"):
        page.goto("http://elsewhere.test/")
        page.evaluate("(url) => { document.body.innerHTML = `<iframe src='${url}'></iframe>`; }", address + path)
        until(lambda: page.evaluate("document.querySelector('iframe').contentDocument === null"), PATIENCE_MS / 1000)
        page.wait_for_timeout(300)
        assert page.frames[1].url.startswith("chrome-error:"), path


def test_a_desk_that_is_told_to_end_does_not_wait_for_a_request_that_never_comes_whole(tmp_path: Path) -> None:
    port = free_port()
    with closing(socket.socket()) as asleep, served(tmp_path, port):
        asleep.connect(("127.0.0.1", port))
        head = f"POST /scripted/set HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 1000\r\n\r\n"
        asleep.sendall(head.encode() + b'{"model": ')
        until(lambda: _received(port) == 0)
        # the end of the inner block fails where the desk is still there after ``PATIENCE_MS``


def _received(port: int) -> int:
    """Return the bytes that wait at the server's side of its connections: none once it has begun to read a request."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    ours = [line.split() for line in lines if line.split()[1].endswith(f":{port:04X}")]
    return sum(int(one[4].split(":")[1], 16) for one in ours)
