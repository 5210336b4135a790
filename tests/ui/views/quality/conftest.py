"""The Quality page in a process of its own, in the distribution's Chromium."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from tests.conftest import free_port
from tests.ui.conftest import served
from tests.ui.page_windows import OpenWindow, PageWindow, page_windows

DESK_MODULE = "tests.ui.views.quality.served"


class Window(PageWindow):
    """One browser window with the Quality page in it."""

    route = "quality"

    def set(self, **values: object) -> None:
        """Open or close the gate, or be somebody else."""
        httpx.post(f"{self.address}/library/set", json=values).raise_for_status()

    def audit(self) -> list[list[object]]:
        """Return what was taken down, the newest first."""
        found = httpx.get(f"{self.address}/library/audit")
        found.raise_for_status()
        return list(found.json())


OpenPage = OpenWindow[Window]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A knowledge base of its own for each test: they measure and review."""
    with served(tmp_path, free_port(), DESK_MODULE) as address:
        yield address


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[OpenPage]:
    with page_windows(Window, browser, address, "runs") as opener:
        yield opener
