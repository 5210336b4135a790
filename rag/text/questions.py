"""Reads questions in both languages: their words, whether they ask for yes or no or a figure, and about which time."""

import calendar
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from rag.text.quantities import (
    CALENDAR_YEAR,
    CURRENCY_UNITS,
    DURATION_UNITS,
    ENGLISH_NUMBERS,
    MONTH_OF_THE_YEAR,
    SIZE_UNITS,
    Quantity,
    chinese_number,
    read_figures,
)

ENGLISH_QUESTION_WORDS = "how|what|which|when|where|who|whose|why"
"""For lower case, and between word borders."""

ENGLISH_ASKING_VERBS = "can|could|do|does|did|is|are|was|were|will|would|should|may|must|have|has"
"""Before their subject they ask for yes or no; for lower case, and between word borders."""

_CHINESE_YES_OR_NO = "吗|是否|能否|可否|是不是|能不能|要不要|可不可以|有没有|会不会|行不行|支不支持|算不算"

_HOW_MANY = "(?<![好十百这那近头])(?<!前面)(?<!前(?=几[天日周月年次回]))几(?![乎率])"
"""Not in "the other day", "a dozen", "almost"."""

_WHATEVER = (
    r"(?![^\n，。,；！？!?都也统概]{0,14}+(?:统(?!统)[^\n，。,；！？!?都也统概]{0,12}+)?"
    r"(?:都|也|统统|(?<=一)概)(?![^\n，。,；！]{0,30}[吗么呢?？]))"
)
"""After a question word: "收多少钱都行" means "any price will do", unless it ends as a question does."""

_NAMED_BY_IT = r"(?![^\n，。,；！？!?]{1,16}的(?:教程|文章|方法|说明|文档|指南|步骤|视频|帖子|攻略|介绍|经验))"
"""After "how": 写了一篇怎么退货的文章 names an article."""

# 谁 asks nothing in 谁想到
CHINESE_QUESTION_WORDS = (
    rf"(?:多少|多久|多长|多大|{_HOW_MANY}|怎么{_NAMED_BY_IT}|怎样|什么|啥|哪|谁(?!曾?想到?|料)){_WHATEVER}"
    rf"|如何{_NAMED_BY_IT}|么\b|呢|可以不|{_CHINESE_YES_OR_NO}"
)

_ASKS_YES_OR_NO = re.compile(
    r"(?:^|[.,;:!?]\s+|\b(?:and|but|so|then|or)\s+)"
    rf"(?:{ENGLISH_ASKING_VERBS}|am)(?:n['’]t)?\s+[a-z]"
    rf"|{_CHINESE_YES_OR_NO}"
    r"|[能会行可得](?:[^\n。？?]{0,30})不[？?。]?$|么[？?。]?$",
    re.IGNORECASE | re.MULTILINE,
)


def asks_yes_or_no(question: str) -> bool:
    """Tell whether a question, or a part of it, asks for yes or no.

    >>> asks_yes_or_no("I have lost the box. Can I return it?"), asks_yes_or_no("Which boxes can I return?")
    (True, False)
    >>> asks_yes_or_no("盒子丢了还能退不"), asks_yes_or_no("能退几次？")
    (True, False)
    """
    return _ASKS_YES_OR_NO.search(question) is not None


@dataclass(frozen=True, slots=True)
class ExpectedValue:
    """The kind of figure that a question asks for: its ``units``, None for any.

    ``words`` are patterns of answers without a figure: "free", "at once".
    """

    units: frozenset[str] | None
    words: re.Pattern[str]

    def is_given_in_words(self, sentence: str) -> bool:
        """Tell whether a sentence gives the answer in words."""
        return self.words.search(sentence) is not None

    def matching(self, quantities: Iterable[Quantity]) -> frozenset[Quantity]:
        """Return the quantities in these units."""
        return frozenset(one for one in quantities if self.units is None or one.unit in self.units)


