"""A desk follows what others publish: whole, soon, also after a restart of the server, and it says where it cannot."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from ingest.check import check
from ingest.lock import publication, writer_lock
from ingest.publish import rollback
from rag.errors import AccessDenied, DatabaseUnavailable, IndexDamaged
from rag.storage.access import Access, KnowledgeBases, User
from rag.storage.following import KnowledgeFollower
from rag.storage.shared_pieces import RowPieces
from rag.storage.sharing import KnowledgeShare
from rag.storage.writer import KnowledgeWriter
from tests.conftest import free_port
from tests.support.postgres_server import PostgresServer
from tests.support.shared_site import Machine, Site, open_site
from tests.support.waiting import until

pytestmark = pytest.mark.real

READER = """
import sys, time
from rag.errors import KnowledgeBaseMissing
from rag.retrieval.retriever import Retriever
from rag.settings import Settings
from rag.storage.following import KnowledgeFollower
from rag.storage.store import KnowledgeStore
from rag.testing import HashEmbedder
from rag.tracing import Trace

settings, reads = Settings(), int(sys.argv[1])
store, follower = KnowledgeStore(settings.knowledge_dir), KnowledgeFollower.of(settings)
follower.start(10)
retriever = Retriever(store, HashEmbedder(), settings)
seen, mixed, number = [], 0, 0
print("ready", flush=True)
while number < reads or len(seen) < 4:
    number += 1
    if number % 10 == 0:
        found = retriever.find("Which version is this?", "en", Trace())
        generation, texts = found.generation, [one.chunk.text for one in found.chunks if "version" in one.chunk.text]
    else:
        generation = store.require_generation()
        texts = [store.document(one, generation).text for one in ("first.md", "second.md")]
    versions = {text.split("version ")[1].split()[0] for text in texts}
    mixed += len(versions) != 1 or len(texts) < 2
    seen += [generation] if seen[-1:] != [generation] else []
