"""A scripted desk where people sign in: two knowledge bases, and somebody in each role."""

from pathlib import Path

from playwright.sync_api import Page, expect

from rag.people.directory import People
from rag.people.passwords import hash_password
from rag.schema import Language
from rag.settings import Settings
from rag.storage.access import Role
from rag.testing import SAMPLE_DOCUMENTS, HashEmbedder, publish_documents
from tests.ui.browser import Desk

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


def signed_in(page: Page, address: str, language: Language, name: str, path: str = "/") -> Desk:
    """Go to a page, sign in at the form that comes first, and return the desk."""
    page.goto(address + path)
    fill_in(page, name)
    desk = Desk(page, address, language)
    desk.settled()
    return desk


def fill_in(page: Page, name: str, password: str = PASSWORD) -> None:
    """Send the form."""
    expect(page.locator("form")).to_be_visible()
    page.fill("#name", name)
    page.fill("#password", password)
    page.click("button[type=submit]")
