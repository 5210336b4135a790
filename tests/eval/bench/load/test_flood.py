"""One person sends everything at once; what is counted, and that the others are left alone."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from eval.bench.load.flood import Flood, Flooder, flood_figures, gpu_timed_server, is_met
from eval.bench.load.records import LoadRecord, Outcome
from rag.errors import OwnFilesWaiting
from rag.settings import Settings
from rag.storage.turn_store import TurnStore
from rag.testing import build_offline_pipeline
from rag.turns import PersonLimits, TurnService, file_pool


def record(number: int, evidence_ms: float | None, error: str = "", outcome: Outcome = "answered") -> LoadRecord:
    return LoadRecord("desk", number, 0, "q", 0.0, evidence_ms, None, 5.0, outcome, error=error)


@pytest.fixture
def turns(tmp_path: Path) -> Iterator[TurnService]:
    pipeline = build_offline_pipeline(tmp_path / "kb")
    limits = PersonLimits(question_characters=8000, searches=2, waiting=4, answers=6, questions_a_minute=30)
    made = TurnService(lambda name, user: pipeline, TurnStore(tmp_path / "turns.db"), 4, limits=limits)
    yield made
    made.close()


@pytest.mark.slow
def test_a_flood_is_counted_to_the_last_question_and_file(turns: TurnService, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    pool = file_pool(settings, OwnFilesWaiting)
    flooder = Flooder(turns, pool, settings, think=False)
    flooder.send(Flood.of(["How long can I return an order?", "信用卡退款多久到账？"], questions=60, files=10))
    flooder.end(timeout_seconds=60)
    pool.shutdown()
    assert sum(flooder.files.values()) == 10
    assert flooder.files == {"read": 6, "OwnFilesWaiting": 4}
    assert sum(flooder.questions.values()) == 60 + 6, "what was read was asked"
    assert flooder.questions["QuestionsTooFast"] == 66 - 30
    assert flooder.questions["OwnQueueFull"] > 0
    assert flooder.questions["done"] >= 2


def test_no_two_questions_of_a_flood_share_an_answer() -> None:
    flood = Flood.of(["a?", "b?"], questions=3, files=1)
    assert list(flood.questions) == ["a? (1)", "b? (2)", "a? (3)"]
    ((name, mail),) = flood.files
    assert name == "0.eml"
    assert mail.endswith(b"b? (4)\n")


@pytest.mark.slow
def test_the_others_before_the_flood_and_in_it(turns: TurnService, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    flooder = Flooder(turns, file_pool(settings, OwnFilesWaiting), settings, think=False)
    records = [record(0, 100.0), record(0, 200.0), record(1, 300.0), record(1, 500.0)]
    found = flood_figures(records, flooder, {"before": 100})
    assert found["before"]["evidence_ms"] == {  # type: ignore[index]
        "n": 2, "p50": 150.0, "p95": 195.0, "p99": 199.0, "largest": 200.0,
    }  # fmt: skip
    assert found["flood"]["evidence_ms"]["p99"] == 498.0  # type: ignore[index]
    assert is_met(found)
    late = replace(records[-1], evidence_ms=1100.0)
    for missed in (late, record(1, 1.0, "QueueFull"), record(1, None, outcome="unfinished")):
        assert not is_met(flood_figures([*records, missed], flooder, {}))
    assert not is_met(flood_figures([], flooder, {})), "nothing measured is nothing shown"


@pytest.mark.slow
def test_the_stand_in_for_a_gpu_is_started_from_any_folder_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with gpu_timed_server(Settings(data_dir=tmp_path)) as changed:
        assert httpx.get(f"{changed.ollama_url}/api/tags").status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{changed.ollama_url}/api/tags")
