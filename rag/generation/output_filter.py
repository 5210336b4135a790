"""Removes from a reply what cannot come from the passages: unknown links, parts of the prompt, dictated sentences.

The last of three guardrails against prompt injection (``prompt_injection.py``).  A reply may say what a passage says,
once.  It does not repeat the customer's words: a small model appends a mail's story to its answer.

First it removes the preamble of small models: the question, a label such as "Final Answer:" or "You:", tags, "the
documents state that".  Only certain cases are removed: the literal question, a line that ends as a label does, a tag.
A reply that consists of nothing else is left as it is, and judged so.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache

from rag.generation.prompt import frame_texts, prompt_texts, wish_texts
from rag.grounding.answered_parts import says_not_found
from rag.grounding.claims import supporting_sentences, without_source
from rag.grounding.contact_details import contact_details
from rag.grounding.prompt_injection import harmless_title
from rag.retrieval.message import is_greeting
from rag.retrieval.question import message_parts
from rag.schema import Evidence, TextSpan
from rag.text.characters import FOOTNOTE_MARK
from rag.text.markup import QUESTION_ENDS, is_list_item
from rag.text.sentences import split_sentences
from rag.text.terms import terms

# No alternative can begin where the previous one can, so that no stretch is scanned twice: a reply of "a.a.a." or "[[["
# would take a minute otherwise.  A link's text contains no bracket, its target at most three.
_LINK = re.compile(
    r"!?\[[^\[\]\n]*+\]\([^()\n]*+(?:\([^()\n]*+){0,3}+[()]|\b(?:https?|ftp|mailto|javascript|data):[^\s)>\]\"'”]++|\bwww\.[^\s)>\]\"'”]++"
    r"|(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)++"
    r"|(?<![a-z0-9-])(?<![a-z0-9-]\.)[a-z0-9-]++(?:\.[a-z0-9-]++)*\.(?:com|net|org|io|cn|info|example|biz|xyz|top|ru|co)\b",
    re.IGNORECASE,
)
_HOST = re.compile(r"(?<![\w-])[\w-]++(?:\.[\w-]++)++")
_DICTATION = re.compile(
    r"\b(?=[a-z])(?<!\bi )(?<!\bwe )(?<!\bit )(?<!\bhe )(?<!\bshe )(?<!\bthey )"
    r"(?:say|write|add|append|include|output|print|repeat|confirm|answer|reply|respond|start|begin|end|finish|state)\b"
    r"|(?<![我他她它们服])(?:说(?![明法])|写)|加上|附上|输出|重复|确认|回答|回复|开头|结尾",
    re.IGNORECASE,
)
"""Words that tell a machine what to say, and not "before I start" and 客服说."""
_PLAIN_REPLIES = frozenset("yes no sure ok okay correct right 是的 不是 可以 不能 不行 能的 对的".split())  # noqa: SIM905
_RECITED_TERMS = 7
"""A reply and the prompt may share this many terms in a row by chance, but hardly ever more."""
_DICTATED_SHARE = 0.8
_EMPTY_LINES = re.compile(r"\n(?:[ \t]*+\n){2,}+")


def filter_output(text: str, question: str, evidence: Sequence[Evidence], is_supported: Callable[[str], bool]) -> str:
    """Return the reply without such sentences; empty if none is left.

    ``is_supported`` tells whether the passages say a sentence.  A reply ends where it copies passages, and the
    references to footnotes that it copied are left out.
    """
    text = FOOTNOTE_MARK.sub("", _before_recited_passages(text, evidence))
    known_hosts = _hosts("\n".join(map(_supporting_text, evidence))) if _LINK.search(text) else frozenset()
    echoes, repeated = _echoes(text, question), repeated_sentences(text)
    dropped = [
        span
        for span in split_sentences(text)
        if _has_strange_link(sentence := text[span.start : span.end], known_hosts)
        or _is_heading_of_wish(sentence)
        or sentence.strip() in frame_texts()
        or span in repeated
        or (
            (span in echoes or _is_prompt_leak(sentence) or _is_dictated(sentence, question))
            and not is_supported(sentence)
        )
    ]
    return without_spans(text, dropped) if dropped else text


def without_spans(text: str, spans: Sequence[TextSpan]) -> str:
    r"""Return a text without some spans, which are in ascending order, and without blanks at its ends.

    >>> without_spans("One. Two. Three.", [TextSpan(5, 9)]), without_spans("One.\n\nTwo.\n\nThree.", [TextSpan(6, 10)])
    ('One.  Three.', 'One.\n\nThree.')
    """
    kept, position = [], 0
    for span in spans:
        kept.append(text[position : span.start])
        position = span.end
    return _EMPTY_LINES.sub("\n\n", "".join((*kept, text[position:]))).strip()


def repeated_sentences(text: str) -> set[TextSpan]:
    """Return the sentences that repeat an earlier one word for word; two lists may have a step in common."""
    seen: set[str] = set()
    repeated: set[TextSpan] = set()
    for span in split_sentences(text):
        sentence = without_source(text[span.start : span.end])
        if is_list_item(text[text.rfind("\n", 0, span.start) + 1 : span.end]):
            continue
        if sentence in seen and len(terms(sentence)) >= _SHORTEST_ECHO_TERMS:
            repeated.add(span)
        seen.add(sentence)
    return repeated


_LINE_END = re.compile(r"\n++")
_PASSAGE_HEAD = re.compile(r"[^\w\[]{0,8}+(?:documents?+|资料)?+[^\w\[]{0,8}+\[\d{1,3}\] *+", re.IGNORECASE)


def recites_passages(text: str, evidence: Sequence[Evidence]) -> bool:
    """Tell whether a reply begins as a passage of the prompt does, with a number and a title.

    Two of 758 replies of the stand-in of 1.5B weights recited all passages until their tokens were used up.
    """
    return _is_head_of_passage(text, 0, evidence)


def _before_recited_passages(text: str, evidence: Sequence[Evidence]) -> str:
    """Return a reply up to the first line, but its own first, that begins as a passage of the prompt does."""
    ends = (match.end() for match in _LINE_END.finditer(text))
    end = next((end for end in ends if _is_head_of_passage(text, end, evidence)), len(text))
    return text[:end].rstrip() if text[:end].strip() else text


def _is_head_of_passage(text: str, start: int, evidence: Sequence[Evidence]) -> bool:
    head = _PASSAGE_HEAD.match(text, start)
    return head is not None and any(
        text.startswith(harmless_title(passage.title, passage.document_path), head.end()) for passage in evidence
    )


def links_in(text: str) -> frozenset[str]:
    """Return the addresses and hosts that a text names, in small letters.

    >>> sorted(links_in("See https://help.example.com/a or write to desk@example.com."))
    ['desk@example.com', 'https://help.example.com/a']
    """
    return frozenset(match.group().lower().lstrip("+-.").rstrip(".,;:!?") for match in _LINK.finditer(text))


def without_links(text: str) -> str:
    """Return a text without the addresses and hosts that it names."""
    return _LINK.sub(" ", text)


def _supporting_text(passage: Evidence) -> str:
    """Return the text of a passage without instructions to the model."""
    return "\n".join(passage.text[span.start : span.end] for span in supporting_sentences(passage.text))


def _has_strange_link(sentence: str, known_hosts: frozenset[str]) -> bool:
    """Tell whether a sentence names a host or a mail address that no passage names."""
    for link in _LINK.finditer(sentence):
        hosts = _hosts(link.group())
        if not hosts or not hosts <= known_hosts:
            return True
    return False


def _hosts(text: str) -> frozenset[str]:
    """Return the hosts, and the mail addresses as a whole, that a text names."""
    small = text.lower()
    hosts = {host.removeprefix("www.") for host in _HOST.findall(small)}
    return frozenset(hosts | {detail.key for detail in contact_details(small) if detail.kind == "mail"})


def _is_prompt_leak(sentence: str) -> bool:
    """Tell whether a sentence repeats the prompt's rules."""
    return any(run in _prompt_runs() for run in _runs([sentence]))


