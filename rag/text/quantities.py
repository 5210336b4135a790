"""Numbers with their units, and days of the week, in both languages: ``7 天`` and ``seven days`` are one quantity."""

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from rag.text.characters import FOOTNOTE_MARK, IDEOGRAPHS

_UNITS: dict[str, tuple[str, str]] = {  # canonical unit: (English forms, Chinese forms), each a regular expression
    "working day": (r"(?:working|business)[ -]days?", "个?工作日"),
    "day": (r"(?:calendar )?days?", "天|日"),
    "hour": (r"hours?|hrs?|h", "个?小时|个?钟头"),
    "minute": (r"minutes?|mins?", "分钟"),
    "second": (r"seconds?|secs?|s", "秒"),
    "week": (r"weeks?", "个?星期|周"),
    "month": (r"months?", "个月"),
    "year": (r"years?", "年"),
    "time": (r"times", "次"),
    "percent": (r"%|percent|per cent", "%"),
    "EUR": (r"eur|euros?|€", "欧元"),
    "GBP": (r"gbp|pounds?|£|quid", "英镑"),
    "CNY": (r"cny|rmb|yuan|¥", "元|块钱?"),
    "USD": (r"usd|us dollars?|dollars?|(?:us)?\$", "美元|美金"),
    "HKD": (r"hkd", "港元|港币"),
    "JPY": (r"jpy|yen", "日元"),
    "NOK": (r"nok|norwegian kron\w+", "挪威克朗"),
    "CHF": (r"chf|swiss francs?", "瑞士法郎"),
    "point": (r"points?", "个?积分|分(?!钟)"),
    "discount tenth": (r"(?!)", "折"),
    "mm": (r"mm|millimet\w+", "毫米"),
    "cm": (r"cm|centimet\w+", "厘米|公分"),
    "m²": (r"sqm|square met\w+", "平方米|平米"),
    "m": (r"m|met(?:re|er)s?", "米"),
    "kg": (r"kg|kilos?|kilograms?", "千克|公斤"),
    "g": (r"g|grams?", "克"),
    "ml": (r"ml|millilit\w+", "毫升"),
    "l": (r"l|lit(?:re|er)s?", "升"),
    "km": (r"km|kilomet(?:re|er)s?", "公里|千米"),
    "km²": (r"sqkm|square kilomet\w+", "平方公里|平方千米"),
    "mile": (r"miles?|mi", "英里"),
    "foot": (r"feet|foot|ft", "英尺"),
    "inch": (r"inch(?:es)?", "英寸|寸"),
    "yard": (r"yards?|yd", "码"),
    "acre": (r"acres?", "英亩"),
    "hectare": (r"hectares?|ha", "公顷"),
    "tonne": (r"tonnes?|tons?", "吨"),
    "pound weight": (r"lbs?", "磅"),
    "TB": (r"tb|terabytes?", "TB"),
    "GB": (r"gb|gigabytes?", "GB"),
    "MB": (r"mb|megabytes?", "MB"),
    "KB": (r"kb|kilobytes?", "KB"),
    "byte": (r"bytes?", "字节"),
    "Mbps": (r"mbps|mbit/s", "兆带宽"),
    "GHz": (r"ghz", "GHz"),
    "mAh": (r"mah", "毫安时"),
    "Wh": (r"wh", "瓦时"),
    "W": (r"w|watts?", "瓦"),
    "kW": (r"kw|kilowatts?", "千瓦"),
    "kWh": (r"kwh", "千瓦时|度电"),
    "V": (r"v|volts?", "伏"),
    "A": (r"amps?|amperes?", "安培"),
    "MHz": (r"mhz", "兆赫"),
    "ms": (r"ms|milliseconds?", "毫秒"),
    "dB": (r"db|decibels?", "分贝"),
    "degree": (r"°c|°|degrees?", "摄氏度|度"),
    "person": (r"people|persons?|members?", "人|名|位"),
}
DURATION_UNITS = frozenset({"working day", "day", "hour", "minute", "second", "week", "month", "year", "ms"})
_CONVERTIBLE = {
    **{unit: ("second", times) for unit, times in
       (("second", 1), ("minute", 60), ("hour", 3600), ("day", 86_400), ("week", 604_800))},
    **{unit: ("month", times) for unit, times in (("month", 1), ("year", 12))},
}  # fmt: skip
"""Units of time, each with another and how many of these it has; a month has no certain number of days."""
CURRENCY_UNITS = frozenset({"EUR", "GBP", "CNY", "USD", "HKD", "JPY", "NOK", "CHF"})
SIZE_UNITS = frozenset({"TB", "GB", "MB", "KB", "byte"})
_ENGLISH_UNIT = "|".join(f"(?:{english})(?![a-z])" for english, _ in _UNITS.values())
_CHINESE_UNIT = "|".join(f"(?:{chinese})" for _, chinese in _UNITS.values())
_UNIT = rf"(?P<unit>(?=[{IDEOGRAPHS}])(?:{_CHINESE_UNIT})|(?=[a-z%€£¥$°])(?:{_ENGLISH_UNIT}))"
_UNIT_NAMED = re.compile(rf"(?<![a-z]){_UNIT}")
MEASURES = frozenset(_UNITS) - {"time", "person", "point"}
"""Units that must be written: "3 attempts" are 3 times, but "3 units" are not 3 years."""
_UNIT_FORMS = tuple(
    (name, re.compile(rf"\A(?:{english}|{chinese.lower()})\Z")) for name, (english, chinese) in _UNITS.items()
)
_CURRENCY_BEFORE = r"(?:(?P<currency>eur|€|gbp|£|cny|rmb|¥|usd|us\$|\$|hkd|nok|chf)\s*+)?"

