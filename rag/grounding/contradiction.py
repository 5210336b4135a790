"""Tells whether a claim contradicts a passage: both agree except for a number, a denial, or a word such as "before".

"You can return it within 24 days" has all its words in "You can return it within 30 days", and 24 may occur in another
sentence.  So each number and each denial of a claim is compared in its place, and so are words that exclude each other,
such as "before" and "after", which are too frequent to count when words are compared.  The claim is aligned token by
token with every similar sentence (longest common blocks).  If the tokens around such a place agree but the place itself
does not, the two contradict each other, unless another sentence has the claim's own token there and agrees with at
least as much around it.  Clauses are also compared separately: in a long sentence a word that occurs twice is easily
aligned with the wrong place.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import pairwise

from rag.text.characters import IDEOGRAPHS
from rag.text.markup import without_list_mark
from rag.text.quantities import (
    ENGLISH_NUMBERS,
    chinese_number,
    fold,
    numbers_as_digits,
    with_24_hours,
    with_common_durations,
)
from rag.text.statements import DENIAL_CHARACTERS, DENIAL_WORDS, content_words, plain_denials, stem

_DENIAL = "¬"
_DENYING = frozenset((*DENIAL_WORDS, *DENIAL_CHARACTERS))
_AUXILIARIES = "do does did be is are was were been have has had can could will would shall should may might must need"
_VERBS_OF_DENIALS = frozenset((_DENIAL, *map(stem, _AUXILIARIES.split()), *"会會能可以要有是得必须須应應该該需"))
_SKIPPED = frozenset("a an the 的 了 个 個".split())  # noqa: SIM905
_CHINESE_NUMERALS = "一二两三四五六七八九十百"
_TOKEN = re.compile(
    rf"[a-z]+-?\d+[a-z]?(?![a-z\d])|\d+(?:[.:]\d+)?|[a-z]+|\||[{_CHINESE_NUMERALS}]+|[{IDEOGRAPHS}]"  # codes first
)

_REMARK = re.compile(r"[(（][^()（）]{1,200}[)）]")

# A line is a set; words that may stand for each other are joined by a slash.
_ENGLISH_DIRECTIONS = """
before after
until/till/by from/since
least most
minimum/min maximum/max
more less/fewer
above below
over under
earlier later
earliest latest
first last
on off
up down
open close/closed/shut
increase decrease/reduce
enable disable
upload download
import export
buyer seller
sender recipient
you we
your our
must may
all some
only also
receipt dispatch purchase payment
second minute hour day week month year
"""
_ENGLISH_CASES = """
left right
hot/warm cold
online offline
small medium large
domestic international
adult child/children
private commercial
internal external
inside outside
upper lower
top bottom
front back/rear
north south east west
red green yellow orange blue white black grey/gray
"""
_CHINESE_DIRECTIONS = "前后 上下 内外 多少 早晚 高低 长短 开关 增减 升降 买卖 进出 先后 新旧 全半 您我"
_CHINESE_CASES = "左右 热冷 大小 男女 公私 东西南北 红绿蓝黄橙白黑灰"
"""Sets of single characters, as which Chinese is compared."""


def _excluded(english: str, chinese: str) -> dict[str, frozenset[str]]:
    """Return for each word of some sets those of its set that mean something else."""
    sets = [[frozenset(map(stem, forms.split("/"))) for forms in line.split()] for line in english.strip().split("\n")]
    sets += [[frozenset(character) for character in characters] for characters in chinese.split()]
    excluded: dict[str, frozenset[str]] = {}
    for words in sets:
        every = frozenset[str]().union(*words)
        for forms in words:
            excluded.update({form: excluded.get(form, frozenset()) | every - forms for form in forms})
    return excluded


_EXCLUDED_CASES = _excluded(_ENGLISH_CASES, _CHINESE_CASES)
_EXCLUDED = _excluded(_ENGLISH_DIRECTIONS, _CHINESE_DIRECTIONS) | _EXCLUDED_CASES

_CHINESE_EVENT = re.compile(
    r"(?:(?P<receipt>签收|收货|收到)|(?P<dispatch>发货|寄出|发出|出库)|(?P<purchase>下单|下订单|购买)|(?P<payment>付款|支付))"
    r"(?=(?:货物|商品|包裹|快递)?[之以]?[后前日当起])"
)
_CHINESE_RATE = re.compile(
    r"每(?:(?P<day>[天日])|(?P<week>周|个?星期)|(?P<month>个?月)|(?P<year>年)|(?P<hour>个?小时|个?钟头)|(?P<minute>分钟?)|(?P<second>秒钟?))"
)
_ENGLISH_EVENT = re.compile(
    r"\b(?P<joint>of|after|from|since|before|upon|following) (?:(?:your|the|its) )?"
    r"(?:(?P<receipt>delivery|receipt|receiving|arrival)|(?P<dispatch>dispatch|shipment|shipping)"
    r"|(?P<purchase>purchase|ordering)|(?P<payment>payment|paying))\b"
)


def _with_plain_opposites(folded: str) -> str:
    """Return a folded text with one word for each starting point of a period, and for "every day" and the like.

    >>> _with_plain_opposites("签收后每天"), _with_plain_opposites("7 days after your delivery")
    (' receipt 后 per day ', '7 days after receipt')
    """
    folded = _CHINESE_EVENT.sub(lambda match: f" {match.lastgroup} ", folded.replace("你", "您"))
    folded = _CHINESE_RATE.sub(lambda match: f" per {match.lastgroup} ", folded)
    return _ENGLISH_EVENT.sub(lambda match: f"{match['joint']} {match.lastgroup}", folded)


_CLAUSE_END = re.compile(r"[,;:，；：。、](?!\d)\s*|\.\s+|(?<!\s)\s++(?:but|and)\s+")
_LEAST_CLAUSE_TOKENS = 4

_AROUND_TOKENS = 8
"""Tokens compared on each side of a place."""
_MOST_AGREEMENT = 2 * _AROUND_TOKENS
_LEAST_AGREEMENT = 3
_WEIGHT_OF_OTHER_WORDS = 0.5
"""Weight of the agreement around a denial if the source denies other words than the claim has there."""
_WORDS_OF_ANOTHER = 2
_NEAREST_TOKENS = 3
"""Two numbers or denials are opposite each other if at most so many tokens lie between each and the common part."""
_MOST_TOKENS = 256
"""Tokens aligned at once; longer sentences are compared piece by piece.

