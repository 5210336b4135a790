"""Reads dates that people wrote, and what a document says of its own validity.

Few files of a support team have front matter.  Their title says "Price list (valid until 30 June 2026)", their first
line "Last updated: 12 April 2026", their last one 本规则自2026年5月1日起施行.
"""

import calendar
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import takewhile

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
_YEAR_OR_MONTH = re.compile(r"(?<!\d)(?:19|20)\d\d[-/.年](?:\d{1,2}月?)?[底末]?(?!\d)")
_ENDLESS = re.compile(
    r"(?:none|never|no|n/?a|[-–—]+|always|unlimited|permanent|indefinite(?:ly)?|ongoing|(?:until )?further notice"
    r"|[长長]期(?:有效)?|永久(?:有效)?|[无無](?:期限)?|不限)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class WrittenDays:
    """The days that a document states of itself: when it was changed, and the first and the last day of its rules."""

    updated_on: date | None = None
    valid_from: date | None = None
    valid_until: date | None = None


_FIRST_LINES, _LAST_LINES = 4, 2
_LONGEST_STATEMENT_CHARACTERS = 80
_TITLE_JOINTS = re.compile(r"[()（）\[\]【】|·•;；]|\s[-–—]\s")
_COMMAS = re.compile("[,，]")
_LINE_JOINTS = re.compile(r"[()（）|·•]")
_TIME = re.compile(r"[日号號]?[T\s]*(?:\d{1,2}:\d\d(?::\d\d)?\s?(?:Z|[A-Z]{3,4}|[+-]\d\d:?\d\d)?)?")
_MARKS = " \t*_#>:：.。,，~"

_ORDERS = r"(?:for\s)?(?:all\s)?(?:orders?|purchases?|bookings?|contracts?|rentals?)(?:\s(?:placed|made|signed))?"
_ORDERS_ZH = r"(?:的?(?:订单|訂單|购买|購買|下单|下單|合同|预订|預訂|客户|客戶|用户|用戶))?(?:适用|適用|有效)?"
_RULES = r"(?:(?:this|the|our)\s)?(?:(?:policy|price\s?list|prices|rates|terms|rules?|version)\s)?(?:(?:is|are)\s)?"
_RULES_ZH = (
    r"[本该該此]?(?:[规規][则則定]|政策|[办辦]法|[条條]款|制度|[协協][议議]|[标標]准|[说說]明|须知|[价價][格目]?表)?"
)
_IN_FORCE = r"(?:valid|effective|in\sforce|applicable|appl(?:y|ies))"
_IN_FORCE_ZH = r"(?:正式)?(?:生效|施行|[实實]施|[执執]行|[启啟]用|[适適]用)"
_CHANGED_ZH = r"(?:更新|修[订訂改])(?:日期|[时時][间間])?"


def _forms(*forms: str) -> re.Pattern[str]:
    """Return a pattern for whole statements: it begins nowhere else, and so takes no time on a long line."""
    return re.compile(rf"\A(?:{'|'.join(forms)})", re.IGNORECASE)


_STATED = {
    "updated_on": _forms(
        r"(?:last\s)?(?:updated?|modified|revised|reviewed|amended)(?:\s(?:on|date))?@",
        r"(?:edition|version|revision|rev|v)\.?\s?\d[\d.]*,?\s?@",
        rf"(?:最[后後近])?{_CHANGED_ZH}[于於]?@|@(?:最[后後])?{_CHANGED_ZH}",
    ),
    "valid_from": _forms(
        rf"{_RULES}{_IN_FORCE}(?:\sdate)?(?:\s(?:from|since|on|as\s(?:of|from)))?@",
        rf"{_IN_FORCE_ZH}(?:日期?|[时時][间間])?[为為]?@|{_RULES_ZH}[自从從于於由]?@起?{_IN_FORCE_ZH}",
    ),
    "valid_until": _forms(
        rf"{_RULES}{_IN_FORCE}\s(?:until|till|through|up\sto|to)@|expir(?:es|ed|ation|y)(?:\s(?:on|date))?@",
        r"(?:有效期?限?[至到]|截[至止]|失效日期?|失效[时時][间間]|到期日期?)[于於]?@",
        rf"{_RULES_ZH}[自于於至]?@起?(?:止|[为為]止|截止|失效|到期|[废廢]止)",
    ),
}
"""What is said around a date, which the sign @ stands for, once marks at either end are gone."""

_STATED_AT_THE_END = {name: form for name, form in _STATED.items() if name != "valid_until"}
"""The last line of an offer ends that offer, not the page."""

_STATED_IN_A_TITLE = {
    "valid_from": _forms(
        rf"{_RULES}(?:(?:{_ORDERS}|starting)\s)?(?:from|since|as\s(?:of|from)|on\sor\safter)@",
        rf"{_RULES_ZH}[自从從]?@(?:起|之?[后後]|以[后後]){_ORDERS_ZH}",
    ),
    "valid_until": _forms(rf"{_RULES}(?:{_ORDERS}\s)?(?:until|till|up\sto)@"),
    "before": _forms(rf"{_RULES}(?:{_ORDERS}\s)?(?:before|prior\sto)@|@(?:之前|以前|前){_ORDERS_ZH}"),
}
"""In a line they would head a section: "Until 30 June 2026"."""


def written_days(title: str, text: str) -> WrittenDays:
    """Return what the title, or else the first and last lines of the text, say of the document's dates.

    A statement is a whole line, or a part of the title: in "From 1 May 2027 the fee is 5 euros" a date is no validity.
    Lines below a second heading speak of their section, and the last ones end no validity.

    >>> written_days("Price list (valid until 30 June 2026)", "Last updated: 12 April 2026 | Version 3").valid_until
    datetime.date(2026, 6, 30)
    >>> written_days("退货规则（旧版，2025年5月1日前的订单适用）", "").valid_until
    datetime.date(2025, 4, 30)
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    headings = [title, *(line for line in lines[:1] if line.startswith("#"))]
    first = list(takewhile(lambda line: not line.startswith("#"), lines[len(headings) - 1 :][:_FIRST_LINES]))
    stated: dict[str, date] = {}
    for part in (part for heading in headings for part in _TITLE_JOINTS.split(heading)):
        for piece in (part, *_COMMAS.split(part)):
            _add_stated(stated, piece, _STATED)
            _add_stated(stated, piece, _STATED_IN_A_TITLE)
    for part in (part for line in first for part in _LINE_JOINTS.split(line)):
        _add_stated(stated, part, _STATED)
    for line in lines[_FIRST_LINES:][-_LAST_LINES:]:
        _add_stated(stated, line, _STATED_AT_THE_END)
    return WrittenDays(**stated)


def _add_stated(stated: dict[str, date], part: str, forms: Mapping[str, re.Pattern[str]]) -> None:
    """Add the day that a part of a line states, unless an earlier one has."""
    if len(part) > _LONGEST_STATEMENT_CHARACTERS:
        return
    found = next((found for form in (*_FORMS[:-2], _YEAR_OR_MONTH) if (found := form.search(part))), None)
    if found is None:
        return
    behind = _TIME.sub("", part[found.end() :], count=1)
    around = f"{part[: found.start()].strip(_MARKS)}@{behind.strip(_MARKS)}"
    name = next((name for name, form in forms.items() if form.fullmatch(around)), "")
    day = read_day(found[0], last=name == "valid_until")
    if day is not None and name == "before":
        stated.setdefault("valid_until", day - timedelta(days=1))
    elif day is not None and name:
        stated.setdefault(name, day)


def read_day(written: str, *, last: bool = False) -> date | None:
    """Return the day; of a month or a year the first, or the ``last``; None where the date is ambiguous.

    >>> read_day("Valid to 31 December 2026"), read_day("2026年2月", last=True), read_day("13/04/2026")
    (datetime.date(2026, 12, 31), datetime.date(2026, 2, 28), datetime.date(2026, 4, 13))
    >>> print(read_day("03/04/2026"), read_day("2026-02-31"))
    None None
    """
    match = next((found for form in _FORMS if (found := form.search(written))), None)
    if match is None:
        return None
    named = match.groupdict()
    days = [day for day in _possible_days(named, last=last) if day is not None]
    return days[0] if len(set(days)) == 1 else None


def is_endless(written: str) -> bool:
    """Tell whether a text in place of a date means that there is none.

    >>> is_endless("never"), is_endless("长期有效"), is_endless("soon")
    (True, True, False)
    """
    return _ENDLESS.fullmatch(written.strip().strip(".。")) is not None


def _possible_days(named: dict[str, str | None], *, last: bool) -> Iterator[date | None]:
    """Yield the possible days: 03/04 may be in March or in April."""
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
