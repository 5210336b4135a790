"""A scripted desk in a process of its own, and the distribution's Chromium."""

import functools
import subprocess
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol, Unpack

import httpx
import pytest
import streamlit.components.v2.manifest_scanner
from playwright.sync_api import Browser, Error, Playwright, expect, sync_playwright

from rag.schema import Language
from rag.setup.system_packages import find_chromium
from tests.conftest import free_port
from tests.ui.browser import PATIENCE_MS, Desk, WindowOptions
from tests.ui.desk_process import DeskProcess
from tests.ui.scripted_desk import OTHER_HOST

_WITHOUT_OPTIMIZERS = "--js-flags=--no-opt --no-maglev"
"""A window of a test lives for seconds, in which V8's optimizing compilers take more than they save."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Print with a test that fails what its pages show: elsewhere nobody can look at them."""
    report = yield
    browser = getattr(item, "funcargs", {}).get("browser")
    if report.when == "call" and report.failed and isinstance(browser, Browser):
        for page in (page for context in browser.contexts for page in context.pages if page.url != "about:blank"):
            with suppress(Error):
                report.sections.append((f"Page {page.url}", page.inner_text("body", timeout=5000)[:3000]))
    return report


@pytest.fixture(scope="session", autouse=True)
def installed_components() -> Iterator[None]:
    """Look once for components among the installed packages: AppTest does so for each page, which takes longer than
    most pages take."""
    scanner = streamlit.components.v2.manifest_scanner
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanner, "scan_component_manifests", functools.cache(scanner.scan_component_manifests))
        yield


@contextmanager
def served(folder: Path, port: int, module: str = "tests.ui.scripted_desk", *more: str) -> Iterator[str]:
    """Serve a desk in a process of its own until the block is left; ``more`` follows on its command line."""
    log = folder / "desk.log"
    process = DeskProcess(module, [str(folder), str(port), *more], log)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_up(address, process, log)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_MS / 1000)


def wait_until_up(
    address: str,
    process: "DeskProcess | subprocess.Popen[bytes]",
    log: Path,
    *,
    seconds: float = 180,
    health: str = "/_stcore/health",
) -> None:
    """Wait until the desk, or another program with a path for its ``health``, answers; else its log is the reason."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{address}{health}", timeout=2).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)  # it is not listening yet; there is nothing else to wait on
    raise AssertionError(log.read_text())


@pytest.fixture(scope="session")
def scripted_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("desk"), free_port()) as address:
        yield address


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Drive Chromium for one file: Playwright's event loop runs in this thread until it ends, and another file's
    tests start a loop of their own."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    chromium = playwright.chromium.launch(
        executable_path=find_chromium(),
        args=["--no-sandbox", f"--host-resolver-rules=MAP {OTHER_HOST} 127.0.0.1", _WITHOUT_OPTIMIZERS],
    )
    yield chromium
    chromium.close()


class OpenDesk(Protocol):
    """``open_desk("zh", dark=True, width=640, height=360)`` opens the desk to somebody whom no other test knows."""

    def __call__(self, language: Language = "en", address: str = ..., **options: Unpack[WindowOptions]) -> Desk: ...


@pytest.fixture
def open_desk(browser: Browser, scripted_address: str) -> Iterator[OpenDesk]:
    opened: list[Desk] = []

    def _open(language: Language = "en", address: str = scripted_address, **options: Unpack[WindowOptions]) -> Desk:
        opened.append(Desk.open(browser, address, language, **options))
        return opened[-1]

    yield _open
    httpx.post(f"{scripted_address}/scripted/set", json={"reset": True})
    for desk in opened:
        desk.leave()
