"""Two desks on one PostgreSQL server behind a real HAProxy, with the configuration that is shipped."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from rag.people.directory import People
from rag.people.passwords import hash_password
from rag.storage.postgres import pool_of
from rag.storage.turn_store import TurnStore
from tests.conftest import free_port
from tests.ingest.test_customer_files import mail
from tests.support.places import Places
from tests.support.postgres_server import PostgresServer
from tests.support.waiting import until
from tests.ui.browser import Desk, new_page
from tests.ui.conftest import served
from tests.ui.people_desk import PASSWORD, signed_in
from ui.sign_in import COOKIE

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(shutil.which("haproxy") is None, reason="no HAProxy: apt-get install haproxy"),
]

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "haproxy.cfg"
STICKY = "ANSWERDESK_DESK"
NAMES = ("one", "two")


@dataclass
class Desks:
    """Two desks by their names, and the address at which the balancer serves them."""

    address: str
    places: Places
    direct: dict[str, str]
    running: dict[str, ExitStack]
    control: Path

    def prepare(self, question: str, until: str = "all") -> str:
        """Say at both desks what is played for a question, and return it."""
        for name in self.running:
            self.let(name, question, until)
        return question

    def let(self, name: str, question: str, until: str) -> None:
        body = {"question": question, "scene": "done", "until": until}
        httpx.post(f"{self.direct[name]}/scripted/let", json=body).raise_for_status()

    def stop(self, name: str) -> None:
        """Stop a desk as an administrator does."""
        self.running.pop(name).close()

    def start(self, name: str) -> None:
        """Start a desk at the address where the balancer looks for it."""
        self.running[name] = ExitStack()
        folder = self.places.folder / name
        folder.mkdir(exist_ok=True)
        self.running[name].enter_context(served(folder, int(self.direct[name].rpartition(":")[2])))

    def command(self, words: str) -> str:
        """Give the balancer a command, as ``socat`` would; raises ``OSError`` before it listens."""
        with closing(socket.socket(socket.AF_UNIX)) as control:
            control.connect(str(self.control))
            control.sendall(f"{words}\n".encode())
            return b"".join(iter(lambda: control.recv(4096), b"")).decode()

    def is_up(self, name: str) -> bool:
        """Tell whether the balancer listens and gives requests to a desk."""
        try:
            rows = [line.split(",") for line in self.command("show stat").splitlines()]
        except (FileNotFoundError, ConnectionRefusedError):  # its socket is bound before it is listened to
            return False
        return any(row[:2] == ["desks", name] and row[17] == "UP" for row in rows)


def configured(folder: Path, port: int, direct: dict[str, str]) -> Path:
    """Write the shipped configuration with this test's addresses, and without TLS and what needs root."""
    text = CONFIGURATION.read_text(encoding="utf-8")
    for before, after in {
        "    user haproxy\n    group haproxy\n": "",
        "log /dev/log local0": "log stderr format raw local0",
        "/run/haproxy/admin.sock": str(folder / "admin.sock"),
        "frontend web\n    bind :80\n    http-request redirect scheme https code 308\n": "",
        "bind :443 ssl crt /etc/haproxy/certs/desk.pem": f"bind 127.0.0.1:{port}",
        "X-Forwarded-Proto https": "X-Forwarded-Proto http",
        "httponly secure": "httponly",
        "hdr Host desk.example": "hdr Host 127.0.0.1",
        "192.0.2.11:8501": direct["one"].removeprefix("http://"),
        "192.0.2.12:8501": direct["two"].removeprefix("http://"),
    }.items():
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    path = folder / "haproxy.cfg"
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def balanced(folder: Path, url: str) -> Iterator[Desks]:
    """Start two desks over one database, with somebody who may sign in, and HAProxy in front of them."""
    direct = {name: f"http://127.0.0.1:{free_port()}" for name in NAMES}
    port = free_port()
    places = Places(folder, url)
    with People(places("people")) as people:
        people.add("root", "admin", None, "", by="test")
        people.add("lin", "agent", ("default",), hash_password(PASSWORD), by="test")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("ANSWERDESK_DATABASE_URL", url)
        patch.setenv("ANSWERDESK_TRUSTED_PROXIES", "127.0.0.1")
        desks = Desks(f"http://127.0.0.1:{port}", places, direct, {}, folder / "admin.sock")
        stack.callback(lambda: [desks.stop(name) for name in list(desks.running)])
        for name in NAMES:
            desks.start(name)
        command = ["haproxy", "-db", "-f", str(configured(folder, port, direct))]
        balancer = stack.enter_context(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        stack.callback(balancer.kill)
        until(lambda: all(desks.is_up(name) for name in NAMES), seconds=60)
        yield desks


@pytest.fixture(scope="module")
def desks(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desks]:
    url = postgres_server.make_room()
    with balanced(tmp_path_factory.mktemp("desks"), url) as made:
        yield made
    pool_of(url).close()


@contextmanager
def visitor(desks: Desks) -> Iterator[httpx.Client]:
    """Sign in through the balancer, as a browser of one's own."""
    headers = {"Origin": desks.address}
    with httpx.Client(base_url=desks.address, headers=headers, trust_env=False, timeout=30) as client:
        answer = client.post("/sign-in", data={"name": "lin", "password": PASSWORD})
        assert (answer.status_code, COOKIE in client.cookies) == (303, True), answer.text
        yield client


def page_socket(desks: Desks, client: httpx.Client, **more: str) -> ClientConnection:
    """Open a page's socket with a client's cookies, or with another value of one."""
    sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in {**client.cookies, **more}.items())}
    address = desks.address.replace("http", "ws") + "/_stcore/stream"
    return connect(address, origin=desks.address, additional_headers=sent, proxy=None)  # type: ignore[arg-type]


