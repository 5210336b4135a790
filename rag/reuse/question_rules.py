"""The ways of asking that change nothing: what ``question_key.py`` takes away or makes one.

Each rule must hold for every question.  No word of time, order, direction, quantity, comparison, denial, permission or
duty is dropped, no two names are made one, and who acts on whom stays where it stands.
"""

import re
from collections.abc import Mapping

from rag.text.characters import IDEOGRAPHS

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