MONTH_NAMES = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_MONTH = "|".join(f"{name}|{name[:3]}" for name in MONTH_NAMES if name != "may") + "|may(?! be| not| have| also| only)"
_SMALL_NUMBERS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
"""
ENGLISH_NUMBERS = {word: value for value, word in enumerate(_SMALL_NUMBERS.split())} | {
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "ninety": 90,
    "hundred": 100,
}
_NUMERALS = "一二两三四五六七八九十"
_CHINESE_DIGITS = {"一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}

_SHARE = re.compile(
    r"(?P<base>[百千万])分之\s*(?:(?P<digits>\d+(?:\.\d+)?)"
    r"|(?P<numeral>[一二两三四五六七八九十百]+)(?:点(?P<fraction>[零〇一二三四五六七八九]+))?)"
)
_SHARES = {"百": 0, "千": 1, "万": 2}
"""Powers of ten by which a Chinese share is smaller than a percentage."""

_CODE = re.compile(
    r"(?<![a-z0-9.])(?!(?:eur|gbp|cny|rmb|usd|hkd|nok|chf)\d|(?:utc|gmt)-?\d)"
    r"[a-z]{1,6}(?:-[a-z]{1,3})?-?\d{1,5}[a-z]?(?![a-z0-9])"
)
_DIGITS = re.compile(r"\d")
_ADDRESS = re.compile(rf"https?://[^\s,;()!。{IDEOGRAPHS}]+")  # wide commas and brackets end it, folded too
_ISO_DATE = re.compile(r"(?<!\d)(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)")
_PART_OF_DAY = "凌晨|早上|上午|中午|下午|傍晚|晚上|晚间|今晚|当晚|明晚"
_CLOCK = re.compile(
    r"(?<!\d)(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?\s*(?P<half>[ap])\.?m(?![a-z])"
    rf"|(?:(?P<part>{_PART_OF_DAY})\s{{0,2}})?"
    r"(?:(?<!\d)(?P<hour_24>\d{1,2})[:时](?P<minute_24>\d{2})(?!\d)"
    r"|(?P<chinese_hour>\d{1,2})\s{0,2}点(?!击)(?:(?P<quarter>半|一刻|三刻|[13]刻)|(?P<chinese_minute>[0-5]?\d)分)?)"
)
_MINUTES_IN_WORDS = rf"(?:[二三四五]?十[{_NUMERALS}]?|零?[{_NUMERALS}])分"
_CLOCK_IN_WORDS = re.compile(  # "有一点贵", "两点建议" and "晚上一点也不吵" name no time of day
    rf"(?P<before>(?:{_PART_OF_DAY})\s{{0,2}}|(?<=[到至~-])"
    rf"|(?<![第有{_NUMERALS}百点])(?=[{_NUMERALS}]{{1,3}}点(?:半|[一三]刻|钟|整|{_MINUTES_IN_WORDS})))"
    rf"(?P<hour>二?十[{_NUMERALS}]?|[{_NUMERALS}])点(?![击儿也都小])(?P<minutes>{_MINUTES_IN_WORDS})?"
)
_CLOCK_RANGE = re.compile(
    r"(?P<part>下午|傍晚|晚上|晚间|今晚|当晚|明晚)\s{0,2}(?P<first>\d{1,2})(?:[:时]\d{2}|点(?:半|[一三13]刻|钟|整|\d{1,2}分)?)"
    r"\s{0,2}[-~到至]\s{0,2}(?=(?P<last>\d{1,2})(?:[:时]\d{2}|点))"
)
_AFTERNOON = frozenset(("下午", "傍晚", "晚上", "晚间", "今晚", "当晚", "明晚"))
_MINUTES_OF_QUARTER = {"半": "30", "一刻": "15", "1刻": "15", "三刻": "45", "3刻": "45"}
_MONTH_DAY = re.compile(
    rf"(?:(?<!\d)(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+)?(?P<name>{_MONTH})(?:\s+(?P<after>\d{{1,2}}))?(?![a-z\d])"
)
_CHINESE_MONTH = re.compile(
    r"(?<!\d)(?:(?P<digits>\d{1,2})|(?P<numeral>十[一二]?|[一二三四五六七八九]))\s*月(?:\s*(?P<day>\d{1,2})\s*[日号])?"
)
_RANGE = re.compile(
    rf"{_CURRENCY_BEFORE}(?<![\d.])(?P<low>\d+(?:\.\d+)?)\s*+-\s*+(?P<high>\d+(?:\.\d+)?)(?:\s*+-?{_UNIT})?"
)
_PLAIN = re.compile(rf"{_CURRENCY_BEFORE}(?<![\d.])(?P<low>\d+(?:\.\d+)?)(?:\s*+-?{_UNIT})?")
_WORDED = re.compile(
    rf"(?:(?<![a-z])(?P<english>{'|'.join(ENGLISH_NUMBERS)})[ -]"
    r"|(?<![一二两三四五六七八九十百])(?P<chinese>[一二两三四五六七八九十百]++)\s*+)"
    rf"(?:(?:full |whole )?{_UNIT}|(?P<counted>[a-z]|[个枚台件把节张条款项]))"
)
_COUNTED = re.compile(
    rf"(?<![\d.])(?P<value>\d++(?:\.\d++)?+)"
    rf"(?:\.\d|(?:st|nd|rd|th)?\s(?:{_MONTH})(?![a-z])|\s?[a-z]{{1,4}}\d?/[a-z]"
    rf"|\s?(?!{_UNIT}|(?:always|besides|regardless|sometimes|towards|upwards)(?![a-z]))"
    r"(?:[a-z]{3,}+(?<=[^suia]s)|k(?![a-z])|[个倍枚台件把张条款项套部只支根组盒袋瓶箱户]))"
    r"|月\s?(?P<day>\d{1,2})\s?[日号]"
)
"""A number and what it counts, in a folded text ("3 units"), a day ("24 december"), a version or a measure that is no
unit here ("150 m3/h"); but not "3 plus" and "3 days"."""
_PRICE = re.compile(r"\b(?:price|fee|cost|charge|total|rate)s?\b|[价费]|金额|合计")
_PERIOD = "working day|business day|day|hour|minute|week|month|year"
_LEADS_A_PERIOD = (
    "after|within|in|for|takes?|lasts?|another|until|about|around|approximately|roughly|nearly|almost|over|under|up to"
    "|(?:more|less|longer|later) than|at (?:least|most)"
)
"""The words before an article that means one: "within a day", but not "twice a day"."""
_ARTICLE = re.compile(
    rf"(?<![a-z])(?:{_LEADS_A_PERIOD}) an? (?P<one>{_PERIOD})(?![a-z])"
    rf"|(?<![a-z])half (?:an? )?(?P<half>{_PERIOD})(?![a-z])"
    r"|(?<![\d一二两三四五六七八九十个年月天])半(?P<chinese_half>个?月|个?小时|个?钟头|分钟|天|日|年)"
)
_COUNTING_WORDS = (" a ", " an ", "half", "半")
_CALENDAR_YEAR = re.compile(r"(?:19|20)\d\d\Z")
CALENDAR_YEAR, MONTH_OF_THE_YEAR = "calendar year", "month of the year"
"""Units of the parts of a date."""

_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_SQUARE = re.compile(r"(?<=\d)\s*(k?m)2(?![a-z\d])")  # would pass for a code
_SCALES = {"万": 4, "百万": 6, "千万": 7, "亿": 8, "万亿": 12, "thousand": 3, "million": 6, "billion": 9}
"""Words that multiply a number, with the power of ten."""
_SCALED = re.compile(rf"(?<![\d.])(\d+(?:\.\d+)?)\s*({'|'.join(sorted(_SCALES, key=len, reverse=True))})(?![a-z])")
_DASH = re.compile(r"(?<=\d)\s*(?:[–—~～至到]|to(?= \d)|and(?= \d))\s*(?=\d)")


@dataclass(frozen=True, slots=True, order=True)
class Quantity:
    """A number without superfluous zeros, and its canonical unit; an empty unit is unknown."""

    value: str
    unit: str = ""

    @property
    def is_bare_digit(self) -> bool:
        """Whether it is one digit without a unit, as nearly any passage has: it hardly tells what a text is about."""
        return not self.unit and len(self.value) == 1

    def agrees_with(self, other: "Quantity") -> bool:
        """Tell whether both may be equal: the same number and no different units, or the same time in two units.

        >>> Quantity("24", "hour").agrees_with(Quantity("1", "day")), Quantity("30", "day").agrees_with(Quantity("30"))
        (True, True)
        >>> Quantity("1", "month").agrees_with(Quantity("30", "day"))
        False
        """
        if self.value == other.value and (self.unit == other.unit or not self.unit or not other.unit):
            return True
        return self.unit in _CONVERTIBLE and other.unit in _CONVERTIBLE and self._converted() == other._converted()

    def _converted(self) -> tuple[str, Decimal]:
        unit, times = _CONVERTIBLE[self.unit]
        return unit, Decimal(self.value) * times


def figures_beyond(figures: Iterable[Quantity], others: Collection[Quantity]) -> frozenset[Quantity]:
    """Return the figures that agree with none of the ``others``, as those of a reply that the question does not give.

    >>> figures_beyond([Quantity("24", "hour"), Quantity("3")], [Quantity("1", "day")])
    frozenset({Quantity(value='3', unit='')})
    """
    return frozenset(figure for figure in figures if not any(map(figure.agrees_with, others)))


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a text.  ``codes`` are in lower case without hyphens; ``rest`` is the text without both.

    ``rest`` is folded (``fold``), so its offsets are not the text's.
    """

    quantities: frozenset[Quantity]
    codes: frozenset[str]
    rest: str


