"""Numbers and dates as a person of the page's language writes them."""

import re
from datetime import date, datetime

from rag.schema import Language
from ui.i18n import word

_MEANS_SOMETHING = re.compile(r"([\\`*_\[\]:~$<>#|])")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def as_markdown(name: str) -> str:
    r"""Return a name so that Streamlit's Markdown shows it as it is: a colon would begin a symbol or a colour there.

    >>> print(as_markdown("stand-in:0.5b_q8"))
    stand-in\:0.5b\_q8
    """
    return _MEANS_SOMETHING.sub(r"\\\1", name)


def format_duration(milliseconds: float, language: Language) -> str:
    """Write a duration with as many digits as a person can use.

    >>> [format_duration(ms, "en") for ms in (4, 123, 4180, 19_400, 125_000)]
    ['4 ms', '0.12 s', '4.2 s', '19 s', '125 s']
    """
    if milliseconds < 100:
        return word("milliseconds", language, count=f"{milliseconds:.0f}")
    seconds = milliseconds / 1000
    digits = 2 if seconds < 1 else 1 if seconds < 10 else 0
    return word("seconds", language, seconds=f"{seconds:.{digits}f}")


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
