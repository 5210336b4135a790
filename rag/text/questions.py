"""How a clause asks for something, in both languages: its words, and whether yes or no answers it, or which figure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from rag.text.quantities import CURRENCY_UNITS, DURATION_UNITS, SIZE_UNITS, Quantity

ENGLISH_QUESTION_WORDS = "how|what|which|when|where|who|whose|why"
"""For small letters, and between word borders."""

ENGLISH_ASKING_VERBS = "can|could|do|does|did|is|are|was|were|will|would|should|may|must|have|has"
"""Before their subject they ask for yes or no; for small letters, and between word borders."""

_CHINESE_YES_OR_NO = "吗|是否|能否|可否|是不是|能不能|要不要|可不可以|有没有|会不会|行不行|支不支持|算不算"

CHINESE_QUESTION_WORDS = rf"多少|多久|多长|多大|几|怎么|怎样|如何|什么|啥|哪|谁|么\b|呢|可以不|{_CHINESE_YES_OR_NO}"

_ASKS_YES_OR_NO = re.compile(
    r"(?:^|[.,;:!?]\s+|\b(?:and|but|so|then|or)\s+)"
    rf"(?:{ENGLISH_ASKING_VERBS}|am)(?:n['’]t)?\s+[a-z]"
    rf"|{_CHINESE_YES_OR_NO}"
    r"|[能会行可得](?:[^\n。？?]{0,30})不[？?。]?$|么[？?。]?$",
    re.IGNORECASE | re.MULTILINE,
)


def asks_yes_or_no(question: str) -> bool:
    """Tell whether a question, or a part of it, wants yes or no.

    >>> asks_yes_or_no("I have lost the box. Can I return it?"), asks_yes_or_no("Which boxes can I return?")
    (True, False)
    >>> asks_yes_or_no("盒子丢了还能退不"), asks_yes_or_no("能退几次？")
    (True, False)
    """
    return _ASKS_YES_OR_NO.search(question) is not None


@dataclass(frozen=True, slots=True)
class AskedValue:
    """What a question asks for where only a figure answers it: of which ``units``, None for any.

    ``words`` are the patterns of what answers without a figure: "free", "at once".
    """

    units: frozenset[str] | None
    words: re.Pattern[str]

    def is_given_in_words(self, sentence: str) -> bool:
        """Tell whether a sentence answers without a figure."""
        return self.words.search(sentence) is not None

    def among(self, quantities: Iterable[Quantity]) -> frozenset[Quantity]:
        """Return the quantities of the units that are asked for."""
        return frozenset(one for one in quantities if self.units is None or one.unit in self.units)


_TIME = "(?:second|minute|hour|day|week|month|year)"
_CHINESE_TIME = "(?:秒|分钟|小时|钟头|天|日|工作日|星期|周|个月|年)"
_AMOUNT = "(?:storage|data|volume|space|memory|traffic|capacity)"
_NO_LIMIT = r"\bunlimited\b|\bno (?:\w+ )?limit|不限|[无没]有?(?:限制|上限)|任意"
_ASKED_VALUES = tuple(
    (re.compile(asked, re.IGNORECASE), AskedValue(units, re.compile(words, re.IGNORECASE)))
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
            "|多少(?:钱|费用|(?:人民币|美)?元|块|美金)|几(?:块|毛|元)|什么价|(?:价格|费用|单价)是?为?多少",
            CURRENCY_UNITS | {"percent"},
            r"\bfree\b|\bno (?:\w+ )?charge|\bfull (?:price|amount)|\bhalf\b|免费|不收|不要钱|不产生|全额|一半|原价",
        ),
        (
            rf"\bhow (?:long|soon|quickly)\b|\bhow many (?:\w+ )?{_TIME}s?\b"
            rf"|多久|多长时间|(?<!哪)(?:几|多少)\s*个?{_CHINESE_TIME}",
            DURATION_UNITS,
            r"\bimmediate|\bat once\b|\binstant|\bpermanent|\bforever\b|\blifetime\b|\buntil\b|\bas long as\b"
            r"|\breal[- ]time\b|[立随]即|立刻|马上|永久|实时|即时|当[天日]|随时|一直|终身|长期|直到|为止",
        ),
        (
            r"\bhow (?:often|many (?:times|retries))\b|(?:几|多少)次|几遍",
            DURATION_UNITS | {"time"},
            rf"\b(?:once|twice|never)\b|\b(?:dai|week|month|year|hour)ly\b|\bevery (?:\w+ )?{_TIME}"
            rf"|一次|每\w?{_CHINESE_TIME}|从不",
        ),
        (r"\bwhat time\b|\bopening hours\b|几点|营业时间", frozenset({"clock"}), r"\b24 hours\b|24\s*小时|全天"),
        (
            r"\b(?:which|what) (?:(?:tele)?phone |fax )?number\b|哪个(?:电话|号码)|(?:电话|号码)是?多少",
            frozenset(),
            r"\d{5,}|\d{3}[ -]\d{3}",
        ),
        (
            r"\bhow many\b|\bhow (?:big|large)\b|多大|(?<!哪)(?:几|多少)\s*[个条项位种台张份级名家款套字]",
            None,
            rf"\b(?:one|both|none|each)\b|[一两每]\s*[个条项位种台张份级名家款套]|{_NO_LIMIT}",
        ),
    )
)


_DEPENDS = re.compile(r"\bdepend|\bvar(?:y|ies)\b|\bdiffers?\b|取决于|[因视]\w{1,12}而[异定]|有所?不同", re.IGNORECASE)


def says_that_it_depends(sentence: str) -> bool:
    """Tell whether a sentence says on what a figure depends, or that there is no single one."""
    return _DEPENDS.search(sentence) is not None


def asked_value(question: str) -> AskedValue | None:
    """Return what a question asks for where only a figure answers it; None where words may answer it as well.

    >>> value = asked_value("After how many minutes does a job fail?")
    >>> value is not None and sorted(value.units or ())[:3]
    ['day', 'hour', 'minute']
    >>> asked_value("Which codecs can you read?") is None, "CNY" in asked_value("每TB一个月多少钱？").units
    (True, True)
    """
    return next((value for asks, value in _ASKED_VALUES if asks.search(question)), None)