def read_figures(text: str) -> Figures:
    """Find the quantities and codes (``E07``, ``W-203``) of a text.

    >>> figures = read_figures("R3 报 W-203：七天内付 £4.90")
    >>> sorted(figures.quantities), sorted(figures.codes)
    ([Quantity(value='4.9', unit='GBP'), Quantity(value='7', unit='day')], ['r3', 'w203'])
    >>> read_figures("保修期为两年[^3]。").quantities
    frozenset({Quantity(value='2', unit='year')})
    >>> read_figures("百分之1.5，千分之三，百分之十五点五").quantities == read_figures("1.5%, 0.3%, 15.5%").quantities
    True
    """
    rest = _clocks_in_digits(_SHARE.sub(_percentage, FOOTNOTE_MARK.sub(" ", fold(text))))
    codes: frozenset[str] = frozenset()
    quantities: set[Quantity] = set()

    def collect(more: set[Quantity]) -> str:
        quantities.update(more)
        return " "

    has_digits = _DIGITS.search(rest) is not None  # most sentences have none
    if has_digits:
        rest = _DASH.sub("-", _SQUARE.sub(r" sq\1", numbers_as_digits(rest)))
        codes = frozenset(match.group().replace("-", "") for match in _CODE.finditer(rest))
        rest = _ADDRESS.sub(_without_digits, rest)
        rest = _ISO_DATE.sub(lambda match: collect(_date(*match.groups())), _CODE.sub(" ", rest))
        rest = _CLOCK.sub(lambda match: collect({_clock(match)}) + (match["part"] or ""), rest)
    rest = _MONTH_DAY.sub(lambda match: collect(_month_day(match)), rest)
    rest = _CHINESE_MONTH.sub(lambda match: collect(_chinese_month(match)), rest)
    if has_digits:
        rest = _RANGE.sub(lambda match: collect(_numbers(match, match["low"], match["high"])), rest)
        rest = _PLAIN.sub(lambda match: collect(_numbers(match, match["low"])), rest)
    if any(word in rest for word in _COUNTING_WORDS):
        rest = _ARTICLE.sub(lambda match: collect({_period(match)}), rest)
    rest = _WORDED.sub(lambda match: collect(_number_in_words(match)) + (match["counted"] or ""), rest)
    return Figures(frozenset(quantities), codes, rest)