def sessions(desks: Desks, name: str) -> int:
    """Return how many sockets and requests the balancer has at a desk now."""
    rows = [line.split(",") for line in desks.command("show stat").splitlines()]
    return next(int(row[4]) for row in rows if row[:2] == ["desks", name])


def test_the_configuration_that_is_shipped_is_sound(tmp_path: Path) -> None:
    path = configured(tmp_path, free_port(), dict.fromkeys(NAMES, "http://127.0.0.1:8501"))
    checked = subprocess.run(["haproxy", "-c", "-f", str(path)], check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert "[WARNING]" not in checked.stderr


def test_a_page_its_socket_and_its_uploads_stay_at_one_desk(desks: Desks) -> None:
    with ExitStack() as opened:
        clients = [opened.enter_context(visitor(desks)) for _ in range(6)]
        homes = [client.cookies[STICKY] for client in clients]
        assert set(homes) == set(NAMES), "both desks are used"
        before = {name: sessions(desks, name) for name in NAMES}
        sockets = [opened.enter_context(page_socket(desks, client)) for client in clients]
        until(lambda: sum(sessions(desks, name) for name in NAMES) == sum(before.values()) + len(sockets))
        assert {name: sessions(desks, name) - before[name] for name in NAMES} == {
            name: homes.count(name) for name in NAMES
        }
        for client, home in zip(clients, homes, strict=True):
            for _ in range(5):
                assert client.get("/", headers={"Accept": "text/html"}).status_code == 200
            assert client.cookies[STICKY] == home


def test_what_a_client_says_of_its_own_address_reaches_no_desk(desks: Desks) -> None:
    with visitor(desks) as client:
        claimed = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "Forwarded": "for=203.0.113.9"}
        assert client.get("/", headers={"Accept": "text/html", **claimed}).status_code == 200, "it is signed in by http"


def asked(desk: Desk, question: str, state: str = "done") -> str:
    """Ask, wait until the turn is in a state, and return its id."""
    before = desk.page.url
    desk.ask(question)
    expect(desk.page).not_to_have_url(before)
    expect(desk.page.locator(".question")).to_have_text(question)
    desk.reaches(state)
    return desk.turn_id()


@pytest.mark.nightly  # restarts of real desks behind a browser: beside two other files they take minutes
def test_a_rolling_restart_keeps_the_sign_in_and_every_turn(desks: Desks, browser: Browser) -> None:
    page = new_page(browser, "en")
    desk = signed_in(page, desks.address, "en", "lin")
    home = next(one["value"] for one in page.context.cookies() if one["name"] == STICKY)
    other = next(name for name in NAMES if name != home)
    first = asked(desk, desks.prepare("Asked before the restart?"))
    desks.command(f"set server desks/{home} state drain")
    with visitor(desks) as late:
        assert late.cookies[STICKY] == other, "nobody new is led to a desk that will be stopped"
    second = asked(desk, desks.prepare("Asked while it drains?"))
    interrupted = asked(desk, desks.prepare("Still being answered when it stops?", "line"), "queued")
    desks.stop(home)
    page.goto(f"{desks.address}/?turn={first}")
    desk.settled()
    desk.reaches("done")
    assert next(one["value"] for one in page.context.cookies() if one["name"] == STICKY) == other
    page.goto(desks.address)
    desk.settled()
    desks.prepare("Scratched lid\n\nCan I return it?")
    file = {"name": "mail.eml", "mimeType": "message/rfc822", "buffer": mail("Re: Scratched lid", "Can I return it?")}
    page.locator(".st-key-question input[type=file]").set_input_files([file])  # type: ignore[list-item]
    expect(page.locator("[data-testid=stFileChip]")).to_be_visible()
    page.locator("[data-testid=stChatInputSubmitButton]").click()  # enabled once the file is there
    desk.reaches("done")
    third = desk.turn_id()

    desks.start(home)
    desks.command(f"set server desks/{home} state ready")
    until(lambda: desks.is_up(home), seconds=60)
    desks.stop(other)
    page.goto(f"{desks.address}/?turn={third}")
    desk.settled()
    desk.reaches("done")
    desks.start(other)
    until(lambda: desks.is_up(other), seconds=60)
    with TurnStore(desks.places("turns")) as turns:
        assert [turns.get(turn_id).state for turn_id in (first, second, third)] == ["done"] * 3
        assert turns.get(interrupted).state in ("stopped", "failed")
    page.context.close()


@pytest.mark.nightly  # restarts of real desks behind a browser: beside two other files they take minutes
def test_an_open_page_finds_the_other_desk_by_itself_when_its_own_dies(desks: Desks, browser: Browser) -> None:
    page = new_page(browser, "en")
    desk = signed_in(page, desks.address, "en", "lin")
    home = next(one["value"] for one in page.context.cookies() if one["name"] == STICKY)
    turn_id = asked(desk, desks.prepare("Asked before it dies?"))
    with visitor(desks) as client, page_socket(desks, client, **{STICKY: home}) as opened:
        desks.stop(home)
        with pytest.raises(ConnectionClosed):
            opened.recv(timeout=30)
    until(lambda: not desks.is_up(home), seconds=30)
    desk.settled()
    expect(page).to_have_url(f"{desks.address}/?turn={turn_id}")
    desk.reaches("done")
    asked(desk, desks.prepare("Asked without a reload?"))
    desks.start(home)
    until(lambda: desks.is_up(home), seconds=60)
    page.context.close()
