"""Pictures of documents go to whoever may read one of the documents that show them, and to nobody else."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import httpx
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from api.services.jobs import Jobs
from api.services.knowledge import KnowledgeRegistry, KnowledgeService
from api.services.shared import SharedServices
from api.services.start import open_people
from rag.errors import AccessDenied
from rag.settings import Settings
from rag.storage.access import KnowledgeBases, User
from rag.storage.figures import FigureFolder
from rag.testing import HashEmbedder, publish_documents
from tests.rag.storage.test_figures import CONTENT, FIGURE, OTHER, document
from ui.figure_route import figure_address, figure_route
from ui.sign_in import COOKIE, cookie_name

pytestmark = pytest.mark.slow
INTERNAL = replace(FIGURE, digest=sha256(OTHER).hexdigest())


class Desk:
    """A knowledge base with a public and an internal article, a picture in each, and three people."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(data_dir=folder, sign_in="on")
        self.people = open_people(self.settings)
        self.bases = KnowledgeBases(self.settings.knowledge_folder)
        for name, scopes in (("root", None), ("mei", ["default"]), ("lin", ["payroll"])):
            self.people.people.add(name, "admin" if name == "root" else "agent", scopes, "", by="test")
        internal = replace(document("b.docx", INTERNAL), audience="internal")
        publish_documents(self.settings.knowledge_dir, [document("a.docx", FIGURE), internal], HashEmbedder())
        figures = FigureFolder(self.settings.knowledge_dir)
        figures.keep(CONTENT)
        figures.keep(OTHER)
        self.registry = KnowledgeRegistry(self.settings, Jobs(), lambda name, user: pytest.fail("it is not asked"))

    def get(self, name: str, address: str) -> httpx.Response:
        shared = cast(
            SharedServices, SimpleNamespace(knowledge_registry=self.registry, bases=self.bases, people=self.people)
        )
        with TestClient(Starlette(routes=[figure_route(lambda: shared)]), base_url="http://desk.test") as client:
            if name:
                client.cookies.set(cookie_name(COOKIE, secure=False), self.people.sign_ins.begin_for(name).token)
            return client.get(address)

    def service(self, user: User) -> KnowledgeService:
        return KnowledgeService(self.registry, "default", lambda: user, self.bases.require)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_who_may_read_the_document_sees_its_picture(desk: Desk) -> None:
    for name in ("root", "mei"):
        answer = desk.get(name, figure_address("default", FIGURE.digest))
        assert (answer.status_code, answer.content) == (200, CONTENT)
    said = ("content-type", "x-content-type-options", "cache-control", "content-security-policy")
    assert [answer.headers[header] for header in said] == [
        "image/webp", "nosniff", "no-store", "default-src 'none'; sandbox",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "base", "digest"),
    [
        ("lin", "default", FIGURE.digest),
        ("", "default", FIGURE.digest),
        ("root", "default", "0" * 64),
        ("root", "payroll", FIGURE.digest),
        ("root", "..", FIGURE.digest),
        ("root", "default", "..%2f..%2fknowledge"),
    ],
)
def test_others_are_told_what_is_told_of_a_picture_that_is_not_there(
    desk: Desk, name: str, base: str, digest: str
) -> None:
    answer = desk.get(name, figure_address(base, digest))
    assert (answer.status_code, answer.content) in ((404, b""), (404, b"Not Found"))


def test_the_public_sees_the_pictures_of_public_articles_only(desk: Desk) -> None:
    public = desk.service(User("shop", "agent", frozenset({"default"}), "public"))
    assert (public.figure(FIGURE.digest), public.figure(INTERNAL.digest)) == (CONTENT, None)
    colleague = desk.service(User("mei", "agent", frozenset({"default"})))
    assert (colleague.figure(FIGURE.digest), colleague.figure(INTERNAL.digest)) == (CONTENT, OTHER)
    with pytest.raises(AccessDenied):
        desk.service(User("lin", "agent", frozenset({"payroll"}))).figure(FIGURE.digest)