@lru_cache(maxsize=4096)
def counted_numbers(text: str) -> frozenset[str]:
    """Return the numbers of a text that count things, or belong to a date or a version, and so measure nothing.

    >>> sorted(counted_numbers("A let with 3 units, in steps of 5 for 30 days from 24 May on, 绑定 10 个实例, 1.6.0"))
    ['1.6', '10', '24', '3']
    """
    found = _COUNTED.finditer(numbers_as_digits(fold(text)))
    return frozenset(_plain_number(match["value"] or match["day"]) for match in found)


@lru_cache(maxsize=1024)
def units_named(text: str) -> frozenset[str]:
    """Return the units whose names or signs occur in a text, with or without a number.

    Prices without a currency may be in any.

    >>> sorted(units_named("Warranty (years), price in EUR")), "CNY" in units_named("| 维修费 | 合计 |")
    (['EUR', 'year'], True)
    """
    folded = fold(text)
    found = frozenset(_unit_name(match["unit"]) for match in _UNIT_NAMED.finditer(folded))
    return found if found & CURRENCY_UNITS or not _PRICE.search(folded) else found | CURRENCY_UNITS


def _without_digits(match: re.Match[str]) -> str:
    """Blank the digits of an address: they count and measure nothing."""
    return _DIGITS.sub(" ", match[0])


