r"""Compares questions: they are the same if they have the same words in order, with courtesy and phrasing normalised.

To an embedder, two questions that differ in a number, a name, a "not", "before" for "after" or in who does what to whom
are as similar as two that mean the same, so nothing is compared by similarity here.  What may differ is listed
(courtesy, contractions, articles, "how to" for "how do I", 能不能 for 可以…吗, 7 天 for 七天); all else must be equal.
So a lookup needs no search: the form of a question is its key.

Each rule must hold for every question.  No word of time, order, direction, quantity, comparison, denial, permission or
duty is dropped, no two names are made one, and who acts on whom stays where it stands.

    >>> normalized_question("Hi, could you please tell me how to clean the filter?")
    'en: HOW clean filter'
    >>> normalized_question("How do I clean the filter") == normalized_question("how can I clean a filter??")
    True
    >>> normalized_question("请问能不能七天之内退货呢？") == normalized_question("可以7天内退货吗")
    True
    >>> normalized_question("Can I cancel before it ships?") == normalized_question("Can I cancel after it ships?")
    False
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from rag.text.characters import IDEOGRAPHS, simplified
from rag.text.language import question_language, third_language
from rag.text.quantities import ENGLISH_NUMBERS, chinese_number, numbers_as_digits

Rule = tuple[re.Pattern[str], str]


def _rules(*pairs: tuple[str, str]) -> tuple[Rule, ...]:
    return tuple((re.compile(pattern), replacement) for pattern, replacement in pairs)


_ME = r"(?:i|we)"
_ASKING = (
    r"(?:(?:can|could|would|will) (?:you|someone|anyone|anybody|somebody) (?:tell me|let me know|explain(?: to me)?)"
    r"|tell me|let me know"
    rf"|{_ME}(?: would)? (?:like|want|need) to (?:know|ask|find out)|{_ME} (?:was|am|were|are) (?:just )?wondering"
    r"|do you know|does (?:anyone|anybody|somebody|someone) know|may i ask|can i ask|(?:quick |one )?question ?:)"
)
_HELLO = r"(?:hi|hello|hey|dear|good (?:morning|afternoon|evening))(?: (?:there|all|team|everyone|guys|support))?"
_THANKS = (
    r"(?:many thanks|thank you|thanks?|thx|cheers|best regards|regards)(?: (?:a lot|so much|very much|in advance))*"
)
ENGLISH_RULES = _rules(
    (r"\s+", " "),
    (rf"^(?:{_HELLO}[ ,.!:]+)+", ""),
    (rf"(?<![ ,.!?])[ ,.!?]*+{_THANKS}[ .!]*$", ""),
    # contractions
    (r"\b(?:can't|cannot)\b", "can not"),
    (r"\bwon't\b", "will not"),
    (r"n't\b", " not"),
    (r"\b(i)'m\b", r"\1 am"),
    (r"'re\b", " are"),
    (r"'ve\b", " have"),
    (r"'ll\b", " will"),
    (r"\b(i|you|we|they|he|she)'d\b", r"\1 would"),
    (r"\b(what|where|who|how|when|why|that|there|it)'s\b", r"\1 is"),
    # courtesy
    (r"\b(?:please|pls|plz|kindly)\b,? ?", ""),
    (rf"^{_ASKING}[ ,:]*", "ASKED "),
    (r"^ASKED (?:if|whether) (i|we|you|they|it) (can|could|should|must|may|will)\b", r"\2 \1"),
    (
        r"^ASKED (how(?: long| many| much| often| far| old| late| early)?|what|when|where|who|why) (.+?) (is|are)$",
        r"\1 \3 \2",
    ),
    (r"^ASKED ", ""),
    # how
    (rf"\bhow (?:do|can|could|would|should) {_ME}\b|\bhow to\b|\bhow am i (?:able|supposed) to\b", "HOW"),
    (
        rf"\bwhat (?:do|should|must|can) {_ME} (?:need to |have to )?do to\b"
        r"|\bwhat (?:is|are) the (?:way|steps?|procedure|process) (?:to|for)\b",
        "HOW",
    ),
    # may I
    (
        rf"\b(?:am i able to|am i allowed to|is it possible (?:for me )?to|is there (?:a|any) way (?:for me )?to"
        rf"|(?:can|could|may) {_ME})\b",
        "can i",
    ),
    # what then
    (rf"\bwhat (?:do|should|can|must) {_ME} do (?:if|when)\b|\bwhat (?:if|to do if|to do when)\b", "THEN if"),
    # prices
    (r"^how much (?:does|do|would|will) (.+) cost$", r"PRICE \1"),
    (r"^what (?:does|do) (.+) cost$", r"PRICE \1"),
    (r"^what (?:is|are) the (?:price|cost) (?:of|for) (.+)$", r"PRICE \1"),
    # two words for one
    (r"\be-mail\b", "email"),
    (r"\bwi-fi\b", "wifi"),
    (r"\b(?:sign|log)(?: |-)?in\b", "login"),
    (r"\bsign(?: |-)?up\b", "register"),
    (r"\b(?:turn|switch) on\b|\bactivate\b", "enable"),
    (r"\b(?:turn|switch) off\b|\bdeactivate\b", "disable"),
)

ONE_WORD: Mapping[str, str] = {
    "HOW": "HOW",
    "PRICE": "PRICE",
    "THEN": "THEN",
    "are": "is",
    "am": "is",
    "does": "do",
    "purchase": "buy",
    "telephone": "phone",
    "begin": "start",
    "repair": "fix",
    "modify": "change",
}
DROPPED_WORDS = frozenset({"a", "an", "the", "my", "our", "的"})
_CAPITALS = "US IT WHO AM OR IN ME DO IS AN AS AT BE BY GO HE IF MY NO OF ON SO TO UP WE CAN"
FUNCTION_WORDS = frozenset(_CAPITALS.split())
"""In capitals within a sentence these are names, and not the words."""

_ENDS = r"(?=[\s,.!?;:，。！？；：~～…]|$)"
_PARTICLE = r"(?:(?<![网酒])吧|[吗嘛呢呀啊哦哈啦])"
CHINESE_RULES = _rules(
    (r"[您]", "你"),
    (r"帐", "账"),
    (r"(?:^|(?<=[，,。！!？? ]))(?:你好|亲|哈[喽啰]|在吗|在不在|打扰(?:一?下|了)|不好意思)[啊呀呢哦]?" + _ENDS, ""),
    (r"(?:谢谢|多谢|感谢|拜托)(?:你们?|了|啦|啊)*" + _ENDS, ""),
    (
        r"(?:麻烦)?请问(?:一?下)?(?:你们?)?|(?:我)?(?:就)?想(?:咨询|请教|了解|知道|问)(?:一?下)?|咨询一?下|麻烦问一?下"
        rf"|(?<=[{IDEOGRAPHS}])一下",
        "",
    ),
    # how
    (r"(?:应该|应|该|要|需要)?(?:怎么样才能|怎么才能|怎样才能|如何才能)", "怎"),
    (r"(?:应该|应|该|要)?(?:怎么|如何|怎样|咋)(?:处理|解决|办)" + _ENDS, "怎办"),
    (r"(?:应该|应|该|要)?(?:如何|怎样|怎么(?!样|办|回|了|这|那|会|没|不)|咋(?!样|办|回|了|这|那|会|没|不))", "怎"),
    # when, where, why, how long, how much
    (r"什么时候|啥时候|何时|什么时间", "何时"),
    (r"哪里|哪儿|何处|什么地方", "哪里"),
    (r"为什么|为啥|为何", "为何"),
    (r"多长时间|多少时间|多久时间|多久", "多久"),
    (r"多少天|几天", "几天"),
    (r"啥", "什么"),
    # may I, is it so
    (r"无法|没法|没办法", "不能"),
    (r"可不可以|能不能|是否可以|是否能够?|能否|可否|可以|能够", "能"),
    (r"有没有", "有"),
    (r"(.)不\1", r"\1"),
    (r"^是否|(?<=[，,。 ])是否", ""),
    (r"^([^怎何哪谁几多什]*?)是否", r"\1"),
    (rf"(?<!{_PARTICLE})(?:{_PARTICLE})++" + _ENDS, ""),
    # one word for two
    (r"之前|以前", "前"),
    (r"之后|以后", "后"),
    (r"之内|以内", "内"),
    (r"购买", "买"),
    (r"手机号码", "手机号"),
    (r"电子邮件|电子邮箱", "邮箱"),
    (r"我们?的", ""),
    (r"^[\s,.!?，。！？]*(?:我们|我|咱们|咱)(?=[能要想怎需的])", ""),
)

_NAMED = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(sorted(FUNCTION_WORDS))})(?![A-Za-z0-9])")
_LETTER_HYPHEN = re.compile(r"(?<=[a-z])[-‐‑](?=[a-z])")
_RANGE_DASH = re.compile(r"(?<=\d)\s*[–—~～]\s*(?=\d)")
_CHINESE_COUNT = re.compile(
    r"(?<![一二两三四五六七八九十百千万第])[一二两三四五六七八九十]{1,3}(?=[个天日年周月次件台元块位名人张条款]|小时|分钟|工作日)"
)
_TOKEN = re.compile(
    rf"[A-Za-z0-9\u00c0-\u024f^]+(?:[._'’/:@&-][a-z0-9\u00c0-\u024f]+)*[+#]*|[{IDEOGRAPHS}]"
    r"|[^\s\w,.!?;:\"'’‘“”()\[\]{}<>`…。，！？；：、《》【】「」（）–—~·|*]"
)
_KNOWN_LETTER = re.compile(rf"[A-Za-z\u00c0-\u024f{IDEOGRAPHS}]")
_FRONT_CLAUSE = re.compile(r"\A((?:if|when|once|after|before) [^,]{3,}?),\s*(.+)\Z", re.DOTALL)
_END_MARKS = " \t\n.!?,;:。！？，；：~～…"


def is_same_question(one: str, other: str) -> bool:
    """Tell whether two questions may get the same answer without a review."""
    return normalized_question(one) == normalized_question(other)


@lru_cache(maxsize=1024)
def normalized_question(question: str) -> str:
    """Return the normalized form of a question, after its language.

    Different questions have different forms; two that ask the same often have, too, and are then simply not recognised.
    """
    if third_language(question) or _has_other_letters(question):  # without rules for their wording
        return f"other: {' '.join(unicodedata.normalize('NFKC', question).lower().strip(_END_MARKS).split())}"
    language = question_language(question)
    text = _NAMED.sub(r"\g<0>^", unicodedata.normalize("NFKC", question)) if not question.isupper() else question
    text = numbers_as_digits(simplified(unicodedata.normalize("NFKC", text).lower()))
    text = _RANGE_DASH.sub("-", text.replace("’", "'").strip(_END_MARKS))
    for pattern, replacement in ENGLISH_RULES:
        text = pattern.sub(replacement, text)
    text = _CHINESE_COUNT.sub(lambda match: str(chinese_number(match.group())), text)
    for pattern, replacement in CHINESE_RULES:
        text = pattern.sub(replacement, text)
    clauses = _FRONT_CLAUSE.match(text)
    if clauses is not None:
        text = f"{clauses[2].strip(_END_MARKS)} {clauses[1]}"
    tokens = [_word(token) for token in _TOKEN.findall(_LETTER_HYPHEN.sub(" ", text))]
    form = " ".join(token for token in tokens if token)
    return f"{language}: {form or question.strip()}"


def _has_other_letters(text: str) -> bool:
    """Tell whether letters of a text would be lost: those of other scripts, and Vietnamese ones."""
    return any(one.isalpha() for one in _KNOWN_LETTER.sub("", unicodedata.normalize("NFKC", text)))


def _word(token: str) -> str:
    if token in DROPPED_WORDS:
        return ""
    if token in ENGLISH_NUMBERS and token != "one":
        return str(ENGLISH_NUMBERS[token])
    return ONE_WORD.get(token, token)
