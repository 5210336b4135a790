"""What an agent reads when a part of a deployment is down: real desks, PostgreSQL, HAProxy and two model servers.

docs/deployment.md has the same sentences in a table (``tests/test_deployment.py`` holds it to the catalogues).  The
model servers are stand-ins for GPUs, the search and its embedder are the real ones.
"""

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Error, Locator, Page, expect

from ingest.pipeline import ingest
from rag.errors import StorageFull
from rag.people.directory import People
from rag.people.passwords import hash_password
from rag.retrieval.embedder import open_embedder
from rag.schema import Language
from rag.settings import Settings
from rag.storage.postgres import pool_of
from rag.translate import translate
from tests.conftest import free_port
from tests.support.places import Places
from tests.support.postgres_server import PostgresServer
from tests.support.waiting import until
from tests.ui.browser import Desk, new_page
from tests.ui.conftest import wait_until_up
from tests.ui.desk_process import CHECKOUT, DeskProcess
from tests.ui.people_desk import PASSWORD, fill_in, signed_in
from tests.ui.test_balancer import NAMES, STICKY, configured

pytestmark = [
    pytest.mark.real,
    pytest.mark.nightly,  # whole desks are started, stopped and started again
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("haproxy") is None, reason="no HAProxy: apt-get install haproxy"),
    pytest.mark.skipif(os.geteuid() != 0, reason="a disk of its own is mounted, which only root may"),
]

QUESTIONS: dict[Language, str] = {
    "en": "How many days do I have to return an item?",
    "zh": "信用卡退款多久到账？",
}
DOCUMENTS = [
    CHECKOUT / "data" / "knowledge" / name for name in ("en/returns/return-window.md", "zh/returns/refund-deadline.md")
]
SILENT_AFTER_SECONDS = 20  # instead of 120 until the first token, and 60
SLOW = 12  # tokens a second: an answer of 60 tokens can be interrupted
DISK_MEGABYTES = 200


@dataclass
class Site:
    """A deployment on this machine; each part can be stopped and started again, at the same address."""

    folder: Path
    postgres: PostgresServer
    server_disk: Path
    ports: dict[str, int]
    processes: dict[str, "DeskProcess | subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.ports['balancer']}"

    def start(self, name: str) -> None:
        """Start a part and wait until it serves."""
        log = self.folder / f"{name}.log"
        port = self.ports[name]
        if name in NAMES:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("ANSWERDESK_DATA_DIR", str(self.folder / name))
                self.processes[name] = DeskProcess("ui", ["--port", str(port), "--no-browser"], log)
            wait_until_up(f"http://127.0.0.1:{port}", self.processes[name], log)
        elif name == "balancer":
            direct = {desk: f"http://127.0.0.1:{self.ports[desk]}" for desk in NAMES}
            command = ["haproxy", "-db", "-f", str(configured(self.folder, port, direct))]
            self.processes[name] = _started(command, log)
            until(lambda: self.up() == set(NAMES), seconds=60)
        else:
            command = [sys.executable, "-m", "eval", "load", "gpu-timed-server", "--port", str(port)]
            command += ["--slots", "2", "--tokens-per-second", str(SLOW)]
            self.processes[name] = _started(command, log)
            wait_until_up(f"http://127.0.0.1:{port}", self.processes[name], log, health="/api/version")

    def kill(self, name: str) -> None:
        """End a part at once, as a machine that dies."""
        process = self.processes.pop(name)
        assert process.pid is not None
        with suppress(ProcessLookupError):  # a test has killed it already
            os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=60)

    def heal(self) -> None:
        """Start whatever is down."""
        self.postgres.freeze(frozen=False)
        for process in self.processes.values():
            if process.poll() is None and process.pid is not None:
                os.kill(process.pid, signal.SIGCONT)
        if not self.postgres.is_running:
            self.postgres.start()
        for name in ("gpu-a", "gpu-b", *NAMES, "balancer"):
            if name not in self.processes:
                self.start(name)
        until(lambda: self.up() == set(NAMES), seconds=60)

    def up(self) -> set[str]:
        """Return the desks to which the balancer leads."""
        with socket.socket(socket.AF_UNIX) as control:
            try:
                control.connect(str(self.folder / "admin.sock"))
            except OSError:
                return set()
            control.sendall(b"show stat\n")
            answer = b"".join(iter(lambda: control.recv(4096), b"")).decode()
        rows = [line.split(",") for line in answer.splitlines()]
        return {row[1] for row in rows if row[0] == "desks" and row[1] in NAMES and row[17] == "UP"}


