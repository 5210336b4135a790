"""Reads what a sentence states, as far as words can tell: content words, names, quantities, and denials.

Chinese has no capital letters to mark a name, so places come from a list.  ``places.json`` gives the English name of
each in lower case: territories and the cities of time zones from Unicode's CLDR (by way of Babel 2.19), China's
provinces, and cities that customers write from.  A name counts if the word segmentation (jieba's dictionary and model)
agrees: 完成都需要 contains 成都 and does not name it.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from rag.text.characters import ideographs, simplified
from rag.text.markup import LIST_MARK
from rag.text.quantities import CURRENCY_UNITS, Figures, Quantity, counted_numbers, fold, named_weekdays, read_figures
from rag.text.terms import is_code, is_unspaced, terms

_ERROR_NUMBER = re.compile(
    r"(?:(?<![a-z])(?:error|fault|status)(?: code| number| no\.?)?|错误码?|故障码?|报错码?|代码|状态码)"
    r"\s{0,2}[:#]?\s{0,2}(?P<after>\d{1,6})(?![a-z\d%]|[.,:]\d)"
    r"|(?<![\d.,])(?P<before>\d{3,6})\s?(?:error(?![a-z])|错误|报错|故障)"
)
"""Of a folded text."""

# Words that say nothing of a subject, contractions without their apostrophe; ``rag.text.language`` has fewer, those
# whose grammar makes a sentence English.
_STOP_WORDS = """
a about after all also am an and any are as at be because been before being both but by can could did do does doing down
during each either every few for from further get gets got had has have having he her here hers him his how i if in
into is it its itself just let like made make makes may me might more most must my need needs now of off on once one
only or other our out over own per please same shall she should since so some such than that the their them then there
these they this those through to too under until up upon us use used using very via was we were what when where
whether which while who whom whose why will with within would yes you your yours not no nor never cannot without none
document documents according question answer based
arent cant couldnt didnt doesnt dont hadnt hasnt havent isnt mightnt mustnt neednt shouldnt wasnt werent wont wouldnt
im ive youd youll youre youve hes shes theyd theyll theyre theyve weve lets thats theres whats wheres whos
"""
_ENGLISH_STOP = frozenset(_STOP_WORDS.split())
_CHINESE_STOP_CHARACTERS = frozenset(
    "的了吗呢吧是在和与及或就都也而但并且即则若如于其该此这那之所以因为您你我他它们请把被将会要可能够有没不无未勿别只仅需须应"
)
DENIAL_WORDS = ("not", "never", "cannot", "without", "no", "none", "nor", "neither", "nothing", "unable")
DENIAL_CHARACTERS = "不没沒無无未勿"
"""The denials of a clause, in both languages; ``禁`` and ``拒`` deny as well, but begin words that do so anyway."""

_DENIALS = re.compile(rf"\b(?:{'|'.join(DENIAL_WORDS)})\b|n['’]t\b|[{DENIAL_CHARACTERS}禁拒]|并非|请别|切莫|避免")
# Words with a denying part that deny nothing, and comparisons ("no later than"), whose sense lies in the number.
_NO_DENIALS = re.compile(
    r"\bnothing to do with\b|\bno (?:later|more|less|fewer|sooner) than\b"
    r"|\bnot (?:only|later than|more than|less than)\b|\bno\.? ?(?=\d)"
    r"|不同|不过|不仅|不但|不论|不管|不断|不久|不然|不锈钢|不妨|不等|不限|不(?:超过|少于|低于|高于|多于|小于|大于|晚于|早于|足|满)"
    r"|无论|无理由|无线|无人|未来|没错|要不要|(.)不\1|有没有|无痕|禁用"
)
_MORE = "超过|超出|多于|高于|大于|晚于|长于"
_LESS = "少于|低于|小于|早于|短于|不足"
_MAY = "能够?|得|可以?|应该?|会|要|允许"
_MUST_NOT = r"(?:cannot|can['’]t|(?:can|must|may|should|shall|will|do|does)(?: not|n['’]t)|not) "
_LARGER, _SMALLER = "more|greater|larger|longer|higher|later", "less|fewer|smaller|shorter|lower|sooner"
_SAME_SENSE = (
    # Limits: "100 at most" however it is put, and the reverse, which denies it.
    (re.compile(rf"不(?:{_MAY})?(?:{_MORE})|不得?超|至多"), "最多"),
    (re.compile(rf"不(?:{_MAY})?(?:{_LESS})|至少"), "最少"),
    (re.compile(rf"(?:可以|能够?)(?:{_MORE})"), "不最多"),
    (re.compile(rf"(?:可以|能够?)(?:{_LESS})"), "不最少"),
    (re.compile(rf"\b{_MUST_NOT}(?:exceed|be (?:{_LARGER}) than)\b|\bno (?:{_LARGER}) than\b"), " at most "),
    (re.compile(rf"\b{_MUST_NOT}be (?:{_SMALLER}) than\b|\bno (?:{_SMALLER}) than\b"), " at least "),
    (re.compile(rf"\b(?:can|may) (?:exceed|be (?:{_LARGER}) than)\b"), " not at most "),
    (re.compile(r"\bneither\b((?:(?!\bneither\b)[^.;\n])*?)\bnor\b"), r" not \1 or "),
    (
        re.compile(
            r"\b(?:no|without(?: an?y?)?|at no)(?: extra| additional| further)* (?:charge|cost|fee)s?\b"
            r"|\bfree of charge\b|\bfor nothing\b"
        ),
        " free ",
    ),
    (
        re.compile(
            r"不(?:收取?|需要?|用|必|产生)(?:任何|另外|再)?(?:付|交|支付)?(?:[运邮]|手续|服务)?(?:费用|费|钱)|不花钱|不要钱|免运费"
        ),
        "免费",
    ),
    (re.compile(r"\b(?:isn['’]t|is not|are not|aren['’]t) (?:possible|allowed|permitted)\b"), " cannot "),
    (re.compile(r"\b(?:no one|nobody) (can|may|could)\b"), r"\1 not"),
)
_CLAUSE_ENDS = re.compile(
    r"(?<!\d),(?!\d)|(?<!\d)(?<!\b[A-Za-z])\.(?![A-Za-z\d])"  # the points of "index.html" and "U.S." end no clause
    r"|[;:!?()|\n，。；：！？（）]| (?:but|however|although|unless|while) |但是?|而是?|除非|否则"
    r"| (?=(?:if|when|without|because) )"
)
_EXCEPTED = ("except", "除")
_WITHOUT = re.compile(r"without\b")
_ASIDE = re.compile(r"\s*+(?:if|when|without|because)\b|\s*+(?:如果|假如|要是|若|当)", re.IGNORECASE)
_CONDITION = re.compile(
    r"\s*+(?:(?:only |even )?if|in case|in the event|provided|as long as)\b"
    r"|\s*+(?:但|则|而)?(?:如(?![下上图此何今同期实意常])|假如|要是|倘若?|若|只要|一旦)|.*的话\s*+\Z",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<![A-Za-z])(?<![.?!:] )[A-Z][A-Za-z]{2,}(?![A-Za-z])")
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NO_NAMES = frozenset({"app", "rmb", "the", "usb", *_WEEKDAYS, *map(str.lower, CURRENCY_UNITS)})
_LEADING_REPLY = re.compile(
    r"\A\s*(?:(?:yes|no|sure|sorry|unfortunately|of course)\b[\s,.:;!–—-]*"
    r"|(?:是的?|不是|对|能|不能|可以|不可以|行|不行|会|不会|需要|不需要|不用|不必|无需|不算|有|没有|抱歉|很抱歉)"
    r"[的了]?[，,。；;！!]\s*)",
    re.IGNORECASE,
)
_NO = re.compile(r"\s*+(?:(?:no|not|none|never|unavailable|impossible|unfortunately)\b|n/a\b|[✗✘×❌不没沒無无未否])")
_LIST_MARK = re.compile(rf"\A\s*+(?:{LIST_MARK}\s*+|(?:step|步骤|第)\s?\d{{1,2}}\s?步?[:：.]?\s*+)++", re.IGNORECASE)
_SUFFIXES = ("ing", "ed", "es", "s", "ly", "e")
_SHORTEST_STEM = 3
_IRREGULAR = {
    form: verb
    for verb, forms in {
        "begin": "began begun", "break": "broke broken", "bring": "brought", "build": "built", "buy": "bought",
        "choose": "chose chosen", "forget": "forgot forgotten", "give": "gave given", "hide": "hid hidden",
        "hold": "held", "keep": "kept", "know": "knew known", "lend": "lent", "lose": "lost", "make": "made",
        "meet": "met", "pay": "paid", "repay": "repaid", "resell": "resold", "resend": "resent",
        "rewrite": "rewrote rewritten", "sell": "sold", "send": "sent", "show": "shown", "spend": "spent",
        "steal": "stole stolen", "take": "took taken", "tear": "tore torn", "throw": "threw thrown",
        "use": "used using", "withdraw": "withdrew withdrawn", "write": "wrote written",
    }.items()
    for form in forms.split()
}  # fmt: skip
"""English verbs by the forms that ``_SUFFIXES`` do not cover, as customers and documents use them.

