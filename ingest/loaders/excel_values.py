"""Numbers of a spreadsheet as people read them: dates are numbers with a format."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Self

from ingest.loaders.office_xml import Element, attribute, child, local_name

_CALENDAR_FROM_1904 = ("1", "true")


@dataclass(frozen=True, slots=True)
class DateFormats:
    """Which of a workbook's styles show a number as a date or a time, and from which year on its days are counted."""

    styles: frozenset[int]
    from_1904: bool

    @classmethod
    def of(cls, styles: Element | None, workbook: Element | None) -> Self:
        """Read the cells' formats, whatever else is wrong with the styles."""
        from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format

        codes = {number: str(code) for number, code in BUILTIN_FORMATS.items()}
        for entry in _entries(styles, "numFmts"):
            if attribute(entry, "numFmtId").isdigit():
                codes[int(attribute(entry, "numFmtId"))] = attribute(entry, "formatCode")
        formats = [attribute(entry, "numFmtId") for entry in _entries(styles, "cellXfs")]
        shown_as_dates = (
            number for number, code in enumerate(formats) if code.isdigit() and is_date_format(codes.get(int(code)))
        )
        return cls(frozenset(shown_as_dates), attribute(workbook, "date1904") in _CALENDAR_FROM_1904)

    def in_words(self, written: str, style: str) -> str:
        """Return the date or time that a number stands for; empty where it is none."""
        from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900, from_excel

        if not style.isdigit() or int(style) not in self.styles:
            return ""
        try:
            return in_words(from_excel(float(written), CALENDAR_MAC_1904 if self.from_1904 else CALENDAR_WINDOWS_1900))
        except (ValueError, OverflowError):
            return ""


def in_words(moment: datetime | date | time | timedelta | None) -> str:
    """Return a date without its midnight."""
    if isinstance(moment, datetime):
        is_day = moment.time() == time()
        return moment.date().isoformat() if is_day else moment.isoformat(" ", "minutes")
    return str(moment) if moment is not None else ""


def number_in_words(written: str) -> str:
    """Return a number without what the computer's arithmetic added to it.

    >>> number_in_words("79.0"), number_in_words("0.30000000000000004"), number_in_words("n/a")
    ('79', '0.3', 'n/a')
    """
    try:
        number = float(written)
    except ValueError:
        return written
    if number.is_integer() and abs(number) < 1e15:
        return str(int(number))
    return f"{number:.10g}"


def _entries(styles: Element | None, name: str) -> Iterator[Element]:
    parent = child(styles, name)
    yield from (entry for entry in parent if local_name(entry)) if parent is not None else ()