def _started(command: list[str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("ab") as output:
        return subprocess.Popen(command, cwd=CHECKOUT, stdout=output, stderr=subprocess.STDOUT)


@contextmanager
def mounted(folder: Path, megabytes: int = DISK_MEGABYTES) -> Iterator[Path]:
    """Give a folder a disk of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Leave no room on a disk."""
    room = os.statvfs(disk)
    filler = disk / "filler"
    with filler.open("wb") as file:
        file.write(bytes(room.f_bavail * room.f_frsize))
    try:
        yield
    finally:
        filler.unlink()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    ports = {name: free_port() for name in (*NAMES, "balancer", "gpu-a", "gpu-b", "postgres")}
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name in NAMES:
            stack.enter_context(mounted(folder / name))
        reached = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="answerdesk-disk-")))
        reached.chmod(0o755)  # PostgreSQL runs as a user of its own
        disk = stack.enter_context(mounted(reached / "disk"))
        patch.setattr("tempfile.tempdir", str(disk))
        postgres = PostgresServer(ports["postgres"], fsync=True)
        patch.setattr("tempfile.tempdir", None)
        stack.callback(postgres.remove)
        postgres.start()
        patch.setenv("ANSWERDESK_DATABASE_URL", postgres.url())
        patch.setenv("ANSWERDESK_TRUSTED_PROXIES", "127.0.0.1")
        patch.setenv("ANSWERDESK_OLLAMA_HOSTS", f"127.0.0.1:{ports['gpu-a']},127.0.0.1:{ports['gpu-b']}")
        patch.setenv("ANSWERDESK_MODEL", "stand-in:gpu-timed")
        for name in ("FIRST_TOKEN", "TOKEN"):
            patch.setenv(f"ANSWERDESK_{name}_TIMEOUT_SECONDS", str(SILENT_AFTER_SECONDS))
        patch.setenv("ANSWERDESK_CACHED_ANSWERS", "0")  # each question is to meet the outage
        with People(Places(folder, postgres.url())("people")) as people:
            people.add("root", "admin", None, hash_password(PASSWORD), by="test")
            people.add("lin", "agent", ("default",), hash_password(PASSWORD), by="test")
        pool_of(postgres.url()).close()
        made = Site(folder, postgres, disk, ports)
        stack.callback(lambda: [made.kill(name) for name in list(made.processes)])
        for name in ("gpu-a", "gpu-b"):
            made.start(name)
        _ingest(made, "one", *DOCUMENTS)  # a few, where the first start would embed the whole sample
        for name in (*NAMES, "balancer"):
            made.start(name)
        yield made


@pytest.fixture(autouse=True)
def _whole(site: Site) -> Iterator[None]:
    """Leave the site to the next test as it was found."""
    yield
    site.heal()


def asked(desk: Desk, words: str = "") -> None:
    """Ask, and wait until the page shows the question."""
    before = desk.page.url
    desk.ask(words or QUESTIONS[desk.language])
    expect(desk.page).not_to_have_url(before)


def answered(desk: Desk, words: str = "") -> None:
    asked(desk, words)
    expect(desk.page.locator(".view[data-turn-state=done], .view[data-turn-state=refused]")).to_be_visible()


def opened(site: Site, browser: Browser, language: Language, name: str = "lin", path: str = "/") -> Desk:
    return signed_in(new_page(browser, language), site.address, language, name, path)


def home_of(desk: Desk) -> str:
    return next(one["value"] for one in desk.page.context.cookies() if one["name"] == STICKY)


def notice(desk: Desk) -> Locator:
    return desk.page.locator(".view .notice")


def alert(page: Page) -> Locator:
    return page.locator("[data-testid=stAlert]")


def test_postgresql_is_down(site: Site, browser: Browser) -> None:
    english, chinese = (opened(site, browser, language) for language in ("en", "zh"))
    asked(english)
    expect(english.page.locator(".view[data-turn-state=answering]")).to_be_visible()
    site.postgres.stop()
    chinese.ask(QUESTIONS["zh"])
    expect(alert(chinese.page).first).to_have_text(translate("ui.error_DatabaseUnavailable", "zh"))
    visitor = new_page(browser, "en")
    assert (answer := visitor.goto(site.address)) is not None
    assert answer.status == 503
    for language in ("en", "zh"):
        expect(visitor.locator("body")).to_contain_text(translate("errors.public.DatabaseUnavailable", language))
    assert site.up() == set(NAMES), "the desks live: the balancer goes on leading to them"
    site.postgres.start()
    expect(english.page.locator(".view .answer")).to_contain_text("no model wrote this")  # it went on meanwhile
    expect(chinese.page.locator(".st-key-question textarea")).to_have_value(QUESTIONS["zh"])  # by itself
    chinese.settled()
    for desk in (english, chinese):
        answered(desk, f"{QUESTIONS[desk.language]} ")
        desk.page.context.close()
    visitor.goto(site.address)
    fill_in(visitor, "lin")
    expect(visitor.locator(".st-key-question textarea")).to_be_visible()
    visitor.context.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "silent"])