The time of an alignment may be cubic: two sentences of 256 tokens take at most 0.04 s, of 1,024 tokens 2.6 s.  The
longest of 30,534 sentences in three collections of support documents has 210 tokens.
"""
_OVERLAP_TOKENS = _MOST_AGREEMENT
"""Tokens shared by two pieces, so that a place at the edge of one has its surroundings in the other."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """A claim aligned with one sentence: agreement in tokens, by place in the claim.

    The place of a number or denial is that of its token; that of a gap where a denial could be is negative (``_gap``).
    """

    agreeing: dict[int, int]
    opposing: dict[int, int]


def has_mismatch(claim: str, sources: Iterable[str]) -> bool:
    """Tell whether a source differs from the claim in a number or a denial, and no source confirms it.

    The number of a list item is none of these: a reply may tell steps 4 and 5 as 1 and 2.

    >>> has_mismatch("You have 24 days to return it.", ["You have 30 days to return it.", "It took 24 hours."])
    True
    >>> has_mismatch("Gold members have 60 days to return it.", ["Gold members have 60 days to return it.",
    ...     "All others have 30 days to return it."])
    False
    >>> has_mismatch("100 积分抵 1 元，积分能抵运费。", ["100 积分抵 1 元。", "积分不能抵运费。"])
    True
    """
    claim = without_list_mark(claim)
    texts = [_without_other_remarks(without_list_mark(source), claim) for source in sources]
    whole = [piece for source in texts for piece in _pieces(read_tokens(source))]
    if any(_is_part_at_odds(own, whole) for own in _pieces(read_tokens(claim))):
        return True
    clauses = [clause for source in texts for clause in _clauses(source)]
    return any(_is_part_at_odds(own, clauses) for own in _clauses(claim))


def _without_other_remarks(source: str, claim: str) -> str:
    """Return a source without the denials in brackets that share no word with the claim.

    >>> _without_other_remarks("Heat to 60 degrees (not to boiling), leave for 30 minutes.", "Heat it to 60 degrees.")
    'Heat to 60 degrees , leave for 30 minutes.'
    """
    if not _REMARK.search(source):
        return source
    words = content_words(claim)

    def kept(remark: re.Match[str]) -> str:
        is_other = _denies(read_tokens(remark[0])) and words.isdisjoint(content_words(remark[0]))
        return "" if is_other else remark[0]

    return _REMARK.sub(kept, source)


@lru_cache(maxsize=4096)
def _clauses(text: str) -> tuple[tuple[str, ...], ...]:
    """Return the tokens of each clause that is long enough."""
    clauses = [piece for clause in _CLAUSE_END.split(text) for piece in _pieces(read_tokens(clause))]
    return tuple(tokens for tokens in clauses if len(tokens) >= _LEAST_CLAUSE_TOKENS)


def _pieces(tokens: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the tokens as a whole, or in overlapping pieces of 256 if there are more."""
    last = max(len(tokens) - _OVERLAP_TOKENS, 1)
    for start in range(0, last, _MOST_TOKENS - _OVERLAP_TOKENS):
        yield tokens[start : start + _MOST_TOKENS]


