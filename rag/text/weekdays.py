"""The days of the week that a text names, in English and Chinese."""

import re

_TO = r"[ \t]{0,3}(?:[-–—~～至到]|to|through|until)[ \t]{0,3}"
_ENGLISH_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ENGLISH_DAY = (
    r"(?:(?i:mon|tues|wednes|thurs|fri|satur|sun)(?i:days?)|Mon|Tues?|Wed|Thurs?|Thu|Fri|Sat|Sun)(?![A-Za-z])"
)
_ENGLISH = re.compile(rf"(?<![A-Za-z])({_ENGLISH_DAY})\.?(?:{_TO}({_ENGLISH_DAY}))?")
_CHINESE_DAYS = "一二三四五六日"
_CHINESE_DAY = rf"[{_CHINESE_DAYS}天](?![次个天回场节直般共些样])"
_WEEK = r"(?:星期|礼拜|[周週])"
_CHINESE = re.compile(  # "一周三次" and "这周一直" name no day
    rf"(?<![一两二三四五六七八九十几\d]){_WEEK}({_CHINESE_DAY}(?:[、和及]{_WEEK}?{_CHINESE_DAY}){{0,6}})"
    rf"(?:{_TO}{_WEEK}?({_CHINESE_DAY}))?"
)
_SEVERAL = (
    (re.compile(r"\bweekends?\b|周末|双休日", re.IGNORECASE), frozenset({5, 6})),
    (re.compile(r"\bweekdays?\b|(?<![\d个])工作日", re.IGNORECASE), frozenset(range(5))),
)


def named_weekdays(text: str) -> frozenset[int]:
    """Return the days that a text names, 0 for Monday to 6 for Sunday; none for "every day" and "3 working days".

    >>> sorted(named_weekdays("Mon-Wed, and on Sundays")), sorted(named_weekdays("周二、四及周末，每周一次"))
    ([0, 1, 2, 6], [1, 3, 5, 6])
    """
    days = {day for pattern, several in _SEVERAL if pattern.search(text) for day in several}
    for first, last in _ENGLISH.findall(text):
        days.update(_from_to(_english_day(first), _english_day(last or first)))
    for listed, last in _CHINESE.findall(text):
        *single, first = (_chinese_day(character) for character in listed if character in f"{_CHINESE_DAYS}天")
        days.update(single, _from_to(first, _chinese_day(last) if last else first))
    return frozenset(days)


def _english_day(word: str) -> int:
    return next(number for number, day in enumerate(_ENGLISH_DAYS) if day.startswith(word[:3].lower()))


def _chinese_day(character: str) -> int:
    return _CHINESE_DAYS.index("日" if character == "天" else character)


def _from_to(first: int, last: int) -> set[int]:
    return {(first + step) % 7 for step in range((last - first) % 7 + 1)}
