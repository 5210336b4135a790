"""An ingest whose large index goes to a vector engine: whole on both sides, or as before."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from ingest.check import check
from ingest.publish import rollback
from rag.errors import VectorEngineUnavailable
from rag.retrieval.generation_index import collections_of
from rag.retrieval.retriever import Retriever
from rag.retrieval.vector_engine import VectorEngine, engine_of
from rag.settings import Settings, load_settings
from rag.storage.store import engine_owner
from rag.testing import HashEmbedder
from rag.tracing import Trace
from tests.ingest.conftest import CountingEmbedder, Desk
from tests.ingest.killed_engine_ingest import POINTS, engine_settings
from tests.support.by_day import by_day
from tests.support.postgres_server import PostgresServer
from tests.support.shared_site import Machine, open_site
from tests.support.vector_engines import close_engines

pytestmark = pytest.mark.real

OLD, NEW = "Return it within 7 days.", "Return it within 14 days."


@pytest.fixture
def engine_desk(desk: Desk, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk of four documents in English whose vectors go to pgvector."""
    url = postgres_server.make_room()
    monkeypatch.setenv("ANSWERDESK_VECTOR_URL", url)  # what only looks at a knowledge base reads the environment
    monkeypatch.setenv("ANSWERDESK_EXACT_SEARCH_CHUNKS", "3")
    monkeypatch.setenv("ANSWERDESK_INDEX_MERGE_SHARE", "0")
    load_settings.cache_clear()
    desk.write("gifts.md", "# Gifts\n\nWe wrap gifts.")
    yield replace(desk, settings=engine_settings(desk.settings.data_dir, url), embedder=CountingEmbedder())
    load_settings.cache_clear()
    close_engines()


def engine(desk: Desk) -> VectorEngine:
    found = engine_of(desk.settings)
    assert found is not None
    return found


def kept(desk: Desk) -> set[str]:
    """What the kept generations name."""
    folders = desk.store.generation_folder(0).parent.glob("[0-9]*[0-9]")
    return set().union(*(collections_of(folder) for folder in folders))


def held(desk: Desk) -> set[str]:
    """What the engine has."""
    return set(engine(desk).collections(engine_owner(desk.settings.knowledge_dir)))


@pytest.mark.parametrize("point", by_day("copied", "filled", "commit", of=tuple(POINTS)))
def test_killed(engine_desk: Desk, point: str) -> None:
    desk = engine_desk
    desk.ingest()
    before = desk.documents()
    assert held(desk) == kept(desk) != set()
    for number in range(40):
        desk.write(f"many/{number}.md", f"# Number {number}\n\nThis is document number {number}.")
    desk.write("returns/deadline.md", f"# Deadline\n\n{NEW}")
    killed = subprocess.run(
        [sys.executable, "-m", "tests.ingest.killed_engine_ingest", desk.manual, desk.settings.data_dir,
         desk.settings.vector_url, point],
        cwd=Path(__file__).parents[2], capture_output=True, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    published = point == "dropping"
    assert (desk.documents() == before) is not published
    engine = engine_of(desk.settings)
    assert check(desk.settings.knowledge_dir, engine=engine).findings == (), "also before anybody mended it"
    if published:
        desk.write("gifts.md", "# Gifts\n\nWe wrap nothing.")
    desk.ingest(prune=True)
    assert desk.documents()["returns/deadline.md"].endswith(NEW)
    assert check(desk.settings.knowledge_dir, engine=engine_of(desk.settings)).findings == ()
    assert held(desk) == kept(desk)


def test_going_back_and_mending(engine_desk: Desk) -> None:
    desk = engine_desk
    desk.ingest()
    desk.write("returns/deadline.md", f"# Deadline\n\n{NEW}")
    desk.ingest()
    rollback(desk.settings.knowledge_dir)
    assert desk.documents()["returns/deadline.md"].endswith(OLD)
    retriever = Retriever(desk.store, desk.embedder, desk.settings)
    result = retriever.retrieve("return it within days", "en", Trace())
    assert (result.problem, result.generation) == (None, 3)
    assert OLD in result.chunks[0].chunk.text
    with psycopg.connect(desk.settings.vector_url, autocommit=True) as server:
        for name in held(desk):
            server.execute(f"TRUNCATE {name}".encode())
    emptied = retriever.retrieve("return it within days", "en", Trace())
    assert type(emptied.problem).__name__ == "VectorsMissing"
    assert OLD in emptied.chunks[0].chunk.text, "by words"
    findings = check(desk.settings.knowledge_dir, engine=engine_of(desk.settings)).findings
    assert [one.problem for one in findings] == ["index"]
    desk.ingest(rebuild=True)
    assert check(desk.settings.knowledge_dir, engine=engine_of(desk.settings)).findings == ()
    assert retriever.retrieve("return it within days", "en", Trace()).problem is None
    assert kept(desk) <= held(desk)


def test_an_engine_that_is_away_leaves_the_former_generation(engine_desk: Desk) -> None:
    desk = engine_desk
    desk.ingest()
    desk.write("returns/deadline.md", f"# Deadline\n\n{NEW}")
    away = replace(desk, settings=engine_settings(desk.settings.data_dir, "postgresql://desk:x@127.0.0.1:1/nowhere"))
    with pytest.raises(VectorEngineUnavailable, match=r"127\.0\.0\.1:1/nowhere"):
        away.ingest()
    assert desk.documents()["returns/deadline.md"].endswith(OLD)
    result = Retriever(desk.store, desk.embedder, away.settings).retrieve("return it within days", "en", Trace())
    assert type(result.problem).__name__ == "VectorEngineUnavailable"
    assert OLD in result.chunks[0].chunk.text


def test_desks_that_share_a_knowledge_base_share_its_vectors(postgres_server: PostgresServer, tmp_path: Path) -> None:
    with open_site(postgres_server, tmp_path) as site:
        vectors = postgres_server.make_room()
        wanted = {"vector_url": vectors, "exact_search_chunks": 1, "index_merge_share": 0.0}
        here, there = (
            Machine(Settings.model_validate({**one.settings.model_dump(), **wanted})) for one in (site.here, site.there)
        )
        here.ingest(site.manual)
        assert there.share.catch_up()
        site.write("deadline.md", f"# Deadline\n\n{NEW}")
        there.ingest(site.manual)
        here.share.catch_up()
        owners = {engine_owner(machine.settings.knowledge_dir) for machine in (here, there)}
        assert len(owners) == 1
        for machine in (here, there):
            assert not list(machine.settings.knowledge_dir.glob("generations/*/*-base.faiss"))
            result = Retriever(machine.store, HashEmbedder(), machine.settings).retrieve(
                "return it within", "en", Trace()
            )
            assert (result.problem, result.generation) == (None, 2)
            assert NEW in result.chunks[0].chunk.text
    close_engines()
