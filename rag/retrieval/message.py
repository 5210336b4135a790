"""Separates the question of a customer's message from the rest of it, without a model: by the words.

A mail of ten lines contains one or two questions.  Searched as one text, the story outweighs them: names and numbers
are rare, so they weigh most.  So the question is separated from the rest (greeting, story, signature, personal data),
sentence by sentence.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.text.characters import ideographs
from rag.text.questions import CHINESE_QUESTION_WORDS, ENGLISH_ASKING_VERBS, ENGLISH_QUESTION_WORDS
from rag.text.sentences import split_sentences
from rag.text.statements import content_words, named_codes

FOLLOW_UP = re.compile(
    r"\b(?:it|its|they|them|their|this|that|these|those|there|he|she|him|his|her|then|else|too|instead|same|one|ones)\b"
    r"|^(?:and|but|so|or|what about|how about|why)\b|它|他|她|这|那|此|该|其中|呢|还有|上述|刚才|前面|同样|为什么|为何",
    re.IGNORECASE,
)
"""What points back to something said before."""

_LONG_CHARACTERS = 160
"""From this length on a message is divided; an ideograph counts as ``_IDEOGRAPH_LENGTH`` letters."""
_IDEOGRAPH_LENGTH = 2.7
_SHORTEST_SENTENCE = 6
_LONGEST_BACKGROUND_CHARACTERS = 1200
_AUXILIARIES = (
    rf"(?:{ENGLISH_ASKING_VERBS})"
    r"\s+(?:i|you|we|it|they|he|she|there|this|that|the|my|your|our|any)\b"
)
_SENTENCE_ASKS = re.compile(
    rf"[?？]\W*$|请问|想问|请教|麻烦(?:问|告诉|说)|告诉我|{CHINESE_QUESTION_WORDS}"
    rf"|\b(?:{ENGLISH_QUESTION_WORDS})\b.{{0,80}}[?:]"
    rf"|^\W*(?:and |so |but )?{_AUXILIARIES}"
    r"|\b(?:tell me|let me know|i(?: need|'d like| would like| want) to know"
    r"|please (?:explain|advise|confirm|check|help))\b",
    re.IGNORECASE,
)
ONLY_COMPLAINS = re.compile(
    r"(?:\b(?:are you (?:kidding|joking|serious)(?: me)?|is (?:this|that) (?:a|some kind of) joke"
    r"|how hard can (?:it|that) be"
    r"|what (?:kind|sort) of (?:a )?(?:service|support|shop|company|joke) is (?:this|that)|who do you think you are"
    r"|what(?: is|['’]s) wrong with you(?: people| guys)?)"
    r"|这(?:[算叫](?:什么|啥)(?:事儿?|服务|玩意儿?)?|是什么(?:态度|道理))|像话吗|有没有搞错|搞什么(?:鬼|名堂)?"
    r"|干什么吃的|开(?:什么)?玩笑[吗吧]|[耍玩坑]我吗|(?<!\w)凭(?:什么|啥))[啊呀嘛呢]?[?？!！。.…\s]*+\Z",
    re.IGNORECASE,
)
"""What an angry customer asks without wanting an answer."""
_ASKS_ANYTHING = re.compile(
    rf"[?？]\W*$|请问|为何|为啥|咋|不\W*$|{CHINESE_QUESTION_WORDS}|\b(?=[a-z]{{2}})(?:{ENGLISH_QUESTION_WORDS}|whats|prices?)\b"
    rf"|\b(?:costs?|fees?) (?:of|for)\b|^\W*(?:{ENGLISH_ASKING_VERBS})\b"
    rf"|\b(?=[a-z]{{2}}){_AUXILIARIES}",
    re.IGNORECASE,
)
_ASKS_BACKWARDS = re.compile(
    r"\W*(?:(?:is|would|will|does) (?:this|that|it) (?:be )?(?:ok(?:ay)?|possible|allowed|right|fine|true|correct|work)"
    r"|(?:can|may) i(?: do (?:this|that|so))?|ok(?:ay)?|right|correct|possible|allowed|true|agreed|fine)\s*\?+\W*"
    r"|\W*(?:这(?:样|么)?(?:子|做|干|弄|搞)?)?(?:可以|可行|行|成|对|能行|有戏|没问题|有问题|没事)(?:的|了)?[吗吧么不嘛]?[?？]+\W*"
    r"|\W*(?:是吗|是吧|是不是|对不对|行不行|可不可以|行得通[吗不])[?？]+\W*",
    re.IGNORECASE,
)
"""What asks whether the sentence before it is so: "I'd like to use a fresh one. OK?"."""
_ERROR = re.compile(
    r"(?<![\d.,])[45]\d\d(?![\d.,%])|\b(?=[A-Za-z]{10})[A-Z][a-z]+(?:[A-Z][a-z]+)+\b|(?i:\b(?:error|failed|denied)\b)"
    r"|错误|报错|失败"
)
"""A status of HTTP, a name like ``AccessDenied``, or a word for a failure."""

_GREETS = r"dear|hello|hi|hey|good (?:morning|day|afternoon|evening)"
_CHINESE_GREETS = r"(?:客服|老师|各位)?(?:您好|你好|你们好|大家好)(?:客服|老师)?"
COURTESY = re.compile(
    rf"\W*(?:{_GREETS}|to whom"
    r"|(?:(?:with )?(?:kind|best|warm) )?(?:regards|wishes)|yours|thanks?|thank you|many thanks|cheers|respectfully"
    r"|sincerely|subject:"
    r"|您好|你好|你们好|大家好|老师|客服|各位|尊敬|谢谢|多谢|感谢|此致|敬礼|祝|打扰)[^.?!。？！\n]{0,40}\W*",
    re.IGNORECASE,
)
_GREETING = re.compile(
    rf"\W*(?:{_GREETS})(?:(?:\s+\w+){{0,3}}\s*[,，!！:：.]+|(?:\s+\w+)?)\s*"
    rf"|\W*(?:{_CHINESE_GREETS}|尊敬的[^，,。?？\n]{{1,12}})\W*",
    re.IGNORECASE,
)
"""A line of its own."""
_HELLO = re.compile(
    rf"\A\W*(?:(?:{_GREETS})"
    r"(?: (?:there|all|team|everyone|guys|support))?\s*[,.!:，！：]"
    rf"|{_CHINESE_GREETS}[，,！!。：: ])\s*",
    re.IGNORECASE,
)
"""Before the words of a line."""
_NAME = r"[A-Z][\w'’-]{0,30}+"
_INTRODUCTION = re.compile(
    rf"\W{{0,3}}+(?:(?i:(?:this is|my name is|my name's)(?: (?:mr|mrs|ms|dr)\.?)?)(?: {_NAME}){{1,3}}+"
    rf"(?:,? (?:from|of|at|with|in)(?: {_NAME}){{1,3}}+)?|(?i:i am|i'm|i’m)(?: {_NAME}){{2,3}}+"
    r"|我叫\w{1,8}|我是[老新](?:客户|顾客|用户|买家)\w{0,8})(?:\s{0,2}+[.!。！，,\n]|\Z)\s*+"
)
"""Who writes: no passage has that name."""
_ORDER = re.compile(
    r"\W{0,3}+(?:(?i:(?:my |our |the )?(?:order|ticket|case|customer|account|invoice|reference)"
    r"(?: (?:number|no\.?|id))?(?: is| was)?:? ?(?:no\.?|#)? ?)"
    r"|(?:我的?)?(?:订单|单|会员|客户|手机|电话)(?:编?号码?)?(?:是|为|[:：])?\s?)"
    r"(?=[\w#/-]{0,20}\d)[\w#/-]{1,24}+(?:\s{0,2}+[.!。！\n]|\Z)\s*+"
)
"""Of which order somebody writes, in a sentence of its own."""
_ADDRESS = r"(?<![\w.+-])[\w.+-]{1,64}+@[\w-]{1,64}+\.[\w.-]{1,64}+"
_NUMBER = r"(?<![\w.+])\+?\d(?:[ -]?\d){7,17}+(?![\w.])"  # a telephone, an order
_PERSONAL = re.compile(f"{_ADDRESS}|{_NUMBER}")
_LONGEST_SENDER = 60
_IN_BRACKETS = re.compile(r"[（(][^()（）\n]{1,120}+[)）]")
_IDENTIFIES = re.compile(r"@|\d{6}")


@dataclass(frozen=True, slots=True)
class CustomerMessage:
    """``question`` is the question in the customer's words; ``background`` is its story, possibly empty."""

    question: str
    background: str = ""

    @property
    def text(self) -> str:
        """All that the customer says, first the story: without greeting, introduction, signature and personal data."""
        return f"{self.background}\n{self.question}" if self.background else self.question