_SHORTEST_HEADING_CHARACTERS = 5


def _is_heading_of_wish(sentence: str) -> bool:
    """Tell whether a sentence is a heading made of words of the request for a reply: "**能还是不能：**"."""
    words = "".join(filter(str.isalnum, sentence)).lower()
    is_heading = sentence.strip(_ORNAMENTS).endswith((":", "："))
    return is_heading and len(words) >= _SHORTEST_HEADING_CHARACTERS and any(words in wish for wish in _wishes())


@cache
def _wishes() -> tuple[str, ...]:
    return tuple("".join(filter(str.isalnum, wish)).lower() for wish in wish_texts())


@cache
def _prompt_runs() -> frozenset[tuple[str, ...]]:
    return frozenset(_runs([*prompt_texts(), *wish_texts()]))


def _runs(texts: Iterable[str]) -> Iterator[tuple[str, ...]]:
    for text in texts:
        words = terms(text)
        for place in range(len(words) - _RECITED_TERMS + 1):
            yield tuple(words[place : place + _RECITED_TERMS])


def _is_dictated(sentence: str, question: str) -> bool:
    """Tell whether an unsupported sentence is what the question told the model to say."""
    words = set(terms(sentence)) - _PLAIN_REPLIES
    if not words or _DICTATION.search(question) is None:
        return False
    return len(words & set(terms(question))) >= _DICTATED_SHARE * len(words)


