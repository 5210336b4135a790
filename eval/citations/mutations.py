"""Plants one fault in a sentence that was right: a number, a date, a day of the week, a unit, a code, or a denial.

Pure functions that draw from a given generator.  They read text by patterns of their own, not by those of
``rag/grounding``: the code under test must not choose its own test.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag.text.characters import IDEOGRAPHS
from rag.text.quantities import MONTH_NAMES

_NUMBER = re.compile(
    r"(?<![\w.,-])\d+(?:[.,]\d+)?(?![\w.,]*\d)(?![A-Za-z])"
    rf"|(?<=[{IDEOGRAPHS}])\d+(?:\.\d+)?(?!\.?\d)(?![A-Za-z])"
)
_MONTHS = tuple(name.title() for name in MONTH_NAMES if name != "may")
_MONTH = re.compile(rf"\b(?:{'|'.join(_MONTHS)})\b")
_YEAR = re.compile(r"(?<!\d)(?:1[5-9]|20)\d\d(?!\d)(?=\s*年|\b)")
_CHINESE_MONTH = re.compile(r"(?<!\d)(1[0-2]|[1-9])(?=月)")
_CODE = re.compile(r"(?<![A-Za-z0-9])[A-Z]{1,4}-?\d{2,5}(?![A-Za-z0-9])")
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEEKDAY = re.compile(rf"\b(?:{'|'.join(_WEEKDAYS)})(?=s?\b)")
_CHINESE_WEEKDAY = re.compile(r"(?:(?<=周)|(?<=星期)|(?<=礼拜))[一二三四五六日](?![次个天回直般共])")
_NUMBER_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "thirty")
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(_NUMBER_WORDS)})\b", re.IGNORECASE)
_CHINESE_NUMBERS = "两三四五六七八九"
_COUNTED = "个天年月次位名人种条项倍周层座部件台小"
_CHINESE_NUMBER = re.compile(rf"(?<![一二三四五六七八九十百千万第])[{_CHINESE_NUMBERS}](?=[{_COUNTED}])")
_OTHER_UNITS = {
    "days": "weeks",
    "day": "week",
    "hours": "minutes",
    "hour": "minute",
    "weeks": "months",
    "months": "years",
    "minutes": "hours",
    "years": "months",
    "GBP": "EUR",
    "EUR": "GBP",
    "kg": "g",
    "cm": "m",
    "km": "m",
    "metres": "centimetres",
    "个工作日": "个月",
    "小时": "天",
    "分钟": "小时",
    "天": "个月",
    "个月": "天",
    "元": "万元",
    "公斤": "克",
    "厘米": "米",
}
_ENGLISH_DENIED = (
    (re.compile(r"\bcannot\b"), "can"),
    (
        re.compile(
            r"\b(is|are|was|were|can|could|will|would|must|should|may|did|does|do|has|have)(?: not|n['’]t)\b",
        ),
        r"\1",
    ),
    (re.compile(r"\bnever\b"), "always"),
)
_ENGLISH_AFFIRMED = re.compile(r"\b(?:is|are|was|were|can|could|will|would|must|should)\b(?! not\b)(?!n['’]t)")
_CHINESE_OPPOSITES = {
    "不可以": "可以",
    "不能": "能",
    "不会": "会",
    "不是": "是",
    "不支持": "支持",
    "不需要": "需要",
    "不得": "可以",
    "不允许": "允许",
    "不提供": "提供",
    "没有": "有",
    "无需": "需要",
    "无法": "可以",
}
_CHINESE_DENIED = re.compile("|".join(_CHINESE_OPPOSITES))
_CHINESE_AFFIRMED = re.compile(
    r"(?<![不没未])(?:可以|能够)|(?<![不未])(?:需要|支持|必须)|(?<![不但还若就只总于也都正便可凡要像算老更])是(?![否非])"
)
_DENIES_ANYHOW = re.compile(
    r"\b(?:no|not|nor|none|only|neither|without|never|cannot)\b|n['’]t\b|[不没无未仅只]", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A sentence that was right with one thing changed; ``kind`` is a key of ``KINDS``."""

    kind: str
    text: str


def plant_faults(sentence: str, numbers_around: Sequence[str], draw: random.Random) -> list[Fault]:
    """Return the sentence once with each kind of fault that can be planted in it.

    ``numbers_around`` are numbers of the evidence: a model that confuses two rows takes one of these.
    """
    found = ((kind, plant(sentence, numbers_around, draw)) for kind, plant in KINDS.items())
    return [Fault(kind, text) for kind, text in found if text is not None and text != sentence]


def numbers_in(text: str) -> list[str]:
    """Return the whole and decimal numbers of a text in their order, years left out."""
    return [found for found in _NUMBER.findall(text) if not _YEAR.fullmatch(found)]


def _wrong_number(sentence: str, numbers_around: Sequence[str], draw: random.Random) -> str | None:
    match = _drawn_number(sentence, draw)
    return _replace(sentence, match, _other_number(match.group(), draw)) if match else None