Not those that are nouns as well: worn brushes are not "wear parts".
"""
_SURE_OVERLAP = 0.5
_AS_NEAR = 0.34
"""The difference in the share of common words up to which two clauses count as equally near."""
_OTHER_PLACE = r"\b((?:north|south|east|west)(?:ern)?[ -]|new |central )"
"""The words that turn a name into another place: Northern Ireland is not Ireland, nor South Korea Korea."""


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause between commas: its content words, and whether it denies.

    ``is_aside`` tells that it only says when or how, and ``is_condition`` that it begins with "if".
    """

    words: frozenset[str]
    denies: bool
    is_aside: bool = False
    is_condition: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """``words`` are stems of English words and pairs of Chinese characters.

    ``names`` are in small letters, those of places in English; ``weekdays`` are 0 for Monday to 6 for Sunday.
    """

    words: frozenset[str]
    names: frozenset[str]
    quantities: frozenset[Quantity]
    codes: frozenset[str]
    clauses: tuple[Clause, ...]
    weekdays: frozenset[int]

    @property
    def condition(self) -> frozenset[str]:
        """The words that only its conditions have: those of "if the item is faulty" without the item's."""
        rest = frozenset(word for clause in self.clauses if not clause.is_condition for word in clause.words)
        return frozenset(word for clause in self.clauses if clause.is_condition for word in clause.words) - rest


