"""An engine that stands still, goes away and comes back: nobody waits long, and nothing has to be started anew."""

import time
from collections.abc import Iterator
from typing import Protocol

import numpy as np
import pytest

from rag.errors import VectorEngineUnavailable
from rag.retrieval import vector_engine
from rag.retrieval.milvus_engine import MilvusEngine
from rag.retrieval.pgvector_engine import PgVectorEngine
from rag.retrieval.vector_engine import SEARCH_SECONDS, VectorEngine, collection_name
from tests.conftest import free_port
from tests.support.milvus_server import MilvusServer
from tests.support.postgres_server import PostgresServer
from tests.support.vector_engines import crowd

pytestmark = pytest.mark.real

NAME = collection_name("0123456789ab", "00" * 32)
VECTORS = crowd(300)


class Server(Protocol):
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def freeze(self, *, frozen: bool) -> None: ...


@pytest.fixture(params=["pgvector", "milvus"])
def served(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Server, VectorEngine]]:
    monkeypatch.setattr(vector_engine, "_OPEN_SECONDS", 1.0)
    if request.param == "pgvector":
        postgres: PostgresServer = request.getfixturevalue("own_postgres")
        opened = PgVectorEngine(postgres.url())
        yield postgres, opened
        opened.close()
        return
    milvus = MilvusServer(free_port())
    try:
        milvus.start()
        yield milvus, MilvusEngine(milvus.url)
    finally:
        milvus.remove()


def seconds_until_refused(engine: VectorEngine) -> float:
    began_at = time.monotonic()
    with pytest.raises(VectorEngineUnavailable):
        engine.nearest(NAME, VECTORS[:1], 5)
    return time.monotonic() - began_at


def wait_until_found(engine: VectorEngine) -> None:
    ends = time.monotonic() + 30
    while True:
        try:
            assert engine.nearest(NAME, VECTORS[7:8], 1).tolist() == [7]
            return
        except VectorEngineUnavailable:
            assert time.monotonic() < ends
            time.sleep(0.2)


def test_nobody_waits_for_an_engine_that_stands_still_or_is_away(served: tuple[Server, VectorEngine]) -> None:
    server, engine = served
    engine.fill(NAME, VECTORS.shape[1], len(VECTORS), [(np.arange(len(VECTORS)), VECTORS)])
    wait_until_found(engine)
    server.freeze(frozen=True)
    assert seconds_until_refused(engine) < 2 * SEARCH_SECONDS + 1
    assert seconds_until_refused(engine) < 0.1, "the next one is told at once"
    server.freeze(frozen=False)
    wait_until_found(engine)
    server.stop()
    assert seconds_until_refused(engine) < 2 * SEARCH_SECONDS + 1
    assert seconds_until_refused(engine) < 0.1
    server.start()
    wait_until_found(engine)