def fold(text: str) -> str:
    """Return the text in lower case and one width.  Its length may differ."""
    return unicodedata.normalize("NFKC", text).lower()


def numbers_as_digits(folded: str) -> str:
    """Return a folded text with all numbers in digits without separators: ``1.5 million``, ``150万``.

    >>> numbers_as_digits("1,500 seats, 1.5 million"), numbers_as_digits("40 万元")
    ('1500 seats, 1500000', '400000元')
    """
    return _SCALED.sub(
        lambda match: f"{(Decimal(match[1]) * 10 ** _SCALES[match[2]]).normalize():f}", _THOUSANDS.sub("", folded)
    )


_DURATION = re.compile(
    rf"(?:(?<![\d.:-])(?P<digits>\d{{1,3}}(?:\.\d)?)[\s-]*|(?<![a-z])(?P<english>an?|{'|'.join(ENGLISH_NUMBERS)})[\s-]"
    r"|(?<![第周期一二两三四五六七八九十百])(?P<chinese>[一二两三四五六七八九十]{1,3}))"
    r"(?P<unit>(?:hour|week|year)s?(?![a-z])|个?小时|个?星期|周|年(?![级费度]))"
)


def with_common_durations(folded: str) -> str:
    """Return a folded text with weeks and whole days' hours as days, and years as months.

    >>> with_common_durations("one week, 48 hours, 2 years, 36 hours"), with_common_durations("保修一年、24小时")
    ('7 days, 2 days, 24 months, 36 hours', '保修12个月、1天')
    """
    return _DURATION.sub(_common_duration, folded)


