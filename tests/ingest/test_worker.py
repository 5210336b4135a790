"""The worker's command: what it says and how it ends where it cannot work."""

import pytest

import ingest.worker
from ingest.worker import WorkerState, main
from rag.errors import WorkerRefused
from rag.settings import load_settings


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANSWERDESK_DATABASE_URL", raising=False)
    monkeypatch.setattr("signal.signal", lambda number, handler: None)
    load_settings.cache_clear()


@pytest.mark.parametrize(("locale", "said"), [("C.UTF-8", "no server is named"), ("zh_CN.UTF-8", "未指定服务器")])
def test_without_a_server_it_says_so(
    locale: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    assert main([]) == 2
    assert said in capsys.readouterr().err


def test_a_problem_is_said_once_and_how_far_it_has_come_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refusal = WorkerRefused(reason="version", found="0.2.0", expected="0.3.0")
    console = ingest.worker._Console("en")
    console.tell(WorkerState(problem=refusal))
    console.tell(WorkerState(problem=refusal))
    console.tell(WorkerState(256, 4.0))
    monkeypatch.setattr(ingest.worker, "_LINE_EVERY_SECONDS", 0.0)
    console.tell(WorkerState(512, 8.0))
    first, second, third = capsys.readouterr().err.splitlines()
    assert "0.2.0" in first and "0.3.0" in first
    assert (second, third) == ("The worker goes on.", "512 passages embedded, 64.0/s while busy")