def read_message(text: str) -> CustomerMessage:
    r"""Separate a message's question from its story; a short one, or one without a question, has no story.

    A short one is without its greeting, introduction and signature.

    >>> story = "I am Ann, of a glass shop in Bath (ann@example.org, 07700 900417). Our card ran out while I was away."
    >>> read_message(f"Hi,\n{story} The service was suspended.\n\nIs everything deleted now?\n\nThanks, Ann").question
    'Is everything deleted now?'
    >>> read_message("Hello,\nmy lamp flickers. Can I return it?\n\nBest wishes\nAnn Lee")
    CustomerMessage(question='my lamp flickers. Can I return it?', background='')
    """
    if not is_long(text):
        return CustomerMessage(_without_courtesy(text))
    own = _without_personal_data(_without_sender(text.split("\n")))
    sentences = [sentence for sentence in _joined(line_sentences(own)) if len(sentence) >= _SHORTEST_SENTENCE]
    body = [_without_introduction(sentence) or sentence for sentence in sentences if not _is_courtesy(sentence)]
    asking = list(filter(asks_something, body))
    if not asking:
        return CustomerMessage(text)
    background = "\n".join(sentence for sentence in body if sentence not in asking)
    return CustomerMessage("\n".join(asking), background[-_LONGEST_BACKGROUND_CHARACTERS:])