@lru_cache(maxsize=8192)
def read_statement(text: str) -> Statement:
    """Read one sentence; a list mark and a leading yes or no are left out.

    >>> statement = read_statement("No, the Latch S5 is not returnable.")
    >>> sorted(statement.codes), [clause.denies for clause in statement.clauses]
    (['s5'], [True])
    """
    body, figures = _body(text), stated_figures(text)
    clauses = tuple(_clauses(figures.rest))
    words = frozenset(word for clause in clauses for word in clause.words)
    # The first word of a sentence has a capital letter whatever it is, as it has after a colon.
    first = len(body) - len(body.lstrip(" *\"'“"))
    names = {match.group().lower() for match in _NAME.finditer(body) if match.start() > first}
    return Statement(
        words,
        frozenset(names - _NO_NAMES) | chinese_places(body),
        figures.quantities,
        figures.codes,
        clauses,
        named_weekdays(body),
    )


@lru_cache(maxsize=4096)
def stated_figures(text: str) -> Figures:
    """Return the figures of a sentence or a passage: those of ``read_statement``, in a tenth of the time."""
    return read_figures(_body(text))


@lru_cache(maxsize=4096)
def named_codes(text: str) -> frozenset[str]:
    """Return the codes that a text names, without hyphens, and the numbers by which it names errors.

    >>> sorted(named_codes("Error 112: Disk is full, Error 1632: E-09")), sorted(named_codes("安装报 1603 错误"))
    (['112', '1632', 'e09'], ['1603'])
    """
    numbered = (match["after"] or match["before"] for match in _ERROR_NUMBER.finditer(fold(text)))
    return stated_figures(text).codes.union(numbered)


