"""Numbers and dates, against what a person would write."""

from datetime import UTC, date, datetime, timedelta

import pytest

from rag.schema import Language
from ui.formats import format_age, format_clock, format_date, format_duration

NOW = datetime(2026, 8, 2, 15, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("milliseconds", "english", "chinese"),
    [
        (0.4, "0 ms", "0 毫秒"),
        (99.4, "99 ms", "99 毫秒"),
        (123, "0.12 s", "0.12 秒"),
        (4180, "4.2 s", "4.2 秒"),
        (19_400, "19 s", "19 秒"),
        (125_000, "125 s", "125 秒"),
    ],
)
def test_durations(milliseconds: float, english: str, chinese: str) -> None:
    assert (format_duration(milliseconds, "en"), format_duration(milliseconds, "zh")) == (english, chinese)


def test_dates() -> None:
    assert format_date(date(2026, 8, 2), "en") == "2 Aug 2026"
    assert format_date(date(2026, 12, 31), "zh") == "2026年12月31日"


def test_a_clock_names_the_day_only_where_it_is_another() -> None:
    assert format_clock(NOW.replace(hour=9, minute=5), NOW, "en") == "09:05"
    assert format_clock(NOW - timedelta(days=1), NOW, "zh") == "8月1日 15:04"
    assert format_clock(NOW - timedelta(days=1), NOW, "en") == "08-01 15:04"


@pytest.mark.parametrize(
    ("age", "language", "words"),
    [
        (timedelta(seconds=20), "en", "just published"),
        (timedelta(minutes=59), "zh", "59 分钟前发布"),
        (timedelta(hours=47), "en", "47 h old"),
        (timedelta(days=3), "zh", "3 天前发布"),
        (timedelta(seconds=-5), "en", "just published"),
    ],
)
def test_ages(age: timedelta, language: Language, words: str) -> None:
    assert format_age(NOW - age, NOW, language) == words
