"""A day is read as people write it, and never guessed."""

from datetime import date

import pytest

from ingest.loaders.fields import is_endless, read_day


@pytest.mark.parametrize(
    "written",
    [
        "2026-12-05", "2026/12/5", "2026.12.05", "2026年12月5日", "20261205", "2026-12-05T23:59:59Z", "5.12.2026",
        "05. 12. 2026", "5 December 2026", "5th Dec. 2026", "December 5, 2026", "Dec 5th 2026", "05-Dec-2026",
        "valid to 2026-12-05 (inclusive)", "Sat, 05 Dec 2026 09:12:00 +0200",
    ],
)  # fmt: skip
def test_a_day(written: str) -> None:
    assert read_day(written) == read_day(written, last=True) == date(2026, 12, 5)


@pytest.mark.parametrize("written", ["13/02/2026", "02/13/2026", "13-02-2026"])
def test_day_and_month_where_only_one_order_is_possible(written: str) -> None:
    assert read_day(written) == date(2026, 2, 13)


def test_the_same_day_in_both_orders() -> None:
    assert read_day("04/04/2026") == date(2026, 4, 4)


@pytest.mark.parametrize(
    ("written", "first", "last"),
    [
        ("2028-02", date(2028, 2, 1), date(2028, 2, 29)),
        ("2028年2月", date(2028, 2, 1), date(2028, 2, 29)),
        ("Feb. 2028", date(2028, 2, 1), date(2028, 2, 29)),
        ("2028", date(2028, 1, 1), date(2028, 12, 31)),
        ("2028年底", date(2028, 1, 1), date(2028, 12, 31)),
    ],
)
def test_a_month_or_a_year_has_a_first_and_a_last_day(written: str, first: date, last: date) -> None:
    assert (read_day(written), read_day(written, last=True)) == (first, last)


@pytest.mark.parametrize(
    "written", ["", "soon", "03/04/2026", "2026-02-31", "31.02.2026", "2026-13", "Q3 2026 or so", "12", "v2026"]
)
def test_what_is_not_certain_is_no_day(written: str) -> None:
    assert read_day(written) is None


def test_who_says_that_there_is_no_end() -> None:
    assert all(map(is_endless, ["never", "n/a", "-", "until further notice", "Unlimited.", "永久", "無期限"]))
    assert not any(map(is_endless, ["soon", "31.02.2026", "no idea", "无线"]))
