"""Browser windows with one page in them whose parts the address names, over a server of the test's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar, Unpack

from playwright.sync_api import Browser

from rag.schema import Language
from tests.ui.browser import Desk, WindowOptions


class PageWindow(Desk):
    """One browser window with the page in it that ``route`` names."""

    route: str

    def view(self, name: str) -> None:
        """Open a part of the page by its address."""
        self.page.goto(f"{self.address}/{self.route}?view={name}")
        self.settled()

    def press(self, key: str) -> None:
        """Press one of the page's own buttons."""
        self.page.locator(f".st-key-{key} button").click()


Opened = TypeVar("Opened", bound=PageWindow, covariant=True)


class OpenWindow(Protocol[Opened]):
    """``open_page("zh", "make")`` opens a part of the page to somebody whom no other test knows."""

    def __call__(self, language: Language = ..., view: str = ..., **options: Unpack[WindowOptions]) -> Opened: ...


@contextmanager
def page_windows(kind: type[Opened], browser: Browser, address: str, first_view: str) -> Iterator[OpenWindow[Opened]]:
    """Give what opens windows at ``address``, and close them all in the end."""
    opened: list[Opened] = []

    def _open(language: Language = "en", view: str = first_view, **options: Unpack[WindowOptions]) -> Opened:
        window = kind.open(browser, address, language, path=f"/{kind.route}?view={view}", **options)
        opened.append(window)
        return window

    yield _open
    for window in opened:
        window.leave()