def _common_duration(match: re.Match[str]) -> str:
    number, unit = _value_of_duration(match), _unit_name(match["unit"])
    if unit == "hour" and number % 24:
        return match[0]
    total = number / 24 if unit == "hour" else number * (7 if unit == "week" else 12)
    if match["unit"][0].isascii():
        return f"{total.normalize():f} {'months' if unit == 'year' else 'days'}"
    return f"{total.normalize():f}{'个月' if unit == 'year' else '天'}"


def _value_of_duration(match: re.Match[str]) -> Decimal:
    if match["digits"]:
        return Decimal(match["digits"])
    return Decimal(chinese_number(match["chinese"]) if match["chinese"] else ENGLISH_NUMBERS.get(match["english"], 1))


_NUMBER_WORD = re.compile(
    rf"\b(?:{'|'.join(word for word in ENGLISH_NUMBERS if word != 'zero')})\b"
    rf"|(?<![{IDEOGRAPHS}])[二两三四五六七八九十]{{1,3}}(?=[天日周年个到至])"
    r"|(?<=[到至])[二两三四五六七八九十]{1,3}(?=[天日周年个])",
    re.IGNORECASE,
)


def words_as_digits(text: str) -> str:
    """Return a text with its small numbers in words as digits.

    >>> words_as_digits("Five to seven days"), words_as_digits("五至七天")
    ('5 to 7 days', '5至7天')
    """
    return _NUMBER_WORD.sub(lambda match: str(ENGLISH_NUMBERS.get(match[0].lower()) or chinese_number(match[0])), text)


def _percentage(match: re.Match[str]) -> str:
    """Return a Chinese share with a percent sign: 1.5% for "百分之1.5" and "百分之一点五"."""
    fraction = "".join(str(_CHINESE_DIGITS.get(digit, 0)) for digit in match["fraction"] or "")
    value = Decimal(match["digits"] or f"{chinese_number(match['numeral'])}.{fraction or 0}")
    return f"{(value / 10 ** _SHARES[match['base']]).normalize():f}%"


def _plain_number(digits: str) -> str:
    whole, _, fraction = digits.partition(".")
    fraction = fraction.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")


def _unit(match: re.Match[str], value: str) -> str:
    name = _unit_name(match.groupdict().get("currency") or match["unit"] or "")
    return CALENDAR_YEAR if name in ("", "year") and _CALENDAR_YEAR.match(value) else name


def _unit_name(form: str) -> str:
    return next((name for name, forms in _UNIT_FORMS if forms.match(form)), "") if form else ""


def _numbers(match: re.Match[str], *values: str) -> set[Quantity]:
    return {Quantity(_plain_number(value), _unit(match, value)) for value in values}


def _number_in_words(match: re.Match[str]) -> set[Quantity]:
    value = ENGLISH_NUMBERS[match["english"]] if match["english"] else chinese_number(match["chinese"])
    if match["counted"] and value <= 1:
        return set()  # an article or a pronoun
    return {Quantity(str(value), _unit(match, str(value)))}