_TIME = "(?:second|minute|hour|day|week|month|year)"
_CHINESE_HOW_MANY = "(?:(?<![哪这那近好头十百])(?<!(?<!提)前)几|多少)"  # not 前几天 and 好几个, but 提前几天
_CHINESE_TIME = "(?:秒|分钟|小时|钟头|天|日|工作日|星期|周|个月|年)"
_HOW_MANY_DAYS = rf"\bhow many (?:\w+ )?{_TIME}s?\b|{_CHINESE_HOW_MANY}\s*个?{_CHINESE_TIME}"
_AMOUNT = "(?:storage|data|volume|space|memory|traffic|capacity)"
_NO_LIMIT = r"\bunlimited\b|\bno (?:\w+ )?limit|不限|[无没]有?(?:限制|上限)|任意"
_EXPECTED_VALUES = tuple(
    (re.compile(asked, re.IGNORECASE), ExpectedValue(units, re.compile(words, re.IGNORECASE)))
    for asked, units, words in (
        (
            r"\bsize limit|\blimit (?:on|of|to|for) the size|\b(?:max(?:imum)?|min(?:imum)?|largest|smallest)"
            r" (?:\w+ )?(?:size|volume|capacity)\b|\bhow many (?:[kmgt]b|(?:kilo|mega|giga|tera)bytes?)\b"
            rf"|\bhow much (?:\w+ )?{_AMOUNT}|(?:几|多少)\s*[kmgt]b?(?![a-z])|大小(?:限制|上限)",
            SIZE_UNITS,
            _NO_LIMIT,
        ),
        (
            r"\bpercent|\bhow much (?:faster|slower|cheaper)\b|百分之几|百分比|[快慢省]多少|几成",
            frozenset({"percent", "time", "discount tenth"}),
            r"\b(?:half|twice|double)\b|一半|一倍",
        ),
        (
            r"\bhow much (?:is|are|was|were|money)\b|\bhow much\b[^?\n]{0,40}\b(?:cost|pay|charge|price|fee|refund)"
            r"|\bwhat(?:['’]s| is| are| was| does| do| would| will)\b[^?\n]{0,40}\b(?:price|cost|fee)\b|\bwhat price\b"
            "|多少(?:钱|费用|(?:人民币|美)?元|块|美金)|(?<![好十百])几(?:块|毛|元)|什么价|(?:价格|费用|单价)是?为?多少",
            CURRENCY_UNITS | {"percent"},
            r"\bfree\b|\bno (?:\w+ )?charge|\bfull (?:price|amount)|\bhalf\b|免费|不收|不要钱|不产生|全额|一半|原价",
        ),
        (
            rf"\bhow (?:long|soon|quickly)\b|多久|多长时间|{_HOW_MANY_DAYS}",
            DURATION_UNITS,
            r"\bimmediate|\bat once\b|\binstant|\bpermanent|\bforever\b|\blifetime\b|\buntil\b|\bas long as\b"
            r"|\breal[- ]time\b|[立随]即|立刻|马上|永久|实时|即时|当[天日]|随时|一直|终身|长期|直到|为止",
        ),
        (
            rf"\bhow (?:often|many (?:times|retries))\b|{_CHINESE_HOW_MANY}[次遍]",
            DURATION_UNITS | {"time"},
            rf"\b(?:once|twice|never)\b|\b(?:dai|week|month|year|hour)ly\b|\bevery (?:\w+ )?{_TIME}"
            rf"|一次|每\w?{_CHINESE_TIME}|从不",
        ),
        (r"\bwhat time\b|\bopening hours\b|几点|营业时间", frozenset({"clock"}), r"\b24 hours\b|24\s*小时|全天"),
        (
            r"\b(?:which|what) (?:(?:tele)?phone|fax) number\b|哪个(?:电话|号码)|(?:电话|号码)是?多少"
            r"|\b(?:which|what) number\b[^?\n]{0,40}\b(?:call|dial|fax|phone|reach|ring|text)\b",
            frozenset(),
            r"\d{5,}|\d{3}[ -]\d{3}",
        ),
        (
            r"\b(?:how many|what number)\b|\bhow (?:big|large)\b|多大"
            rf"|{_CHINESE_HOW_MANY}\s*[个条项位种台张份级名家款套字]",
            None,
            rf"\b(?:one|both|none|each)\b|[一两每]\s*[个条项位种台张份级名家款套]|{_NO_LIMIT}",
        ),
    )
)


