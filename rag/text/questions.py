"""How a clause asks for something, in both languages: its words, and whether yes or no answers it."""

import re

ENGLISH_QUESTION_WORDS = "how|what|which|when|where|who|whose|why"
"""For small letters, and between word borders."""

ENGLISH_ASKING_VERBS = "can|could|do|does|did|is|are|was|were|will|would|should|may|must|have|has"
"""Before their subject they ask for yes or no; for small letters, and between word borders."""

_CHINESE_YES_OR_NO = "吗|是否|能不能|要不要|可不可以|有没有|会不会"

CHINESE_QUESTION_WORDS = rf"多少|多久|多长|多大|几|怎么|怎样|如何|什么|啥|哪|谁|么\b|呢|可以不|{_CHINESE_YES_OR_NO}"

_ASKS_YES_OR_NO = re.compile(
    r"(?:^|[.,;:!?]\s+|\b(?:and|but|so|then|or)\s+)"
    rf"(?:{ENGLISH_ASKING_VERBS}|am)(?:n['’]t)?\s+[a-z]"
    rf"|{_CHINESE_YES_OR_NO}|能否|可否|是不是|行不行|支不支持|算不算"
    r"|[能会行可得](?:[^\n。？?]{0,30})不[？?。]?$|么[？?。]?$",
    re.IGNORECASE | re.MULTILINE,
)


def asks_yes_or_no(question: str) -> bool:
    """Tell whether a question, or a part of it, wants yes or no.

    >>> asks_yes_or_no("I have lost the box. Can I return it?"), asks_yes_or_no("Which boxes can I return?")
    (True, False)
    >>> asks_yes_or_no("盒子丢了还能退不"), asks_yes_or_no("能退几次？")
    (True, False)
    """
    return _ASKS_YES_OR_NO.search(question) is not None
