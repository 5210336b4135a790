"""Takes off what small models put before an answer: the question, a label such as "Final Answer:" or "You:", tags.

Only what is certain goes: the question in its own words, a line that ends as a label does, a tag.  What is left is
the answer; a reply that is nothing else stays as it is, and is judged as it is.
"""

import re

_LONGEST_LABEL = 40
_LABEL_WORDS = ("answer", "reply", "response", "question", "答案", "回答", "回复", "答复", "问题")
_SPEAKERS = frozenset({"you", "agent", "assistant", "客服", "助手"})
_TAG = re.compile(r"</?[a-z_]{1,20}>")
_ORNAMENTS = "*#_>` \t\r\n"


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
    >>> without_preamble("The answer depends on the item: shoes have 60 days.", "How long?")
    'The answer depends on the item: shoes have 60 days.'
    """
    asked = question.strip()
    rest = _without_label(_without_tags(reply))
    if asked and rest.startswith(asked):
        rest = _without_label(_after(rest[len(asked) :]))
    return rest if any(character.isalnum() for character in rest) else reply


def _after(text: str) -> str:
    """Return what follows the end of a label, whose emphasis may end behind it; a list's first mark stays."""
    return text.lstrip("*_").lstrip()


def _without_tags(text: str) -> str:
    text = text.strip()
    opening = _TAG.match(text)
    if opening is None:
        return text
    text = text[opening.end() :].strip()
    closing = text.rfind("</")
    return text[:closing].strip() if closing >= 0 and _TAG.fullmatch(text[closing:]) else text


def _without_label(text: str) -> str:
    """Return a text without a label at its beginning, and its colon: a few words that name an answer, or who speaks."""
    bare = text.lstrip(_ORNAMENTS)
    head = bare[:_LONGEST_LABEL].replace("：", ":")
    label, colon, _ = head.partition(":")
    words = label.strip(_ORNAMENTS).lower()
    ends_as_label = words in _SPEAKERS or (words.endswith(_LABEL_WORDS) and len(words.split()) <= 3)
    if not colon or not ends_as_label or "\n" in words:
        return text
    return _after(bare[len(label) + 1 :])
