"""One API server for all tests of its faces; they share no turns, keys or words but those that they make."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from api.callers import Caller, ConcurrencyLimit
from tests.api.offline_server import OfflineServer, offline_server


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfflineServer]:
    with offline_server(tmp_path_factory.mktemp("api"), person_questions_a_minute=100_000) as served:
        yield served


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what was counted as open of a key, one after another: a key's id with each."""
    found: list[str] = []
    counted = ConcurrencyLimit.count_open

    @contextmanager
    def noting(self: ConcurrencyLimit, caller: Caller) -> Iterator[None]:
        with counted(self, caller):
            found.append(caller.key_id)
            yield

    monkeypatch.setattr(ConcurrencyLimit, "count_open", noting)
    return found


@pytest.fixture(autouse=True)
def _says_the_sample(request: pytest.FixtureRequest) -> None:
    if "api" in request.fixturenames:
        request.getfixturevalue("api").model.say()
