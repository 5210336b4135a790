"""Numbers and dates as a person of the page's language writes them."""

from datetime import date, datetime

from rag.schema import Language
from ui.i18n import word

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def format_seconds(milliseconds: float) -> str:
    """Write a duration in seconds with as many digits as a person can use.

    >>> format_seconds(4), format_seconds(123), format_seconds(4180), format_seconds(19_400), format_seconds(125_000)
    ('0.004', '0.12', '4.2', '19', '125')
    """
    seconds = milliseconds / 1000
    if seconds < 0.01:
        return f"{seconds:.3f}"
    if seconds < 1:
        return f"{seconds:.2f}"
    return f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}"


def format_date(value: date, language: Language) -> str:
    """Write a day.

    >>> format_date(date(2026, 8, 2), "en"), format_date(date(2026, 8, 2), "zh")
    ('2 Aug 2026', '2026年8月2日')
    """
    if language == "zh":
        return f"{value.year}年{value.month}月{value.day}日"
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def format_clock(value: datetime, now: datetime, language: Language) -> str:
    """Write a moment for a list: the time of day, with the day where it is not today's.  Both in the same zone."""
    clock = f"{value.hour:02d}:{value.minute:02d}"
    if value.date() == now.date():
        return clock
    day = f"{value.month}月{value.day}日" if language == "zh" else f"{value.month:02d}-{value.day:02d}"
    return f"{day} {clock}"


def format_age(published_at: datetime, now: datetime, language: Language) -> str:
    """Write how long ago a knowledge base was published."""
    minutes = max(0, int((now - published_at).total_seconds() // 60))
    if minutes < 1:
        return word("age_now", language)
    if minutes < 60:
        return word("age_minutes", language, count=minutes)
    if minutes < 48 * 60:
        return word("age_hours", language, count=minutes // 60)
    return word("age_days", language, count=minutes // (24 * 60))