def line_sentences(text: str) -> list[str]:
    """Return the sentences of a text; none goes on in another line."""
    return [line[one.start : one.end] for line in text.split("\n") for one in split_sentences(line)]


def _joined(sentences: Sequence[str]) -> list[str]:
    """Join a sentence that asks whether the one before it is so with that one."""
    joined: list[str] = []
    for sentence in sentences:
        if joined and _ASKS_BACKWARDS.fullmatch(sentence):
            joined[-1] = f"{joined[-1]} {sentence}"
        else:
            joined.append(sentence)
    return joined


def _without_courtesy(text: str) -> str:
    """Return a text without greeting, introduction, closing and signature; the whole if nothing else is left.

    They are the customer's name more often than not, which no passage has.
    """
    lines = text.split("\n")
    while lines and (not lines[0].strip() or is_greeting(lines[0])):
        del lines[0]
    own = _without_introduction(_HELLO.sub("", _without_sender(lines)))
    while (last := split_sentences(own)[-1:]) and last[0].start and _is_courtesy(own[last[0].start :]):
        own = own[: last[0].start].rstrip()
    return own or text


def is_greeting(line: str) -> bool:
    """Tell whether a line does nothing but greet.

    >>> is_greeting("尊敬的客服："), is_greeting("Dear support team,"), is_greeting("Dear customers get what?")
    (True, True, False)
    """
    return _GREETING.fullmatch(line) is not None


def _without_sender(lines: Sequence[str]) -> str:
    """Return the lines above the signature, which may be a name with an address or a number and no closing."""
    rest = list(lines)
    while rest and (not rest[-1].strip() or _is_sender(rest[-1])):
        del rest[-1]
    return without_signature(rest or lines)


def _is_sender(line: str) -> bool:
    return len(line) <= _LONGEST_SENDER and _PERSONAL.search(line) is not None and not asks_something(line)


def _without_introduction(text: str) -> str:
    """Return a text without the sentences at its beginning that say who writes, or of which order.

    "Where is it?" needs its order.
    """
    while introduction := _INTRODUCTION.match(text) or _ORDER.match(text):
        if introduction.re is _ORDER and FOLLOW_UP.search(text, introduction.end()):
            break
        text = text[introduction.end() :]
    return text


def _is_courtesy(sentence: str) -> bool:
    return any(one.fullmatch(sentence) for one in (_INTRODUCTION, _ORDER)) or (
        COURTESY.fullmatch(sentence) is not None and not asks_something(sentence)
    )


