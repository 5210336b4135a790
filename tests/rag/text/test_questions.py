"""Times that a question counts from today, in both languages."""

from datetime import date

import pytest

from rag.text.questions import refers_to_future, refers_to_past

THURSDAY = date(2026, 11, 26)


@pytest.mark.parametrize(
    ("question", "latest"),
    [
        ("What will the tyre change cost next week?", date(2026, 12, 6)),
        ("下周换冬季胎多少钱？", date(2026, 12, 6)),
        ("下个月保养多少钱？", date(2026, 12, 31)),
        ("What does it cost next month?", date(2026, 12, 31)),
        ("Can I come tomorrow?", date(2026, 11, 27)),
        ("后天能来吗？", date(2026, 11, 28)),
    ],
)
def test_a_rule_that_begins_by_then_is_asked_about(question: str, latest: date) -> None:
    assert refers_to_future(question, latest, THURSDAY)
    assert not refers_to_future(question, date.fromordinal(latest.toordinal() + 1), THURSDAY)
    assert not refers_to_past(question, date(2026, 11, 25), THURSDAY)


@pytest.mark.parametrize(
    ("question", "earliest"),
    [
        ("I bought it last week.", date(2026, 11, 16)),
        ("上周买的，还能退吗？", date(2026, 11, 16)),
        ("I bought it last month.", date(2026, 10, 1)),
        ("上个月下的单", date(2026, 10, 1)),
        ("昨天下的单", date(2026, 11, 25)),
    ],
)
def test_a_rule_that_ended_since_then_is_asked_about(question: str, earliest: date) -> None:
    assert refers_to_past(question, earliest, THURSDAY)
    assert not refers_to_past(question, date.fromordinal(earliest.toordinal() - 1), THURSDAY)
    assert not refers_to_future(question, date(2026, 11, 27), THURSDAY)


@pytest.mark.parametrize(
    "question", ["Can I return it in 30 days?", "签收 7 天后还能退吗？", "What does it cost today?"]
)
def test_a_term_is_no_time(question: str) -> None:
    assert not refers_to_future(question, date(2026, 11, 28), THURSDAY)
    assert not refers_to_past(question, date(2026, 11, 25), THURSDAY)


def test_december_is_followed_by_january() -> None:
    assert refers_to_future("next month?", date(2027, 1, 31), date(2026, 12, 31))