def test_one_desk_is_down(site: Site, browser: Browser, how: signal.Signals) -> None:
    desk = opened(site, browser, "en")
    home = home_of(desk)
    asked(desk)
    expect(desk.page.locator(".view[data-turn-state=answering]")).to_be_visible()
    turn_id = desk.turn_id()
    process = site.processes[home]
    assert process.pid is not None
    os.kill(process.pid, how)
    until(lambda: home not in site.up(), seconds=30)
    until(lambda: _moved(desk, home), seconds=60)
    desk.settled()
    answered(desk, "Can I return a kettle that I have used?")
    site.kill(home)
    site.start(home)
    until(lambda: home in site.up(), seconds=60)
    for language in ("en", "zh"):
        again = opened(site, browser, language, path=f"/?turn={turn_id}")
        expect(notice(again)).to_have_text(translate("ui.error_AnswerInterrupted", language))
        again.page.context.close()
    desk.page.context.close()


def test_both_desks_are_down(site: Site, browser: Browser) -> None:
    english, chinese = (opened(site, browser, language) for language in ("en", "zh"))
    english.box.fill("Half a question")
    for name in NAMES:
        site.kill(name)
    for desk in (english, chinese):
        expect(desk.page.locator(".lost")).to_have_text(translate("ui.connection_lost", desk.language))
    visitor = new_page(browser, "en")
    assert (answer := visitor.goto(site.address)) is not None
    assert answer.status == 503
    for language in ("en", "zh"):
        expect(visitor.locator("body")).to_contain_text(translate("ui.connection_lost", language))
    for name in NAMES:
        site.start(name)
    until(lambda: site.up() == set(NAMES), seconds=60)
    for desk in (english, chinese):
        desk.settled()  # by itself
    expect(english.box).to_have_value("Half a question")
    expect(visitor.locator("form")).to_be_visible()  # the page looked again by itself
    for page in (english.page, chinese.page, visitor):
        page.context.close()


def test_one_model_server_is_down(site: Site, browser: Browser) -> None:
    desk = opened(site, browser, "zh")
    asked(desk)
    expect(desk.page.locator(".view[data-turn-state=answering]")).to_be_visible()
    busy = next(name for name in ("gpu-a", "gpu-b") if _running(site, name))
    site.kill(busy)
    expect(notice(desk)).to_have_text(translate("ui.error_ModelStoppedHalfway", "zh"))
    desk.page.goto(site.address)
    desk.settled()
    answered(desk)
    expect(notice(desk)).to_be_hidden()
    site.start(busy)
    desk.page.context.close()


def test_all_model_servers_are_down(site: Site, browser: Browser) -> None:
    for name in ("gpu-a", "gpu-b"):
        site.kill(name)
    for language in ("en", "zh"):
        desk = opened(site, browser, language)
        asked(desk)
        expect(notice(desk)).to_have_text(translate("ui.error_OllamaUnavailable", language))
        expect(desk.evidence).to_have_attribute("data-passages", re.compile("[1-9]"))
        desk.page.context.close()
    for name in ("gpu-a", "gpu-b"):
        site.start(name)
    desk = opened(site, browser, "en")
    answered(desk)
    desk.page.context.close()


def test_the_balancer_is_down(site: Site, browser: Browser) -> None:
    english, chinese = (opened(site, browser, language) for language in ("en", "zh"))
    english.box.fill("Half a question")
    site.kill("balancer")
    for desk in (english, chinese):
        expect(desk.page.locator(".lost")).to_have_text(translate("ui.connection_lost", desk.language))
    visitor = new_page(browser, "en")
    with pytest.raises(Error, match="ERR_CONNECTION_REFUSED"):
        visitor.goto(site.address)  # the browser's own page
    (site.folder / "admin.sock").unlink()
    site.start("balancer")
    for desk in (english, chinese):
        desk.settled()
    expect(english.box).to_have_value("Half a question")
    for page in (english.page, chinese.page, visitor):
        page.context.close()


