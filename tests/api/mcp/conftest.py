"""A server of its own: assistants cannot ask for a fresh answer, so that what they were told is kept for others."""

from collections.abc import Iterator

import pytest

from tests.api.offline_server import OfflineServer, offline_server


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfflineServer]:
    with offline_server(tmp_path_factory.mktemp("mcp"), person_questions_a_minute=100_000) as served:
        yield served