_ASKED_TIME = re.compile(_HOW_MANY_DAYS, re.IGNORECASE)


def without_asked_time(question: str) -> str:
    """Return a question without the "how many days" for which an answer gives a figure.

    >>> without_asked_time("信用卡退款要几个工作日"), without_asked_time("After how many hours is it repeated?")
    ('信用卡退款要 ', 'After   is it repeated?')
    """
    return _ASKED_TIME.sub(" ", question)


_DEPENDS = re.compile(r"\bdepend|\bvar(?:y|ies)\b|\bdiffers?\b|取决于|[因视]\w{1,12}而[异定]|有所?不同", re.IGNORECASE)


def says_that_it_depends(sentence: str) -> bool:
    """Tell whether a sentence says what a figure depends on, or that there is no single one."""
    return _DEPENDS.search(sentence) is not None


def expected_value(question: str) -> ExpectedValue | None:
    """Return the kind of figure that a question asks for; None if words may answer it as well.

    >>> value = expected_value("After how many minutes does a job fail?")
    >>> value is not None and sorted(value.units or ())[:3]
    ['day', 'hour', 'minute']
    >>> expected_value("Which codecs can you read?") is None, "CNY" in expected_value("每TB一个月多少钱？").units
    (True, True)
    >>> expected_value("搜出来好几个插件，装哪个？") is None, expected_value("能装几个插件？") is None
    (True, False)
    """
    return next((value for asks, value in _EXPECTED_VALUES if asks.search(question)), None)


def asks_for_figure(question: str) -> bool:
    """Tell whether only a figure answers a question: it expects one, and yes or no is no answer."""
    return expected_value(question) is not None and not asks_yes_or_no(question)


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


def refers_to_past(question: str, last_day: date, today: date) -> bool:
    """Tell whether the question names a time up to ``last_day``, or says that it is about the past.

    A month without a year is the latest one that has begun.

    >>> last_day, today = date(2026, 3, 31), date(2026, 11, 25)
    >>> refers_to_past("Who pays for it?", last_day, today), refers_to_past("Ordered on 12 March", last_day, today)
    (False, True)
    >>> refers_to_past("五月买的还能退吗？", last_day, today), refers_to_past("十个月前买的", last_day, today)
    (False, True)
    """
    years, months = _years_and_months(question)
    first_days = [date(year, month, 1) for year in years for month in months or [1]]
    if not years:
        first_days = [date(today.year - (month > today.month), month, 1) for month in months]
    first_days += [today - timedelta(days=days) for days in _days_ago(question)]
    first_days += [first for first, _ in _relative_times(question.lower(), today)]
    return _FORMERLY.search(question) is not None or any(day <= last_day for day in first_days)


def refers_to_future(question: str, first_day: date, today: date) -> bool:
    """Tell whether the question names a time from ``first_day`` on, or says that it is about the future.

    A month without a year is the next one that has not ended, unless the question is about something that happened.

    >>> first_day, today = date(2027, 1, 1), date(2026, 11, 25)
    >>> refers_to_future("What does it cost?", first_day, today)
    False
    >>> refers_to_future("What will it cost in June?", first_day, today)
    True
    >>> refers_to_future("我一月买的，多少钱？", first_day, today)
    False
    """
    years, months = _years_and_months(question)
    last_days = [_end_of(year, month) for year in years for month in months or [_DECEMBER]]
    if not years and not _HAPPENED.search(question):
        last_days = [_end_of(today.year + (month < today.month), month) for month in months]
    last_days += [last for _, last in _relative_times(question.lower(), today)]
    return _IN_FUTURE.search(question) is not None or any(day >= first_day for day in last_days)


def _years_and_months(question: str) -> tuple[list[int], list[int]]:
    """Return the years and the months that the question names, without relating them."""
    quantities = read_figures(question).quantities
    years = [int(one.value) for one in quantities if one.unit == CALENDAR_YEAR]
    months = [int(one.value) for one in quantities if one.unit == MONTH_OF_THE_YEAR and one.value in _MONTHS]
    return years, months


def _end_of(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1])


def _relative_times(question: str, today: date) -> Iterator[tuple[date, date]]:
    """Yield the first and last day of each time relative to today: tomorrow, last month."""
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
