"""The Knowledge page in a process of its own, in the distribution's Chromium."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, Unpack

import httpx
import pytest
from playwright.sync_api import Browser, expect

from rag.schema import Language
from tests.conftest import free_port
from tests.eval.gaps.turns import AskedTurns, passage
from tests.ui.browser import Desk, WindowOptions
from tests.ui.conftest import served
from tests.ui.knowledge.library import Library

DESK_MODULE = "tests.ui.knowledge.served"


class Window(Desk):
    """One browser window with the Knowledge page in it."""

    def view(self, name: str) -> None:
        """Open a part of the page by its address."""
        self.page.goto(f"{self.address}/knowledge?view={name}")
        self.settled()

    def hand_in(self, *files: Path) -> None:
        """Drop files into the uploader, and wait until they are kept."""
        self.page.locator("[data-testid=stFileUploaderDropzoneInput]").set_input_files(list(files))
        for file in files:
            expect(self.page.locator(".st-key-kb_waiting .title", has_text=file.name)).to_be_visible()

    def press(self, key: str) -> None:
        """Press one of the page's own buttons."""
        self.page.locator(f".st-key-{key} button").click()

    def set(self, **values: object) -> None:
        """Open or close the gate, take the lock, or be somebody else."""
        httpx.post(f"{self.address}/library/set", json=values).raise_for_status()


class OpenPage(Protocol):
    """``open_page("zh", "update")`` opens a part of the page in a browser context of its own."""

    def __call__(self, language: Language = ..., view: str = ..., **options: Unpack[WindowOptions]) -> Window: ...


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


def _opener(browser: Browser, address: str) -> Iterator[OpenPage]:
    opened: list[Window] = []

    def _open(language: Language = "en", view: str = "articles", **options: Unpack[WindowOptions]) -> Window:
        window = Window.open(browser, address, language, path=f"/knowledge?view={view}", **options)
        opened.append(window)
        return window

    yield _open
    for window in opened:
        window.set(role="admin", gate="open", lock=False, discard=True)
        window.page.context.close()


@pytest.fixture
def open_page(browser: Browser, shared_address: str) -> Iterator[OpenPage]:
    """Open the page that is shared by all tests that publish nothing."""
    yield from _opener(browser, shared_address)


@pytest.fixture
def open_own_page(browser: Browser, filled: Path, tmp_path: Path) -> Iterator[OpenPage]:
    """Open a page over a knowledge base of the test's own."""
    with served_copy(filled, tmp_path / "own") as address:
        yield from _opener(browser, address)