_CODE_NUMBER = re.compile(r"\d{3,6}")
_LABELLING_NUMBERS = re.compile(
    rf"^[ \t]*+(?:\|[ \t]*+|#++[ \t]++|{LIST_MARK}[ \t]*+)?[*`]{{0,3}}"
    r"(?P<numbers>\d{3,6}(?:[ \t]?[,、，/][ \t]?\d{3,6}){0,9})[*`]{0,3}[ \t]*+(?:[|:：]|$)",
    re.MULTILINE,
)


@lru_cache(maxsize=4096)
def labelling_numbers(text: str) -> frozenset[str]:
    """Return the numbers of three to six digits that are the whole label of a line, as error codes are in a list.

    A label is the first cell of a table's row, what stands before a colon, or a heading.

    >>> sorted(labelling_numbers("| 18004、18007 | fault |")), labelling_numbers("300 pages, 20 EUR")
    (['18004', '18007'], frozenset())
    """
    found = _LABELLING_NUMBERS.finditer(text)
    return frozenset(number for match in found for number in _CODE_NUMBER.findall(match["numbers"]))


@lru_cache(maxsize=64)
def possible_codes(question: str) -> frozenset[str]:
    """Return the numbers of three to six digits of a question that measure and count nothing, and so may be codes.

    >>> sorted(possible_codes('{"RetCode":18019}')), sorted(possible_codes("300 GB, 500 yuan, call 13800138000"))
    (['18019'], [])
    """
    plain = {one.value for one in stated_figures(question).quantities if not one.unit}
    return frozenset(filter(_CODE_NUMBER.fullmatch, plain - counted_numbers(question)))


_IDENTIFIER = re.compile(r"(?<![\w./@:-])[a-z][a-z0-9]*(?:[._][a-z0-9]+)+(?![\w@/])")
_NAME_WITH_VERSION = re.compile(r"[a-z]+[\d.]+")
_ENDS_AN_ADDRESS = (".com", ".net", ".org", ".gov", ".edu", ".cn", ".io", ".uk", ".de", ".eu", ".html", ".htm")
_SHORTEST_IDENTIFIER = 7


@lru_cache(maxsize=4096)
def named_identifiers(text: str) -> frozenset[str]:
    """Return the names that programs use: parts joined by underscores, or by points with a figure or two points.

    >>> sorted(named_identifiers("mdb.shard.4x, sys.user.name, max_connections, help.example.com, mongodb4.2"))
    ['max_connections', 'mdb.shard.4x', 'sys.user.name']
    """
    found = (match.group() for match in _IDENTIFIER.finditer(fold(text)))
    return frozenset(
        name
        for name in found
        if len(name) >= _SHORTEST_IDENTIFIER
        and ("_" in name or name.count(".") > 1 or any(map(str.isdigit, name)))
        and not name.endswith(_ENDS_AN_ADDRESS)
        and _NAME_WITH_VERSION.fullmatch(name) is None
    )


def _body(text: str) -> str:
    return without_verdict(_LIST_MARK.sub("", text, count=1))


@lru_cache(maxsize=8192)
def content_words(text: str) -> frozenset[str]:
    """Return the stems and pairs of characters that carry a text's meaning, without numbers and codes."""
    return frozenset(filter(None, map(_content_stem, terms(text))))


def lone_characters(text: str) -> frozenset[str]:
    """Return the Chinese characters that carry meaning outside of any ``content_words``: verbs of one character.

    >>> sorted(lone_characters("滤网不能退。"))
    ['退']
    """
    own = "".join(content_words(text))
    return frozenset(ideographs(simplified(text))) - frozenset(own) - _CHINESE_STOP_CHARACTERS


def contradicts(claim: Statement, source: Statement) -> bool:
    """Tell whether a clause of the claim affirms what the nearest clause of the source denies, or the reverse.

    Clauses are near if half of the claim's words recur; if another clause is equally near and agrees, there is no
    contradiction.  A claim without a denial contradicts what the source only denies: "works in the EU, not in China".
    """
    return any(_is_contradicted(clause, source.clauses) for clause in claim.clauses) or _affirms_what_is_only_denied(
        claim, source
    )


