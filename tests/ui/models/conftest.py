"""The Models page in a process of its own, in the distribution's Chromium."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, Unpack

import httpx
import pytest
from playwright.sync_api import Browser

from rag.schema import Language
from tests.conftest import free_port
from tests.ui.browser import Desk, WindowOptions
from tests.ui.conftest import served

DESK_MODULE = "tests.ui.models.served"


class Window(Desk):
    """One browser window with the Models page in it."""

    def view(self, name: str) -> None:
        """Open a part of the page by its address."""
        self.page.goto(f"{self.address}/models?view={name}")
        self.settled()

    def press(self, key: str) -> None:
        """Press one of the page's own buttons."""
        self.page.locator(f".st-key-{key} button").click()

    def fill(self, key: str, text: str) -> None:
        """Type into one of the page's boxes."""
        self.page.locator(f".st-key-{key} input").fill(text)

    def set(self, **values: object) -> str:
        """Open or close the gate, have answers run, end the model server, or be somebody else; return the folder."""
        answer = httpx.post(f"{self.address}/library/set", json=values)
        answer.raise_for_status()
        return str(answer.json()["folder"])


class OpenPage(Protocol):
    """``open_page("zh", "make")`` opens a part of the page in a browser context of its own."""

    def __call__(self, language: Language = ..., view: str = ..., **options: Unpack[WindowOptions]) -> Window: ...


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A model server of its own for each test: they make and delete."""
    with served(tmp_path, free_port(), DESK_MODULE) as address:
        yield address


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[OpenPage]:
    opened: list[Window] = []

    def _open(language: Language = "en", view: str = "installed", **options: Unpack[WindowOptions]) -> Window:
        window = Window.open(browser, address, language, path=f"/models?view={view}", **options)
        opened.append(window)
        return window

    yield _open
    for window in opened:
        window.page.context.close()
