"""Tells whether a rule that does not hold now, expired or still to come, holds at the time that a question is about.

Only then is the model to read it: asked what holds today, a small model repeats it as if it did.  Pure functions.
"""

import calendar
import re
from collections.abc import Iterator
from datetime import date, timedelta

from rag.schema import Evidence
from rag.text.quantities import (
    CALENDAR_YEAR,
    ENGLISH_NUMBERS,
    MONTH_OF_THE_YEAR,
    chinese_number,
    read_figures,
)

_FORMERLY = re.compile(
    r"\b(?:used to|previous(?:ly)?|former(?:ly)?|at that time|back then|in the past|in those days|last year|years ago"
    r"|(?:old|earlier|older) (?:rule|polic|term|version|price|fee|condition)\w*)\b"
    r"|以前|从前|当时|那时|原先|曾经|(?:旧|老|原来|过去|之前)的?(?:规则|政策|版|条款|规定|价|标准)|去年|前年|上一版",
    re.IGNORECASE,
)
_IN_FUTURE = re.compile(
    r"\b(?:next year|in (?:the )?future|upcoming|coming (?:rule|polic|change|year)\w*|(?:will|going to) change"
    r"|new (?:rule|polic|term|version|price|fee|condition)\w*)\b"
    r"|明年|后年|将来|今后|即将|新的?(?:规则|政策|版|条款|规定|价|标准)|[会要将][变改调]",
    re.IGNORECASE,
)
_AGO = re.compile(
    r"(?P<digits>\d{1,3})\s*(?P<unit>day|week|month|year|天|周|个?星期|个?月|年)s?\s*(?:ago\b|[之以]?前)"
    rf"|\b(?P<english>an?|{'|'.join(ENGLISH_NUMBERS)})\s+(?P<english_unit>day|week|month|year)s?\s+ago\b"
    r"|(?P<chinese>[一二两三四五六七八九十]{1,3})(?P<chinese_unit>天|周|个?星期|个?月|年)[之以]?前",
    re.IGNORECASE,
)
_NAMED_DAYS = (
    (re.compile(r"\bday after tomorrow\b|后天"), 2),
    (re.compile(r"\btomorrow\b|明天|明日"), 1),
    (re.compile(r"\byesterday\b|昨天|昨日"), -1),
    (re.compile(r"前天"), -2),
)
_NEXT_WEEK, _LAST_WEEK = (
    re.compile(r"\bnext week\b|下(?:个?星期|周|个?礼拜)"),
    re.compile(r"\blast week\b|上(?:个?星期|周|个?礼拜)"),
)
_NEXT_MONTH, _LAST_MONTH = re.compile(r"\bnext month\b|下个?月"), re.compile(r"\blast month\b|上个?月")
_HAPPENED = re.compile(
    r"\b(?!need)[a-z]{2,}ed\b|\b(?:bought|got|was|were|did|sent|paid)\b|[了过]|[买订付寄]的", re.IGNORECASE
)
_DAYS_OF = {"day": 1, "天": 1, "week": 7, "周": 7, "星期": 7, "month": 30, "月": 30, "year": 365, "年": 365}
_MONTHS = frozenset(str(month) for month in range(1, 13))
_DECEMBER = 12


def is_valid_for(question: str, passage: Evidence, today: date) -> bool:
    """Tell whether the passage's rule holds now, or the question is about a time at which it did or will."""
    if passage.expired_on is not None:
        return refers_to_past(question, passage.expired_on, today)
    return passage.starts_on is None or refers_to_future(question, passage.starts_on, today)


def refers_to_past(question: str, last_day: date, today: date) -> bool:
    """Tell whether the question names a time not after ``last_day``, or says that it asks about what was.

    A month without a year is the latest one that has begun.

    >>> last_day, today = date(2026, 3, 31), date(2026, 11, 25)
    >>> refers_to_past("Who pays for it?", last_day, today), refers_to_past("Ordered on 12 March", last_day, today)
    (False, True)
    >>> refers_to_past("五月买的还能退吗？", last_day, today), refers_to_past("十个月前买的", last_day, today)
    (False, True)
    """
    years, months = _named(question)
    begun = [date(year, month, 1) for year in years for month in months or [1]]
    if not years:
        begun = [date(today.year - (month > today.month), month, 1) for month in months]
    begun += [today - timedelta(days=days) for days in _days_ago(question)]
    begun += [first for first, _ in _near(question.lower(), today)]
    return _FORMERLY.search(question) is not None or any(day <= last_day for day in begun)


def refers_to_future(question: str, first_day: date, today: date) -> bool:
    """Tell whether the question names a time not before ``first_day``, or says that it asks about what will be.

    A month without a year is the next one that has not ended, unless the question tells what happened.

    >>> first_day, today = date(2027, 1, 1), date(2026, 11, 25)
    >>> refers_to_future("What does it cost?", first_day, today)
    False
    >>> refers_to_future("What will it cost in June?", first_day, today)
    True
    >>> refers_to_future("我一月买的，多少钱？", first_day, today)
    False
    """
    years, months = _named(question)
    ended = [_end_of(year, month) for year in years for month in months or [_DECEMBER]]
    if not years and not _HAPPENED.search(question):
        ended = [_end_of(today.year + (month < today.month), month) for month in months]
    ended += [last for _, last in _near(question.lower(), today)]
    return _IN_FUTURE.search(question) is not None or any(day >= first_day for day in ended)


def _named(question: str) -> tuple[list[int], list[int]]:
    """Return the years and the months that the question names; which belongs to which is not known."""
    found = read_figures(question).quantities
    years = [int(one.value) for one in found if one.unit == CALENDAR_YEAR]
    months = [int(one.value) for one in found if one.unit == MONTH_OF_THE_YEAR and one.value in _MONTHS]
    return years, months


def _end_of(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1])


def _near(question: str, today: date) -> Iterator[tuple[date, date]]:
    """Yield the first and the last day of each time that the question counts from today: tomorrow, last month."""
    monday, first = today - timedelta(days=today.weekday()), today.replace(day=1)
    for pattern, days in _NAMED_DAYS:
        if pattern.search(question):
            yield (day := today + timedelta(days=days)), day
    if _NEXT_WEEK.search(question):
        yield monday + timedelta(days=7), monday + timedelta(days=13)
    if _LAST_WEEK.search(question):
        yield monday - timedelta(days=7), monday - timedelta(days=1)
    if _NEXT_MONTH.search(question):
        following = _end_of(first.year, first.month) + timedelta(days=1)
        yield following, _end_of(following.year, following.month)
    if _LAST_MONTH.search(question):
        yield (first - timedelta(days=1)).replace(day=1), first - timedelta(days=1)


def _days_ago(question: str) -> Iterator[int]:
    for match in _AGO.finditer(question.lower()):
        unit = match["unit"] or match["english_unit"] or match["chinese_unit"]
        if match["chinese"]:
            count = chinese_number(match["chinese"])
        else:
            count = int(match["digits"]) if match["digits"] else ENGLISH_NUMBERS.get(match["english"], 1)
        yield count * _DAYS_OF[unit.removeprefix("个")]
