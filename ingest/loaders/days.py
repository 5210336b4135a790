"""Reads a day as people write it, from ``2026-12-31`` to ``31st Dec. 2026``, ``31.12.2026`` and ``2026年12月``."""

import calendar
import re
from collections.abc import Iterator
from datetime import date

from rag.text.quantities import MONTH_NAMES

_MONTH_NUMBERS = {name[:3]: number for number, name in enumerate(MONTH_NAMES, start=1)}
_MONTH = rf"(?P<month>{'|'.join(_MONTH_NUMBERS)})[a-z]*\.?"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        r"(?P<year>\d{4})[-/.年](?P<month>\d{1,2})[-/.月](?P<day>\d{1,2})",
        rf"(?<!\d){_YEAR}(?P<month>\d\d)(?P<day>\d\d)(?!\d)",
        rf"(?<!\d)(?P<day>\d{{1,2}})\.\s?(?P<month>\d{{1,2}})\.\s?{_YEAR}(?!\d)",
        rf"(?<!\d)(?P<one>\d{{1,2}})(?P<joint>[-/])(?P<other>\d{{1,2}})(?P=joint){_YEAR}(?!\d)",
        rf"(?<!\d)(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[\s.-]*{_MONTH}[\s,-]*{_YEAR}(?!\d)",
        rf"\b{_MONTH}\s*(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+{_YEAR}(?!\d)",
        rf"\b{_MONTH}[\s,-]*{_YEAR}(?!\d)",
        rf"\A\s*{_YEAR}[-/.年](?P<month>\d{{1,2}})月?[底末]?\s*\Z",
        rf"\A\s*{_YEAR}年?[底末]?\s*\Z",
    )
)
_ENDLESS = re.compile(
    r"(?:none|never|no|n/?a|[-–—]+|always|unlimited|permanent|indefinite(?:ly)?|ongoing|(?:until )?further notice"
    r"|[长長]期(?:有效)?|永久(?:有效)?|[无無](?:期限)?|不限)",
    re.IGNORECASE,
)


def read_day(written: str, *, last: bool = False) -> date | None:
    """Return the day; of a month or a year its first one, or the ``last``; None where it is not certain which is meant.

    >>> read_day("Valid to 31 December 2026"), read_day("2026年2月", last=True), read_day("13/04/2026")
    (datetime.date(2026, 12, 31), datetime.date(2026, 2, 28), datetime.date(2026, 4, 13))
    >>> print(read_day("03/04/2026"), read_day("2026-02-31"))
    None None
    """
    match = next((found for form in _FORMS if (found := form.search(written))), None)
    if match is None:
        return None
    named = match.groupdict()
    days = [day for day in _meant(named, last=last) if day is not None]
    return days[0] if len(set(days)) == 1 else None


def is_endless(written: str) -> bool:
    """Tell whether somebody wrote in the place of a day that there is none.

    >>> is_endless("never"), is_endless("长期有效"), is_endless("soon")
    (True, True, False)
    """
    return _ENDLESS.fullmatch(written.strip().strip(".。")) is not None


def _meant(named: dict[str, str | None], *, last: bool) -> Iterator[date | None]:
    """Yield what may be meant: 03/04 is in March here and in April there."""
    year = int(named["year"] or 0)
    if "one" in named:
        one, other = int(named["one"] or 0), int(named["other"] or 0)
        yield _day(year, one, other)
        yield _day(year, other, one)
        return
    written = (named.get("month") or "").lower()
    month = _MONTH_NUMBERS.get(written) or int(written or (12 if last else 1))
    day = named.get("day")
    if day is None:
        day_of_month = calendar.monthrange(year, month)[1] if last and 1 <= month <= len(_MONTH_NUMBERS) else 1
        yield _day(year, month, day_of_month)
    else:
        yield _day(year, month, int(day))


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
