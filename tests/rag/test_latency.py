"""The report of times: numbers worked out by hand, both languages, and bad windows said in words."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from rag import __main__ as command
from rag.errors import SettingsError
from rag.performance import measure_latency, objective_of, show_latency, since_of
from rag.schema import Language, SpanTime
from rag.settings import load_settings
from rag.storage.turn_store import TurnStore
from rag.storage.turn_times import TurnTimes, TurnTimesTable

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def record(path: Path, evidence_ms: list[float], failed: int = 0) -> None:
    store = TurnStore(path)
    for value in evidence_ms:
        turn = store.add("q", session="s", language="en")
        store.update(replace(turn, state="done"), TurnTimes((SpanTime("search", value), SpanTime("total", 5 * value))))
    for _ in range(failed):
        store.update(replace(store.add("q", session="s", language="en"), state="failed"), TurnTimes())
    store.close()


def test_percentiles_and_objective_of_recorded_turns(tmp_path: Path) -> None:
    record(tmp_path / "turns.db", [10.0, 20.0, 30.0, 40.0, 1200.0], failed=1)
    report = measure_latency(TurnTimesTable(tmp_path / "turns.db"))
    assert list(report.stages) == ["evidence", "search", "total"]
    assert (report.stages["evidence"].n, report.stages["evidence"].p50, report.stages["total"].p50) == (5, 30.0, 150.0)
    assert report.turns == {"done": 5, "failed": 1}
    # 4 of 6 in time: a third is late where a hundredth may be
    assert (report.objective.met, report.objective.n, report.objective.burn) == (4, 6, 33.33)


def test_without_a_turn_there_is_no_burn(tmp_path: Path) -> None:
    report = measure_latency(TurnTimesTable(tmp_path / "turns.db"))
    assert (report.stages, report.objective.n, report.objective.burn) == ({}, 0, None)


@pytest.mark.parametrize(("late", "burn"), [(0, 0.0), (1, 1.0), (5, 5.0), (100, 100.0)])
def test_a_burn_of_one_uses_up_what_may_be_late(late: int, burn: float) -> None:
    assert objective_of([1000.0] * (100 - late) + [1000.1] * late, failed=0).burn == burn


@pytest.mark.parametrize(
    ("text", "earlier"),
    [("90m", timedelta(minutes=90)), ("24h", timedelta(days=1)), ("7d", timedelta(days=7))],
)
def test_windows(text: str, earlier: timedelta) -> None:
    assert since_of(text, NOW, "en") == NOW - earlier
    assert since_of(None, NOW, "en") is None


@pytest.mark.parametrize("text", ["", "0h", "-1h", "24", "h", "1w", "1.5h", "9999999d", "٣h"])
def test_a_bad_window_is_said_in_both_languages(text: str) -> None:
    for language, word in (("en", "is not a time like"), ("zh", "不是形如")):
        with pytest.raises(SettingsError, match=word):
            since_of(text, NOW, language)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["4 answered, 1 failed", "evidence", "4 of 5 (80.00 %)", "Burn: 20."]),
        ("zh", ["4 已回答，1 失败", "资料显示", "5 次中 4 次（80.00 %）", "消耗速度：20。"]),
    ],
)
def test_the_table_in_both_languages(tmp_path: Path, language: Language, words: list[str]) -> None:
    record(tmp_path / "turns.db", [10.0, 20.0, 30.0, 40.0], failed=1)
    out = io.StringIO()
    show_latency(measure_latency(TurnTimesTable(tmp_path / "turns.db")), language, Console(file=out, width=120))
    for word in words:
        assert word in out.getvalue()


def test_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    load_settings.cache_clear()
    record(tmp_path / "turns.db", [10.0, 20.0])
    assert command.main(["latency", "--since", "1h", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["objective"] == {"limit_ms": 1000.0, "share": 0.99, "n": 2, "met": 2, "burn": 0.0}
    assert report["stages"]["evidence"] == {"n": 2, "p50": 15.0, "p95": 19.5, "p99": 19.9}
    assert command.main(["latency", "--since", "soon"]) == 2
    assert "soon is not a time like" in capsys.readouterr().err
    load_settings.cache_clear()
