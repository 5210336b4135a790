"""What the benchmarks of a server start with: an empty database there, named by the environment."""

from collections.abc import Iterator

import pytest

from rag.settings import load_settings
from tests.support.places import Places


@pytest.fixture
def server_places(server_places: Places, monkeypatch: pytest.MonkeyPatch) -> Iterator[Places]:
    """Return the places that this process's settings name, in ``tmp_path`` and on the server; its words are English."""
    for name, value in server_places.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    load_settings.cache_clear()
    yield server_places
    load_settings.cache_clear()