follower.close()
print(mixed, len(seen), seen == sorted(seen))
"""


@pytest.fixture
def site(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Site]:
    with open_site(postgres_server, tmp_path) as site:
        yield site


def following(machine: Machine, wait_seconds: float = 10) -> KnowledgeFollower:
    made = KnowledgeFollower.of(machine.settings)
    assert made is not None
    made.start(wait_seconds)
    return made


def write_version(site: Site, number: int) -> None:
    for name in ("first.md", "second.md"):
        site.write(name, f"# The {name}\n\nThis is version {number} of the article that both have.")


def test_a_publication_and_going_back_are_seen_by_a_desk_that_runs(site: Site) -> None:
    with closing(following(site.there)) as follower:
        assert follower.problem("default") is None
        site.here.ingest(site.manual)
        until(lambda: site.there.store.current_generation() == 1)
        site.write("gifts.md", "# Gifts\n\nWe wrap nothing.")
        site.here.ingest(site.manual)
        until(lambda: site.there.store.current_generation() == 2)
        assert site.there.texts() == site.here.texts()
        rollback(site.here.settings.knowledge_dir, share=site.here.share)
        until(lambda: site.there.store.current_generation() == 3)
        assert site.there.texts()["gifts.md"].endswith("We wrap gifts.")


@pytest.mark.parametrize("reads", [2000, pytest.param(10_000, marks=pytest.mark.nightly)])
def test_no_read_in_another_process_mixes_two_generations(site: Site, reads: int) -> None:
    write_version(site, 0)
    site.here.ingest(site.manual)
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(reads)], env=site.there.environment, stdout=subprocess.PIPE, text=True
    )
    assert reader.stdout is not None and reader.stdout.readline() == "ready\n"
    version = 0
    while reader.poll() is None:
        version += 1
        write_version(site, version)
        site.here.ingest(site.manual)
    output, _ = reader.communicate()
    mixed, seen, ascending = output.split()
    assert (reader.returncode, mixed, ascending) == (0, "0", "True")
    assert int(seen) > 3, "it has seen publications"


def test_a_scope_holds_for_a_desk_that_runs(site: Site) -> None:
    site.here.ingest(site.manual)
    reader = User("lin", "agent", frozenset({"default"}))
    with closing(following(site.there)) as follower:
        bases = KnowledgeBases(site.there.settings.knowledge_folder, follower.access)
        bases.require(reader, "default")
        folder, share = site.here.settings.knowledge_dir, site.here.share
        with writer_lock(folder, share), KnowledgeWriter(folder) as writer, publication(writer, share) as publisher:
            publisher.set_access(Access("finance"))
        until(lambda: not bases.permits(reader, "default"))
        with pytest.raises(AccessDenied):
            bases.store(reader, "default")
        until(lambda: KnowledgeBases(site.there.settings.knowledge_folder).scopes() == {"default", "finance"})


def test_a_scope_holds_while_a_large_knowledge_base_is_being_fetched(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.here.ingest(site.manual)
    fetching, goes_on = threading.Event(), threading.Event()

    def fetch_slowly(*_: object) -> bool:
        fetching.set()
        goes_on.wait(30)
        return False

    monkeypatch.setattr(KnowledgeShare, "catch_up", fetch_slowly)
    with closing(following(site.there, wait_seconds=0)) as follower:
        assert fetching.wait(10)
        site.ask("UPDATE shared_base SET scope = 'finance'")
        until(lambda: follower.access("default") == Access("finance"))
        goes_on.set()


def test_a_knowledge_base_that_only_a_desk_has_becomes_everybodys(site: Site) -> None:
    Machine(site.here.settings.changed(database_url="", knowledge_base="shop")).ingest(site.manual)
    with closing(following(site.here)), closing(following(site.there)):
        shop = Machine(site.there.settings.changed(knowledge_base="shop"))
        until(lambda: shop.store.current_generation() == 1)
        assert len(shop.texts()) == 2


def test_no_name_on_the_server_leads_out_of_the_folder(site: Site) -> None:
    site.here.ingest(site.manual)
    assert set(site.here.share.server.tokens()) == {"default"}
    site.ask("UPDATE shared_base SET name = '../elsewhere'")
    assert site.there.share.server.tokens() == {}


def test_a_desk_says_what_it_cannot_take_over_and_serves_what_it_has(site: Site) -> None:
    site.here.ingest(site.manual)
    with closing(following(site.there)) as follower:
        before = site.there.texts()
        site.ask("UPDATE shared_base SET token = 'another', files = replace(files, '[\"', '[\"0000')")
        until(lambda: isinstance(follower.problem("default"), IndexDamaged))
        assert site.there.texts() == before
        assert check(site.there.settings.knowledge_dir).findings == ()


def test_a_server_that_goes_and_comes_back(tmp_path: Path) -> None:
    server = PostgresServer(free_port(), fsync=True)
    try:
        server.start()
        with open_site(server, tmp_path) as site:
            site.here.ingest(site.manual)
            with closing(following(site.there)) as follower:
                server.stop()
                until(lambda: isinstance(follower.problem("default"), DatabaseUnavailable))
                assert len(site.there.texts()) == 2, "it serves what it has"
                server.start()
                until(lambda: follower.problem("default") is None, 30)
                site.write("new.md", "# New\n\nSomething new.")
                site.here.ingest(site.manual)
                until(lambda: len(site.there.texts()) == 3)
            begun = time.monotonic()
            follower.close()
            assert time.monotonic() - begun < 5
    finally:
        server.remove()


def test_the_server_restarts_under_an_ingest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = PostgresServer(free_port(), fsync=True)
    put = RowPieces.put
    restarts: list[threading.Timer] = []

    def put_while_it_restarts(store: RowPieces, name: str, pieces: Sequence[bytes]) -> None:
        if not restarts:
            server.stop()
            restarts.append(threading.Timer(1.0, server.start))
            restarts[0].start()
        put(store, name, pieces)

    monkeypatch.setattr(RowPieces, "put", put_while_it_restarts)
    try:
        server.start()
        with open_site(server, tmp_path) as site:
            site.here.ingest(site.manual)
            restarts[0].join()
            site.there.share.catch_up()
            assert site.there.texts() == site.here.texts()
    finally:
        server.remove()