def asks_something(text: str) -> bool:
    """Tell whether a text has a question; an error message that was pasted as it is has none, nor has mere anger.

    >>> asks_something("Is the seal broken?"), asks_something("503 DownloadTrafficRateLimitExceeded")
    (True, False)
    >>> asks_something("钱收了不干活，这算什么？"), asks_something("凭什么扣我三十块？")
    (False, True)
    """
    return _SENTENCE_ASKS.search(text) is not None and ONLY_COMPLAINS.search(text) is None


def only_reports(text: str) -> bool:
    """Tell whether a text only names a code or an error and asks nothing, which its writer leaves to the reader.

    >>> only_reports("E22??"), only_reports("kettle shows K3"), only_reports("409 FileImmutable: It is immutable")
    (True, True, True)
    >>> only_reports("What is E22?"), only_reports("price of an R3 filter"), only_reports("My kettle drips.")
    (False, False, False)
    """
    is_puzzled = not content_words(text) or text.rstrip().endswith(("??", "？？"))
    report = text.rstrip(" ?？!！") if is_puzzled else text
    return bool(named_codes(report) or _ERROR.search(report)) and _ASKS_ANYTHING.search(report) is None


def _without_personal_data(text: str) -> str:
    """Return the text without addresses, long numbers, and brackets that contain one: they identify the writer."""
    bracketless = _IN_BRACKETS.sub(lambda found: " " if _IDENTIFIES.search(found[0]) else found[0], text)
    return _PERSONAL.sub(" ", bracketless)


def is_long(text: str) -> bool:
    """Tell whether a message is long enough to be divided into question and story."""
    count = len(ideographs(text))
    return len(text) - count + _IDEOGRAPH_LENGTH * count > _LONG_CHARACTERS


_SIGNATURE_MARK = re.compile(r"\s*+(?:--|—|––)\s*+")
_SENT_FROM = re.compile(
    r"\s*+(?:sent from (?:my|yahoo|mail|outlook)\b.{0,60}|get outlook for\b.{0,40}"
    r"|(?:发自|来自|从)(?:我的|网易|QQ)?.{0,30}(?:手机|iPhone|iPad|邮箱|Android|客户端|发送)[\s\S]{0,12})\s*",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"\s*+(?:(?:with )?(?:best|kind|kindest|warm|many)?\s*+(?:regards|wishes|greetings)|best|sincerely|cheers|yours"
    r"(?: sincerely| faithfully| truly)?|(?:many )?thanks(?: in advance| a lot| so much)?|thank you(?: very much)?"
    r"|此致|敬礼|祝好|顺祝商祺|谢谢|多谢|万分感谢|祝(?:您)?(?:生活|工作)(?:愉快|顺利))\s*+[,，.。!！~]*+\s*+",
    re.IGNORECASE,
)
_SIGNATURE_LINES = 7
_SIGNATURE_LINE_CHARACTERS = 60
_DISCLAIMER = re.compile(
    r"\s*+(?:(?:this|the) (?:e-?mail|message|communication)\b.{0,120}\b(?:confidential|intended|privileged)"
    r"|(?:confidentiality notice|disclaimer)\s*+[:：]|(?:本|此)(?:电子)?邮件.{0,40}(?:保密|机密|仅供))",
    re.IGNORECASE,
)


def without_signature(lines: Sequence[str]) -> str:
    r"""Return the lines above a closing and a signature, as one text with single blank lines.

    >>> without_signature(["Is it 30 days?", "", "Cheers", "Ann Lee"]), without_signature(["Thanks", "Is it free?"])
    ('Is it 30 days?', 'Thanks\nIs it free?')
    """
    kept: list[str] = []
    left = sum(line.strip() != "" for line in lines)
    for number, line in enumerate(lines):
        left -= line.strip() != ""
        if _SIGNATURE_MARK.fullmatch(line) or _DISCLAIMER.match(line):
            break
        if left <= _SIGNATURE_LINES and _CLOSING.fullmatch(line) and _is_signature(lines[number + 1 :]):
            break
        if not _SENT_FROM.fullmatch(line):
            kept.append(line.rstrip())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


def _is_signature(rest: Sequence[str]) -> bool:
    """Tell whether the few lines below a closing are a name and an address, not a question."""
    words = [line for line in rest if line.strip()]
    short = all(len(line) <= _SIGNATURE_LINE_CHARACTERS for line in words)
    return short and not any(sign in line for line in words for sign in "?？。")