def _is_part_at_odds(own: Sequence[str], sources: Iterable[Sequence[str]]) -> bool:
    agreeing: dict[int, int] = {}
    opposing: dict[int, int] = {}
    opponents: dict[int, Sequence[str]] = {}
    every = frozenset(own)
    alike = [source for source in sources if len(every.intersection(source)) >= _LEAST_AGREEMENT]
    for source in alike:
        alignment = align(own, source)
        for place, strength in alignment.agreeing.items():
            agreeing[place] = max(strength, agreeing.get(place, 0))
        for place, strength in alignment.opposing.items():
            if strength > opposing.get(place, 0):
                opposing[place], opponents[place] = strength, source
    return any(
        strength >= _LEAST_AGREEMENT
        and strength > agreeing.get(place, 0)
        and not _is_confirmed_elsewhere(own, place, opponents[place], alike)
        for place, strength in opposing.items()
    )


def _is_confirmed_elsewhere(
    own: Sequence[str], place: int, opponent: Sequence[str], alike: Iterable[Sequence[str]]
) -> bool:
    """Tell whether another sentence gives the same number and unit, with all words common to claim and opponent.

    "It must be stored for 180 days" is confirmed by "it is deleted before it has been stored for 180 days", and "it is
    converted after it has been stored for 360 days" is about something else.
    """
    if not 0 <= place < len(own) - 1 or not _is_number(own[place]):
        return False
    number, shared = (own[place], own[place + 1]), frozenset(own).intersection(opponent)
    return any(number in pairwise(source) and shared.issubset(source) for source in alike)


