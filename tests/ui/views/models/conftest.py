"""The Models page in a process of its own, in the distribution's Chromium."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from tests.conftest import free_port
from tests.ui.conftest import served
from tests.ui.page_windows import OpenWindow, PageWindow, page_windows

DESK_MODULE = "tests.ui.views.models.served"


class Window(PageWindow):
    """One browser window with the Models page in it."""

    route = "models"

    def fill(self, key: str, text: str) -> None:
        """Type into one of the page's boxes."""
        self.page.locator(f".st-key-{key} input").fill(text)

    def set(self, **values: object) -> str:
        """Open or close the gate, have answers run, end the model server, or be somebody else; return the folder."""
        answer = httpx.post(f"{self.address}/library/set", json=values)
        answer.raise_for_status()
        return str(answer.json()["folder"])


OpenPage = OpenWindow[Window]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A model server of its own for each test: they make and delete."""
    with served(tmp_path, free_port(), DESK_MODULE) as address:
        yield address


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[OpenPage]:
    with page_windows(Window, browser, address, "installed") as opener:
        yield opener
