"""The Knowledge page in a process of its own, in the distribution's Chromium."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.conftest import free_port
from tests.eval.gaps.turns import AskedTurns, passage
from tests.ui.conftest import served
from tests.ui.page_windows import OpenWindow, PageWindow, page_windows
from tests.ui.views.knowledge.library import Library

DESK_MODULE = "tests.ui.views.knowledge.served"


class Window(PageWindow):
    """One browser window with the Knowledge page in it."""

    route = "knowledge"

    def hand_in(self, *files: Path) -> None:
        """Drop files into the uploader, and wait until they are kept."""
        self.page.locator("[data-testid=stFileUploaderDropzoneInput]").set_input_files(list(files))
        for file in files:
            expect(self.page.locator(".st-key-kb_waiting .title", has_text=file.name)).to_be_visible()

    def set(self, **values: object) -> None:
        """Open or close the gate, take the lock, or be somebody else."""
        httpx.post(f"{self.address}/library/set", json=values).raise_for_status()

    def leave(self) -> None:
        """Close the window, and leave the server to the next test as it was found."""
        self.set(role="admin", gate="open", lock=False, discard=True)
        super().leave()


OpenPage = OpenWindow[Window]


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A part of the sample, published once for all tests."""
    library = Library(tmp_path_factory.mktemp("library"))
    library.fill()
    turns = AskedTurns(library.settings.turns_path)
    cited = [turns.resting_on("How long?", passage(1, "en/returns/return-window.md", "30 days.")) for _ in range(3)]
    turns.store.feedback.judge(cited[0].turn_id, "lin", useful=False, reason="outdated")
    turns.resting_on("What does it cost?", passage(1, "en/delivery/islands.md", "9.95 euros."))
    turns.store.close()
    library.close()
    return library.settings.data_dir


@contextmanager
def served_copy(filled: Path, folder: Path) -> Iterator[str]:
    """Serve the page over a copy, which may be changed."""
    shutil.copytree(filled, folder / "data")
    with served(folder, free_port(), DESK_MODULE) as address:
        yield address


@pytest.fixture(scope="session")
def shared_address(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """For tests that publish nothing."""
    with served_copy(filled, tmp_path_factory.mktemp("shared")) as address:
        yield address


@pytest.fixture
def open_page(browser: Browser, shared_address: str) -> Iterator[OpenPage]:
    """Open the page that is shared by all tests that publish nothing."""
    with page_windows(Window, browser, shared_address, "articles") as opener:
        yield opener


@pytest.fixture
def open_own_page(browser: Browser, filled: Path, tmp_path: Path) -> Iterator[OpenPage]:
    """Open a page over a knowledge base of the test's own."""
    with (
        served_copy(filled, tmp_path / "own") as address,
        page_windows(Window, browser, address, "articles") as opener,
    ):
        yield opener