def _is_contradicted(clause: Clause, others: tuple[Clause, ...]) -> bool:
    if len(clause.words) < 2:
        return False
    overlaps = [(len(clause.words & other.words) / len(clause.words), other.denies) for other in others if other.words]
    best = max((overlap for overlap, _ in overlaps), default=0.0)
    if best < _SURE_OVERLAP:
        return False
    if any(other.denies == clause.denies and other.words and other.words <= clause.words for other in others):
        return False  # "Curtains are made to measure, no returns": the short clause says the rest of the claim
    return all(denies != clause.denies for overlap, denies in overlaps if overlap >= best - _AS_NEAR)


def _affirms_what_is_only_denied(claim: Statement, source: Statement) -> bool:
    if any(clause.denies for clause in claim.clauses):
        return False
    affirmed = frozenset(word for clause in source.clauses if not clause.denies for word in clause.words)
    if any(word.startswith(_EXCEPTED) for word in affirmed):
        return False
    denied = frozenset(
        word for clause in source.clauses if clause.denies and not clause.is_aside for word in clause.words
    )
    words = frozenset(word for clause in claim.clauses if not clause.is_aside for word in clause.words)
    return bool(words & (denied - affirmed)) and bool(words & affirmed)


def _clauses(text: str) -> Iterator[Clause]:
    for pattern, sense in _SAME_SENSE:
        text = pattern.sub(sense, text)
    for piece in _pieces(text):
        if piece and piece.strip():
            denials = len(_DENIALS.findall(_NO_DENIALS.sub(" ", piece)))
            is_aside, is_condition = _ASIDE.match(piece) is not None, _CONDITION.match(piece) is not None
            yield Clause(content_words(piece), denials % 2 == 1, is_aside, is_condition)


def _pieces(text: str) -> Iterator[str]:
    """Yield the pieces between commas, and before "if"; a denial and its "without" stay together: both make a yes."""
    pieces = [piece for piece in _CLAUSE_ENDS.split(text) if piece]
    for place, piece in enumerate(pieces):
        follows = place > 0 and _WITHOUT.match(piece) is not None
        if follows and _DENIALS.search(_NO_DENIALS.sub(" ", pieces[place - 1])):
            continue  # it was given with the one before
        is_double = place + 1 < len(pieces) and _WITHOUT.match(pieces[place + 1]) is not None
        has_denial = _DENIALS.search(_NO_DENIALS.sub(" ", piece)) is not None
        yield f"{piece} {pieces[place + 1]}" if is_double and has_denial else piece


def without_verdict(text: str) -> str:
    """Return a reply without the yes or no at its beginning.

    >>> without_verdict("Yes, within 30 days."), without_verdict("不能。需要先解冻。")
    ('within 30 days.', '需要先解冻。')
    """
    return _LEADING_REPLY.sub("", text, count=1)


def name_another_place(names: frozenset[str], claim: str, source: str) -> bool:
    """Tell whether a source has one of a claim's names only as a part of another one.

    >>> name_another_place(frozenset({"ireland"}), "In Ireland it is free.", "Northern Ireland: free")
    True
    """
    return any(_is_part_only(name, source) and not _is_part_only(name, claim) for name in names)


def _is_part_only(name: str, text: str) -> bool:
    lowered = text.lower()
    if name not in lowered:
        return False
    prefixes = re.findall(rf"{_OTHER_PLACE}?\b{re.escape(name)}\b", lowered)
    return bool(prefixes) and all(prefixes)


def plain_denials(text: str) -> str:
    """Return a folded text without apparent denials that deny nothing, and with one word for "for free"."""
    for pattern, sense in _SAME_SENSE:
        text = pattern.sub(sense, text)
    return _NO_DENIALS.sub(" ", text)


@lru_cache(maxsize=4096)
def says_no(text: str) -> bool:
    """Tell whether a reply or a table cell begins with a no.

    >>> says_no("No, you cannot."), says_no("不支持"), says_no("No. 4"), says_no("no charge"), says_no("无线")
    (True, True, False, False, False)
    """
    return _NO.match(plain_denials(text.lower())) is not None


