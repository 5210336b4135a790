"""What a window of recorded turns says, worked out by hand, and to whom."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rag.errors import NotPermitted
from rag.performance import BUCKETS, PerformanceReports, PersonalPerformance, example_day, measure
from rag.schema import Answer, SpanTime
from rag.storage.access import KnowledgeBases, User
from rag.storage.turn_store import Turn, TurnStore
from rag.storage.turn_times import TurnTimes, TurnTimesTable

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Record:
    """Writes turns at chosen times."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "turns.db"
        self.store = TurnStore(self.path)
        self.times = TurnTimesTable(self.path)

    def answered(self, minutes_ago: float, search_ms: float, answer_ms: float, base: str = "default") -> Turn:
        turn = self.store.add(f"{minutes_ago} {base}?", session="a", language="en", knowledge_base=base)
        self._move(turn, minutes_ago)
        spans = (SpanTime("search", search_ms), SpanTime("answer", answer_ms), SpanTime("total", search_ms + answer_ms))
        answer = Answer("Yes.", "en", False, "", (), (), spans, "stand-in:1.5b", True, 1)
        self.store.update(
            replace(turn, state="done", answer=answer, created_at=NOW - timedelta(minutes=minutes_ago)),
            TurnTimes(spans, generated_tokens=30, generation_ms=1000),
        )
        return turn

    def failed(self, minutes_ago: float) -> None:
        turn = self.store.add("why?", session="a", language="en")
        self._move(turn, minutes_ago)
        self.store.update(
            replace(turn, state="failed", error_class="IndexDamaged", created_at=NOW - timedelta(minutes=minutes_ago)),
            TurnTimes(),
        )

    def _move(self, turn: Turn, minutes_ago: float) -> None:
        self.store.update(replace(turn, created_at=NOW - timedelta(minutes=minutes_ago)))


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    made = Record(tmp_path)
    yield made
    made.store.close()
    made.times.close()


def test_a_window_without_turns_has_no_figures(record: Record) -> None:
    record.answered(61, 10, 10)
    report = measure(record.times, NOW, 3600)
    assert (report.asked, report.stages, report.whole, report.slowest, report.models) == (0, (), {}, (), ())
    assert report.tokens_per_second is None
    assert report.objective.burn is None
    assert len(report.buckets) == BUCKETS


def test_a_window_is_told_by_stage_with_the_slowest_first(record: Record) -> None:
    record.answered(49.9, 100, 2000)
    slow = record.answered(10.1, 1500, 4000)
    record.failed(5)
    report = measure(record.times, NOW, 3600)
    assert report.turns == {"done": 2, "failed": 1}
    assert report.asked_per_minute == pytest.approx(3 / 60)
    assert [(stage, found.n, found.p50) for stage, found in report.stages] == [
        ("answer", 2, 3000.0),
        ("search", 2, 800.0),
    ]
    assert {stage: found.p50 for stage, found in report.whole.items()} == {"total": 3800.0, "evidence": 800.0}
    assert (report.objective.n, report.objective.met) == (3, 1)  # 1500 ms is late, and so is what failed before
    assert report.objective.burn == pytest.approx(2 / 3 / 0.01, abs=0.01)
    assert report.tokens_per_second == pytest.approx(30.0)
    assert report.models == (("stand-in:1.5b", True),)
    first = report.slowest[0]
    assert (first.turn_id, first.total_ms, first.worst.name) == (slow.turn_id, 5500.0, "answer")
    filled = {place for place, bucket in enumerate(report.buckets) if "answer" in bucket.stages}
    assert filled == {4, 19}  # after 10 and 50 of 60 minutes, in 24 stretches


@pytest.mark.slow
def test_a_lead_sees_the_figures_and_the_slowest_of_their_knowledge_bases_only(record: Record, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    minutes = (NOW - now).total_seconds() / 60 + 1  # a minute ago, by the record's clock
    record.answered(minutes, 10, 1000)
    record.answered(minutes, 10, 9000, base="payroll")
    for name in ("default", "payroll"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "knowledge.db").touch()
    bases = KnowledgeBases(tmp_path)
    reports = PerformanceReports(record.times, lambda: None)
    users = {"now": User("bo", "lead", frozenset({"default"}))}
    mine = PersonalPerformance(reports, bases, lambda: users["now"])
    assert [turn.total_ms for turn in mine.report(3600).slowest] == [1010.0]
    assert mine.report(3600).asked == 1
    assert mine.report(3600).whole["total"].n == 1
    users["now"] = User("root", "admin")
    assert mine.report(3600).asked == 2
    users["now"] = User("bo", "agent", frozenset({"default"}))
    for ask in (lambda: mine.report(3600), mine.machine):
        with pytest.raises(NotPermitted):
            ask()


def test_one_report_serves_all_who_look_at_the_same_moment(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[float] = []
    monkeypatch.setattr("rag.performance.measure", lambda times, until, seconds, bases: measured.append(seconds))
    monkeypatch.setattr("rag.performance._KEPT_SECONDS", 60.0)
    reports = PerformanceReports(record.times, lambda: None)
    for _ in range(3):
        reports._kept.update({key: (kept[0], object()) for key, kept in reports._kept.items()})  # type: ignore[misc]
        reports.report(900, None)
    reports.report(3600, None)
    reports.report(900, frozenset({"default"}))
    assert measured == [900, 3600, 900]


@pytest.mark.slow
def test_the_made_up_day_is_the_same_each_time_and_of_no_real_turn() -> None:
    day = example_day(NOW)
    assert day == example_day(NOW)
    assert (day.asked, day.models, day.slowest) == (165, (), ())
    assert (day.objective.n, day.objective.met) == (165, 162), "three searches of 1.6 s"
    assert round(day.tokens_per_second or 0) == 24
    six = next(bucket for bucket in day.buckets if bucket.at.hour == 6)
    assert {stage: found.p50 for stage, found in six.stages.items()} == {
        "embed": 7.0, "search": 24.0, "pack": 11.0, "wait": 0.0, "prompt": 800.0, "answer": 4200.0,
        "evidence": 42.0, "total": 5042.0,
    }, "the day's first question: 7 + 24 + 11 = 42, and 800 + 4200 more"  # fmt: skip


@pytest.mark.slow
def test_the_made_up_day_is_not_kept_with_the_reports_of_real_ones(record: Record, tmp_path: Path) -> None:
    lead = User("bo", "lead", None)
    reports = PerformanceReports(record.times, lambda: None)
    mine = PersonalPerformance(reports, KnowledgeBases(tmp_path / "knowledge"), lambda: lead)
    assert mine.example_day(NOW).asked == 165
    assert mine.report(86_400.0).asked == 0
    agent = PersonalPerformance(reports, KnowledgeBases(tmp_path / "knowledge"), lambda: User("mei", "agent", None))
    with pytest.raises(NotPermitted):
        agent.example_day(NOW)