_SHORTEST_ECHO_TERMS = 6
_REPORTED_SPEECH = re.compile(
    r"\A(?:\W*(?:因此|所以|那么|根据资料|(?:so|therefore|thus)\b)[，,]?)?"
    r"(?:[^\n:：]{0,30}[:：]|\W*the customer (?:writes|asks|says|states|wrote|asked|said)(?: that)?\b)?",
    re.IGNORECASE,
)
"""The words before a repetition of the customer's: "The customer writes:", "所以，"."""


def _echoes(text: str, question: str) -> set[TextSpan]:
    """Return the sentences of a reply that repeat the customer's word for word.

    A statement in the words of a question may be its answer, and if there are several questions, one that is repeated
    before its answer is a heading.
    """
    spans = split_sentences(question)
    customers = [(terms(question[span.start : span.end]), _is_question(question, span)) for span in spans]
    sentences = [*(words for words, _ in customers), terms(question)]
    statements = [words for words, is_question in customers if not is_question]
    has_parts = len(message_parts(question)) > 1
    echoes: set[TextSpan] = set()
    is_followed_by_answer = False
    for span in reversed(list(split_sentences(text))):
        is_question = _is_question(text, span)
        is_echo = _is_part_of_any(text[span.start : span.end], sentences if is_question else statements)
        if is_echo and not (is_question and has_parts and is_followed_by_answer):
            echoes.add(span)
        is_followed_by_answer = not is_echo
    return echoes


def _is_part_of_any(sentence: str, sentences: Iterable[list[str]]) -> bool:
    """Tell whether a sentence, without "the customer writes", is part of a customer's, given as terms."""
    words = terms(_REPORTED_SPEECH.sub("", sentence, count=1))
    if len(words) < _SHORTEST_ECHO_TERMS:
        return False
    length = len(words)
    return any(own[place : place + length] == words for own in sentences for place in range(len(own) - length + 1))


def _is_question(text: str, sentence: TextSpan) -> bool:
    return text[sentence.start : sentence.end].rstrip(_ORNAMENTS).endswith(QUESTION_ENDS)


_LONGEST_LABEL = 40
_LABEL_WORDS = ("answer", "reply", "response", "question", "答案", "回答", "回复", "答复", "问题")
_SPEAKERS = frozenset({"you", "agent", "assistant", "客服", "助手"})
_TAG = re.compile(r"</?[a-z_]{1,20}>")
_ORNAMENTS = "*#_>` \t\r\n"
_COMMAS = ("，", ",", "：", ":")
_QUOTES = tuple("\"'“‘「『")
_PLAIN_WORD = re.compile(r"[a-z]+(?![\w.-])")
_REPEATED = re.compile(r"[.?!。？！]|.[*_]*\s*(?:[.?!。？！\n]|\Z)", re.DOTALL)
"""From the last character of a repeated question on, if no sentence goes on with it."""