def _period(match: re.Match[str]) -> Quantity:
    if match["chinese_half"] in ("月", "个月"):
        return Quantity("0.5", "month")
    return Quantity("1" if match["one"] else "0.5", _unit_name(match["one"] or match["half"] or match["chinese_half"]))


def chinese_number(numeral: str) -> int:
    """Read a numeral below a thousand: ``十五``, ``二十``, ``一百二十``.

    >>> chinese_number("十五"), chinese_number("两"), chinese_number("一百八十")
    (15, 2, 180)
    """
    hundreds, _, below = numeral.rpartition("百")
    tens, ten, ones = below.rpartition("十")
    total = _CHINESE_DIGITS.get(hundreds[-1:], 1) * 100 if "百" in numeral else 0
    total += _CHINESE_DIGITS.get(tens[-1:], 1) * 10 if ten else 0
    return total + _CHINESE_DIGITS.get(ones[-1:], 0)


def _date(year: str, month: str, day: str) -> set[Quantity]:
    return {
        Quantity(year, CALENDAR_YEAR),
        Quantity(_plain_number(month), MONTH_OF_THE_YEAR),
        Quantity(_plain_number(day)),
    }


def _month_day(match: re.Match[str]) -> set[Quantity]:
    if match["name"] == "may" and not (match["day"] or match["after"]):
        return set()  # the verb, more often than the month
    number = next(place for place, name in enumerate(MONTH_NAMES, start=1) if name.startswith(match["name"]))
    days = {Quantity(_plain_number(day)) for day in (match["day"], match["after"]) if day}
    return {Quantity(str(number), MONTH_OF_THE_YEAR), *days}


def _chinese_month(match: re.Match[str]) -> set[Quantity]:
    month = _plain_number(match["digits"]) if match["digits"] else str(chinese_number(match["numeral"]))
    days = {Quantity(_plain_number(match["day"]))} if match["day"] else set[Quantity]()
    return {Quantity(month, MONTH_OF_THE_YEAR), *days}


def with_24_hours(text: str) -> str:
    """Return a folded text with its times of day as a clock of 24 hours shows them.

    >>> with_24_hours("open until 8:30 pm"), with_24_hours("下午3点半关门"), with_24_hours("晚上七点至九点半")
    ('open until 20:30', '15:30关门', '19:00至21:30')
    """

    def told(match: re.Match[str]) -> str:
        of_morning = "" if match["part"] in _AFTERNOON or match["half"] else match["part"] or ""
        return f"{of_morning}{_clock(match).value}"

    return _CLOCK.sub(told, _clocks_in_digits(text))


def _clocks_in_digits(folded: str) -> str:
    """Return a folded text with hours in digits, each with its part of the day: 晚上8点到晚上9点 for 晚上八点到九点."""
    if "点" not in folded and "下午" not in folded and "晚" not in folded:
        return folded
    return _CLOCK_RANGE.sub(_with_part_of_both, _CLOCK_IN_WORDS.sub(_clock_in_digits, folded))


def _clock_in_digits(match: re.Match[str]) -> str:
    minutes = f"{chinese_number(match['minutes'][:-1])}分" if match["minutes"] else ""
    return f"{match['before']}{chinese_number(match['hour'])}点{minutes}"


def _with_part_of_both(match: re.Match[str]) -> str:
    """Repeat the part of the day before the end of a range, unless that is on the next day: 晚上10点到2点."""
    ends_later = int(match["first"]) <= int(match["last"]) < _NOON
    return match[0] + (match["part"] if ends_later else "")


