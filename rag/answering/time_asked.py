"""Tells whether a question asks about a time when an expired rule still held.

Only then is the model to read that rule: asked what holds today, a small model repeats it as if it did.  Pure.
"""

import re
from datetime import date

from rag.answering.quantities import CALENDAR_YEAR, MONTH_OF_THE_YEAR, read_figures

_FORMERLY = re.compile(
    r"\b(?:used to|previous(?:ly)?|former(?:ly)?|at that time|at the time|back then|in the past|in those days|no longer"
    r"|(?:last|a) year(?: ago)?|years ago|old(?:er)? (?:rule|polic|term|version|price|fee|condition)\w*"
    r"|earlier (?:rule|polic|term|version|price|fee|condition)\w*|expired|outdated|history)\b"
    r"|以前|从前|过去|当时|那时|原来|原先|曾经|旧的?(?:规则|政策|版|条款|规定|价)|老(?:规则|政策|版|规定)|去年|前年|上一版|已失效|失效的"
    r"|之前的?(?:规则|政策|版本|条款|规定|价格|标准)|历史",
    re.IGNORECASE,
)
_MONTHS = frozenset(str(month) for month in range(1, 13))


def asks_about(question: str, last_day: date, today: date) -> bool:
    """Tell whether the question names a time not after ``last_day``, or says that it asks about what was.

    A year alone begins on its first day, and a month without a year is the latest one that has begun.

    >>> last_day, today = date(2026, 3, 31), date(2026, 11, 25)
    >>> asks_about("Who pays for the label?", last_day, today), asks_about("I ordered on 12 March", last_day, today)
    (False, True)
    >>> asks_about("五月买的还能退吗？", last_day, today), asks_about("以前可以退吗？", last_day, today)
    (False, True)
    """
    return _FORMERLY.search(question) is not None or any(day <= last_day for day in _days(question, today))


def _days(question: str, today: date) -> list[date]:
    """Return the first day of every month or year that the question names."""
    found = read_figures(question).quantities
    years = [int(one.value) for one in found if one.unit == CALENDAR_YEAR]
    months = [int(one.value) for one in found if one.unit == MONTH_OF_THE_YEAR and one.value in _MONTHS]
    if not years:
        return [date(today.year - (month > today.month), month, 1) for month in months]
    return [date(year, month, 1) for year in years for month in months or [1]]