@lru_cache(maxsize=1 << 16)
def _content_stem(term: str) -> str:
    """Return a term's stem, empty if it carries no meaning.  Cached: the terms of a knowledge base recur."""
    return stem(term) if _is_content(term) else ""


def _is_content(term: str) -> bool:
    if is_unspaced(term):
        return not any(character in _CHINESE_STOP_CHARACTERS for character in term)
    return not is_code(term) and len(term) > 1 and term not in _ENGLISH_STOP


def stem(term: str) -> str:
    """Cut an English word's ending off, roughly: both sides of a comparison lose the same.

    >>> stem("paid") == stem("pays"), stem("call") == stem("called"), stem("paper")
    (True, True, 'paper')
    """
    if is_unspaced(term):
        return term
    term = _IRREGULAR.get(term, term)
    for suffix in _SUFFIXES:
        if term.endswith(suffix) and len(term) - len(suffix) >= _SHORTEST_STEM:
            return _single_end(term[: -len(suffix)]).removesuffix("i")
    return _single_end(term).removesuffix("y") if len(term) > _SHORTEST_STEM else term


def _single_end(term: str) -> str:
    """Return "cal" for "call", as for the "call" of "called"."""
    return term[:-1] if len(term) > _SHORTEST_STEM and term[-1] == term[-2] else term


_PLACES_PATH = Path(__file__).with_name("places.json")
_AROUND_A_NAME = 10
"""The characters on each side of a name that are segmented with it."""

_ALSO_CALLED = {
    "united kingdom": (" uk", "(uk", "britain"),
    "united states": ("usa", "u.s.", "america"),
    "united arab emirates": ("uae",),
}
"""In lower case, as a part of a text that has them."""


@lru_cache(maxsize=1)
def _english_place_names() -> dict[str, str]:
    return dict(json.loads(_PLACES_PATH.read_text(encoding="utf-8")))


@lru_cache(maxsize=1)
def _chinese_place_names() -> dict[str, tuple[str, ...]]:
    names: dict[str, tuple[str, ...]] = {}
    for chinese, english in _english_place_names().items():
        names[english] = (*names.get(english, ()), chinese)
    return names


@lru_cache(maxsize=1)
def _place_beginnings() -> dict[str, tuple[str, ...]]:
    """Return the names by their first two characters, the longest first."""
    names: dict[str, tuple[str, ...]] = {}
    for name in sorted(_english_place_names(), key=len, reverse=True):
        names[name[:2]] = (*names.get(name[:2], ()), name)
    return names


def chinese_places(text: str) -> frozenset[str]:
    """Return the places that a text names in Chinese, by their English names in lower case.

    >>> sorted(chinese_places("寄到冰島的運費是多少？纽约呢？")), chinese_places("完成都需要几天？")
    (['iceland', 'new york'], frozenset())
    """
    if text.isascii():
        return frozenset()
    plain = simplified(text)
    return frozenset(
        _english_place_names()[name] for start, name in _place_candidates(plain) if _is_a_word(plain, start, name)
    )


def _place_candidates(text: str) -> Iterator[tuple[int, str]]:
    beginnings = _place_beginnings()
    for start in range(len(text) - 1):
        for name in beginnings.get(text[start : start + 2], ()):
            if text.startswith(name, start):
                yield start, name


def _is_a_word(text: str, start: int, name: str) -> bool:
    """Tell whether a word begins and ends where the name does, apart from additions as in 北京市 and 中国香港."""
    import rjieba  # here: it reads its dictionary for a tenth of a second, and few texts name a place

    end = max(0, start - _AROUND_A_NAME)
    for word in rjieba.cut(text[end : start + len(name) + _AROUND_A_NAME]):
        end += len(word)
        if end > start:
            return name in (word, word.removeprefix("中国").rstrip("市省州"))
    return False


def spellings(place: str) -> tuple[str, ...]:
    """Return how a text in lower case and simplified characters may write the name of a place, or another name.

    >>> spellings("iceland"), spellings("ollama")
    (('iceland', '冰岛'), ('ollama',))
    """
    return (place, *_ALSO_CALLED.get(place, ()), *_chinese_place_names().get(place, ()))
