"""A scripted desk where people sign in: two knowledge bases, and somebody in each role."""

from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser

from rag.people.directory import People
from rag.people.passwords import hash_password
from rag.schema import Language
from rag.settings import Settings
from rag.storage.access import Role
from rag.testing import SAMPLE_DOCUMENTS, HashEmbedder, publish_documents
from tests.ui.browser import LOCALES

PASSWORD = "long enough, rarely tried"
PEOPLE: tuple[tuple[str, Role, tuple[str, ...] | None], ...] = (
    ("lin", "agent", ("default",)),
    ("mei", "agent", ("default", "payroll")),
    ("bo", "lead", ("default",)),
    ("root", "admin", None),
)


def furnish(folder: Path) -> None:
    """Make the knowledge bases and the people of the desk in this folder."""
    settings = Settings(data_dir=folder)
    for name in ("default", "payroll"):
        publish_documents(settings.knowledge_folder / name, SAMPLE_DOCUMENTS, HashEmbedder())
    people = People(settings.people_path)
    kept = hash_password(PASSWORD)
    for name, role, scopes in PEOPLE:
        people.add(name, role, scopes, kept, by="test")
    people.close()


class Window(NamedTuple):
    """What a browser context is opened with."""

    dark: bool = False
    width: int = 1280
    height: int = 720


def new_page(browser: Browser, language: Language, window: Window = Window()):  # noqa: ANN201, B008
    """Return an empty page in a browser context of its own."""
    context = browser.new_context(
        locale=LOCALES[language],
        timezone_id="Asia/Shanghai",
        color_scheme="dark" if window.dark else "light",
        viewport={"width": window.width, "height": window.height},
    )
    context.set_default_timeout(20_000)
    return context.new_page()
