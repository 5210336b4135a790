"""What a caller is told of an error: its status, its sentence, and whether to try again."""

from pathlib import Path
from typing import get_args

import pytest
from fastapi.testclient import TestClient

import rag.errors
from api.application import api_application
from api.problems import problem_of, problem_of_failure, status_of
from api.services.shared import SharedServices
from rag.errors import (
    AnswerdeskError,
    DatabaseDamaged,
    DataFolderUnusable,
    IndexDamaged,
    KnowledgeBaseMissing,
    ModelMissing,
    NoRoomToOpen,
    OwnQueueFull,
    QueueFull,
    StorageFull,
)
from rag.schema import Language
from rag.settings import Settings
from rag.turns import Failure


def test_a_full_queue_tells_its_own_estimate() -> None:
    for error in (QueueFull(waiting=5, retry_seconds=12.3), OwnQueueFull(waiting=2, owner="x", retry_seconds=12.3)):
        for problem in (problem_of(error, "en"), problem_of_failure(Failure.of(error), "en")):
            assert problem.headers()["Retry-After"] == "13"
    assert problem_of(QueueFull(waiting=5, retry_seconds=None), "en").headers()["Retry-After"] == "20"


def test_what_a_retry_cannot_mend_says_so_to_clients_that_retry_by_themselves() -> None:
    assert problem_of(ModelMissing(model="r1"), "en").headers() == {"x-should-retry": "false"}


def test_a_caller_is_told_no_place_of_this_machine() -> None:
    place = Path("/srv/desk/people.db")
    for error, status in (
        (DataFolderUnusable(path=place, reason="permission"), 503),
        (DatabaseDamaged(path=place), 503),
        (IndexDamaged(reason=f"{place}: No such file or directory"), 503),
        (KnowledgeBaseMissing(folder=place), 404),
        (StorageFull(folder=place), 507),
        (NoRoomToOpen(folder=place), 507),
    ):
        assert "/srv/desk" in str(error)
        for language in get_args(Language):
            for problem in (problem_of(error, language), problem_of_failure(Failure.of(error), language)):
                assert (problem.status, problem.retry_seconds) == (status, None)
                assert "/srv" not in problem.sentence and "python -m" not in problem.sentence


def test_what_a_caller_is_not_told_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> SharedServices:
        raise DatabaseDamaged(path=tmp_path / "people.db")

    monkeypatch.setenv("LC_ALL", "C")
    application = api_application(fail, Settings(data_dir=tmp_path), lambda host: True)
    answer = TestClient(application).get("/api/v1/turns")
    assert (answer.status_code, answer.json()["code"]) == (503, "DatabaseDamaged")
    assert str(tmp_path) not in answer.text
    assert f"{tmp_path / 'people.db'} is damaged" in caplog.text


@pytest.mark.parametrize("name", sorted(name for name in vars(rag.errors) if name[0].isupper()))
def test_every_error_has_a_status(name: str) -> None:
    kind = getattr(rag.errors, name)
    if isinstance(kind, type) and issubclass(kind, AnswerdeskError):
        assert 400 <= status_of(kind) < 600
