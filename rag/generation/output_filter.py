"""Takes out of a reply what it cannot have from the passages: strange links, its own prompt, words put into its mouth.

The last of three guardrails around documents and questions as data (``prompt_injection.py``).  A supported sentence is
never touched: what a passage says, a reply may say.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache

from rag.generation.prompt import prompt_texts
from rag.grounding.confirmation import supporting_sentences
from rag.grounding.contact_details import contact_details
from rag.schema import Evidence
from rag.text.sentences import split_sentences
from rag.text.terms import terms

# Each alternative begins where the one before it cannot have begun, so that no stretch is looked at twice: a reply of
# "a.a.a." or "[[[" would take a minute else.  A link's words hold no bracket, its target three at the most.
_LINK = re.compile(
    r"!?\[[^\[\]\n]*+\]\([^()\n]*+(?:\([^()\n]*+){0,3}+[()]|\b(?:https?|ftp|mailto|javascript|data):[^\s)>\]\"'”]++|\bwww\.[^\s)>\]\"'”]++"
    r"|(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)++"
    r"|(?<![a-z0-9-])(?<![a-z0-9-]\.)[a-z0-9-]++(?:\.[a-z0-9-]++)*\.(?:com|net|org|io|cn|info|example|biz|xyz|top|ru|co)\b",
    re.IGNORECASE,
)
_HOST = re.compile(r"(?<![\w-])[\w-]++(?:\.[\w-]++)++")
_TOLD_TO_SAY = re.compile(
    r"\b(?:say|write|add|append|include|output|print|repeat|confirm|answer|reply|respond|start|begin|end|finish|state)\b"
    r"|说|写|加上|附上|输出|重复|确认|回答|回复|开头|结尾",
    re.IGNORECASE,
)
_PLAIN_REPLIES = frozenset("yes no sure ok okay correct right 是的 不是 可以 不能 不行 能的 对的".split())  # noqa: SIM905
_RECITED_TERMS = 7
"""Terms in a row that a reply and the prompt have in common by chance now and then, and more hardly ever."""
_PUT_INTO_ITS_MOUTH = 0.8


def filter_output(text: str, question: str, evidence: Sequence[Evidence], is_supported: Callable[[str], bool]) -> str:
    """Return the reply without such sentences; empty where nothing is left.

    ``is_supported`` tells of a sentence whether the passages say it.
    """
    said = _hosts("\n".join(map(_said, evidence))) if _LINK.search(text) else frozenset()
    dropped = [
        span
        for span in split_sentences(text)
        if _has_strange_link(sentence := text[span.start : span.end], said)
        or ((_is_prompt_leak(sentence) or _is_dictated(sentence, question)) and not is_supported(sentence))
    ]
    kept, position = [], 0
    for span in dropped:
        kept.append(text[position : span.start])
        position = span.end
    return "".join((*kept, text[position:])).strip() if dropped else text


def links_in(text: str) -> frozenset[str]:
    """Return the addresses and hosts that a text names, in small letters.

    >>> sorted(links_in("See https://help.example.com/a or write to desk@example.com."))
    ['desk@example.com', 'https://help.example.com/a']
    """
    return frozenset(match.group().lower().lstrip("+-.").rstrip(".,;:!?") for match in _LINK.finditer(text))


def without_links(text: str) -> str:
    """Return a text without the addresses and hosts that it names."""
    return _LINK.sub(" ", text)


def _said(passage: Evidence) -> str:
    """Return what a passage says, without orders to the model."""
    return "\n".join(passage.text[span.start : span.end] for span in supporting_sentences(passage.text))


def _has_strange_link(sentence: str, said: frozenset[str]) -> bool:
    """Tell whether a sentence names a host or a mail address that is not among those that the passages name."""
    for link in _LINK.finditer(sentence):
        named = _hosts(link.group())
        if not named or not named <= said:
            return True
    return False


def _hosts(text: str) -> frozenset[str]:
    """Return the hosts, and the mail addresses as a whole, that a text names."""
    small = text.lower()
    hosts = {host.removeprefix("www.") for host in _HOST.findall(small)}
    return frozenset(hosts | {detail.key for detail in contact_details(small) if detail.kind == "mail"})


def _is_prompt_leak(sentence: str) -> bool:
    """Tell whether a sentence is taken from the prompt's rules or examples."""
    return any(run in _prompt_runs() for run in _runs([sentence]))


@cache
def _prompt_runs() -> frozenset[tuple[str, ...]]:
    return frozenset(_runs(prompt_texts()))


def _runs(texts: Iterable[str]) -> Iterator[tuple[str, ...]]:
    for text in texts:
        words = terms(text)
        for place in range(len(words) - _RECITED_TERMS + 1):
            yield tuple(words[place : place + _RECITED_TERMS])


def _is_dictated(sentence: str, question: str) -> bool:
    """Tell whether a sentence that nothing supports is what the question asked to be said."""
    words = set(terms(sentence)) - _PLAIN_REPLIES
    if not words or _TOLD_TO_SAY.search(question) is None:
        return False
    return len(words & set(terms(question))) >= _PUT_INTO_ITS_MOUTH * len(words)
