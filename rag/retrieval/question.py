"""Reads a customer's message without a model: cleans it, and finds its question, the parts of that, and its context.

A mail of ten lines contains one or two questions.  Searched as one text, the story outweighs them: names and numbers
are rare, so they weigh most.  So the question is separated from the rest (greeting, story, signature, personal data),
sentence by sentence, by the words.

A compound question ("How long is the warranty, and how do I return it?") is divided where a clause ends and another
one that asks for something begins.  A clause that does not ask ("I bought a kettle") stays with the next part.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.errors import QuestionEmpty, QuestionTooLong, QuestionWithoutWords
from rag.schema import TextSpan
from rag.text.characters import IDEOGRAPHS, ideographs, squeezed, without_invisible
from rag.text.markup import QUESTION_ENDS
from rag.text.questions import CHINESE_QUESTION_WORDS, ENGLISH_ASKING_VERBS, ENGLISH_QUESTION_WORDS
from rag.text.sentences import split_sentences
from rag.text.signatures import without_signature
from rag.text.statements import content_words, named_codes
from rag.text.terms import terms

_LONGEST_EARLIER_CHARACTERS = 400
_ONLY_COURTESY = re.compile(
    r"(?:(?:thank you|thanks?|thx|okay|ok|yes|no|great|hello|hi|hey|please|help|sure|good|very|much|so|a lot"
    r"|那|好的?|谢谢|多谢|你|是的?|嗯|哦|您?好|在吗|明白|知道|了)[\W_]*)*",
    re.IGNORECASE,
)
_FOLLOW_UP = re.compile(
    r"\b(?:it|its|they|them|their|this|that|these|those|there|he|she|him|his|her|then|else|too|instead|same|one|ones)\b"
    r"|^(?:and|but|so|or|what about|how about|why)\b|它|他|她|这|那|此|该|其中|呢|还有|上述|刚才|前面|同样|为什么|为何",
    re.IGNORECASE,
)
_KEYCAP = re.compile("[0-9#*]\ufe0f?\u20e3")


_RAW_TIMES = 4  # times the limit, with blanks and invisible characters


def clean_question(text: str, limit_characters: int) -> str:
    r"""Return the question without control and invisible characters and long runs of blanks, trimmed.

    Raises ``QuestionEmpty``, ``QuestionTooLong`` (more than ``limit_characters`` after cleaning) or
    ``QuestionWithoutWords`` (no letter, ideograph or digit in it).

    >>> clean_question("  如何\x00退货？\n", 100)
    '如何退货？'
    """
    if len(text) > _RAW_TIMES * limit_characters:  # a pasted file of megabytes is not cleaned letter by letter
        raise QuestionTooLong(characters=len(text), limit=limit_characters)
    cleaned = squeezed(visible(text))
    if not cleaned:
        raise QuestionEmpty
    if len(cleaned) > limit_characters:
        raise QuestionTooLong(characters=len(cleaned), limit=limit_characters)
    if not any(unicodedata.category(character)[0] in "LN" for character in _comparable(cleaned)):
        raise QuestionWithoutWords
    return cleaned


def visible(text: str) -> str:
    """Return text without control and invisible characters, trimmed, possibly empty."""
    return "".join(map(_visible_character, without_invisible(text.replace("\r\n", "\n")))).strip()


def in_context(question: str, previous: str = "") -> str:
    r"""Return the user's last turn and the question after it, as one text.

    >>> in_context("Which is more important?", "What is market cap, what is NAV?")
    'What is market cap, what is NAV?\nWhich is more important?'
    """
    return f"{previous}\n{question}" if previous else question


def last_real_question(earlier: Sequence[str]) -> str:
    """Return the last of the earlier questions, oldest first, that is more than thanks; empty if there is none.

    >>> last_real_question(["Can I see Mars?", "Thank you!"])
    'Can I see Mars?'
    """
    for text in reversed(earlier):
        if not _ONLY_COURTESY.fullmatch(text.strip(" \t\n?!.,？！。，")):
            return text[-_LONGEST_EARLIER_CHARACTERS:].strip()
    return ""


def may_be_follow_up(question: str) -> bool:
    """Tell whether a question may depend on the one before: "How long does it take?", "那邮费呢".

    The model then needs the earlier question as well.
    """
    return _FOLLOW_UP.search(question) is not None or len(set(terms(question))) <= 3


def question_before(text: str, earlier: Sequence[str]) -> str:
    """Return the last of the ``earlier`` questions if this one may depend on it, else an empty string."""
    return last_real_question([visible(one) for one in earlier]) if may_be_follow_up(text) else ""


def _visible_character(character: str) -> str:
    if character in "\n\t":
        return character
    category = unicodedata.category(character)
    if category == "Cs":  # half of a surrogate pair: it cannot be encoded, so it could be neither stored nor sent
        return ""
    # A control character may have stood between two words (vertical tab, form feed, a lone carriage return).
    return " " if character in "\r\v\f\x1c\x1d\x1e\x1f\x85" else "" if category == "Cc" else character


def _comparable(text: str) -> str:
    return unicodedata.normalize("NFKC", _KEYCAP.sub("", text))


_CLAUSE = re.compile(r"[,;.?!\n，。？！；、]|\b(?:and|or|but)\b|还有|以及|和|另外|然后")
_QUESTION_WORD = re.compile(rf"\b(?:{ENGLISH_QUESTION_WORDS})\b|{CHINESE_QUESTION_WORDS}")
_COMPARISON = re.compile(
    r"\b(?:cheaper|better|difference|compared?|versus|vs|altogether|in total|instead of|rather than)\b"
    r"|区别|划算|对比|比较|一共|总共|合计|还是"
)


def needs_thought(question: str) -> bool:
    """Tell whether a question has several parts or compares things: only these are worth the time of a thought.

    >>> needs_thought("How long is the warranty?"), needs_thought("保修多久，修一次多少钱？")
    (False, True)
    """
    text = question.lower()
    return (
        _COMPARISON.search(text) is not None
        or sum(bool(_QUESTION_WORD.search(clause)) for clause in _CLAUSE.split(text)) > 1
    )


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
_ONLY_COMPLAINS = re.compile(
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
    rf"[?？]\W*$|请问|为何|为啥|咋|不\W*$|{CHINESE_QUESTION_WORDS}|\b(?:{ENGLISH_QUESTION_WORDS}|whats|prices?)\b"
    rf"|\b(?:costs?|fees?) (?:of|for)\b|^\W*(?:{ENGLISH_ASKING_VERBS})\b"
    rf"|\b{_AUXILIARIES}",
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
_COURTESY = re.compile(
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
    if not _is_long(text):
        return CustomerMessage(_without_courtesy(text))
    own = _without_personal_data(_without_sender(text.split("\n")))
    sentences = [sentence for sentence in _joined(_sentences(own)) if len(sentence) >= _SHORTEST_SENTENCE]
    body = [_without_introduction(sentence) or sentence for sentence in sentences if not _is_courtesy(sentence)]
    asking = list(filter(asks_something, body))
    if not asking:
        return CustomerMessage(text)
    background = "\n".join(sentence for sentence in body if sentence not in asking)
    return CustomerMessage("\n".join(asking), background[-_LONGEST_BACKGROUND_CHARACTERS:])


def _sentences(text: str) -> list[str]:
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
        if introduction.re is _ORDER and _FOLLOW_UP.search(text, introduction.end()):
            break
        text = text[introduction.end() :]
    return text


def _is_courtesy(sentence: str) -> bool:
    return any(one.fullmatch(sentence) for one in (_INTRODUCTION, _ORDER)) or (
        _COURTESY.fullmatch(sentence) is not None and not asks_something(sentence)
    )


def asks_something(text: str) -> bool:
    """Tell whether a text has a question; an error message that was pasted as it is has none, nor has mere anger.

    >>> asks_something("Is the seal broken?"), asks_something("503 DownloadTrafficRateLimitExceeded")
    (True, False)
    >>> asks_something("钱收了不干活，这算什么？"), asks_something("凭什么扣我三十块？")
    (False, True)
    """
    return _SENTENCE_ASKS.search(text) is not None and _ONLY_COMPLAINS.search(text) is None


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


def _is_long(text: str) -> bool:
    count = len(ideographs(text))
    return len(text) - count + _IDEOGRAPH_LENGTH * count > _LONG_CHARACTERS


MOST_PARTS = 4
_SHORTEST_CHARACTERS = 4
_AROUND = " \t,，。"
_ENGLISH_ASKS = (
    r"(?:(?:(?:after|at|by|for|from|in|of|on|through|to|under|until|up to|with|within)\s++)?+"
    rf"(?:{ENGLISH_QUESTION_WORDS})\b(?<!\bwhen)|(?:when\s++)?+(?:{ENGLISH_ASKING_VERBS})\s+"
    r"(?:i|you|we|it|they|he|she|there|this|that|the|my|your|our|an?|any|these|those)\b)"
)
_CHINESE_ASKS = re.compile(CHINESE_QUESTION_WORDS)
_ITEM = r"(?:\([a-d1-4]\)|[①②③④])[^\S\n]*+"
_ENDS = re.compile(
    r"[?？;；\n]+|(?<=[a-z0-9)])[.!][^\S\n]++(?=[A-Z])"
    r"|(?:,|(?<![^\S\n])(?<!,))[^\S\n]++"
    rf"(?:(?i:and|but)\s++(?i:also\s++|then\s++)?+(?i:(?=if\b|when\b|once\b|{_ENGLISH_ASKS}))|(?:(?:and|or)\s++)?+(?={_ITEM}))"
    rf"|,\s++(?i:(?={_ENGLISH_ASKS}))"
    r"|(?:[，,。]|(?<![^\S\n])(?<![，,。]))[^\S\n]*+(?:(?:以及|并且|还有|另外|而且)\s*+)++"
    r"|[，,。][^\S\n]*+同时\s*+"
    rf"|[，,。]\s*+(?=[^，,。{IDEOGRAPHS}]*+[{IDEOGRAPHS}])",
)
_TOPIC = r"(?:[^:\n]{1,80}+:[^\S\n]++)?+"
"""A topic at the beginning of a clause: "Video snapshots: which codecs can you read"."""
_CLAUSE_ASKS = re.compile(
    rf"{_TOPIC}(?:(?:and|so|then|also|please|hi|hello|but|or)\W+)*(?:{_ITEM})?+{_ENGLISH_ASKS}", re.IGNORECASE
)


def parts_of(question: str) -> tuple[str, ...]:
    """Return at most four parts, of which the last holds the rest; none if the question asks for one thing.

    A clause asks by its words or by the mark at its end.

    >>> parts_of("How long is the warranty and how do I return it?")
    ('How long is the warranty', 'how do I return it')
    >>> parts_of("Do you sell kettles and toasters?"), parts_of("我买的门锁，保修多久，修一次多少钱？")
    ((), ('我买的门锁，保修多久', '修一次多少钱'))
    >>> parts_of("按里面放了多少扣钱，还是按买的容量？"), parts_of("What is it? Should it fail, who pays?")
    ((), ('What is it', 'Should it fail, who pays'))
    """
    parts: list[TextSpan] = []
    current: TextSpan | None = None
    for clause in _clauses(question):
        if parts and current is None and _is_alternative(question, parts[-1], clause):
            parts[-1] = TextSpan(parts[-1].start, clause.end)
            continue
        current = TextSpan(current.start if current else clause.start, clause.end)
        if _asks(question, clause) and current.end - current.start >= _SHORTEST_CHARACTERS:
            parts.append(current)
            current = None
    if current and parts:
        parts[-1] = TextSpan(parts[-1].start, current.end)
    if len(parts) > MOST_PARTS:
        parts[MOST_PARTS - 1 :] = [TextSpan(parts[MOST_PARTS - 1].start, parts[-1].end)]
    return tuple(question[part.start : part.end] for part in parts) if len(parts) > 1 else ()


def message_parts(question: str) -> tuple[str, ...]:
    r"""Return the questions of a customer's message, four at the most; none if it asks for one thing.

    >>> message_parts("How many tags can an object carry? What is the price of a tag?")
    ('How many tags can an object carry', 'What is the price of a tag')
    >>> message_parts("503\nDownloadTrafficRateLimitExceeded")
    ()
    """
    core = read_message(question).question
    sentences = tuple(core.splitlines()) if _is_long(question) and core != question else ()
    return sentences[:MOST_PARTS] if len(sentences) > 1 else parts_of(core)


def question_alone(text: str) -> str:
    """Return the sentences of a text that ask, without its story; the whole text if none asks, or all do.

    Also the whole text if these sentences leave to the story what they ask about.

    >>> question_alone("I bought it last month. How long is the warranty?")
    'How long is the warranty?'
    >>> question_alone("I must cancel my booking. What do I lose?")
    'I must cancel my booking. What do I lose?'
    """
    sentences = _sentences(text)
    asking = list(filter(asks_something, sentences))
    alone = "\n".join(asking)
    return alone if len(asking) < len(sentences) and _says_of_what(alone) else text


def _says_of_what(question: str) -> bool:
    """Tell whether a question names what it asks about: by a code, two words, or one Chinese word.

    >>> [_says_of_what(one) for one in ("What do I lose?", "多少钱？", "E30？", "保修多久？")]
    [False, False, True, True]
    """
    words = content_words(_QUESTION_WORD.sub(" ", question.casefold()))
    return bool(named_codes(question)) or sum(2 if len(ideographs(word)) > 1 else 1 for word in words) > 1


def last_question(part: str) -> str:
    """Return the last question in a part; the whole part if no sentence asks.

    >>> last_question("上个月换了店长，忙得很。熨斗用了两次就漏水，能退吗")
    '熨斗用了两次就漏水，能退吗'
    """
    sentences = [part[one.start : one.end] for one in split_sentences(part)]
    asking = (one for one in reversed(sentences) if _asks(one, TextSpan(0, len(one.rstrip("?？")))))
    return next(asking, part)


def _clauses(question: str) -> Iterator[TextSpan]:
    """Yield the non-empty clauses between separators, trimmed to their words."""
    start = 0
    for end, following in [*((one.start(), one.end()) for one in _ENDS.finditer(question)), (len(question), 0)]:
        text = question[start:end]
        if words := text.strip(_AROUND):
            begin = start + len(text) - len(text.lstrip(_AROUND))
            yield TextSpan(begin, begin + len(words))
        start = following


_ALTERNATIVE = re.compile(r"还是|或者|或是|\bor\b", re.IGNORECASE)
_CONDITION = re.compile(r"(?:(?:and|but|so|then)\s+)*should\b", re.IGNORECASE)
"""Of a clause that ends without a question mark: "Should it fail, who pays?"."""


def _is_alternative(question: str, part: TextSpan, clause: TextSpan) -> bool:
    """Tell whether a clause is the other alternative of the part before it: "A, or B?"."""
    between = question[part.end : clause.start].strip()
    return between in (",", "，") and _ALTERNATIVE.match(question, clause.start) is not None


def _asks(question: str, clause: TextSpan) -> bool:
    text = question[clause.start : clause.end]
    if _ONLY_COMPLAINS.search(text):
        return False
    if question[clause.end :].lstrip().startswith(QUESTION_ENDS):
        return _COURTESY.fullmatch(text) is None
    if _CONDITION.match(text):
        return False
    return _CHINESE_ASKS.search(text) is not None or _CLAUSE_ASKS.match(text) is not None
