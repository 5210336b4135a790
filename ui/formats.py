"""The language of a page: numbers and dates as its readers write them, and other people's words as they are."""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from html import escape

from rag.schema import Language
from rag.text.characters import one_line, without_invisible
from rag.text.quantities import MONTH_NAMES
from rag.translate import translate

_MEANS_SOMETHING = re.compile(r"[\\`*_\[\]:~$<>#|&^]|^[+=-]|^\d{1,9}(?=[.)](?:\s|$))")
_LOOKED_FOR_AGAIN = re.compile(r"\\:(?=[^\s\d])|@|www(?=\.)", re.IGNORECASE)
_NOTHING = ":gray[]"
_GIGABYTE = 1e9
_MONTHS = tuple(name[:3].title() for name in MONTH_NAMES)


def as_markdown(text: object) -> str:
    r"""Return foreign words so that Streamlit's Markdown shows them as they are: one line, and nothing in it is drawn.

    Everything that a person, a file or a document named goes through here before Streamlit reads it as Markdown, and
    Streamlit does so with nearly every text: labels, options of pills, cells of tables, toasts.  A backslash alone does
    not do: symbols (``:material/home:``) and addresses are looked for again in what the backslashes left.  An empty
    coloured stretch after the colon, the @ or the www parts them, and shows nothing.

    >>> print(as_markdown("stand-in:0.5b_q8"), as_markdown("1. a"), as_markdown("2026-11-25"))
    stand-in\:0.5b\_q8 1\. a 2026-11-25
    """
    escaped = _MEANS_SOMETHING.sub(_escaped, one_line(str(text)))
    return _LOOKED_FOR_AGAIN.sub(rf"\g<0>{_NOTHING}", escaped)


def _escaped(found: re.Match[str]) -> str:
    """Put the backslash where it counts: a list's number is one by its point."""
    return f"{found.group()}\\" if found.group().isdigit() else f"\\{found.group()}"


def markdown_word(key: str, language: Language, **values: object) -> str:
    """Return the words for a key as Streamlit's Markdown; the values of placeholders are shown as they are."""
    return translate(key, language, **{name: _placeholder_value(value) for name, value in values.items()})


def html_link(address: str, words: str, css_class: str) -> str:
    """Return a link for ``st.html``, whatever characters its address and words have.

    >>> html_link("/sign-in?next=%2F&lang=en", "<Sign in>", "way")
    '<a class="way" href="/sign-in?next=%2F&amp;lang=en">&lt;Sign in&gt;</a>'
    """
    return f'<a class="{escape(css_class)}" href="{escape(address)}">{escape(words)}</a>'


def plain_rows(rows: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """Return the rows of a table for ``st.table``, which reads titles and cells as Markdown: all shown as they are."""
    return [{as_markdown(title): as_markdown(cell) for title, cell in row.items()} for row in rows]


def visible(data: Mapping[str, object], *, ids: Collection[str] = ()) -> dict[str, object]:
    """Return data for the browser without invisible characters in its texts.

    What is under a name of ``ids`` stays, for the browser sends it back.

    >>> visible({"row_id": "a\u200b", "cells": ({"text": "fdp\u202etxt"},)}, ids=("row_id",))
    {'row_id': 'a\u200b', 'cells': [{'text': 'fdptxt'}]}
    """
    return {name: value if name in ids else _visible(value, ids) for name, value in data.items()}


def _visible(value: object, ids: Collection[str]) -> object:
    if isinstance(value, str):
        return without_invisible(value)
    if isinstance(value, Mapping):
        return visible(value, ids=ids)
    return [_visible(one, ids) for one in value] if isinstance(value, list | tuple) else value


def _placeholder_value(value: object) -> object:
    return value if isinstance(value, int | float) else as_markdown(value)


def format_duration(milliseconds: float, language: Language) -> str:
    """Write a duration with as many digits as a person can use.

    >>> [format_duration(ms, "en") for ms in (4, 123, 4180, 19_400, 125_000)]
    ['4 ms', '0.12 s', '4.2 s', '19 s', '125 s']
    """
    if milliseconds < 100:
        return translate("ui.milliseconds", language, count=f"{milliseconds:.0f}")
    seconds = milliseconds / 1000
    digits = 2 if seconds < 1 else 1 if seconds < 10 else 0
    return translate("ui.seconds", language, seconds=f"{seconds:.{digits}f}")


def format_elapsed(time: timedelta) -> str:
    """Write how long something has been running, as a clock does.

    >>> format_elapsed(timedelta(seconds=75)), format_elapsed(timedelta(hours=1, seconds=2))
    ('1:15', '1:00:02')
    """
    minutes, seconds = divmod(max(0, int(time.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def format_gigabytes(count: int, language: Language) -> str:
    """Write a number of bytes as gigabytes, with two digits after the point."""
    return translate("ui.machine_gigabytes", language, count=f"{count / _GIGABYTE:.2f}")


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
        return translate("ui.age_now", language)
    if minutes < 60:
        return translate("ui.age_minutes", language, count=minutes)
    if minutes < 48 * 60:
        return translate("ui.age_hours", language, count=minutes // 60)
    return translate("ui.age_days", language, count=minutes // (24 * 60))


def language_of_locale(locale: str | None) -> Language:
    """Return the page language for a browser's locale; Chinese where nothing is known.

    >>> language_of_locale("en-GB"), language_of_locale("zh-TW"), language_of_locale("fr"), language_of_locale(None)
    ('en', 'zh', 'en', 'zh')
    """
    if not locale or locale.lower().startswith("zh"):
        return "zh"
    return "en"
