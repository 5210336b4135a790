"""A day is read as people write it, and never guessed."""

from datetime import date

import pytest

from ingest.loaders.dates import WrittenDays, is_endless, read_day, written_days


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


@pytest.mark.parametrize(
    ("title", "text", "field", "day"),
    [
        ("Prices (valid until 30 June 2026)", "", "valid_until", date(2026, 6, 30)),
        ("Prices (orders before 1 May 2025)", "", "valid_until", date(2025, 4, 30)),
        ("Price list from 1 May 2027", "", "valid_from", date(2027, 5, 1)),
        ("Terms", "Valid until: June 2026", "valid_until", date(2026, 6, 30)),
        ("Terms", "# Terms (effective 1 May 2026)\n\nText.", "valid_from", date(2026, 5, 1)),
        ("Terms", "**Last updated:** 2026-04-12 09:30 | Owner: desk", "updated_on", date(2026, 4, 12)),
        ("Terms", "Edition 3, April 2026", "updated_on", date(2026, 4, 1)),
        ("退货规则（旧版，2025年5月1日前的订单适用）", "", "valid_until", date(2025, 4, 30)),
        ("价目表 2026年7月1日起", "", "valid_from", date(2026, 7, 1)),
        ("條款", "有效期至：2026年6月", "valid_until", date(2026, 6, 30)),
        ("条款", "一\n二\n三\n四\n五\n六\n本规则自2026年5月1日起施行。", "valid_from", date(2026, 5, 1)),
        ("条款", "最后更新：2026年4月12日", "updated_on", date(2026, 4, 12)),
    ],
)
def test_a_title_and_the_first_lines_state_a_documents_days(title: str, text: str, field: str, day: date) -> None:
    assert getattr(written_days(title, text), field) == day


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Fees", "From 1 May 2027 the fee is 5 euros."),
        ("Fees", "From 1 May 2027\n\nThe fee is 5 euros."),  # heads what follows
        ("Offers", "# Offers\n\n## Spring\n\nValid until 31 May 2025\n\n## Autumn\n\nFree postage."),
        ("Offers", "a\nb\nc\nd\ne\nThe last offer.\nValid until 31 May 2025"),
        ("Report for April 2026", "It was written on 3 May 2026 in Hamburg."),
        ("Price list 2026", "| Valid until | 30 June 2026 |"),
        ("Terms", "Last updated: 03/04/2026"),  # in March or in April
        ("Orders of 2025年5月1日", "订单 2025年5月1日"),
    ],
)
def test_a_date_in_a_sentence_or_of_a_section_is_not_the_documents(title: str, text: str) -> None:
    assert written_days(title, text) == WrittenDays()
