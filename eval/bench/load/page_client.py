"""The product as an agent sees it: a desk of its own, and its page in Chromium, a browser context a session."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, TypeVar, cast
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from eval.bench.load.records import OUTCOMES, Asking, LoadRecord, Outcome
from eval.core.ports import free_port
from rag.errors import SettingsError
from rag.settings import Settings
from rag.setup.system_packages import find_chromium
from rag.terminal import terminal_language
from rag.translate import translate

if TYPE_CHECKING:  # a test's tool, which not everybody has installed
    from playwright.async_api import Page

_CHECKOUT = Path(__file__).resolve().parents[3]
_READY_SECONDS = 300.0
_END_SECONDS = 30.0
_LOOK_EVERY_SECONDS = 0.1

Result = TypeVar("Result")

_LOOK_FOR_STOP_SECONDS = 1.0
_PAGE_SECONDS = 300.0
_QUESTION = ".st-key-question textarea"
_LOCALES = {"en": "en-GB", "zh": "zh-CN"}
_PAGE_ERROR = "[data-testid=stException], [data-testid=stAlertContentError]"

PAGE_WATCH = Path(__file__).with_name("page_watch.js")


@dataclass(frozen=True, slots=True)
class DeskProcess:
    """Where the desk is, and the process that serves it."""

    address: str
    process_id: int


@contextmanager
def desk_process(folder: Path, knowledge: Path, settings: Settings, *, think: bool | None) -> Iterator[DeskProcess]:
    """Serve a desk over the knowledge base in ``knowledge`` until the block is left; ``folder`` is its data folder.

    Raises ``SettingsError`` naming its log where it does not come up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "knowledge").symlink_to(knowledge.parent, target_is_directory=True)
    port, log = free_port(), folder / "desk.log"
    thinking = {None: settings.thinking, True: "on", False: "off"}[think]
    environment = {
        **os.environ,
        "ANSWERDESK_DATA_DIR": str(folder),
        "ANSWERDESK_KNOWLEDGE_BASE": knowledge.name,
        "ANSWERDESK_OLLAMA_HOSTS": settings.ollama_host,
        "ANSWERDESK_MODEL": settings.model,
        "ANSWERDESK_THINKING": thinking,
    }
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ui", "--port", str(port), "--no-browser"],
            cwd=_CHECKOUT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us: the questions under way are ended first
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_until_up(address, process, log)
        yield DeskProcess(address, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_up(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    opener = build_opener(ProxyHandler({}))
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with opener.open(f"{address}/_stcore/health", timeout=_READY_SECONDS):
                return
        except (URLError, OSError):
            time.sleep(_LOOK_EVERY_SECONDS)  # it does not listen yet
    raise SettingsError(reason=translate("bench_load.no_desk", terminal_language(), log=log))


class _Stopped(Exception):
    """Nobody waits any more."""


class _Ended(TypedDict):
    """What the page wrote down: ``seen`` are milliseconds since Enter."""

    state: str
    text: str
    seen: dict[str, float]


@contextmanager
def page_arm(desk: DeskProcess, sessions: int) -> Iterator["PageArm"]:
    """Open a browser with as many contexts as sessions.  Raises ``SettingsError`` where there is none."""
    arm = PageArm(desk)
    try:
        arm.open(sessions)
        yield arm
    finally:
        arm.close()


class PageArm:
    """Types questions and watches what appears.  All of the browser lives in one thread; sessions wait for it."""

    name = "page"

    def __init__(self, desk: DeskProcess) -> None:
        self._desk = desk
        self.process_id = desk.process_id
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="pages", daemon=True)
        self._pages: list[Page] = []
        self._closing: list[Coroutine[object, object, None]] = []

    def open(self, sessions: int) -> None:
        """Start the browser and open all pages."""
        self._thread.start()
        self._wait_for(self._open(sessions))

    def close(self) -> None:
        """Close the browser."""
        if self._thread.is_alive():
            for closing in self._closing:
                self._wait_for(closing)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    def ask(self, asking: Asking) -> LoadRecord:
        """Ask in the session's own browser context, and return the record."""
        return self._wait_for(self._ask(asking))

    def _wait_for(self, work: Coroutine[object, object, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _open(self, sessions: int) -> None:
        try:
            from playwright.async_api import Error, async_playwright
        except ImportError as error:
            raise SettingsError(reason=translate("bench_load.no_browser", terminal_language())) from error
        driver = await async_playwright().start()
        self._closing.append(driver.stop())
        try:
            browser = await driver.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        except Error as error:
            raise SettingsError(reason=translate("bench_load.no_browser", terminal_language())) from error
        self._closing.insert(0, browser.close())
        locale = _LOCALES[terminal_language()]
        for _ in range(sessions):
            context = await browser.new_context(locale=locale, viewport={"width": 1280, "height": 720})
            context.set_default_timeout(_PAGE_SECONDS * 1000)
            await context.add_init_script(path=PAGE_WATCH)
            page = await context.new_page()
            await page.goto(self._desk.address)
            await page.locator(_QUESTION).wait_for()
            self._pages.append(page)

    async def _ask(self, asking: Asking) -> LoadRecord:
        from playwright.async_api import Error

        page = self._pages[asking.session]
        seen: dict[str, float] = {}
        outcome: Outcome = "lost"
        error = text = ""
        box = page.locator(_QUESTION)
        await page.evaluate("answerdeskWatch.expect()")
        await box.fill(asking.question.question)
        entered_at = time.perf_counter()
        try:
            await box.press("Enter")
            ended = await _ended(page, asking)
            outcome, text, seen = OUTCOMES[ended["state"]], ended["text"], ended["seen"]
        except _Stopped:
            outcome, seen = "unfinished", await page.evaluate("answerdeskWatch.seen()")
        except Error as raised:
            error = type(raised).__name__
        if await page.locator(_PAGE_ERROR).count():
            outcome, error = "failed", "page error"
        elif outcome == "failed":
            error = "turn failed"
        late_ms = (entered_at - asking.due_at) * 1000
        before_enter_ms = late_ms if asking.planned else 0.0
        shown_ms = {name: before_enter_ms + after for name, after in seen.items() if after is not None}
        return replace(
            asking.record(self.name, entered_at, outcome),
            evidence_ms=shown_ms.get("evidence"),
            first_word_ms=shown_ms.get("words"),
            total_ms=shown_ms.get("end", before_enter_ms + (time.perf_counter() - entered_at) * 1000),
            error=error,
            right=asking.is_right(text) if text else None,
        )


async def _ended(page: "Page", asking: Asking) -> _Ended:
    """Wait in the page for the end of the turn, and look here only whether the run is stopped."""
    waiting = asyncio.ensure_future(page.evaluate("answerdeskWatch.ended()"))
    try:
        while not (await asyncio.wait({waiting}, timeout=_LOOK_FOR_STOP_SECONDS))[0]:
            if asking.stop.is_set():
                raise _Stopped
        return cast(_Ended, waiting.result())
    finally:
        waiting.cancel()