def _clock(match: re.Match[str]) -> Quantity:
    """Return the time of day that a match of ``_CLOCK`` names, from 0:00 to 23:59: 20:30 for 晚上8点半."""
    if match["half"]:
        hour, minute = int(match["hour"]) % 12 + (12 if match["half"] == "p" else 0), match["minute"]
        return Quantity(f"{hour}:{minute or '00'}", "clock")
    hour = int(match["hour_24"] or match["chinese_hour"])
    minute = match["minute_24"] or match["chinese_minute"] or _MINUTES_OF_QUARTER.get(match["quarter"] or "", "0")
    if match["part"] in _AFTERNOON and hour < _NOON:
        hour += _NOON
    elif (match["part"] == "中午" and hour < _LATEST_NOON) or (match["part"] in _NIGHT and hour == _NOON):
        hour = (hour + _NOON) % _HOURS_OF_DAY
    return Quantity(f"{hour}:{int(minute):02}", "clock")


_NOON, _LATEST_NOON, _HOURS_OF_DAY = 12, 3, 24
_NIGHT = frozenset(("凌晨", "晚上", "晚间", "今晚", "当晚", "明晚"))
"""With them twelve o'clock is midnight."""


_TO_DAY = r"[ \t]{0,3}(?:[-–—~～至到]|to|through|until)[ \t]{0,3}"
_ENGLISH_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ENGLISH_DAY = (
    r"(?:(?i:mon|tues|wednes|thurs|fri|satur|sun)(?i:days?)|Mon|Tues?|Wed|Thurs?|Thu|Fri|Sat|Sun)(?![A-Za-z])"
)
_ENGLISH_WEEKDAYS = re.compile(rf"(?<![A-Za-z])({_ENGLISH_DAY})\.?(?:{_TO_DAY}({_ENGLISH_DAY}))?")
_CHINESE_DAYS = "一二三四五六日"
_CHINESE_DAY = rf"[{_CHINESE_DAYS}天](?![次个天回场节直般共些样])"
_WEEK = r"(?:星期|礼拜|[周週])"
_CHINESE_WEEKDAYS = re.compile(  # "一周三次" and "这周一直" name no day
    rf"(?<![一两二三四五六七八九十几\d]){_WEEK}({_CHINESE_DAY}(?:[、和及]{_WEEK}?{_CHINESE_DAY}){{0,6}})"
    rf"(?:{_TO_DAY}{_WEEK}?({_CHINESE_DAY}))?"
)
_SEVERAL_WEEKDAYS = (
    (re.compile(r"\bweekends?\b|周末|双休日", re.IGNORECASE), frozenset({5, 6})),
    (re.compile(r"\bweekdays?\b|(?<![\d个])工作日", re.IGNORECASE), frozenset(range(5))),
)
_WEEKDAY_HINTS = (*(day[:3] for day in _ENGLISH_DAYS), "week", "周", "週", "星期", "礼拜", "休日", "工作日")
"""What every name of a day has in small letters: to look for these takes a tenth of what the patterns do."""


def named_weekdays(text: str) -> frozenset[int]:
    """Return the days that a text names, 0 for Monday to 6 for Sunday; none for "every day" and "3 working days".

    >>> sorted(named_weekdays("Mon-Wed, and on Sundays")), sorted(named_weekdays("周二、四及周末，每周一次"))
    ([0, 1, 2, 6], [1, 3, 5, 6])
    """
    small = text.lower()
    if not any(hint in small for hint in _WEEKDAY_HINTS):
        return frozenset()
    days = {day for pattern, several in _SEVERAL_WEEKDAYS if pattern.search(text) for day in several}
    for first, last in _ENGLISH_WEEKDAYS.findall(text):
        days.update(_from_to(_english_day(first), _english_day(last or first)))
    for listed, last in _CHINESE_WEEKDAYS.findall(text):
        *single, first = (_chinese_day(character) for character in listed if character in f"{_CHINESE_DAYS}天")
        days.update(single, _from_to(first, _chinese_day(last) if last else first))
    return frozenset(days)


def _english_day(word: str) -> int:
    return next(number for number, day in enumerate(_ENGLISH_DAYS) if day.startswith(word[:3].lower()))


def _chinese_day(character: str) -> int:
    return _CHINESE_DAYS.index("日" if character == "天" else character)


def _from_to(first: int, last: int) -> set[int]:
    return {(first + step) % 7 for step in range((last - first) % 7 + 1)}
