"""One API server for all tests of its faces; they share no turns, keys or words but those that they make."""

from collections.abc import Iterator

import pytest

from tests.api.offline_server import OfflineServer, offline_server


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfflineServer]:
    with offline_server(tmp_path_factory.mktemp("api"), person_questions_a_minute=100_000) as served:
        yield served


@pytest.fixture(autouse=True)
def _says_the_sample(request: pytest.FixtureRequest) -> None:
    if "api" in request.fixturenames:
        request.getfixturevalue("api").model.say()