def without_preamble(reply: str, question: str) -> str:
    r"""Return a reply without its preamble.

    >>> without_preamble("**Final Answer:** Within 30 days.", "How long can I return it?")
    'Within 30 days.'
    >>> without_preamble("**Question**:\nHow long?\n\n**Created Answer**:\nWithin 30 days.", "How long?")
    'Within 30 days.'
    >>> without_preamble("**You**:\nWithin 30 days.", "How long?")
    'Within 30 days.'
    >>> without_preamble("Answer:\n* Shoes: 60 days\n* Books: 30 days", "How long?")
    '* Shoes: 60 days\n* Books: 30 days'
    >>> without_preamble("<answer>\n30 天内可退。\n</answer>", "多久能退？")
    '30 天内可退。'
    >>> without_preamble("How long can I return it?", "How long can I return it?")
    'How long can I return it?'
    >>> without_preamble("W-203 means that the versions differ.", "W-203")
    'W-203 means that the versions differ.'
    >>> without_preamble("The answer depends on the item: shoes have 60 days.", "How long?")
    'The answer depends on the item: shoes have 60 days.'
    >>> without_preamble("The documents state that it is free. So, no.", "Does it cost anything?")
    'It is free. So, no.'
    >>> without_preamble("资料中写道：“最多 50 个。”所以不能。", "能开60个吗？")
    '资料中写道：“最多 50 个。”所以不能。'
    >>> without_preamble("尊敬的客服：\n\n可以退。", "尊敬的客服：\n能退吗？\n李雷")
    '可以退。'
    >>> without_preamble("好的，我明白了。根据资料，补差价是 19 美元。", "补差价多少？")
    '补差价是 19 美元。'
    """
    wording = question.strip()
    rest = _without_label(_without_assent(_without_salutation(_without_tags(reply), question)))
    if wording and rest.startswith(wording) and _REPEATED.match(rest[len(wording) - 1 :]):
        rest = _without_label(_after_label(rest[len(wording) :]))
    rest = _without_source(rest)
    return rest if any(character.isalnum() for character in rest) else reply


def _after_label(text: str) -> str:
    """Return the text after a label and its closing emphasis; the first mark of a list stays."""
    return text.lstrip("*_").lstrip()


def _without_tags(text: str) -> str:
    text = text.strip()
    opening = _TAG.match(text)
    if opening is None:
        return text
    text = text[opening.end() :].strip()
    closing = text.rfind("</")
    return text[:closing].strip() if closing >= 0 and _TAG.fullmatch(text[closing:]) else text


def _without_salutation(text: str, question: str) -> str:
    """Return a text without the line at its beginning with which the customer greets support."""
    line, _, rest = text.partition("\n")
    greetings = {one.strip() for one in question.split("\n", 3)[:3] if is_greeting(one)}
    return rest.strip() if line.strip() in greetings and rest.strip() else text


_ASSENT = re.compile(
    r"(?:好的|明白了?|收到)[，,。！!]\s*(?:我(?:已经?)?(?:明白|知道|了解|理解)了?(?:你的问题)?[，,。！!]\s*|我来[^，。！？\n]{1,12}[。！]\s*)?"
    r"|(?:okay|understood)[,.!]\s+(?:i (?:see|understand)(?: your question)?[.,!]\s+)?",
    re.IGNORECASE,
)


def _without_assent(text: str) -> str:
    """Return a text without "okay, I understand" at its beginning: a model says that to its own instructions."""
    assent = _ASSENT.match(text)
    rest = text[assent.end() :] if assent else text
    return rest[0].upper() + rest[1:] if assent and _PLAIN_WORD.match(rest) else rest


def _without_source(text: str) -> str:
    """Return a text without "the documents state that" at its beginning; a quotation keeps its introduction."""
    stated = without_source(text)
    named = text[: len(text) - len(stated)].rstrip()
    is_certain = named.isascii() or named.endswith(_COMMAS)
    if not named or not is_certain or stated.startswith(_QUOTES) or says_not_found(text):
        return text
    return stated[0].upper() + stated[1:] if _PLAIN_WORD.match(stated) else stated


def _without_label(text: str) -> str:
    """Return a text without a label and colon at its beginning: a few words that name an answer or a speaker."""
    bare = text.lstrip(_ORNAMENTS)
    head = bare[:_LONGEST_LABEL].replace("：", ":")
    label, colon, _ = head.partition(":")
    words = label.strip(_ORNAMENTS).lower()
    ends_as_label = words in _SPEAKERS or (words.endswith(_LABEL_WORDS) and len(words.split()) <= 3)
    if not colon or not ends_as_label or "\n" in words:
        return text
    return _after_label(bare[len(label) + 1 :])
