"""Makes of a question one that asks for something else, by a single change, or one that asks for the same.

An answer to the first would be wrong.  The second greets, shortens, or writes in another hand: the ways that
``rag/reuse/question_key.py`` was made for, so their share says that it works; the questions that others have worded
(``benchmark.py``) show how many of all wordings it knows.

Pure functions that draw from a given generator.  They read text by patterns of their own, not by those of
``rag/grounding``: the code under test must not choose its own test.
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rag.schema import Language

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_NUMBER_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "thirty")
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(_NUMBER_WORDS)})\b", re.IGNORECASE)
_CHINESE_NUMBERS = "二三四五六七八九"
_CHINESE_NUMBER = re.compile(rf"[{_CHINESE_NUMBERS}两](?=[个天年月次日名人种条项倍周台元小分])")
_NAME = re.compile(
    r"(?<=[\w,] )[A-Z][A-Za-z]+\b|(?<=[\u3400-\u9fff])[A-Za-z][A-Za-z0-9]+"
    r"|[A-Za-z][A-Za-z0-9]{1,30}+(?=[\u3400-\u9fff])"
)
_CODE = re.compile(r"\b[A-Z]{1,5}-?\d+\b|(?<![A-Za-z])[A-Z]{2,6}(?![A-Za-z])")
_AUXILIARY = re.compile(
    r"\b(is|are|was|were|can|could|will|would|must|should|do|does|did|has|have)\b(?! not\b)(?!n['’]t)", re.IGNORECASE
)
_NEGATED = re.compile(
    r"\b(is|are|was|were|can|could|will|would|must|should|do|does|did|has|have)(?: not|n['’]t)\b", re.I
)
_CHINESE_AFFIRMED = re.compile(r"(?<![不没])(?:能|可以|会|支持|需要|是(?!否)|有(?!没)|允许|收到|包含|显示)")
_CHINESE_NEGATED = re.compile(r"(?<!能)(?<!可)(?<!是)(?<!要)(?<!会)不(?=能|可以|会|支持|需要|是|允许|显示|包含)")
_WORD_PAIRS: Mapping[str, Sequence[tuple[str, str]]] = {
    "direction": (
        ("from", "to"), ("into", "out of"), ("enable", "disable"), ("increase", "decrease"), ("upload", "download"),
        ("upgrade", "downgrade"), ("open", "close"), ("add", "remove"), ("buy", "sell"), ("import", "export"),
        ("on", "off"), ("in", "out of"), ("up", "down"), ("with", "without"), ("connect", "disconnect"),
        ("start", "stop"), ("show", "hide"), ("lock", "unlock"), ("above", "below"), ("receive", "send"),
        ("升级", "降级"), ("开启", "关闭"), ("启用", "禁用"), ("上传", "下载"), ("增加", "减少"), ("购买", "出售"),
        ("导入", "导出"), ("公网", "内网"), ("转入", "转出"), ("登录", "退出"), ("挂载", "卸载"), ("绑定", "解绑"),
        ("创建", "删除"), ("扩容", "缩容"), ("入方向", "出方向"), ("续费", "退订"), ("加", "减"), ("上", "下"),
    ),
    "before or after": (
        ("before", "after"), ("since", "until"), ("first", "last"), ("previous", "next"), ("earlier", "later"),
        ("之前", "之后"), ("以前", "以后"), ("前", "后"), ("最早", "最晚"), ("第一", "最后"), ("早", "晚"),
    ),
    "time": (
        ("was", "is"), ("were", "are"), ("did", "does"), ("will", "did"), ("today", "tomorrow"),
        ("yesterday", "today"), ("year", "month"), ("years", "days"), ("day", "week"), ("days", "hours"),
        ("century", "decade"), ("century", "year"), ("now", "then"), ("currently", "formerly"), ("monday", "friday"),
        ("今天", "昨天"), ("年", "月"), ("天", "小时"), ("月", "日"), ("小时", "分钟"), ("现在", "过去"),
        ("正在", "曾经"), ("时候", "地方"),
    ),
    "comparison": (
        ("more", "less"), ("most", "least"), ("larger", "smaller"), ("largest", "smallest"), ("higher", "lower"),
        ("at least", "at most"), ("minimum", "maximum"), ("best", "worst"), ("many", "few"), ("longer", "shorter"),
        ("oldest", "youngest"), ("over", "under"), ("only", "also"), ("all", "some"), ("same", "different"),
        ("最多", "最少"), ("最大", "最小"), ("最高", "最低"), ("至少", "至多"), ("大于", "小于"), ("超过", "低于"),
        ("不超过", "超过"), ("大", "小"), ("高", "低"), ("多", "少"), ("只", "也"), ("所有", "部分"), ("相同", "不同"),
    ),
    "kind of question": (
        ("how", "why"), ("when", "where"), ("who", "when"), ("what", "which"), ("why", "when"), ("where", "who"),
        ("how many", "which"), ("how much", "which"), ("what", "who"),
        ("怎么", "为什么"), ("如何", "为什么"), ("哪些", "多少"), ("什么", "谁"), ("多少", "哪些"), ("为什么", "如何"),
        ("哪里", "何时"), ("谁", "哪里"), ("是否", "为何"), ("吗", "的原因"), ("有哪些", "有没有"),
    ),
}  # fmt: skip
_PARTNERS = ("i", "you"), ("my", "your"), ("he", "they"), ("我", "你"), ("买家", "卖家"), ("用户", "客服")
_AROUND = re.compile(
    r"\b([\w-]{2,24}+) (to|from|with|of|for|by|and|or|than|in|against|between|over|via) ((?:the |an? )?)([\w-]{2,})\b",
    re.I,
)
_CHINESE_AROUND = re.compile(
    r"([\u3400-\u9fffA-Za-z0-9]{2})(和|与|到|给|对|向|跟|比|把|被|转|的)([\u3400-\u9fffA-Za-z0-9]{2})"
)
_FILLERS = frozenset("the a an is are do does it be not".split())  # noqa: SIM905

_FULL_WIDTH = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})
_DIGITS = dict(zip("23456789", "二三四五六七八九", strict=True))

_ENGLISH: Mapping[str, Callable[[str], str]] = {
    "greeting": lambda text: f"Hi there, {text} Thanks a lot!",
    "asking": lambda text: f"Could you please tell me: {text}",
    "letters": lambda text: f"  {text.lower().rstrip('?')} ??",
    "how": lambda text: re.sub(r"^How (?:do|can) I\b|^How to\b", "how can we", text, flags=re.IGNORECASE),
    "contraction": lambda text: re.sub(r"^(what|where|how|who|when) is\b", r"\1's", text, flags=re.IGNORECASE),
    "width": lambda text: text.translate(_FULL_WIDTH),
}
_CHINESE: Mapping[str, Callable[[str], str]] = {
    "greeting": lambda text: f"您好，请问{text}谢谢",
    "asking": lambda text: f"想咨询一下{text.rstrip('？?')}呢",
    "letters": lambda text: f" {text.rstrip('？?')} ? ",
    "how": lambda text: re.sub("如何|怎么(?!样|办)|怎样", "怎样", text),
    "can": lambda text: re.sub("可以|能否|是否可以|能不能", "能不能", text, count=1),
    "when": lambda text: text.replace("什么时候", "何时"),
    "numerals": lambda text: re.sub(r"(?<![\d.])[2-9](?=[个天年次台])", lambda match: _DIGITS[match.group()], text),
}


@dataclass(frozen=True, slots=True)
class Changed:
    """A question that asks for something else.  ``kind`` says what was changed."""

    kind: str
    question: str


Change = Callable[[str, random.Random, Sequence[str]], str | None]


def changed_questions(question: str, draw: random.Random, names: Sequence[str]) -> Iterator[Changed]:
    """Yield one question for each kind of change that there is a place for; ``names`` are those of other questions."""
    for kind, change in _CHANGES.items():
        found = change(question, draw, names)
        if found is not None and _letters(found) != _letters(question):
            yield Changed(kind, found)


def _letters(text: str) -> str:
    return "".join(text.split()).lower()


def names_in(question: str) -> list[str]:
    """Return the names of a question, as far as capitals and letters among ideographs tell."""
    return [*_NAME.findall(question), *_CODE.findall(question)]


def _drawn(pattern: re.Pattern[str], text: str, draw: random.Random) -> re.Match[str] | None:
    found = list(pattern.finditer(text))
    return draw.choice(found) if found else None


def _put(text: str, match: re.Match[str], words: str) -> str:
    return text[: match.start()] + words + text[match.end() :]


def _number(text: str, draw: random.Random, names: Sequence[str]) -> str | None:
    del names
    match = _drawn(_NUMBER, text, draw)
    if match is not None:
        whole, point, rest = match.group().partition(".")
        return _put(text, match, f"{int(whole) + draw.randint(1, 9)}{point}{rest}")
    match = _drawn(_NUMBER_WORD, text, draw)
    if match is not None:
        return _put(text, match, draw.choice([word for word in _NUMBER_WORDS if word != match.group().lower()]))
    match = _drawn(_CHINESE_NUMBER, text, draw)
    if match is None:
        return None
    own = match.group().replace("两", "二")
    return _put(text, match, draw.choice([digit for digit in _CHINESE_NUMBERS if digit != own]))


def _name(pattern: re.Pattern[str]) -> Change:
    def change(text: str, draw: random.Random, names: Sequence[str]) -> str | None:
        match = _drawn(pattern, text, draw)
        others = [name for name in names if match is not None and name.lower() != match.group().lower()]
        return _put(text, match, draw.choice(others)) if match is not None and others else None

    return change


def _denial(text: str, draw: random.Random, names: Sequence[str]) -> str | None:
    del names
    for pattern, words in ((_NEGATED, r"\1"), (_CHINESE_NEGATED, "")):
        match = _drawn(pattern, text, draw)
        if match is not None:
            return _put(text, match, match.expand(words))
    match = _drawn(_AUXILIARY, text, draw)
    if match is not None:
        return _put(text, match, f"{match.group()} not")
    match = _drawn(_CHINESE_AFFIRMED, text, draw)
    return None if match is None else _put(text, match, ("没" if match.group() == "有" else "不") + match.group())


def _opposite(pairs: Sequence[tuple[str, str]]) -> Change:
    both = [pair for one, other in pairs for pair in ((one, other), (other, one))]

    def change(text: str, draw: random.Random, names: Sequence[str]) -> str | None:
        del names
        found = [(match, other) for one, other in both for match in re.finditer(_whole(one), text, re.IGNORECASE)]
        if not found:
            return None
        longest = max(len(match.group()) for match, _ in found)
        match, other = draw.choice([pair for pair in found if len(pair[0].group()) == longest])
        return _put(text, match, other)

    return change


def _whole(word: str) -> str:
    return rf"\b{word}\b" if word.isascii() else word


def _swap(text: str, draw: random.Random, names: Sequence[str]) -> str | None:
    """Let two sides change places: who acts and on whom, from where and to where."""
    del names
    for one, other in _PARTNERS:
        pattern = re.compile(f"{_whole(one)}|{_whole(other)}", re.IGNORECASE)
        if len({match.group().lower() for match in pattern.finditer(text)}) == 2:
            return pattern.sub(lambda match: other if match.group().lower() == one else one, text)  # noqa: B023
    around = [match for match in _AROUND.finditer(text) if not {match[1].lower(), match[4].lower()} & _FILLERS]
    if around:
        match = draw.choice(around)
        return None if match[1] == match[4] else _put(text, match, f"{match[4]} {match[2]} {match[3]}{match[1]}")
    sides = _drawn(_CHINESE_AROUND, text, draw)
    return None if sides is None or sides[1] == sides[3] else _put(text, sides, f"{sides[3]}{sides[2]}{sides[1]}")


_CHANGES: Mapping[str, Change] = {
    "number": _number,
    "name": _name(_NAME),
    "product": _name(_CODE),
    "denial": _denial,
    **{kind: _opposite(pairs) for kind, pairs in _WORD_PAIRS.items()},
    "sides": _swap,
}


def reworded(question: str, language: Language) -> Iterator[tuple[str, str]]:
    """Yield the kinds of rewording that change the question's letters, each with its words."""
    for kind, reword in (_CHINESE if language == "zh" else _ENGLISH).items():
        words = reword(question)
        if words != question:
            yield kind, words