def _foreign_number(sentence: str, numbers_around: Sequence[str], draw: random.Random) -> str | None:
    own = {_value(number) for number in numbers_in(sentence)}
    others = [number for number in numbers_around if _value(number) not in own]
    match = _drawn_number(sentence, draw)
    return _replace(sentence, match, draw.choice(others)) if match and others else None


def _drawn_number(sentence: str, draw: random.Random) -> re.Match[str] | None:
    found = [match for match in _NUMBER.finditer(sentence) if not _YEAR.fullmatch(match.group())]
    # a list's own number says nothing
    found = [match for match in found if match.start() > 0 or not sentence[match.end() :].startswith((".", "、", ")"))]
    return draw.choice(found) if found else None


def _value(number: str) -> float:
    return float(number.replace(",", ""))


def _other_number(number: str, draw: random.Random) -> str:
    if "." in number:
        return f"{float(number) + draw.choice((1, 2, 0.5)):.{len(number.split('.')[1])}f}"
    value = int(_value(number))
    return str(value + draw.choice((1, 2, 3, 5, 10)) * max(1, value // 20))


def _wrong_number_word(sentence: str, numbers_around: Sequence[str], draw: random.Random) -> str | None:
    if match := _NUMBER_WORD.search(sentence):
        return _replace(sentence, match, _another(_NUMBER_WORDS, match.group().lower(), draw))
    if match := _CHINESE_NUMBER.search(sentence):
        return _replace(sentence, match, _another(_CHINESE_NUMBERS, match.group(), draw))
    return None


def _wrong_date(sentence: str, numbers_around: Sequence[str], draw: random.Random) -> str | None:
    if match := _YEAR.search(sentence):
        return _replace(sentence, match, str(int(match.group()) + draw.choice((-7, -2, -1, 1, 3, 10))))
    if match := _MONTH.search(sentence):
        return _replace(sentence, match, _another(_MONTHS, match.group(), draw))
    if match := _CHINESE_MONTH.search(sentence):
        return _replace(sentence, match, _another([str(month) for month in range(1, 13)], match.group(), draw))
    return None


def _wrong_weekday(sentence: str, numbers_around: Sequence[str], draw: random.Random) -> str | None:
    if match := _WEEKDAY.search(sentence):
        return _replace(sentence, match, _another(_WEEKDAYS, match.group(), draw))
    match = _CHINESE_WEEKDAY.search(sentence)
    return _replace(sentence, match, _another("一二三四五六日", match.group(), draw)) if match else None


def _wrong_unit(sentence: str, numbers_around: Sequence[str], draw: random.Random) -> str | None:
    for unit, other in _OTHER_UNITS.items():
        after = rf"(?<=[1-9])\s?{unit}" + (r"\b" if unit.isascii() else "")  # 0 of this is 0 of that
        before = rf"\b{unit}(?=\s?\d)" if unit.isupper() else "(?!)"
        if match := re.search(f"{after}|{before}", sentence):
            return _replace(sentence, match, match.group().replace(unit, other))
    return None


def _wrong_code(sentence: str, numbers_around: Sequence[str], draw: random.Random) -> str | None:
    match = _CODE.search(sentence)
    return (
        _replace(sentence, match, match.group()[:-1] + _another("0123456789", match.group()[-1], draw))
        if match
        else None
    )


def _drop_denial(sentence: str, numbers_around: Sequence[str], draw: random.Random) -> str | None:
    for pattern, instead in _ENGLISH_DENIED:
        if match := pattern.search(sentence):
            return _replace(sentence, match, match.expand(instead))
    match = _CHINESE_DENIED.search(sentence)
    return _replace(sentence, match, _CHINESE_OPPOSITES[match.group()]) if match else None


def _add_denial(sentence: str, numbers_around: Sequence[str], draw: random.Random) -> str | None:
    if _DENIES_ANYHOW.search(sentence):
        return None  # two denials make no opposite
    if match := _ENGLISH_AFFIRMED.search(sentence):
        return _replace(sentence, match, f"{match.group()} not")
    match = _CHINESE_AFFIRMED.search(sentence)
    return _replace(sentence, match, f"不{match.group()}") if match else None


def _replace(sentence: str, match: re.Match[str], instead: str) -> str:
    return sentence[: match.start()] + instead + sentence[match.end() :]


def _another(choices: Sequence[str], own: str, draw: random.Random) -> str:
    return draw.choice([choice for choice in choices if choice != own])


KINDS: dict[str, Callable[[str, Sequence[str], random.Random], str | None]] = {
    "number": _wrong_number,
    "number from elsewhere": _foreign_number,
    "number word": _wrong_number_word,
    "date": _wrong_date,
    "unit": _wrong_unit,
    "code": _wrong_code,
    "denial dropped": _drop_denial,
    "denial added": _add_denial,
    "weekday": _wrong_weekday,
}
"""What can be planted, by name."""