@lru_cache(maxsize=4096)
def read_tokens(text: str) -> tuple[str, ...]:
    """Return stems, single ideographs, numbers as digits, and one sign for every denial.

    >>> read_tokens("You can't return two of them"), read_tokens("不能退三件")
    (('you', 'can', '¬', 'return', '2', 'of', 'them'), ('¬', '能', '退', '3', '件'))
    >>> read_tokens("30 (thirty) days"), read_tokens("七（7）天"), read_tokens("8、8、11月")
    (('30', 'day'), ('7', '天'), ('8', '8', '11', '月'))
    """
    plain = _with_plain_opposites(with_common_durations(numbers_as_digits(fold(text))))
    folded = plain_denials(with_24_hours(plain)).replace("cannot", "can not")
    folded = re.sub(r"n['’]t\b", " not", folded.replace("can't", "can not").replace("can’t", "can not"))
    tokens: list[str] = []
    end = 0
    for match in _TOKEN.finditer(folded):
        read = list(_normalized(match.group()))
        is_in_brackets = folded[end : match.start()].strip() == "("
        if not (tokens and is_in_brackets and read == tokens[-1:] and tokens[-1].isdecimal()):  # "30 (thirty) days"
            tokens += read
        end = match.end()
    return tuple(tokens)


def _normalized(token: str) -> Iterator[str]:
    if token in _SKIPPED:
        return
    if token in _DENYING:
        yield _DENIAL
    elif token in ENGLISH_NUMBERS:
        yield str(ENGLISH_NUMBERS[token])
    elif token[0] in _CHINESE_NUMERALS:
        yield str(chinese_number(token)) if len(token) > 1 or token != "一" else "一"
    elif token[0].isdigit():
        yield token.rstrip("0").rstrip(".") if "." in token else token.lstrip("0") or "0"
    else:
        yield stem(token)


def align(claim: Sequence[str], source: Sequence[str]) -> Alignment:
    """Compare each place of a claim with the same place of a source.

    A source that the claim repeats as a whole agrees most, though nothing can agree before its first token.
    """
    opcodes = SequenceMatcher(None, claim, source, autojunk=False).get_opcodes()
    same = [False] * len(claim)
    for kind, start, end, _, _ in opcodes:
        if kind == "equal":
            same[start:end] = [True] * (end - start)
    agreeing: dict[int, int] = {}
    opposing: dict[int, int] = {}
    for kind, start, end, source_start, source_end in opcodes:
        if kind == "equal":
            is_whole = source_end - source_start == len(source) >= _AROUND_TOKENS
            for place in range(start, end):
                if _is_number(claim[place]) or claim[place] == _DENIAL or claim[place] in _EXCLUDED:
                    agreeing[place] = _MOST_AGREEMENT if is_whole else _agreement_around(same, place, place + 1)
                if place > start:
                    agreeing[_gap(place)] = _agreement_around(same, place, place)
        else:
            differing = Mismatch(claim, start, end, source[source_start:source_end])
            around = _agreement_around(same, start, end)
            opposing.update(dict.fromkeys(differing.wrong_tokens(), around))
            weight = _WEIGHT_OF_OTHER_WORDS if differing.says_something_else() else 1
            opposing.update(dict.fromkeys(differing.wrong_denials(), int(weight * around)))
    return Alignment(agreeing, opposing)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A span of a claim, ``claim[start:end]``, and the source's tokens instead of it; both agree around it."""

    claim: Sequence[str]
    start: int
    end: int
    other: Sequence[str]

    def wrong_tokens(self) -> Iterator[int]:
        """Yield the places of numbers and of words such as "before" where the source has another one.

        Both are equally far from the common part.
        """
        length = min(self.end - self.start, len(self.other), _NEAREST_TOKENS)
        for step in range(length if self.start > 0 else 0):
            if _exclude_each_other(self.claim[self.start + step], self.other[step]):
                yield self.start + step
        for step in range(1, length + 1 if self.end < len(self.claim) else 0):
            if _exclude_each_other(self.claim[self.end - step], self.other[-step]):
                yield self.end - step

    def wrong_denials(self) -> Iterator[int]:
        """Yield the place of a denial that only one side has, if there is hardly another difference."""
        own = self.claim[self.start : self.end]
        is_inside = self.start > 0 and self.end < len(self.claim)
        if is_inside and max(len(own), len(self.other)) <= _NEAREST_TOKENS and _denies(own) != _denies(self.other):
            yield self.start + own.index(_DENIAL) if _DENIAL in own else _gap(self.start)

    def says_something_else(self) -> bool:
        """Tell whether both sides have words of their own: "item back in 30 days", "item does not work in 14 days".

        So it is where only the source has two of them, such as what it denies: 整机保修 and 随机电池不保修.
        """
        own = self.claim[self.start : self.end]
        others = [token for token in self.other if token not in _VERBS_OF_DENIALS]
        return len(others) >= _WORDS_OF_ANOTHER or (bool(others) and not _VERBS_OF_DENIALS.issuperset(own))