def test_the_disk_of_one_desk_is_full(site: Site, browser: Browser, tmp_path: Path) -> None:
    with full(site.folder / "two"):
        (tmp_path / "new.md").write_text("# Kites\n\nA kite can be returned within 41 days.\n")
        _ingest(site, "one", tmp_path)
        with pytest.raises(StorageFull):
            _ingest(site, "two", tmp_path)
        for language in ("en", "zh"):
            page = _led_to(site, browser, "two", language)
            behind = page.locator(f".facts [title*='{translate('ui.knowledge_base_behind', language)}']")
            cannot = alert(page).filter(has_text=translate("ui.error_StorageFull", language))
            expect(behind.or_(cannot).first).to_be_visible()  # by whether SQLite had room for its log before
            page.context.close()
        assert site.up() == set(NAMES), "the balancer leads on to a desk that lives and can do nothing"
    page = _led_to(site, browser, "two", "en")
    desk = Desk(page, site.address, "en")
    desk.settled()
    answered(desk, "How many days do I have to return a kite?")
    desk.page.context.close()


def test_the_disk_of_postgresql_is_full(site: Site, browser: Browser) -> None:
    english, chinese = (opened(site, browser, language) for language in ("en", "zh"))
    with full(site.server_disk):
        for desk in (english, chinese):
            words = translate("ui.error_StorageFull", desk.language)
            for _ in range(12):  # until what was laid out before is used up; text by chance cannot be packed
                desk.page.goto(site.address)
                desk.settled()
                desk.ask(f"{QUESTIONS[desk.language]} {secrets.token_hex(3500)}")
                expect(alert(desk.page).or_(desk.page.locator(".view .question")).first).to_be_visible()
                if alert(desk.page).count():
                    break
            expect(alert(desk.page).first).to_have_text(words)
    for desk in (english, chinese):
        desk.page.goto(site.address)
        desk.settled()
        answered(desk)
        desk.page.context.close()


def test_the_network_to_postgresql_is_silent(site: Site, browser: Browser) -> None:
    english = opened(site, browser, "en")
    site.postgres.freeze(frozen=True)
    try:
        english.ask(QUESTIONS["en"])
        expect(alert(english.page).first).to_have_text(translate("ui.error_DatabaseUnavailable", "en"), timeout=20_000)
    finally:
        site.postgres.freeze(frozen=False)
    expect(english.page.locator(".st-key-question textarea")).to_have_value(QUESTIONS["en"])
    english.settled()
    answered(english, f"{QUESTIONS['en']} ")
    english.page.context.close()


def test_the_network_to_a_model_server_is_silent(site: Site, browser: Browser) -> None:
    desk = opened(site, browser, "en")
    asked(desk)
    expect(desk.page.locator(".view[data-turn-state=answering]")).to_be_visible()
    busy = next(name for name in ("gpu-a", "gpu-b") if _running(site, name))
    os.kill(site.processes[busy].pid or 0, signal.SIGSTOP)
    try:
        expect(notice(desk)).to_have_text(translate("ui.error_ModelTimedOut", "en"), timeout=90_000)
        desk.page.goto(site.address)
        desk.settled()
        asked(desk)
        ended = desk.page.locator(".view[data-turn-state=done], .view[data-turn-state=refused]")
        expect(ended).to_be_visible(timeout=150_000)  # by the other one, after it may have waited for this one
    finally:
        os.kill(site.processes[busy].pid or 0, signal.SIGCONT)
    desk.page.context.close()


def _moved(desk: Desk, home: str) -> bool:
    """Tell whether a page has found another desk by itself."""
    desk.page.wait_for_timeout(200)
    return home_of(desk) != home


def _running(site: Site, name: str) -> bool:
    """Tell whether a model server is writing an answer."""
    counts = httpx.get(f"http://127.0.0.1:{site.ports[name]}/gpu-timed", timeout=5).json()
    return bool(counts["running"])


def _ingest(site: Site, name: str, *sources: Path) -> None:
    """Publish documents from a desk's machine."""
    settings = Settings(data_dir=site.folder / name, database_url=site.postgres.url())
    ingest([*sources], settings, open_embedder(settings))


def _led_to(site: Site, browser: Browser, name: str, language: Language) -> Page:
    """Sign in as somebody whom the balancer leads to this desk, and return the page."""
    page = new_page(browser, language)
    page.context.add_cookies([{"name": STICKY, "value": name, "url": site.address}])
    page.goto(site.address)
    fill_in(page, "lin")
    return page
