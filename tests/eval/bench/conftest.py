"""What the benchmarks of a server start with: an empty database there, named by the environment."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.settings import load_settings
from rag.storage.postgres import pool_of
from tests.support.places import Places
from tests.support.postgres_server import PostgresServer


@pytest.fixture
def server_places(postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Places]:
    """Return the places that this process's settings name, in ``tmp_path`` and on the server; its words are English."""
    places = Places(tmp_path, postgres_server.make_room())
    for name, value in places.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    load_settings.cache_clear()
    yield places
    load_settings.cache_clear()
    pool_of(places.url).close()