def _exclude_each_other(one: str, other: str) -> bool:
    return (_is_number(one) and _is_number(other) and one != other) or are_opposites(one, other)


def _gap(place: int) -> int:
    """Return a negative number for the gap before a token, which cannot be mistaken for a token's place."""
    return -place - 1


def _agreement_around(same: Sequence[bool], start: int, end: int) -> int:
    return sum(same[max(start - _AROUND_TOKENS, 0) : start]) + sum(same[end : end + _AROUND_TOKENS])


def _denies(tokens: Sequence[str]) -> bool:
    return tokens.count(_DENIAL) % 2 == 1


def _is_number(token: str) -> bool:
    return token[0].isdigit()


def case_words(tokens: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return the tokens that name one of several cases, such as a colour, with those that name the others."""
    return {token: _EXCLUDED_CASES[token] for token in tokens if token in _EXCLUDED_CASES}


def are_opposites(one: str, other: str) -> bool:
    """Tell whether two tokens exclude each other.

    >>> are_opposites("befor", "after"), are_opposites("前", "后"), are_opposites("till", "until")
    (True, True, False)
    """
    return other in _EXCLUDED.get(one, ())


_NUMBER = r"(\d[\d.:]*)"
_PERIOD = r"(?: (?:working|hour|da|week|month|minut|小 时|分 钟|工 作 日|天|周|月))++"
_LOWER = "minimum|minimum of|from|more than|over|abov|between|older than|超 过"
_UPPER = "maximum|maximum of|under|below|less than|fewer than|until|低 于|少 于"
_LIMITS = (
    (
        rf"(?:(?:at least|最 少)(?: \S+){{0,2}}?|{_LOWER}) {_NUMBER}",
        rf"(?:(?:at most|up to|最 多)(?: \S+){{0,2}}?|{_UPPER}) {_NUMBER}",
    ),
    (
        rf"后(?: 的)? {_NUMBER}|{_NUMBER}{_PERIOD}(?: [之以])? (?:after|后)",
        rf"{_NUMBER}{_PERIOD}(?: [之以])? (?:befor|prior|前)",
    ),
)
"""Lower and upper limits, and periods after and before something, of a text's tokens."""
_LIMIT_PATTERNS = tuple(
    (re.compile(rf"(?<!\S)(?:{one})(?!\S)"), re.compile(rf"(?<!\S)(?:{other})(?!\S)")) for one, other in _LIMITS
)


def turns_limit(claim: Sequence[str], sources: Iterable[Sequence[str]]) -> bool:
    """Tell whether a claim makes a least of a most, or a period before something one after it.  All are tokens.

    >>> turns_limit("at least 4 card".split(), ["up to 4 card".split()])
    True
    """
    text, texts = " ".join(claim), [" ".join(source) for source in sources]
    for patterns in _LIMIT_PATTERNS:
        for own, other in (patterns, patterns[::-1]):
            turned = _numbers(own, [text]) - _numbers(other, [text])
            if turned & _numbers(other, texts) - _numbers(own, texts):
                return True
    return False


def _numbers(pattern: re.Pattern[str], texts: Iterable[str]) -> frozenset[str]:
    return frozenset(
        number for text in texts for match in pattern.finditer(text) for number in match.groups() if number
    )
